"""Settings: environment variables, each checked once at start.

A bad value is a StartError that names variable, value and what is allowed; nothing has been done by then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from model_server.errors import Exit, StartError
from spec import contracts

T = TypeVar("T")

LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True)
class Settings:
    """All that can be set from outside.

    model_uri: folder or URI of ONE version of a model. model_name: the name clients use; None: the release's own.
    """

    model_uri: str
    model_name: str | None
    host: str
    port: int
    log_level: str


def read(env: Mapping[str, str]) -> Settings:
    """Settings from environment variables. Raises StartError."""
    return Settings(
        model_uri=_value(
            env, contracts.MODEL_URI, _required("a folder or URI of one release, such as file:///models/digits/v1")
        ),
        model_name=_value(env, contracts.MODEL_NAME, _name, None),
        host=_value(env, contracts.HOST, _host, "127.0.0.1"),
        port=_value(env, contracts.PORT, _whole(1, 65535), contracts.DEFAULT_PORT),
        log_level=_value(env, contracts.LOG_LEVEL, _one_of(LOG_LEVELS), "info"),
    )


class _BadValueError(Exception):
    """Says what is allowed."""


_MISSING = object()


def _value(env: Mapping[str, str], name: str, parse: Callable[[str], T], default: object = _MISSING) -> T:
    text = env.get(name, "").strip()
    if not text and default is not _MISSING:
        return default  # pyright: ignore[reportReturnType]  # the caller's default is of the field's type
    try:
        return parse(text)
    except _BadValueError as bad:
        found = repr(text) if text else "not set"
        raise StartError(Exit.BAD_SETTING, f"environment variable {name} is {found}; allowed: {bad}") from None


def _required(allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not text:
            raise _BadValueError(allowed)
        return text

    return parse


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", text):
        raise _BadValueError("1 to 63 letters, digits, '.', '_' and '-', the first a letter or digit")
    return text


def _host(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", text):
        raise _BadValueError("an address or host name, such as 127.0.0.1 or 0.0.0.0")
    return text


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise _BadValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in words:
            raise _BadValueError(" or ".join(words))
        return text.lower()

    return parse
