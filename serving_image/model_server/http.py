"""The few pieces of ASGI that the predict paths need. A framework's request object would cost more than the model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

import orjson

from model_server.errors import RequestError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"

#: On every answer. An answer may hold what a client sent: no cache keeps it, no browser guesses its type.
SECURITY_HEADERS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
]


class Response(NamedTuple):
    """A whole answer."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: Headers = []  # noqa: RUF012 # a NamedTuple's default, never changed


async def read_body(receive: Receive, limit: int) -> bytes:
    """The request's body. Raises RequestError 413 beyond `limit` bytes."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body", False):
        parts, size = [body], len(body)
        while message.get("more_body", False):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                break
        body = b"".join(parts)
    if len(body) > limit:
        raise RequestError(413, f"the body is larger than {limit} bytes")
    return body


class ClientGoneError(Exception):
    """The client closed the connection before its request was whole."""


async def send_response(send: Send, response: Response) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": response.status,
            "headers": [
                (b"content-type", response.content_type),
                (b"content-length", str(len(response.body)).encode()),
                *response.headers,
                *SECURITY_HEADERS,
            ],
        }
    )
    await send({"type": "http.response.body", "body": response.body})


def with_security_headers(send: Send) -> Send:
    """`send` for an application of somebody else's: adds the headers that it did not set itself."""

    async def add(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            present = {name.lower() for name, _ in headers}
            message = {**message, "headers": headers + [pair for pair in SECURITY_HEADERS if pair[0] not in present]}
        await send(message)

    return add


def json_response(value: Any, status: int = 200, headers: Headers | None = None) -> Response:
    return Response(status, orjson.dumps(value), JSON, headers or [])


def load_json(body: bytes) -> Any:
    """JSON of a body. Raises RequestError 400 that says where it is wrong."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(400, f"the body is not JSON: {error}") from None
