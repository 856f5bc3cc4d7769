"""What a check found, and what it could not look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.standin import CloudObject


class Opaque:
    """A value that is there but not to be looked at: not known before the deployment, or secret."""

    def __repr__(self) -> str:
        return "(not known)"

    def __deepcopy__(self, memo: Any) -> Opaque:
        return self


OPAQUE = Opaque()


@dataclass(frozen=True)
class Record:
    """One resource as the program asked for it.

    token: Pulumi's type token. name: logical name. inputs: by the SDK's wire names; :data:`OPAQUE` where a value is
    unknown or secret.
    """

    token: str
    name: str
    inputs: Mapping[str, Any]
    urn: str = ""

    @property
    def package(self) -> str:
        return self.token.split(":", 1)[0]


@dataclass
class Recording:
    """A program's resources, and what is in the stand-in cloud after them (empty where it was only previewed).

    refused: what the stand-in itself would not make, with its reason.
    """

    records: list[Record] = field(default_factory=list)
    objects: list[CloudObject] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Finding:
    """One thing that the vendor would refuse.

    path: of the input, in the SDK's wire names. value: as text. rule: what kind of rule (``unknown``, ``required``,
    ``type``, ``enum``, ``range``, ``length``, ``pattern``, ``document``, ``reference``, ``together``). message: what
    is allowed. source: who says so.
    """

    token: str
    name: str
    path: str
    value: str
    rule: str
    message: str
    source: str

    def __str__(self) -> str:
        where = f"{self.token} {self.name}" + (f": {self.path}" if self.path else "")
        shown = f" = {self.value}" if self.value else ""
        return f"{where}{shown}: {self.message} [{self.rule}; {self.source}]"


@dataclass
class Report:
    """Findings and what was checked with what.

    sources: type token → names of the models its inputs were held against, beside the SDK. without_model: tokens that
    only the SDK's own types were held against. unmapped: token → input paths for which the vendor's model has no
    counterpart, so that nobody checked their values. Both are listed, never silently passed.
    """

    findings: list[Finding] = field(default_factory=list)
    resources: int = 0
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)
    without_model: set[str] = field(default_factory=set)
    unmapped: dict[str, set[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Nothing was found; says nothing about what could not be looked at."""
        return not self.findings and not self.problems

    def counted(self) -> dict[str, int]:
        """Findings by kind of rule."""
        return dict(sorted(Counter(one.rule for one in self.findings).items()))


def shown(value: Any, limit: int = 80) -> str:
    """A value for people; long ones are cut."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def unique(findings: Iterable[Finding]) -> list[Finding]:
    """One finding per place and kind of rule: several models often say the same."""
    kept: dict[tuple[str, str, str, str], Finding] = {}
    for one in findings:
        kept.setdefault((one.token, one.name, one.path, one.rule), one)
    return list(kept.values())
