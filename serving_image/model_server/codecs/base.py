"""What every contract's codec has in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from model_server.http import Request, Response
from model_server.model import Model
from model_server.tensors import Array, Arrays


class Limits(NamedTuple):
    """What one request may ask for: rows, and bytes once decompressed."""

    max_batch: int
    max_body: int


class Call(NamedTuple):
    """A request, understood: what to run, and what its codec wants to remember for the answer.

    outputs: names in the order asked for; None: all. timeout: seconds the client gives; None: the server's own.
    """

    feeds: Arrays
    rows: int
    outputs: Sequence[str] | None = None
    memo: Any = None
    timeout: float | None = None


class Codec(Protocol):
    """Reads requests and writes answers of one operation."""

    def decode(self, model: Model, request: Request, limits: Limits) -> Call:
        """Raises RequestError for whatever the client did wrong."""
        ...

    def encode(self, model: Model, call: Call, answers: Sequence[Array]) -> Response: ...


def select_outputs(model: Model, asked: Any, where: str) -> list[str] | None:
    """Names of outputs that a client asks for; None where it asks for none in particular. Raises RequestError."""
    from model_server.errors import RequestError

    if asked is None:
        return None
    known = [spec.name for spec in model.outputs]
    if type(asked) is not list or not asked:
        raise RequestError(400, f"{where} must be an array of names of outputs; this model gives {known}")
    for index, name in enumerate(asked):
        if name not in known:
            raise RequestError(400, f"{where}[{index}] is {name!r}; this model gives {known}")
    if len(set(asked)) < len(asked):
        raise RequestError(400, f"{where} names an output twice")
    return asked
