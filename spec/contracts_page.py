"""`docs/contracts.md`: what the server answers, written from the tables that drive it.

`python -m spec.contracts_page > docs/contracts.md`
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from spec import contract_rules as rules
from spec import contracts
from spec.contracts import Contract, Route

#: What the statuses mean, on every contract. A client's mistake is never a 5xx.
STATUSES = {
    200: "answered",
    400: "the request breaks a rule; the message names tensor, index and rule",
    401: "no token, or not the right one",
    404: "no such route, model, version or label",
    405: "the route does not have this method",
    406: "no such form of answer",
    408: "the request did not arrive in time",
    413: "the body is too large",
    415: "unknown media type or content encoding",
    429: "the server is busy (Vertex AI, Azure ML)",
    431: "the headers are too large",
    500: "the server failed: its log says why, the answer does not",
    503: "the server is busy, or no release is loaded yet",
    504: "the deadline has passed, or would",
}


def markdown() -> str:
    """The page as text."""
    lines = [
        "# The contracts",
        "",
        "Written by `python -m spec.contracts_page`; do not edit. One server answers all of these at once, whatever",
        "platform it runs on; where a platform names its routes in variables, it answers there as well. The tables are",
        "the ones that drive its router and the tests.",
        "",
        *_on_every_contract(),
    ]
    for contract in contracts.CONTRACTS:
        lines += _contract(contract)
    return "\n".join(lines).rstrip("\n") + "\n"


def _on_every_contract() -> Iterator[str]:
    yield from ("## On every contract", "", "### Headers", "", "| header | sent by | what it says |", "|---|---|---|")
    yield from (f"| `{header.name}` | {header.sent_by} | {header.says} |" for header in rules.HEADERS)
    yield from ("", "### Limits", "", "| limit | default | setting | beyond it |", "|---|---|---|---|")
    for limit in rules.LIMITS:
        setting = f"`{limit.variable}`" if limit.variable else "fixed"
        beyond = str(limit.status) if limit.status else "the contract's status of a busy server, with `retry-after`"
        yield f"| {limit.says} | {limit.default:g} {limit.unit} | {setting} | {beyond} |"
    yield from (
        "",
        "Text in a body is UTF-8; numbers are finite, of the input's datatype and shape.",
        "",
        "### Statuses",
        "",
        "| status | means |",
        "|---|---|",
    )
    yield from (f"| {status} | {meaning} |" for status, meaning in STATUSES.items())
    yield from ("", rules.EXAMPLE_MODEL, "")


def _contract(contract: Contract) -> Iterator[str]:
    yield from (f"## {contract.title}", "")
    if contract.source:
        yield from (f"Source: <{contract.source}>", "")
    if contract.variables:
        yield from (f"Obeys {', '.join(f'`{name}`' for name in contract.variables)}.", "")
    yield from ("| method | path | what it does | body |", "|---|---|---|---|")
    yield from (_route(route) for route in contracts.ROUTES if route.contract == contract.name)
    yield from ("", f"An error is `{contract.error}`; a busy server answers {contract.busy_status}.", "")
    for example in rules.EXAMPLES:
        if example.contract != contract.name:
            continue
        variable = next(
            (r.variable for r in contracts.ROUTES if r.contract == contract.name and r.method == "POST" and r.variable),
            None,
        )
        if variable:
            yield from (f"With `{variable}={example.path}`:", "")
        yield from ("```sh", example.curl(), "```", "", "```text", example.answer, "```", "")


def _route(route: Route) -> str:
    path = f"value of `{route.variable}`" if route.variable else f"`{route.path}`"
    needs = "" if route.operation in contracts.OPEN_OPERATIONS else " (token, where one is asked for)"
    body = ", ".join(f"`{kind}`" for kind in route.accepts)
    return f"| {route.method} | {path} | {route.says}{needs} | {body} |"


if __name__ == "__main__":
    sys.stdout.write(markdown())
