"""The few pieces of ASGI that the predict paths need. A framework's request object would cost more than the model."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, NamedTuple

import orjson

from model_server.errors import RequestError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
HeaderList = list[tuple[bytes, bytes]]

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"

#: On every answer. An answer may hold what a client sent: no cache keeps it, no browser guesses its type.
SECURITY_HEADERS: HeaderList = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
]

#: Answers smaller than this are sent as they are: compressing them costs more than it saves.
COMPRESS_FROM = 4096

NO_HEADERS: HeaderList = []


class Request(NamedTuple):
    """One request, read whole. headers: lower-case names; the last of several with one name counts."""

    headers: Mapping[bytes, bytes]
    body: bytes
    names: Mapping[str, str]


class Response(NamedTuple):
    """A whole answer."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: HeaderList = NO_HEADERS


class ClientGoneError(Exception):
    """The client closed the connection before its request was whole."""


async def read_body(receive: Receive, limit: int) -> bytes:
    """The request's body. Raises RequestError 413 beyond `limit` bytes; a body that comes too slowly is ended by the
    protocol (see `protocol`), which is seen here as a client that has gone.
    """
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGoneError
    body: bytes = message.get("body", b"")
    if message.get("more_body", False):
        parts, size = [body], len(body)
        while message.get("more_body", False) and size <= limit:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            parts.append(message.get("body", b""))
            size += len(parts[-1])
        body = b"".join(parts)
    if len(body) > limit:
        raise RequestError(413, f"the body is larger than {limit} bytes")
    return body


def decompress(body: bytes, encoding: bytes, limit: int) -> bytes:
    """The body without its content encoding. Raises RequestError 415 for an unknown one, 400 for broken data, 413 for
    data that grows beyond `limit`.
    """
    names = encoding.decode("latin-1").strip().lower()
    if names in ("", "identity"):
        return body
    window = {"gzip": 31, "x-gzip": 31, "deflate": 15}.get(names)
    if window is None:
        raise RequestError(415, f"content-encoding is {names!r}; allowed: gzip, deflate, identity")
    stream = zlib.decompressobj(window)
    try:
        plain = stream.decompress(body, limit + 1)
    except zlib.error as error:
        raise RequestError(400, f"the body is not {names}: {error}") from None
    if len(plain) > limit:
        raise RequestError(413, f"the decompressed body is larger than {limit} bytes")
    if not stream.eof or stream.unused_data:
        raise RequestError(400, f"the body is not {names}: it ends too {'late' if stream.eof else 'early'}")
    return plain


def compress(response: Response) -> Response:
    """The answer as gzip, where that is worth it."""
    if len(response.body) < COMPRESS_FROM:
        return response
    stream = zlib.compressobj(1, zlib.DEFLATED, 31)
    body = stream.compress(response.body) + stream.flush()
    return response._replace(
        body=body, headers=[*response.headers, (b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
    )


#: SECURITY_HEADERS as they stand on the wire.
SECURITY_LINES = b"".join(b"%s: %s\r\n" % pair for pair in SECURITY_HEADERS)


async def send_response(send: Send, response: Response, extra: HeaderList = NO_HEADERS) -> None:
    """Send a whole answer, with the headers that every answer has."""
    await send(
        {
            "type": "http.response.start",
            "status": response.status,
            "headers": [
                (b"content-type", response.content_type),
                (b"content-length", b"%d" % len(response.body)),
                *response.headers,
                *extra,
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


def dump_json(value: Any) -> bytes:
    """JSON of a value; arrays of numpy are written as nested arrays."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def json_response(value: Any, status: int = 200, headers: HeaderList = NO_HEADERS) -> Response:
    return Response(status, dump_json(value), JSON, headers)


def load_json(body: bytes | memoryview) -> Any:
    """JSON of a body. Raises RequestError 400 that says where it is wrong."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(400, f"the body is not JSON: {error}") from None


def load_object(body: bytes | memoryview, what: str) -> dict[str, Any]:
    """A JSON object of a body; `what` says what it must hold. Raises RequestError 400."""
    value = load_json(body)
    if type(value) is not dict:
        raise RequestError(400, f"the body must be a JSON object with {what}")
    return value
