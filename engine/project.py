"""Pulumi.yaml and Pulumi.<stack>.yaml: the project, the stack's config, defaults and types as the CLI has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from engine.errors import EngineError, Unsupported

#: Keys of the namespace `pulumi` that change what an engine does, and that this one does not do.
_ENGINE_KEYS = {"pulumi:autonaming": "autonaming", "pulumi:disable-default-providers": "disabled default providers"}


@dataclass(frozen=True)
class Project:
    """One project and one of its stacks.

    root: folder of Pulumi.yaml. program: folder (or file) that is run. salt: encryption salt of the stack's file.
    """

    root: Path
    name: str
    stack: str
    program: Path
    salt: str | None
    stack_file: Path
    _schema: dict[str, Any] = field(repr=False, default_factory=dict)
    _values: dict[str, Any] = field(repr=False, default_factory=dict)

    def stacks(self) -> set[str]:
        """Names of the stacks that have a file."""
        files = self.stack_file.parent.glob("Pulumi.*.yaml")
        return {file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files}

    def config(self, decrypt: Callable[[str], str]) -> tuple[dict[str, str], set[str]]:
        """The stack's config as `<namespace>:<key>` → string, and which keys are secret.

        Structured values are JSON. Raises EngineError for a missing key or a value of the wrong type.
        """
        values: dict[str, str] = {}
        secrets: set[str] = set()
        for key, raw in self._values.items():
            if key in _ENGINE_KEYS:
                raise Unsupported(_ENGINE_KEYS[key], f"config key {key}")
            clear, is_secret = _decrypted(raw, decrypt)
            values[key] = _as_text(clear)
            if is_secret:
                secrets.add(key)
        self._apply_schema(values, secrets)
        return values, secrets

    def _apply_schema(self, values: dict[str, str], secrets: set[str]) -> None:
        missing = []
        for short, declared in self._schema.items():
            key = short if ":" in short else f"{self.name}:{short}"
            declared = declared if isinstance(declared, dict) else {"default": declared}
            if key in _ENGINE_KEYS:
                raise Unsupported(_ENGINE_KEYS[key], f"Pulumi.yaml, config key {key}")
            if key not in values:
                default = declared.get("default", declared.get("value"))
                if default is not None:
                    values[key] = _as_text(default)
                elif key.startswith(f"{self.name}:"):
                    missing.append(short)
                continue
            self._check_type(short, key, declared, values[key], secrets)
        if missing:
            raise EngineError(
                f"stack {self.stack!r} lacks the config {', '.join(map(repr, missing))} that Pulumi.yaml declares: "
                f"set it in {self.stack_file}. Nothing was changed.",
                changed=False,
            )

    def _check_type(self, short: str, key: str, declared: dict[str, Any], text: str, secrets: set[str]) -> None:
        wanted = declared.get("type")
        if wanted is None:
            return
        if declared.get("secret") and key not in secrets:
            raise EngineError(
                f"config {short!r} of stack {self.stack!r} must be secret: set it with "
                f"`pulumi config set --secret`, not in clear in {self.stack_file}. Nothing was changed.",
                changed=False,
            )
        structured = isinstance(self._values.get(key), (dict, list))
        if not _fits(wanted, declared.get("items"), json.loads(text) if structured else text):
            shown = "[secret]" if key in secrets else repr(text)
            raise EngineError(
                f"config {short!r} of stack {self.stack!r} is {shown}; Pulumi.yaml wants {_type_name(declared)}: "
                f"change it in {self.stack_file}. Nothing was changed.",
                changed=False,
            )


def load_project(root: Path, stack: str) -> Project:
    """Read both files. Raises EngineError naming the file, and the line where YAML is broken."""
    file = root / "Pulumi.yaml"
    settings = _mapping(file, _yaml(file))
    name = settings.get("name")
    if not isinstance(name, str) or not name:
        raise EngineError(f"{file}: 'name' is {name!r}; a project needs a name", changed=False)
    runtime = settings.get("runtime")
    language = runtime.get("name") if isinstance(runtime, dict) else runtime
    if language != "python":
        raise Unsupported(f"the runtime {language!r}; it runs python", str(file))
    if (settings.get("options") or {}).get("refresh"):
        raise Unsupported("options.refresh", str(file))
    folder = root / str(settings.get("stackConfigDir") or settings.get("config-dir") or "")
    stack_file = folder / f"Pulumi.{stack}.yaml"
    stack_settings = _mapping(stack_file, _yaml(stack_file)) if stack_file.exists() else {}
    if stack_settings.get("environment"):
        raise Unsupported("'environment' (Pulumi ESC)", str(stack_file))
    if stack_settings.get("secretsprovider") not in (None, "", "default", "passphrase"):
        raise Unsupported(f"the secrets provider {stack_settings['secretsprovider']!r}", str(stack_file))
    values = _section(stack_file, stack_settings, "config")
    return Project(
        root=root,
        name=name,
        stack=stack,
        program=root / str(settings.get("main") or ""),
        salt=stack_settings.get("encryptionsalt"),
        stack_file=stack_file,
        _schema=_section(file, settings, "config"),
        _values={key if ":" in key else f"{name}:{key}": value for key, value in values.items()},
    )


def _yaml(file: Path) -> Any:
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EngineError(f"there is no {file}. Nothing was changed.", changed=False) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise EngineError(f"{file} is not valid YAML: {error}. Nothing was changed.", changed=False) from None


def _mapping(file: Path, content: Any) -> dict[str, Any]:
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise EngineError(f"{file} holds {type(content).__name__}, not keys and values", changed=False)
    return content


def _section(file: Path, settings: dict[str, Any], name: str) -> dict[str, Any]:
    section = settings.get(name)
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise EngineError(f"{file}: {name!r} is {section!r}; it holds keys and values", changed=False)
    return section


def _decrypted(value: Any, decrypt: Callable[[str], str]) -> tuple[Any, bool]:
    """A config value in clear, and whether any part of it was secret."""
    if isinstance(value, dict):
        if set(value) == {"secure"} and isinstance(value["secure"], str):
            return decrypt(value["secure"]), True
        parts = {key: _decrypted(item, decrypt) for key, item in value.items()}
        return {key: clear for key, (clear, _) in parts.items()}, any(found for _, found in parts.values())
    if isinstance(value, list):
        items = [_decrypted(item, decrypt) for item in value]
        return [clear for clear, _ in items], any(found for _, found in items)
    return value, False


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def _fits(wanted: str, items: Any, value: Any) -> bool:
    if wanted == "string":
        return isinstance(value, str)
    if wanted == "integer":
        try:
            return not isinstance(value, bool) and float(int(value)) == float(value)
        except (TypeError, ValueError):
            return False
    if wanted == "boolean":
        return isinstance(value, bool) or value in ("true", "false")
    if wanted == "object":
        return isinstance(value, dict)
    inner = items or {}
    return isinstance(value, list) and all(_fits(inner.get("type", ""), inner.get("items"), item) for item in value)


def _type_name(declared: dict[str, Any]) -> str:
    if declared["type"] != "array":
        return str(declared["type"])
    return f"array<{_type_name(declared['items'])}>" if declared.get("items") else "array"
