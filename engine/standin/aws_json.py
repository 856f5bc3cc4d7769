"""A server of AWS's JSON protocol: what boto3 speaks to SageMaker and its like.

A request is a POST whose ``x-amz-target`` names the operation (``SageMaker.DescribeEndpoint``) and whose body holds its
arguments; an error is an answer with status 400 and ``__type``
(https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html). boto3 is sent here by ``AWS_ENDPOINT_URL_SAGEMAKER``.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: What an operation gets: its arguments and the region that the request was signed for.
Operation = Callable[[Mapping[str, Any], str], dict[str, Any]]

_SCOPE = re.compile(r"Credential=[^/]+/\d+/(?P<region>[^/]+)/")


class AwsError(Exception):
    """The service refuses; code and text as the vendor writes them."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


def not_found(kind: str, arn: str) -> AwsError:
    """SageMaker's answer for something that is not there; it has no code of its own for that."""
    return AwsError("ValidationException", f'Could not find {kind} "{arn}".')


def tags_of(inputs: Any) -> list[dict[str, str]]:
    """Tags as the API lists them."""
    return [{"Key": key, "Value": value} for key, value in dict(inputs or {}).items()]


def _unknown(name: str) -> Operation:
    def refuse(_asked: Mapping[str, Any], _region: str) -> dict[str, Any]:
        raise AwsError("UnknownOperationException", f"{name} is not played")

    return refuse


class AwsJsonServer:
    """Serves operations in threads of this process, while the ``with`` block lasts.

    url: where; for ``AWS_ENDPOINT_URL_<SERVICE>``. An operation that there is not is refused by name.
    """

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                name = self.headers.get("x-amz-target", "").partition(".")[2]
                scope = _SCOPE.search(self.headers.get("authorization", ""))
                operation = operations.get(name, _unknown(name))
                try:
                    self._answer(200, operation(json.loads(body or b"{}"), scope["region"] if scope else ""))
                except AwsError as error:
                    self._answer(error.status, {"__type": error.code, "message": str(error)})

            def _answer(self, status: int, content: dict[str, Any]) -> None:
                text = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("content-type", "application/x-amz-json-1.1")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: requests are not news."""

        Handler.disable_nagle_algorithm = True  # else each answer waits for an acknowledgement
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> AwsJsonServer:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
