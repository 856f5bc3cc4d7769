"""Whether what an input names is there: by the stand-in's tables of references and of the forms that names have.

In a recording every value is known, so an ARN of the account, a resource id of the subscription or a name in an input
that a table calls a reference must belong to something that the program makes or that it was told of.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from engine.standin import references
from engine.standin.objects import own_name
from engine.standin.rules import PACKAGES, load
from operations.schema.findings import OPAQUE, Finding, Record, Recording, shown
from operations.schema.values import leaves

__all__ = ["dangling", "index"]

SOURCE = "the program's own resources"


@dataclasses.dataclass(frozen=True)
class There:
    """What may be named. forms: names with their last part left out, of those that are paths or addresses."""

    index: references.Index
    names: frozenset[str]
    forms: frozenset[str]


def index(recording: Recording) -> There | None:
    """What may be named; None where the recording is of a preview and nothing is there yet."""
    if not recording.objects:
        return None
    names = {name for one in recording.objects for name in (one.id, *one.handles) if isinstance(name, str)}
    names |= {
        value
        for one in recording.objects
        for key in ("email", "member")
        if isinstance(value := one.outputs.get(key), str)
    }
    return There(references.Index(recording.objects), frozenset(names), frozenset(filter(None, map(_form, names))))


def _form(name: str) -> str:
    """A name without what tells it from others of its kind: ``…/cryptoKeys/digits`` is ``…/cryptoKeys/``."""
    if name.count("/") >= 3 and not name.startswith(("http", "arn:")):
        return name[: name.rfind("/") + 1].lower()
    if name.endswith(".iam.gserviceaccount.com"):
        return name[name.index("@") :] + ("member" if name.startswith("serviceAccount:") else "")
    return ""


def dangling(record: Record, there: There | None) -> Iterator[Finding]:
    """Inputs that name what is not there."""
    if there is None or record.package not in PACKAGES:
        return
    rules = load(record.package)
    rule = rules.type_rule(record.token)
    rule = rule if rule.name else dataclasses.replace(rule, name=own_name(rule))
    known = {key: value for key, value in record.inputs.items() if value is not OPAQUE}
    missing = references.resolve(rules, rule, _without_opaque(known), there.index)[1]
    for path, value, wanted in missing:
        yield Finding(record.token, record.name, path, shown(value), "reference", f"there is no {wanted}", SOURCE)

    own = {path for path, _, _ in missing}
    folded = {name.lower() for name in there.names}
    for path, value in leaves(known):
        if path in own or not isinstance(value, str) or value in there.names or value.lower() in folded:
            continue
        # The program makes something of this kind in this very place, and this is not it.
        if _form(value) in there.forms and _form(value):
            yield Finding(record.token, record.name, path, shown(value), "reference", "nothing has this name", SOURCE)


def _without_opaque(value: object) -> dict:
    def clean(part: object) -> object:
        if isinstance(part, dict):
            return {key: clean(item) for key, item in part.items() if item is not OPAQUE}
        if isinstance(part, list):
            return [clean(item) for item in part if item is not OPAQUE]
        return part

    cleaned = clean(value)
    return cleaned if isinstance(cleaned, dict) else {}
