"""AWS Lambda: requests from a function URL, an API gateway or a load balancer, and files dropped into a bucket.

Everything is loaded at import, which is the function's init phase. Mangum's `lifespan="off"`: otherwise start-up runs
on every call.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_plus

from mangum import Mangum
from model_server.embedded import EmbeddedApp

from functions import dropped

_app = EmbeddedApp()
_triggers = dropped.triggers()
_output = dropped.output_uri() if dropped.BUCKET in _triggers else ""
_http = Mangum(_app, lifespan="off")


def handle(event: dict[str, Any], context: Any) -> Any:
    """One invocation. Returns the answer to a request; for files, where their results are.

    Raises what a store raises: Lambda tries an event of a bucket again.
    """
    records = event.get("Records")
    if isinstance(records, list) and records and records[0].get("eventSource") == "aws:s3":
        return _files(records)
    if dropped.HTTP not in _triggers:
        raise dropped.NotOnError(f"a request came, but {dropped.TRIGGERS} has no {dropped.HTTP}")
    return _http(event, context)


def _files(records: list[dict[str, Any]]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html"""
    if dropped.BUCKET not in _triggers:
        raise dropped.NotOnError(f"a file was dropped, but {dropped.TRIGGERS} has no {dropped.BUCKET}")
    scored = []
    for record in records:
        if not str(record.get("eventName", "")).startswith("ObjectCreated:"):
            continue
        uri = f"s3://{record['s3']['bucket']['name']}/{unquote_plus(record['s3']['object']['key'])}"
        folder = dropped.score(uri, _app.model, _output)
        scored.append({"input": uri, "output": folder})
    return {"scored": scored}
