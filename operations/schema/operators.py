"""Mistakes that people make, applied to right inputs. Each operator says which places it applies to, by rule.

Places are all recorded inputs, not those that some check is known to look at. What a place is, is read from the SDK's
class and its documentation, so that a check is not asked about its own knowledge alone; an operator leaves out what
would still be right, by the rule in its docstring.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.standin.objects import own_name
from engine.standin.rules import PACKAGES, load
from operations.schema import sdk
from operations.schema.findings import OPAQUE, Record, Recording
from operations.schema.nodes import Node
from operations.schema.translate import choose

Path = tuple[Any, ...]


@dataclass(frozen=True)
class Mutant:
    """One record with one mistake."""

    operator: str
    record: Record
    path: str
    was: Any
    now: Any


@dataclass(frozen=True)
class Place:
    """One value of a record. node: the SDK's, None within a JSON document. words: the SDK's documentation of it.

    free: whether it is below something whose names are the user's own (tags, environment, labels).
    """

    path: Path
    value: Any
    node: Node | None
    required: bool
    words: str
    free: bool = False

    @property
    def key(self) -> str:
        return next((str(part) for part in reversed(self.path) if isinstance(part, str)), "")


def places(record: Record) -> Iterator[Place]:
    """Every value in a record, with what the SDK says about it."""
    node = sdk.model(record.token)
    if node is not None:
        yield from _places(node, record.inputs, (), False)


def _places(node: Node, value: Any, path: Path, free: bool) -> Iterator[Place]:
    if node.kind == "union":
        node = choose(node, value)
    if isinstance(value, Mapping) and node.kind in ("object", "map"):
        for key, item in value.items():
            child = node.properties.get(key) if node.kind == "object" else node.element
            if child is None:
                continue
            below = (*path, key)
            inside = free or node.kind == "map"
            yield Place(below, item, child, key in node.required, node.words.get(key, ""), inside)
            yield from _places(child, item, below, inside)
    elif isinstance(value, list) and node.kind == "list":
        for number, item in enumerate(value):
            if not isinstance(item, Mapping | list):
                yield Place((*path, number), item, node.element, False, "", free)
            yield from _places(node.element, item, (*path, number), free)
    elif isinstance(value, str) and value[:1] in "[{":
        yield from _document(value, path)


def _document(text: str, path: Path) -> Iterator[Place]:
    """Places in a JSON document: what is named in them has no SDK to say anything."""
    try:
        parsed = json.loads(text)
    except ValueError:
        return

    def walk(value: Any, below: Path) -> Iterator[Place]:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, item in items:
            yield Place((*path, "{}", *below, key), item, None, False, "")
            yield from walk(item, (*below, key))

    yield from walk(parsed, ())


def mutants(recording: Recording) -> Iterator[Mutant]:
    """Every operator at every place that it applies to."""
    known = _identities(recording)
    for record in recording.records:
        own = (_own_name(record.token),)
        for place in places(record):
            if place.value is OPAQUE or place.value is None:
                continue
            for name, operator in OPERATORS.items():
                for wrong in operator(place):
                    yield _mutant(name, record, place, wrong)
            # What a thing itself is called names nothing else, and neither does what people read.
            if isinstance(place.value, str) and not place.free and place.path != own and place.key not in _FOR_PEOPLE:
                named = _names_another(record, place.value, known)
                if named:
                    wrong = place.value.replace(named, _gone(named))
                    yield _mutant("dangling reference", record, place, wrong)


_DROP = object()


@dataclass(frozen=True)
class Renamed:
    """The key is this instead."""

    key: str


def drop_required(place: Place) -> Iterator[Any]:
    """What the SDK's class or the words of its documentation call required. Everything else may be left out."""
    if place.required or (place.words and re.match(r"^\W*(\[?required|\(required)", place.words, re.IGNORECASE)):
        yield _DROP


def rename_key(place: Place) -> Iterator[Any]:
    """A letter twice, in every name that is not the user's own: tags, labels and variables may be called anything."""
    if isinstance(place.path[-1], str) and not place.free and not _names_of_users(place):
        key = place.path[-1]
        yield Renamed(key[:-1] + key[-1] * 2)


def wrong_enum(place: Place) -> Iterator[Any]:
    """Where the SDK has an enumeration, or its documentation lists the values that are valid."""
    if not isinstance(place.value, str) or place.free or not place.value:
        return
    enumerated = place.node is not None and bool(place.node.enum)
    if enumerated or _LISTED.search(place.words) or (place.node is None and place.key in _DOCUMENT_ENUMS):
        yield place.value + "X"


def wrong_type(place: Place) -> Iterator[Any]:
    """A word for a number or a truth value, a list for a text, a text for an object or a list.

    Numbers and truth values as texts are left out: providers read them. So is one item for a list of such items.
    """
    value = place.value
    if isinstance(value, bool | int | float):
        yield "many"
    elif isinstance(value, str):
        if not value.startswith(("{", "[")):
            yield {"value": value}
    elif isinstance(value, Mapping | list):
        yield "something"


def out_of_range(place: Place) -> Iterator[Any]:
    """Numbers below and far above what can be meant; names of 300 characters; durations below zero.

    Left out: what is compared with a measured value, which may be any number (thresholds and targets, the ends of a
    chart's axis), and texts that name something else.
    """
    value = place.value
    if place.free or isinstance(value, bool) or "yAxis" in place.path:
        return
    if isinstance(value, int | float):
        if place.key.lower() not in _ANY_NUMBER:
            yield -7
            yield 10**9 + 7
    elif isinstance(value, str):
        if re.fullmatch(r"\d+s", value):
            yield "-5s"
        elif re.fullmatch(r"PT\d+[SMH]", value):
            yield "PT" + value[-1]
        elif value.isdigit():
            yield "-7"
        elif place.key in ("name", "displayName") and len(place.path) == 1:
            yield "n" * 300


def snake_case_union(place: Place) -> Iterator[Any]:
    """A typed object of azure-native written as a dict in Python's names, which goes out as it is."""
    if isinstance(place.value, Mapping) and place.node is not None and place.node.kind == "union":
        turned = _snake(place.value)
        if turned != place.value:
            yield turned


OPERATORS: dict[str, Callable[[Place], Iterator[Any]]] = {
    "drop a required": drop_required,
    "rename a key": rename_key,
    "wrong enumeration": wrong_enum,
    "wrong type": wrong_type,
    "out of range": out_of_range,
    "untranslated union": snake_case_union,
}
#: The documentation lists what is valid: these words, and a list in code or quotes after them.
_LISTED = re.compile(
    r"(valid|possible|allowed|supported|accepted|available) (values?|options?|types?)"
    r"|(must|can) be (either|one of)|one of `|either `",
    re.IGNORECASE,
)
#: The same in documents without an SDK: IAM, ECR, CloudWatch, container definitions, dashboards.
_DOCUMENT_ENUMS = frozenset(
    {
        "Effect",
        "Version",
        "countType",
        "logDriver",
        "perSeriesAligner",
        "plotType",
        "protocol",
        "tagStatus",
        "type",
        "view",
    }
)
_ANY_NUMBER = frozenset({"threshold", "thresholdvalue", "targetvalue", "value"})
#: Texts that people read, and prefixes of names.
_FOR_PEOPLE = frozenset({"markdown", "label", "title", "description", "namePrefix"})
_IDENTITIES = ("arn", "id", "name", "selfLink", "email", "member", "keyId", "bucket", "url", "principalId")


def _own_name(token: str) -> str:
    package = token.split(":")[0]
    return own_name(load(package).type_rule(token)) if package in PACKAGES else ""


def _names_of_users(place: Place) -> bool:
    """Below a document's free names: IAM condition keys, options of a log driver."""
    return place.node is None and bool({"Condition", "options", "Principal"} & set(map(str, place.path[:-1])))


def _snake(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower(): _snake(item) for key, item in value.items()}
    return [_snake(item) for item in value] if isinstance(value, list) else value


def _identities(recording: Recording) -> dict[str, str]:
    """Texts by which resources are named → the resource."""
    known: dict[str, str] = {}
    for one in recording.objects:
        for text in (one.id, *(one.outputs.get(key) for key in _IDENTITIES)):
            if isinstance(text, str) and len(text) >= 12:
                known.setdefault(text, f"{one.type} {one.urn.split('::')[-1]}")
    return known


def _names_another(record: Record, value: str, known: Mapping[str, str]) -> str:
    """The longest name of another resource that a value holds."""
    own = f"{record.token} {record.name}"
    found = [text for text, owner in known.items() if text in value and owner != own]
    return max(found, key=len, default="")


def _gone(name: str) -> str:
    """A name of the same form that nothing has: one letter or digit in its last part is another."""
    last = name.index("@") if "@" in name else len(name)
    for number in range(last - 1, -1, -1):
        if name[number].isalnum():
            other = "a" if name[number] != "a" else "b"
            return name[:number] + other + name[number + 1 :]
    return name + "a"


def _mutant(operator: str, record: Record, place: Place, wrong: Any) -> Mutant:
    inputs = copy.deepcopy(dict(record.inputs))
    _change(inputs, place.path, wrong)
    path = ".".join(str(part) for part in place.path)
    now = "(left out)" if wrong is _DROP else f"key {wrong.key}" if isinstance(wrong, Renamed) else wrong
    return Mutant(operator, replace(record, inputs=inputs), path, place.value, now)


def _change(values: Any, path: Path, wrong: Any) -> None:
    head, *rest = path
    if rest and rest[0] == "{}":
        document = json.loads(values[head])
        _change(document, tuple(rest[1:]), wrong)
        values[head] = json.dumps(document)
    elif rest:
        _change(values[head], tuple(rest), wrong)
    elif wrong is _DROP:
        del values[head]
    elif isinstance(wrong, Renamed):
        values[wrong.key] = values.pop(head)
    else:
        values[head] = wrong
