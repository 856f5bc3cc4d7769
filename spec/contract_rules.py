"""What holds on every contract beside its routes: headers, limits, and one worked example each.

Data for docs/contracts.md; the tests run the examples and hold the limits against the server's own defaults.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from spec import contracts


@dataclass(frozen=True)
class Header:
    """name: as on the wire. sent_by: client, server or both."""

    name: str
    sent_by: str
    says: str


@dataclass(frozen=True)
class Limit:
    """variable: the setting that moves it; empty where it is fixed. default: in the unit of the setting.

    status: what a request beyond it is answered with; 0: the contract's own status of a busy server.
    """

    variable: str
    default: float
    unit: str
    status: int
    says: str


@dataclass(frozen=True)
class Example:
    """One request and its whole answer, from the model that EXAMPLE_MODEL describes."""

    contract: str
    method: str
    path: str
    body: str
    answer: str
    headers: tuple[str, ...] = ()

    def curl(self) -> str:
        """The request as a command; `$URL` is the server's base address."""
        words = ["curl", "-s"]
        if self.method not in ("GET", "POST"):
            words += ["-X", self.method]
        text = f'{shlex.join(words)} "$URL{self.path}"'
        for header in self.headers:
            text += f' -H "{header}"'
        return f"{text} -d {shlex.quote(self.body)}" if self.body else text


HEADERS: tuple[Header, ...] = (
    Header("authorization", "client", "`Bearer <token>`, where the service asks for a token; without it 401"),
    Header("content-type", "client", "which of the route's media types the body is; JSON where it is missing"),
    Header("content-encoding", "client", "`gzip` or `deflate` of the body; another one is 415"),
    Header("accept-encoding", "client", "`gzip`: larger answers come compressed"),
    Header(contracts.TIMEOUT_HEADER, "client", "deadline in whole milliseconds; 504 once it has passed or would pass"),
    Header(
        contracts.STICKY_HEADER,
        "client",
        "any text: while there is a canary, one text always reaches the same release "
        f"(`{contracts.CANARY_STICKY_HEADER}` names the header; every stack sets this name)",
    ),
    Header("traceparent, tracestate", "client", "W3C trace context: the id stands in the log, the span is below it"),
    Header(
        contracts.REQUEST_ID_HEADER,
        "both",
        "id of the request; given back as sent (128 printable characters), else made",
    ),
    Header(contracts.BINARY_HEADER, "both", "Open Inference Protocol, binary tensors: bytes of JSON before the data"),
    Header(contracts.VERSION_HEADER, "server", "version of the release that answered, on every prediction"),
    Header("retry-after", "server", "seconds until it is worth trying again, with a busy server's 429 or 503"),
    Header("www-authenticate", "server", "`Bearer`, with 401"),
    Header("allow", "server", "the route's methods, with 405"),
)

MAX_HEAD_KIB = 64
ARRIVAL_SECONDS = 20

LIMITS: tuple[Limit, ...] = (
    Limit(contracts.MAX_BODY_MIB, 32, "MiB", 413, "size of a body, as sent and decompressed"),
    Limit(contracts.MAX_BATCH, 1024, "rows", 400, "rows in one request"),
    Limit(contracts.MAX_QUEUE, 256, "requests", 0, "requests that wait for the model"),
    Limit(contracts.REQUEST_TIMEOUT_SECONDS, 60, "seconds", 504, "time until the model has answered"),
    Limit(contracts.MAX_CONNECTIONS, 1000, "connections", 503, "open connections of one process"),
    Limit("", MAX_HEAD_KIB, "KiB", 431, "size of the request line and headers"),
    Limit("", ARRIVAL_SECONDS, "seconds", 408, "time until a request has arrived"),
)

#: The model of the examples, in words.
EXAMPLE_MODEL = (
    "The examples ask a model `example`, version 1: it takes rows of four numbers, `x`, and doubles them, `y`."
)
_ROW, _DOUBLED = "[1, 2, 3, 4]", "[2.0,4.0,6.0,8.0]"
_JSON = "content-type: application/json"
_TENSOR = '{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}'

EXAMPLES: tuple[Example, ...] = (
    Example(contracts.SAGEMAKER, "POST", "/invocations", "1,2,3,4", "2.0,4.0,6.0,8.0", ("content-type: text/csv",)),
    Example(
        contracts.VERTEX,
        "POST",
        "/predict",
        f'{{"instances": [{_ROW}]}}',
        f'{{"predictions":[{_DOUBLED}]}}',
        (_JSON,),
    ),
    Example(contracts.AZURE_ML, "POST", "/score", f'{{"input_data": [{_ROW}]}}', f"[{_DOUBLED}]", (_JSON,)),
    Example(
        contracts.OIP,
        "POST",
        "/v2/models/example/infer",
        f'{{"inputs": [{_TENSOR}]}}',
        '{"model_name":"example","model_version":"1",'
        '"outputs":[{"name":"y","datatype":"FP32","shape":[1,4],"data":[2.0,4.0,6.0,8.0]}]}',
        (_JSON,),
    ),
    Example(
        contracts.TENSORFLOW_SERVING,
        "POST",
        "/v1/models/example:predict",
        f'{{"instances": [{_ROW}]}}',
        f'{{"predictions":[{_DOUBLED}]}}',
        (_JSON,),
    ),
    Example(contracts.TORCHSERVE, "POST", "/predictions/example", _ROW, _DOUBLED, (_JSON,)),
    Example(contracts.CONTAINER, "GET", "/readyz", "", "ready"),
    Example(
        contracts.ADMINISTRATION,
        "PUT",
        "/admin/canary",
        '{"percent": 25}',
        '{"model":"example","releases":[{"label":"stable","release":"example@1","percent":75.0},'
        '{"label":"canary","release":"example@2","percent":25.0}]}',
        ("authorization: Bearer $TOKEN", _JSON),
    ),
)
