"""Routes for people: FastAPI's OpenAPI description and a page that lists it.

FastAPI takes longer to import than the whole rest of the server, so it is imported at the first visit. Its own docs
page loads scripts from a content delivery network, which a strict content security policy forbids; the page here needs
nothing from outside.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse

from model_server.alerts import Alerts
from spec import contracts

PAGE = Path(__file__).parent / "page"
#: The page loads and asks only its own server; `data:` is its empty icon.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd}"
    "code{background:#f3f3f3;padding:0 .2rem}"
)

#: What each content type holds, as far as it is the same for all contracts.
_SCHEMAS: dict[str, dict[str, Any]] = {
    "application/json": {"type": "object"},
    "application/octet-stream": {"type": "string", "format": "binary"},
    "application/x-npy": {"type": "string", "format": "binary"},
}


def build(server_version: str, routes: Sequence[contracts.Route], alerts: Alerts) -> FastAPI:
    """The FastAPI application; its OpenAPI description is made from the routes of the contracts table."""
    app = FastAPI(title="Model server", version=server_version, docs_url=None, redoc_url=None, openapi_url=None)

    @app.get(contracts.OPENAPI_PATH, include_in_schema=False)
    def openapi() -> dict[str, Any]:
        return describe(app, routes)

    @app.get(contracts.DOCS_PATH, include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(
            _page(routes), headers={"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
        )

    @app.get(contracts.ALERTS_PATH, include_in_schema=False)
    def firing() -> dict[str, Any]:  # on a thread: Alertmanager may be slow
        return alerts.now()

    for path, file in {
        contracts.PAGE_PATH: "index.html",
        **{f"/page/{name}": name for name in contracts.PAGE_FILES},
    }.items():
        app.add_api_route(path, _file(PAGE / file), include_in_schema=False)
    return app


def _file(path: Path) -> Callable[[], FileResponse]:
    def answer() -> FileResponse:
        return FileResponse(path, headers={"content-security-policy": PAGE_POLICY})

    return answer


def describe(app: FastAPI, routes: Sequence[contracts.Route]) -> dict[str, Any]:
    """OpenAPI 3.1 of the routes. Where two contracts share a path the first one of the table describes it."""
    description = dict(app.openapi())
    paths: dict[str, Any] = {}
    for route in routes:
        operation: dict[str, Any] = {
            "tags": [route.contract],
            "summary": route.says,
            "operationId": f"{route.operation}:{route.method}:{route.path}",
            "responses": {"200": {"description": "done"}},
        }
        names = [part.split("}")[0] for part in route.path.split("{")[1:]]
        if names:
            operation["parameters"] = [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
            ]
        if route.accepts:
            schemas = {kind: {"schema": _SCHEMAS.get(kind, {"type": "string"})} for kind in route.accepts}
            operation["requestBody"] = {"required": True, "content": schemas}
            operation["responses"]["400"] = {
                "description": "the request is not what the model takes; the body says why"
            }
        paths.setdefault(route.path, {}).setdefault(route.method.lower(), operation)
    description["paths"] = paths
    return description


def _page(routes: Sequence[contracts.Route]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(route.contract)}<td><code>{route.method} {html.escape(route.path)}</code>"
        f"<td>{html.escape(route.says)}"
        for route in routes
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>Model server: routes</title><style>{STYLE}</style><h1>Routes</h1>"
        f"<p>As OpenAPI: <a href='{contracts.OPENAPI_PATH}'>{contracts.OPENAPI_PATH}</a></p>"
        f"<table><thead><tr><th>Contract<th>Route<th>Does</thead><tbody>{rows}</tbody></table></html>"
    )
