"""Failures on request: which call goes wrong, how, and how often.

Rules lie in a JSON file that is read at each call, so they can be added while the stand-in runs; a rule that is used
up is taken out. One rule: ``{"kind": "throttled", "match": "*Bucket*", "operation": "create", "count": 1}``.
"""

from __future__ import annotations

import fcntl
import fnmatch
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

#: What each kind does. "nothing happened" means that the cloud is as before.
KINDS = {
    "throttled": "refused with the vendor's rate error; nothing happened",
    "denied": "refused for missing permission; nothing happened",
    "quota": "refused for a used-up quota; nothing happened",
    "conflict": "refused because another operation is running; nothing happened",
    "slow": "takes `seconds` longer, then succeeds; beyond the resource's own time-out it becomes timed_out",
    "timed_out": "done in the cloud, but the wait for it ran out: answered as an error, a creation with its id",
    "partial": "a creation stops half-way: the object exists without its computed outputs; answered with its id",
    "delete_refused": "a deletion is refused because something unseen still uses the object",
    "crash": "the provider process ends: a creation before it reached the cloud, anything else after it was done",
    "crash_after": "the provider process ends after the change was done: a creation leaves an object nobody knows",
}
OPERATIONS = ("create", "update", "delete", "read", "any")


class FailureRuleError(ValueError):
    """A failure rule is wrong; the text names field, value and what is allowed."""


@dataclass
class Failure:
    """One rule.

    match: glob over the type token, the URN, the logical name or the id. count: how many calls it spoils
    (0 = all). seconds: for ``slow``. skip: how many matching calls go well before.
    """

    kind: str
    match: str = "*"
    operation: str = "any"
    count: int = 1
    seconds: float = 2.0
    skip: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise FailureRuleError(f"failure kind {self.kind!r} is not known; there are {', '.join(KINDS)}")
        if self.operation not in OPERATIONS:
            raise FailureRuleError(f"operation {self.operation!r} is not known; there are {', '.join(OPERATIONS)}")
        if self.count < 0 or self.skip < 0 or self.seconds < 0:
            raise FailureRuleError("count, skip and seconds must not be negative")

    def fits(self, operation: str, names: Iterable[str]) -> bool:
        """Whether this rule is for a call."""
        if self.operation not in ("any", operation):
            return False
        # Kinds that have a meaning for one operation only.
        if self.kind == "partial" and operation != "create":
            return False
        if self.kind == "delete_refused" and operation != "delete":
            return False
        return any(fnmatch.fnmatchcase(name, self.match) for name in names)


class Failures:
    """The rules in a file."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def add(self, failure: Failure) -> None:
        """Add a rule; running stand-ins see it at the next call."""
        self._edit(lambda rules: [*rules, failure])

    def clear(self) -> None:
        """Take all rules out."""
        self._edit(lambda rules: [])  # noqa: ARG005

    def rules(self) -> list[Failure]:
        """The rules that are still in force."""
        if not self.path.exists():
            return []
        try:
            rows = json.loads(self.path.read_text() or "[]")
            return [Failure(**row) for row in rows]
        except (ValueError, TypeError) as error:
            raise FailureRuleError(f"{self.path}: {error}") from None

    def take(self, operation: str, names: Iterable[str]) -> Failure | None:
        """The rule for this call, counted down; None where the call goes well."""
        if not self.path.exists():
            return None
        names = tuple(names)
        taken: list[Failure] = []

        def use(rules: list[Failure]) -> list[Failure]:
            left: list[Failure] = []
            for rule in rules:
                if taken or not rule.fits(operation, names):
                    left.append(rule)
                elif rule.skip:
                    rule.skip -= 1
                    left.append(rule)
                else:
                    taken.append(rule)
                    if rule.count != 1:
                        rule.count = max(rule.count - 1, 0)
                        left.append(rule)
            return left

        self._edit(use)
        return taken[0] if taken else None

    def _edit(self, change) -> None:
        lock = self.path.with_name(self.path.name + ".lock")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            before = self.rules()
            text = json.dumps([asdict(rule) for rule in change(before)])
            temporary = self.path.with_name("." + self.path.name)
            temporary.write_text(text)
            temporary.replace(self.path)
