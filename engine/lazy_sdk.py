"""Loads of a cloud's SDK only what a program uses; run in the program's process, for plans and rehearsals.

A module of a generated SDK (`pulumi_aws.s3`) imports a file per resource, and the classes of hundreds that nobody asked
for are most of the time of a small plan. Here such a module gets a `__getattr__` that imports the one file that defines
a name (PEP 562). It is done only where the module's file has exactly the generator's form, line by line; any other is
loaded as ever. This file is run by its path and imports nothing of ours.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

_PACKAGES = ("pulumi_aws.", "pulumi_azure_native.", "pulumi_gcp.", "pulumi_kubernetes.")
_STAR = re.compile(r"^from \.(\w+) import \*$", re.MULTILINE)
_ALLOWED = re.compile(
    r"(#.*|import builtins as _builtins|from \.{2,3} import _utilities|import typing|from \. import outputs|"
    r"from \.\w+ import \*|)"
)
_ALL = re.compile(r"^__all__ = \[(.*?)\]", re.MULTILINE | re.DOTALL)
_HEAD = 8192


def install() -> None:
    """From here on, modules of the SDKs are loaded piece by piece."""
    sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds what Python's own finder finds, and swaps the loader of generated modules."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(_PACKAGES):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None or not spec.origin.endswith("__init__.py"):
            return spec
        if spec.loader is not None:
            spec.loader = _Loader(spec.loader, Path(spec.origin))
        return spec


class _Loader(Loader):
    """Loads a module's `__init__.py` piece by piece where that can be done, else as `usual` does."""

    def __init__(self, usual: Loader, init: Path) -> None:
        self._usual, self._init = usual, init

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._usual.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        where = _where(self._init)
        if not where:
            self._usual.exec_module(module)
            return

        def load(name: str) -> Any:
            submodule = where.get(name)
            if submodule is None:
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            loaded = importlib.import_module(f"{module.__name__}.{submodule}")
            value = loaded if name == submodule == "outputs" else getattr(loaded, name)
            module.__dict__[name] = value
            return value

        class Generated(ModuleType):
            def __setattr__(self, name: str, value: Any) -> None:
                # An import of `get_key.py` would put the file's module where the function `get_key` belongs.
                if not (name in where and isinstance(value, ModuleType)):
                    super().__setattr__(name, value)

        module.__class__ = Generated
        module.__dict__.update(__getattr__=load, __all__=list(where), __dir__=lambda: sorted(where))


def _where(init: Path) -> dict[str, str]:
    """Exported name → submodule; empty where the module is not in the generator's form."""
    text = init.read_text(encoding="utf-8")
    submodules = _STAR.findall(text)
    if not submodules or not all(_ALLOWED.fullmatch(line) for line in text.splitlines()):
        return {}
    found: dict[str, str] = {}
    for submodule in submodules:
        names = _exports(init.with_name(f"{submodule}.py"))
        if names is None:
            return {}
        found.update((name, submodule) for name in names)
    if "from . import outputs" in text:
        found["outputs"] = "outputs"
    return found


def _exports(file: Path) -> list[str] | None:
    """The names in a file's `__all__`, which stands near its beginning."""
    try:
        with file.open(encoding="utf-8") as source:
            head = source.read(_HEAD)
            listed = _ALL.search(head) or _ALL.search(head + source.read())
    except OSError:
        return None
    return re.findall(r"'(\w+)'", listed[1]) if listed else None
