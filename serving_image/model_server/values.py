"""Values of environment variables: read, checked, and refused with the variable's name and what is allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from model_server.errors import Exit, StartError

T = TypeVar("T")
D = TypeVar("D")


class NotAllowedError(Exception):
    """Raised by a parser; its text says what is allowed."""


def value(env: Mapping[str, str], name: str, parse: Callable[[str], T], default: D) -> T | D:
    """The variable's value, or the default where it is not set or empty. Raises StartError."""
    given = env.get(name, "").strip()
    if not given:
        return default
    try:
        return parse(given)
    except NotAllowedError as allowed:
        raise StartError(Exit.BAD_SETTING, f"environment variable {name} is {given!r}; allowed: {allowed}") from None


def text(given: str) -> str:
    if not given.isprintable():
        raise NotAllowedError("printable characters")
    return given


def name(given: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", given):
        raise NotAllowedError("1 to 63 letters, digits, '.', '_' and '-', the first a letter or digit")
    return given


def namespace(given: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._/#:-]{1,255}", given):
        raise NotAllowedError("1 to 255 letters, digits and the characters . - _ / # :")
    return given


def host(given: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", given):
        raise NotAllowedError("an address or host name, such as 127.0.0.1 or 0.0.0.0")
    return given


def header(given: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", given):
        raise NotAllowedError("the name of an HTTP header, such as x-user-id")
    return given.lower()


def path(given: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,1023}", given):
        raise NotAllowedError("a path that begins with '/', such as /predict, without a query")
    return given


def file(given: str) -> Path:
    found = Path(given)
    if not found.is_file():
        raise NotAllowedError("a file that exists")
    return found


def absolute(given: str) -> Path:
    """Of a file that may be made later."""
    found = Path(given)
    if not found.is_absolute():
        raise NotAllowedError("an absolute path, such as /run/alertmanager.url; the file may be made later")
    return found


def folder(given: str) -> Path:
    found = Path(given)
    if not found.is_absolute():
        raise NotAllowedError("the absolute path of a folder, which is made where it does not exist")
    return found


def whole(low: int, high: int) -> Callable[[str], int]:
    def parse(given: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", given) or not low <= int(given) <= high:
            raise NotAllowedError(f"a whole number from {low} to {high}")
        return int(given)

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    def parse(given: str) -> float:
        try:
            found = float(given)
        except ValueError:
            found = math.nan
        if not low <= found <= high:
            raise NotAllowedError(f"a number from {low:g} to {high:g}")
        return found

    return parse


def one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def parse(given: str) -> str:
        if given.lower() not in words:
            raise NotAllowedError(", ".join(words))
        return given.lower()

    return parse
