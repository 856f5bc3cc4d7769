"""What is wrong with a service description, said so that the reader knows which line to change."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

#: Name of the description in a stack's file: every path in an error begins with it.
ROOT = "service"


@dataclass(frozen=True)
class Problem:
    """One mistake.

    field: dotted path as it stands in the YAML, such as `service.deploy_to[0].port`.
    value: what was found there, already fit to be shown (see `shown`).
    allowed: what may stand there.
    fix: what to do, a sentence.
    """

    field: str
    value: str
    allowed: str
    fix: str

    def __str__(self) -> str:
        return f"{self.field} is {self.value}; allowed: {self.allowed}. {self.fix}"


class SpecError(ValueError):
    """A description cannot be used. Raised before anything is changed.

    problems: every mistake found, in the order of the description. what: which description it is.
    """

    def __init__(self, problems: Iterable[Problem], what: str = "the service description") -> None:
        self.problems: Sequence[Problem] = tuple(problems)
        many = f"{len(self.problems)} problems" if len(self.problems) != 1 else "a problem"
        super().__init__("\n".join([f"{what} has {many}:", *(f"  - {problem}" for problem in self.problems)]))


class FieldError(ValueError):
    """Raised by a check inside a model: the same four parts, with a path relative to that model."""

    def __init__(self, field: tuple[str | int, ...], value: Any, allowed: str, fix: str) -> None:
        super().__init__(f"{path(field, root='')} is {shown(value)}; allowed: {allowed}. {fix}")
        self.field = field
        self.value = value
        self.allowed = allowed
        self.fix = fix


def path(parts: Iterable[str | int], *, root: str = ROOT) -> str:
    """`("deploy_to", 0, "port")` -> `service.deploy_to[0].port`."""
    text = root
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def shown(value: Any) -> str:
    """A value as it would stand in the YAML, short enough for one line."""
    if value is None:
        return "not set"
    if isinstance(value, str):
        return f"'{value}'"
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}…"


def one_of(values: Iterable[object]) -> str:
    """Alternatives as a phrase: `a, b or c`."""
    words = [str(value) for value in values]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}" if words else "nothing"


def near(word: str, known: Iterable[str]) -> str | None:
    """The known word that the user most likely meant, else None."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return found[0] if found else None
