"""What a component imports is in its requirements file: the environment of the tests has more than a user's.

Only imports are looked at; that the listed versions work together the lock file and the other tests show.
"""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
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
    tops = {name.partition(".")[0] for name in imported(folder)} - OURS - set(sys.stdlib_module_names)
    return {squeezed(by_module[top][0]) if top in by_module else top for top in tops}


@pytest.mark.parametrize("folder", sorted(COMPONENTS.glob("[a-z]*/")), ids=lambda folder: folder.name)
def test_what_is_imported_is_listed(folder: Path) -> None:
    others = {name.split(".")[1] for name in imported(folder) if name.startswith("components.")} | {folder.name}
    files = [ROOT / "requirements.txt", *(COMPONENTS / name / "requirements.txt" for name in others)]
    assert needed(folder) <= set().union(*map(listed, files)), f"add it to components/{folder.name}/requirements.txt"
