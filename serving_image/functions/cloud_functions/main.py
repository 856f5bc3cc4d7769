"""Google Cloud Functions: `predict` answers requests, `score` takes the events of a bucket.

The release is loaded at import. The event loop starts with the first request and not before: the framework's server
forks after the import, and a thread does not survive that.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

import functions_framework
from a2wsgi import ASGIMiddleware
from cloudevents.http import CloudEvent
from flask import Request
from model_server.embedded import EmbeddedApp
from werkzeug.wrappers import Response

from functions import dropped

_app = EmbeddedApp()
_triggers = dropped.triggers()
_output = dropped.output_uri() if dropped.BUCKET in _triggers else ""
_starting = threading.Lock()


@functions_framework.http
def predict(request: Request) -> Response:
    """Answer one request, whatever its path."""
    if dropped.HTTP not in _triggers:
        raise dropped.NotOnError(f"a request came, but {dropped.TRIGGERS} has no {dropped.HTTP}")
    with _starting:
        application = _wsgi()
    return Response.from_app(application, request.environ)


@functions_framework.cloud_event
def score(event: CloudEvent) -> None:
    """Score the file that the event names.

    https://cloud.google.com/eventarc/docs/workflows/cloudevents#cloud-storage
    """
    if dropped.BUCKET not in _triggers:
        raise dropped.NotOnError(f"a file was dropped, but {dropped.TRIGGERS} has no {dropped.BUCKET}")
    data: dict[str, Any] = event.data or {}
    dropped.score(f"gs://{data['bucket']}/{data['name']}", _app.model, _output)


@cache
def _wsgi() -> Any:
    return ASGIMiddleware(_app)  # pyright: ignore[reportArgumentType] # our scopes are plain mappings
