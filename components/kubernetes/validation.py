"""Every manifest against the schemas of the API, before anything is registered.

Pulumi's Kubernetes provider drops fields that it does not know and refuses almost nothing at preview: a wrong field
would be found by the cluster, or by nobody. `check` is what a stack or component calls with all manifests that it is
about to register.

A value that is not known yet (a `pulumi.Output`, a computed digest) is let pass: its place is checked, its content is
not. Each object is looked at by itself: sums over several are for `arithmetic`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from components.kubernetes.json_schema import ValidationError
from components.kubernetes.published import MINORS, kinds, validator
from spec.errors import Problem, SpecError, near, one_of, shown

Manifest = Mapping[str, Any]
_SCALARS = (str, bool, int, float, type(None))
#: Of fields with a secret in them, the value is in no message.
_SECRET = {"Secret": ("data", "stringData")}
#: So many alternatives are named in full.
_FEW = 14


class _Unknown:
    """A value that is not known yet. It is no type of JSON, so that every check of its content fails on it and is left
    out."""

    def __repr__(self) -> str:
        return "(not known yet)"


_UNKNOWN = _Unknown()


def check(manifests: Iterable[Manifest], minors: Sequence[str] = MINORS, what: str = "a Kubernetes manifest") -> None:
    """Raise SpecError with every problem of every manifest; see :func:`problems`."""
    found = problems(manifests, minors)
    if found:
        raise SpecError(found, what)


def problems(manifests: Iterable[Manifest], minors: Sequence[str] = MINORS) -> list[Problem]:
    """What the API of these minor versions would refuse, or drop in silence.

    The field of a problem is `<kind> <name>: <path>`. A problem of some of the minors alone says which.
    """
    found: list[Problem] = []
    for manifest in manifests:
        by_problem: dict[Problem, list[str]] = {}
        for minor in minors:
            for problem in _of_manifest(_plain(manifest), minor):
                by_problem.setdefault(problem, []).append(minor)
        for problem, where in by_problem.items():
            if len(where) < len(minors):
                fix = f"{problem.fix} (Kubernetes {one_of(where).replace(' or ', ' and ')})"
                problem = Problem(problem.field, problem.value, problem.allowed, fix)
            found.append(problem)
    return found


def _of_manifest(manifest: Any, minor: str) -> Iterator[Problem]:
    if not isinstance(manifest, dict):
        yield Problem("a manifest", shown(str(manifest)), "an object with apiVersion and kind", "Correct it.")
        return
    kind, version = str(manifest.get("kind")), str(manifest.get("apiVersion"))
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    title = f"{kind} {name if isinstance(name, str) else '(without a name)'}"
    checker = validator(minor, version, kind)
    if checker is None:
        yield _no_such_kind(title, version, kind, minor)
        return
    for error in checker.iter_errors(manifest):
        yield from _of_error(error, title, kind)
    if isinstance(metadata, dict) and "name" not in metadata:
        yield Problem(f"{title}: metadata.name", "not set", "a name", "Add it.")


def _no_such_kind(title: str, version: str, kind: str, minor: str) -> Problem:
    known = kinds(minor)
    others = sorted(api for api, name in known if name == kind)
    if others:
        return Problem(f"{title}: apiVersion", shown(version), one_of(others), f"Write apiVersion: {others[0]}.")
    meant = near(kind, {name for _api, name in known})
    return Problem(
        f"{title}: kind",
        shown(kind),
        "a kind of the Kubernetes API or of components/kubernetes/data/custom"
        + (f", such as {meant}" if meant else ""),
        f"Write kind: {meant}." if meant else "Correct it.",
    )


def _of_error(error: ValidationError, title: str, kind: str) -> Iterator[Problem]:
    path = list(error.absolute_path)
    rule, schema = error.validator, error.schema if isinstance(error.schema, Mapping) else {}
    instance: Any = error.instance
    if rule == "additionalProperties" and isinstance(instance, dict):
        known = schema.get("properties", {})
        for key in instance:
            if key not in known:
                yield _unknown_field(title, [*path, key], _value(kind, path, instance[key]), schema)
    elif rule == "required" and isinstance(instance, dict):
        for key in schema.get("required", ()):
            if key not in instance and error.message.startswith(repr(key)):
                allowed = f"a value, which {schema.get('x-name', 'the API')} needs"
                yield Problem(f"{title}: {_dotted([*path, key])}", "not set", allowed, "Add it.")
    elif instance is not _UNKNOWN and not (rule in ("oneOf", "anyOf", "not") and _has_unknown(instance)):
        if error.parent is None and "propertyNames" in map(str, error.absolute_schema_path):
            path = [*path, instance]
        yield Problem(f"{title}: {_dotted(path)}", _value(kind, path, instance), _allowed(error, schema), "Correct it.")


def _unknown_field(title: str, path: Sequence[Any], value: str, schema: Mapping[str, Any]) -> Problem:
    key, known = str(path[-1]), sorted(schema.get("properties", {}))
    meant = near(key, known)
    owner = schema.get("x-name", "the API")
    allowed = f"a field of {owner}" + (
        f": {one_of(known)}" if len(known) <= _FEW else f", such as {meant}" if meant else ""
    )
    fix = f"Write {meant}, or remove it." if meant else "Remove it."
    return Problem(f"{title}: {_dotted(path)}", value, allowed, f"{fix} The cluster would drop it in silence.")


_TYPES = {
    "object": "an object",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


def _allowed(error: ValidationError, schema: Mapping[str, Any]) -> str:
    """What may stand there, in words."""
    wanted: Any = error.validator_value
    if "x-allowed" in schema:
        return str(schema["x-allowed"])
    match error.validator:
        case "type":
            return one_of(_TYPES.get(one, one) for one in ([wanted] if isinstance(wanted, str) else wanted))
        case "enum":
            return one_of(wanted)
        case "const":
            return str(wanted)
        case "minimum" | "maximum":
            low, high = schema.get("minimum"), schema.get("maximum")
            return (
                f"{low} to {high}" if None not in (low, high) else f"{low} or more" if high is None else f"up to {high}"
            )
        case "minLength" | "minItems" | "minProperties":
            things = {"minLength": "characters", "minItems": "items", "minProperties": "fields"}
            return f"{wanted} or more {things[str(error.validator)]}"
        case "maxLength" | "maxItems":
            return f"at most {wanted} {'characters' if error.validator == 'maxLength' else 'items'}"
    return str(error.message)


def _value(kind: str, path: Sequence[Any], value: Any) -> str:
    if path and path[0] in _SECRET.get(kind, ()):
        return "(secret)"
    return "not known yet" if value is _UNKNOWN else shown(value)


def _dotted(path: Iterable[Any]) -> str:
    """`spec.template.spec.containers[0].ports`; a key that is no name is in quotes."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"\w+", str(part)):
            text += f".{part}" if text else str(part)
        else:
            text += f"['{part}']"
    return text or "(the whole)"


def _plain(value: Any) -> Any:
    """As JSON has it; what is none of JSON's types is not known yet."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, _SCALARS) else _UNKNOWN


def _has_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_unknown, value.values()))
    return any(map(_has_unknown, value)) if isinstance(value, list) else value is _UNKNOWN
