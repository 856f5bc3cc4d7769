"""Users' configuration files: every field is checked, an error names field, value and what is allowed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_server.errors import Exit, StartError


def read(file: Path) -> Mapping[str, Any]:
    """A JSON or YAML document that is a mapping. Raises StartError."""
    try:
        text = file.read_text()
        if file.suffix == ".json":
            document = json.loads(text)
        else:
            import yaml

            try:
                document = yaml.safe_load(text)
            except yaml.YAMLError as error:
                raise ValueError(str(error)) from None
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise StartError(Exit.BAD_SETTING, f"{file} cannot be read: {error}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise StartError(Exit.BAD_SETTING, f"{file} holds {type(document).__name__}; allowed: a mapping of fields")
    return document


def check_fields(file: Path, fields: Mapping[str, Any], allowed: tuple[str, ...], where: str = "") -> None:
    """Raises StartError for a field that nothing reads."""
    for name in fields:
        if name not in allowed:
            raise StartError(Exit.BAD_SETTING, f"{file}: {where}{name} is no field; allowed: {', '.join(allowed)}")


def refuse(file: Path, field: str, value: Any, allowed: str) -> StartError:
    """The error for a value that is not allowed."""
    return StartError(
        Exit.BAD_SETTING, f"{file}: {field} is {json.dumps(value, default=str)[:100]}; allowed: {allowed}"
    )


def number(file: Path, field: str, value: Any, low: float, high: float, *, whole: bool = False) -> Any:
    """The value, a number in the range. Raises StartError."""
    right = isinstance(value, int) if whole else isinstance(value, (int, float))
    if not right or isinstance(value, bool) or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        raise refuse(file, field, value, f"{kind} from {low:g} to {high:g}")
    return value


def choice(file: Path, field: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    """The value, one of those allowed. Raises StartError."""
    if value not in allowed or isinstance(value, bool) != isinstance(allowed[0], bool):
        raise refuse(file, field, value, ", ".join(json.dumps(entry) for entry in allowed))
    return value
