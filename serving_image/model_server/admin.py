"""Administration: what is served, the canary's share, and loading again. Off unless the setting says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_server.controls import Operation
from model_server.errors import RequestError
from model_server.http import Request, Response, json_response, load_object
from spec import contracts

if TYPE_CHECKING:
    from model_server.app import App


def _state(app: App, _request: Request) -> Response:
    serving = app.serving_now()
    share = serving.split.percent if serving.canary else 0.0
    shares = {contracts.STABLE_LABEL: 100 - share, contracts.CANARY_LABEL: share}
    labels = (contracts.STABLE_LABEL, contracts.CANARY_LABEL)
    entries: list[dict[str, Any]] = [
        {
            "label": label,
            "release": served.reference,
            "digest": served.model.digest,
            "percent": shares[label],
            "row_seconds": served.model.cost.seconds(1),
        }
        for label, served in zip(labels, serving.releases, strict=False)
    ]
    return json_response({"model": serving.name, "releases": entries})


def _canary(app: App, request: Request) -> Response:
    serving = app.serving_now()
    if serving.canary is None:
        raise RequestError(409, f"no canary is served; start the server with {contracts.CANARY_URI}")
    percent = load_object(request.body, '"percent"').get("percent")
    if not isinstance(percent, (int, float)) or isinstance(percent, bool) or not 0 <= percent <= 100:
        raise RequestError(400, f'"percent" is {str(percent)[:40]}; allowed: a number from 0 to 100')
    serving.split.percent = float(percent)
    return _state(app, request)


def _reload(app: App, _request: Request) -> Response:
    app.reload()
    return json_response({"status": "loading"}, 202)


OPERATIONS: dict[str, Operation] = {"admin_state": _state, "admin_canary": _canary, "admin_reload": _reload}
