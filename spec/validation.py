"""Checks a value from a file against a model, and says what is wrong in the words of this project."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from spec import errors
from spec.errors import FieldError, Problem, SpecError, one_of, shown
from spec.fields import HIDDEN

M = TypeVar("M", bound=BaseModel)

#: Types as a writer of YAML or JSON calls them, by pydantic's name of the error.
WORDS = {
    "tuple_type": "a list",
    "model_type": "a mapping of fields",
    "dict_type": "a mapping of names to values",
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
}

#: Fields whose values may hold a secret, by the beginning of their path.
SECRET_FIELDS = (("notify", "webhooks"),)


def validate(model: type[M], value: Any, *, root: str, what: str) -> M:
    """The checked model.

    root: what every path in an error begins with. what: what the value is, for the first line of the error.
    Raises SpecError with every problem found.
    """
    if not isinstance(value, Mapping):
        first = next(iter(model.model_fields))
        problem = Problem(root, shown(value), "a mapping of fields", f"Write {first}: … beneath it.")
        raise SpecError([problem], what)
    try:
        # By way of JSON: strict (no "8080" for 8080, no true for 1), and yet lists become tuples.
        return model.model_validate_json(json.dumps(value, default=str), strict=True)
    except ValidationError as error:
        found = [_problem(model, details, root) for details in error.errors() if not _follows(details)]
        raise SpecError(found, what) from None


def _follows(details: ErrorDetails) -> bool:
    """Whether an error is only the consequence of another one that is listed as well."""
    emptied = details["type"] == "too_short" and bool(details["input"])  # every item in it was wrong
    return emptied or details["type"] == "default_factory_not_called"


def _problem(model: type[BaseModel], details: ErrorDetails, root: str) -> Problem:
    """A pydantic error in the words of this project."""
    loc = details["loc"]
    kind = details["type"]
    value = details["input"]
    context = details.get("ctx", {})
    if isinstance(cause := context.get("error"), FieldError):
        return Problem(errors.path((*loc, *cause.field), root=root), shown(cause.value), cause.allowed, cause.fix)
    loc = tuple(part for part in loc if part != "[key]")
    field = errors.path(loc, root=root)
    text = shown(HIDDEN) if loc[:2] in SECRET_FIELDS else shown(value)
    if kind == "missing":
        return Problem(
            field, "missing", _description(model, loc), f"Add {loc[-1]}: beneath {errors.path(loc[:-1], root=root)}."
        )
    if kind == "extra_forbidden":
        known = _fields_at(model, loc[:-1])
        meant = errors.near(str(loc[-1]), known)
        fix = f"Did you mean {meant}?" if meant else "Remove it."
        return Problem(field, "not a field", one_of(known), fix)
    if kind == "literal_error":
        expected = _alternatives(model, loc)
        meant = errors.near(str(value), expected)
        return Problem(field, text, one_of(expected), f"Did you mean {meant}?" if meant else "Take one of these.")
    # What the field is for says more than a pattern; a bound or a type is said by the message.
    description = _description(model, loc)
    limit = WORDS.get(kind) or re.sub(r"^Input should be ", "", details["msg"])
    allowed = description if kind == "string_pattern_mismatch" else f"{limit} ({description})" if description else limit
    return Problem(field, text, allowed, f"Change {loc[-1] if isinstance(loc[-1], str) else field}.")


def _section_at(root_model: type[BaseModel], loc: tuple[str | int, ...]) -> type[BaseModel] | None:
    """The model that a path leads to, else None."""
    model: type[BaseModel] | None = root_model
    named = False  # the next part is a name that the user gave
    for part in loc:
        if isinstance(part, int) or named:
            named = False
            continue
        info = model.model_fields.get(part) if model else None
        model = section_type(info.annotation) if info else None
        named = info is not None and get_origin(info.annotation) is dict
    return model


def section_type(annotation: Any) -> type[BaseModel] | None:
    """The section within an annotation such as `Slo | None` or `tuple[DeployTo, ...]`, else None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(section_type, get_args(annotation))), None)


def _fields_at(root_model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    model = _section_at(root_model, loc)
    return list(model.model_fields) if model else []


def _info(root_model: type[BaseModel], loc: tuple[str | int, ...]) -> Any:
    names = [part for part in loc if isinstance(part, str)]
    for length in range(len(names), 0, -1):
        model = _section_at(root_model, tuple(names[: length - 1]))
        if model and names[length - 1] in model.model_fields:
            return model.model_fields[names[length - 1]]
    return None


def _description(root_model: type[BaseModel], loc: tuple[str | int, ...]) -> str:
    info = _info(root_model, loc)
    return (info.description or "").rstrip(".") if info else ""


def _alternatives(root_model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    info = _info(root_model, loc)
    found: list[str] = []

    def collect(annotation: Any) -> None:
        for argument in get_args(annotation):
            if isinstance(argument, str):
                found.append(argument)
            else:
                collect(argument)

    collect(info.annotation if info else None)
    return found
