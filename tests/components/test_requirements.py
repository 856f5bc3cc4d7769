"""What a component imports is in its requirements file: the environment of the tests has more than a user's.

Only imports are looked at; that the listed versions work together the lock file and the other tests show.
"""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.real_parts import ROOT

COMPONENTS = ROOT / "components"
OURS = {"components", "spec", "stacks"}


def squeezed(name: str) -> str:
    """A distribution's name in the one form that the index compares (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def listed(file: Path) -> set[str]:
    """Distributions in a requirements file."""
    lines = file.read_text().splitlines() if file.is_file() else []
    names = [re.match(r"[A-Za-z0-9._-]+", line) for line in lines if not line.startswith(("-", "#"))]
    return {squeezed(name[0]) for name in names if name}


@cache
def imported(folder: Path) -> frozenset[str]:
    """Every module that the files of a folder import, wherever in them."""
    found: set[str] = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
    return frozenset(found)


def needed(folder: Path) -> set[str]:
    """Distributions that a folder of components imports."""
    by_module = importlib.metadata.packages_distributions()
    ours = OURS | set(sys.stdlib_module_names)
    return {distribution(name, by_module) for name in imported(folder) if name.partition(".")[0] not in ours}


def distribution(module: str, by_module: Mapping[str, list[str]]) -> str:
    """Whose module it is. A namespace is shared by many, of which each has the name of its package: `azure-core`."""
    parts = module.split(".")
    given = [squeezed(name) for name in by_module.get(parts[0], [])]
    whole = ("-".join(map(squeezed, parts[:end])) for end in range(len(parts), 0, -1))
    return next((name for name in whole if name in given), given[0] if given else parts[0])


@pytest.mark.parametrize("folder", sorted(COMPONENTS.glob("[a-z]*/")), ids=lambda folder: folder.name)
def test_what_is_imported_is_listed(folder: Path) -> None:
    others = {name.split(".")[1] for name in imported(folder) if name.startswith("components.")} | {folder.name}
    files = [ROOT / "requirements.txt", *(COMPONENTS / name / "requirements.txt" for name in others)]
    assert needed(folder) <= set().union(*map(listed, files)), f"add it to components/{folder.name}/requirements.txt"
