"""Whether what an input names is there: by the stand-in's tables of references and of the forms that names have.

Also within documents (policies) and rules of alarms. In a recording every value is known, so an ARN of the account, a
resource id of the subscription or a name in an input that a table calls a reference must belong to something that the
program makes or that it was told of.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from engine.standin import references
from engine.standin.objects import own_name
from engine.standin.rules import PACKAGES, load
from operations.schema.findings import OPAQUE, Finding, Record, Recording, shown
from operations.schema.translate import parsed_document
from operations.schema.values import leaves

__all__ = ["dangling", "index"]

SOURCE = "the program's own resources"
#: Ids that EC2 gives, which are nowhere but in references.
_EC2_ID = re.compile(r"[a-z]+-[0-9a-f]{17}")
#: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
_IAM_PATH = re.compile(r"arn:[a-z-]+:iam::\d*:(role|policy)/([\w+=,.@/-]+/\*|aws-service-role/.+)")
#: Type and input -> the names in its text. An alarm's name stands in quotes or not
#: (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html).
_NAMES_IN_TEXT = {
    ("aws:cloudwatch/compositeAlarm:CompositeAlarm", "alarmRule"): re.compile(
        r"""(?:ALARM|OK|INSUFFICIENT_DATA)\(["']?([^"')]+)["']?\)"""
    )
}


@dataclasses.dataclass(frozen=True)
class There:
    """What may be named. forms: names with their last part left out, of those that are paths or addresses. kinds: ARNs
    without the name in them.
    """

    index: references.Index
    names: frozenset[str]
    forms: frozenset[str]
    kinds: frozenset[str]


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
    return There(
        references.Index(recording.objects),
        frozenset(names),
        frozenset(filter(None, map(_form, names))),
        frozenset(_kind(name) for name in names if name.startswith("arn:")),
    )


def _form(name: str) -> str:
    """A name without what tells it from others of its kind: ``…/cryptoKeys/digits`` is ``…/cryptoKeys/``."""
    if name.count("/") >= 3 and not name.startswith(("http", "arn:")):
        return name[: name.rfind("/") + 1].lower()
    if name.endswith(".iam.gserviceaccount.com"):
        return name[name.index("@") :] + ("member" if name.startswith("serviceAccount:") else "")
    return ""


def _kind(arn: str) -> str:
    """An ARN up to the name in it: ``arn:aws:iam::123456789012:role/digits`` is ``arn:aws:iam::123456789012:role/``."""
    head, rest = arn[: -len(tail)] if (tail := arn.split(":", 5)[-1]) else arn, tail
    found = re.match(r"[a-z-]+[/:]", rest)
    return head + found[0] if found and not head.startswith("arn:aws:s3:") else head


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
        for path_in, name in _within(record, path, value):
            if _lost(name, there):
                yield Finding(
                    record.token, record.name, path_in, shown(name), "reference", "nothing has this name", SOURCE
                )


def _within(record: Record, path: str, value: str) -> Iterator[tuple[str, str]]:
    """Path and text of what stands in a document, or in a text with names in it."""
    names = _NAMES_IN_TEXT.get((record.token, path))
    if names is not None:
        yield from ((path, f"{_ALARM}{name}") for name in names.findall(value))
    document = parsed_document(value)
    if document is not None:
        yield from ((f"{path}.{below}", text) for below, text in leaves(document) if isinstance(text, str))


_ALARM = "alarm "


def _lost(text: str, there: There) -> bool:
    """Whether a text in a document names what is not there, though the program makes things of that kind.

    What stands before a wildcard has to be there as far as it is a whole name. In IAM it is none but a path, which need
    not hold anything yet, and below `aws-service-role/` AWS makes what a service needs.
    """
    if text.startswith(_ALARM):
        return text.removeprefix(_ALARM) not in there.names
    if _EC2_ID.fullmatch(text):
        return text not in there.names
    if not text.startswith("arn:") or _IAM_PATH.fullmatch(text):
        return False
    whole, wildcard, _ = text.partition("*")
    if wildcard and not whole.endswith(("/", ":")):
        return False
    kind = _kind(whole)
    named = whole.removeprefix(kind).rstrip("/:")
    return bool(named) and kind in there.kinds and there.index.find_or_part(whole.rstrip("/:")) is None


def _without_opaque(value: object) -> dict:
    def clean(part: object) -> object:
        if isinstance(part, dict):
            return {key: clean(item) for key, item in part.items() if item is not OPAQUE}
        if isinstance(part, list):
            return [clean(item) for item in part if item is not OPAQUE]
        return part

    cleaned = clean(value)
    return cleaned if isinstance(cleaned, dict) else {}
