"""What the stand-in knows about a package: tables in ``data/<package>/*.yaml``, read into frozen rows.

Fields of a table (all optional; templates are explained in :mod:`engine.standin.template`):

``context``      values that templates use by name (account, region, project …); the provider's own config wins.
``defaults``     a row that every type of the package starts from.
``outputs_by_name``  templates for outputs that several types share (``region``, ``tagsAll``, ``selfLink`` …).
``references``   input name → type token(s) that must hold an object of that name, id or ARN.
``patterns``     texts that name an object by their form: ``match`` (regular expression), ``type``, ``builtin``.
``errors``       failure kind → the vendor's own text for it.
``types``        type token (or a glob) → row, see :class:`TypeRule`.
``invokes``      function token → what it returns, see :mod:`engine.standin.invokes`.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).resolve().parent / "data"
PACKAGES = ("aws", "azure-native", "gcp", "kubernetes", "docker-build", "docker")


class RuleError(Exception):
    """A rule table is not well formed; the text names the table, the row and what is allowed."""


@dataclass(frozen=True)
class TypeRule:
    """How one resource type behaves.

    name: input that holds the physical name (dotted for nested ones); empty for a type without one.
    autoname: ``separator``, ``random`` (hex digits; 0 = the logical name as it is), ``max``, ``charset``
    (``lower``, ``alnum``, ``numeric``), or False where the vendor needs the name from the user.
    id: template of the id. unique: template of what must be unique per type (the id where empty).
    outputs: templates of computed outputs. defaults: inputs that the provider fills in.
    handles: templates of the texts by which other objects may name this one, beside its id.
    references: input path → type token(s), ``any``, or False to switch a check off. weak: reference paths that do not
    hold the object back from deletion. guards: ``when`` (template), ``message``: reasons to refuse a deletion.
    overwrites: a creation takes the place of an equal object. removable: may be deleted while others use it. empties:
    types whose objects go with it where `forceDestroy` or `forceDelete` is set.
    secrets: outputs that are secret. echo: whether inputs come back as outputs (False: only those the SDK lists).
    known: whether a row of its own describes this type.
    """

    token: str
    name: str = ""
    autoname: Mapping[str, Any] | bool = field(default_factory=dict)
    id: str = "${hex:16}"
    unique: str = "${id}"
    outputs: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    handles: tuple[str, ...] = ()
    references: Mapping[str, Any] = field(default_factory=dict)
    weak: tuple[str, ...] = ()
    guards: tuple[Mapping[str, str], ...] = ()
    secrets: tuple[str, ...] = ()
    overwrites: bool = False
    removable: bool = False
    empties: tuple[str, ...] = ()
    echo: bool = True
    known: bool = False


@dataclass(frozen=True)
class Pattern:
    """A text form that names an object: see the module's docstring."""

    match: re.Pattern[str]
    types: tuple[str, ...]
    builtin: bool


@dataclass(frozen=True)
class PackageRules:
    """All tables of one package."""

    package: str
    context: Mapping[str, Any]
    outputs_by_name: Mapping[str, Any]
    references: Mapping[str, Any]
    patterns: tuple[Pattern, ...]
    errors: Mapping[str, str]
    invokes: Mapping[str, Any]
    _defaults: Mapping[str, Any]
    _types: Mapping[str, Mapping[str, Any]]

    def type_rule(self, token: str) -> TypeRule:
        """The row for a type: the package's defaults, then globs that match, then its own row."""
        row: dict[str, Any] = dict(self._defaults)
        known = False
        for pattern, own in self._types.items():
            if pattern == token or ("*" in pattern and fnmatch.fnmatchcase(token, pattern)):
                known = known or own.get("covers", pattern == token)
                row = _merged(row, {key: value for key, value in own.items() if key != "covers"})
        try:
            return TypeRule(token=token, known=known, **_tupled(row))
        except TypeError as error:
            raise RuleError(f"data/{self.package}: the row of {token} has a field that is not known: {error}") from None

    def known_types(self) -> list[str]:
        """Every type token with a row of its own."""
        return sorted(token for token in self._types if "*" not in token)


def _tupled(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: tuple(value) if key in ("handles", "weak", "guards", "secrets", "empties") else value
        for key, value in row.items()
    }


def _merged(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in more.items():
        before = merged.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            merged[key] = {**before, **value}
        else:
            merged[key] = value
    return merged


_FIELDS = {"context", "defaults", "outputs_by_name", "references", "patterns", "errors", "types", "invokes"}


@functools.cache
def load(package: str) -> PackageRules:
    """The tables of a package. Raises :class:`RuleError` for an unknown package or field."""
    folder = DATA / package
    if package not in PACKAGES:
        raise RuleError(f"package {package!r} is not played by the stand-in; there are {', '.join(PACKAGES)}")
    whole: dict[str, Any] = {name: {} for name in _FIELDS} | {"patterns": []}
    for file in sorted(folder.glob("*.yaml")):
        table = yaml.load(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}  # noqa: S506
        unknown = set(table) - _FIELDS
        if unknown:
            raise RuleError(f"{file.name} of {package}: unknown field {sorted(unknown)}; there are {sorted(_FIELDS)}")
        for name, value in table.items():
            if name == "patterns":
                whole[name] = [*whole[name], *value]
            else:
                twice = set(whole[name]) & set(value) if name == "types" else set()
                if twice:
                    raise RuleError(f"{file.name} of {package}: {sorted(twice)} has a row in another file already")
                whole[name] = {**whole[name], **value}
    return PackageRules(
        package=package,
        context=whole["context"],
        outputs_by_name=whole["outputs_by_name"],
        references=whole["references"],
        patterns=tuple(_pattern(row) for row in whole["patterns"]),
        errors=whole["errors"],
        invokes=whole["invokes"],
        _defaults=whole["defaults"],
        _types=whole["types"],
    )


def _pattern(row: Mapping[str, Any]) -> Pattern:
    types = row.get("type", ())
    return Pattern(
        match=re.compile(row["match"]),
        types=(types,) if isinstance(types, str) else tuple(types),
        builtin=bool(row.get("builtin")),
    )
