"""`docs/service.md`: every field of a service description, written from the model itself.

`python -m spec.reference > docs/service.md`
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from spec.service import ServiceSpec, section_type


def markdown() -> str:
    """The page as text."""
    lines = [
        "# The service description",
        "",
        "Written by `python -m spec.reference`; do not edit. The description stands in a stack's file under",
        "`cloud-ml-deployment:service`. What each target can honour is in [capabilities](capabilities.md).",
        "",
        "| field | default | what it is |",
        "|---|---|---|",
        *_rows(ServiceSpec, ""),
        "",
    ]
    return "\n".join(lines)


def _rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, info in model.model_fields.items():
        inner = section_type(info.annotation)
        many = get_origin(info.annotation) is tuple
        yield f"| `{prefix}{name}{'[]' if many else ''}` | {_default(info, inner)} | {_meaning(info)} |"
        if inner is not None:
            yield from _rows(inner, f"{prefix}{name}{'[]' if many else ''}.")


def _default(info: FieldInfo, inner: type[BaseModel] | None) -> str:
    if info.is_required():
        return "*required*"
    if info.default is PydanticUndefined:
        return "see below" if inner else "derived"
    if info.default in (None, ()):
        return "none"
    return f"`{str(info.default).lower() if isinstance(info.default, bool) else info.default}`"


def _meaning(info: FieldInfo) -> str:
    words = [str(word) for word in _literals(info.annotation)]
    choice = f" One of {', '.join(f'`{word}`' for word in words)}." if words else ""
    return f"{(info.description or '').replace('|', '/')}{choice}"


def _literals(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next(filter(None, map(_literals, get_args(annotation))), ())


if __name__ == "__main__":
    sys.stdout.write(markdown())
