"""How an object comes to be: its id, its computed outputs, the texts that name it."""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.standin import naming, template
from engine.standin.cloud import CloudObject
from engine.standin.references import Index
from engine.standin.rules import PackageRules, TypeRule
from engine.standin.shapes import shape
from engine.standin.template import Missing
from engine.standin.values import UNKNOWN, Secret, has_secret, mask, plain

_DEFAULT_HANDLES = ("${out.arn}", "${out.name}", "${out.selfLink}", "${out.selfLinkUnique}")


def now() -> str:
    """The time as the vendors write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@dataclass
class Scope:
    """Where the templates of one object look things up: inputs, outputs, provider configuration, other objects."""

    rules: PackageRules
    rule: TypeRule
    inputs: Mapping[str, Any]
    config: Mapping[str, Any]
    seed: str
    logical: str = ""
    urn: str = ""
    created: str = ""
    serial: Any = 1
    index: Index | None = None
    _cache: dict[str, Any] = field(default_factory=dict)
    _open: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """Physical name; the logical one for a type without."""
        own = plain(naming.get(self.inputs, own_name(self.rule))) if own_name(self.rule) else None
        return own if isinstance(own, str) else self.logical

    def lookup(self, path: str) -> Any:
        """Value of a path; see :mod:`engine.standin.template`."""
        if path not in self._cache:
            if path in self._open:
                raise Missing(f"{path} is made from itself")
            self._open.add(path)
            try:
                self._cache[path] = self._lookup(path)
            finally:
                self._open.discard(path)
        return self._cache[path]

    def _lookup(self, path: str) -> Any:
        head, _, rest = path.partition(".")
        if head in ("in", "config"):
            return template.dig(self.inputs if head == "in" else self.config, rest)
        if head == "out":
            first, _, inner = rest.partition(".")
            return template.dig(self.output(first), inner)
        if head == "ref":
            return self._referenced(rest)
        simple = {
            "name": lambda: self.name,
            "logical": lambda: self.logical,
            "urn": lambda: self.urn,
            "type": lambda: self.rule.token,
            "kind": lambda: self.rule.token.split(":")[-1],
            "module": lambda: self.rule.token.split(":")[1],
            "serial": lambda: self.serial,
            "created": lambda: self.created or now(),
            "now": lambda: UNKNOWN if self.serial is UNKNOWN else now(),
            "id": lambda: template.render(self.rule.id, self),
            "armtype": lambda: arm_type(str(self.lookup("id"))),
        }.get(head)
        if simple:
            return simple()
        if head.startswith("inputs:"):
            # A digest of what went in: it changes when they do, and is known only afterwards.
            text = json.dumps(plain(dict(self.inputs)), sort_keys=True, default=str)
            return UNKNOWN if self.serial is UNKNOWN else generated("hex:" + head[7:], text)
        if ":" in head or head == "uuid":
            return generated(head, self.seed)
        if head in self.rules.context:
            return template.render(self.rules.context[head], self)
        raise Missing(path)

    def output(self, name: str) -> Any:
        """One output: computed, or echoed from the inputs."""
        if name in self.rule.outputs:
            return template.render(self.rule.outputs[name], self)
        if name in self.inputs:
            return self.inputs[name]
        if name in self.rules.outputs_by_name:
            return template.render(self.rules.outputs_by_name[name], self)
        raise Missing(f"out.{name}")

    def _referenced(self, path: str) -> Any:
        prop, _, rest = path.partition(".")
        value = plain(naming.get(self.inputs, prop.replace("/", ".")))
        if value is UNKNOWN:
            return UNKNOWN
        if not isinstance(value, str) or self.index is None:
            raise Missing(path)
        wanted = self.rule.references.get(prop, self.rules.references.get(prop))
        types = (wanted,) if isinstance(wanted, str) else tuple(wanted or ())
        found = self.index.find(value, types, place(self))
        if found is None:
            raise Missing(path)
        return template.dig(found.outputs, rest)


def own_name(rule: TypeRule) -> str:
    """The input that holds a type's physical name: its row's, or what the SDK suggests."""
    if rule.name:
        return rule.name
    described = shape(rule.token)
    if described is None:
        return ""
    kind = rule.token.split(":")[-1]
    words = re.findall(r"[A-Z][a-z0-9]*", kind)
    wishes = [
        kind[:1].lower() + kind[1:] + "Name",
        (words[-1].lower() if words else "") + "Name",
        "resourceName",
        "name",
    ]
    return next((wish for wish in wishes if wish in described.inputs), "")


def generated(what: str, seed: str) -> str:
    """Text made from the object's seed: ``hex:8``, ``num:12``, ``alnum:10``, ``base32:13``, ``uuid``; a second ``:``
    gives another text of the same kind (``hex:8:etag``)."""
    kind, _, rest = what.partition(":")
    length_text, _, salt = rest.partition(":")
    digest = hashlib.sha512(f"{seed}/{kind}/{salt}".encode()).hexdigest()
    if kind == "uuid":
        return str(uuid.UUID(hashlib.sha256(f"{seed}/{rest}".encode()).hexdigest()[:32], version=4))
    length = int(length_text or 8)
    if kind == "hex":
        return (digest * 2)[:length]
    number = int(digest, 16)
    alphabet = {
        "num": "0123456789",
        "alnum": "abcdefghijklmnopqrstuvwxyz0123456789",
        "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
    }
    if kind not in alphabet:
        raise ValueError(f"generated text {what!r} is not known; there are hex, num, alnum, upper and uuid")
    letters = alphabet[kind]
    out = ""
    for _ in range(length):
        number, at = divmod(number, len(letters))
        out += letters[at]
    return "1" + out[1:] if kind == "num" and out.startswith("0") else out


def arm_type(resource_id: str) -> str:
    """Azure's resource type from a resource id: ``Microsoft.Storage/storageAccounts/blobServices``."""
    tail = resource_id.rsplit("/providers/", 1)[-1].split("/")
    return "/".join([tail[0], *tail[1::2]]) if len(tail) > 1 else "Microsoft.Resources/resourceGroups"


def computed_outputs(scope: Scope) -> dict[str, Any]:
    """Every output of an object: inputs that come back, rows of the tables, and for the rest what the SDK lists."""
    described = shape(scope.rule.token)
    outputs: dict[str, Any] = {}
    for key, value in scope.inputs.items():
        if scope.rule.echo or described is None or key in described.outputs or key in described.optional:
            outputs[key] = as_answered(key, value)
    wanted = [*scope.rule.outputs]
    if described is not None:
        wanted += [key for key in (*described.outputs, *described.optional) if key in scope.rules.outputs_by_name]
    for key in wanted:
        try:
            outputs[key] = scope.output(key)
        except Missing:
            continue
    if described is not None:
        for key, kind in described.outputs.items():
            if key not in outputs and (key not in described.inputs or kind not in ("str", "int", "float")):
                outputs[key] = _filler(key, kind, scope)
    for key in scope.rule.secrets:
        if key in outputs and not isinstance(outputs[key], Secret):
            outputs[key] = Secret(outputs[key])
    for key, value in outputs.items():
        # What came in as a secret goes out as one, however it was computed.
        if key in scope.inputs and has_secret(scope.inputs[key]) and not has_secret(value):
            outputs[key] = Secret(value)
    outputs.pop(naming.FILLED, None)
    return outputs


def as_answered(key: str, value: Any) -> Any:
    """An input as it comes back: Azure takes user-assigned identities as a list, and answers with a map by id."""
    ids = value.get("userAssignedIdentities") if key == "identity" and isinstance(value, dict) else None
    if not isinstance(ids, list):
        return value
    known = all(isinstance(one, str) for one in ids)
    return {**value, "userAssignedIdentities": {one: {} for one in ids} if known else UNKNOWN}


def _filler(key: str, kind: str, scope: Scope) -> Any:
    """A value for an output that no row describes: of the right type, and plainly made up."""
    if kind == "str":
        if re.search(r"(Time|Timestamp|Date|At)$", key):
            return scope.created or now()
        return f"{key}-{generated('hex:8:' + key, scope.seed)}"
    return {"bool": False, "int": 0, "float": 0.0, "list": []}.get(kind, {})


def make(scope: Scope, package: str, salt: str) -> tuple[CloudObject, dict[str, Any]]:
    """A new object and its outputs (secrets marked, for the answer). Raises :class:`Missing` for an incomplete row."""
    object_id = str(plain(template.render(scope.rule.id, scope)))
    scope._cache["id"] = object_id  # its own module
    outputs = computed_outputs(scope)
    made = CloudObject(
        package=package,
        type=scope.rule.token,
        id=object_id,
        key=f"{scope.rule.token}|{plain(template.render(scope.rule.unique, scope))}",
        seed=scope.seed,
        name=scope.name,
        urn=scope.urn,
        place=place(scope),
        created=scope.created or now(),
        serial=scope.serial if isinstance(scope.serial, int) else 1,
    )
    fill(made, scope, outputs, salt)
    return made, outputs


def fill(one: CloudObject, scope: Scope, outputs: Mapping[str, Any], salt: str) -> None:
    """Write inputs, outputs and handles into an object, secrets masked."""
    one.inputs = mask(dict(scope.inputs), salt)
    one.outputs = mask(dict(outputs), salt)
    one.handles = handles(scope)


def place(scope: Scope) -> str:
    """The region or cluster of an object; empty for packages whose names hold everywhere."""
    try:
        return str(plain(scope.lookup("place")))
    except Missing:
        return ""


def handles(scope: Scope) -> list[str]:
    """The texts by which others may name the object."""
    texts: list[str] = [scope.name] if own_name(scope.rule) else []
    for wish in (*scope.rule.handles, *_DEFAULT_HANDLES):
        try:
            value = template.render(wish, scope)
        except Missing:
            continue
        if isinstance(value, str) and value and value not in texts:
            texts.append(value)
    return texts
