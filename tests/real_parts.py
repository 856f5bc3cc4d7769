"""Real parts the tests run against: found here, or skipped by name.

A test that needs a program of somebody else's (an emulator, a container engine, a browser) asks for it with
:func:`need`. On a machine without it the test is skipped with the part's name and how to get it; where skips are
forbidden (``pytest --no-skips``, what ``.ci/run`` does) a missing part is a failure.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: Where the project's own set-up puts programs that are not on PATH (npm packages, Go modules).
LOCAL_BIN = (ROOT / ".local" / "bin", ROOT / ".local" / "npm" / "node_modules" / ".bin")


def find(program: str) -> Path | None:
    """Path of ``program`` on PATH or among the project's own tools, else None."""
    search = os.pathsep.join([os.environ.get("PATH", ""), *map(str, LOCAL_BIN)])
    found = shutil.which(program, path=search)
    return Path(found) if found else None


def need(program: str, how_to_get: str = "") -> Path:
    """Path of ``program``; skips the calling test by the program's name where it is missing."""
    found = find(program)
    if found is None:
        hint = f" ({how_to_get})" if how_to_get else ""
        pytest.skip(f"{program} is not installed{hint}")
    return found


def need_environment(name: str, how_to_get: str = "") -> Path:
    """Python of the virtual environment ``.venv-<name>``; skips by name where it is missing."""
    python = ROOT / f".venv-{name}" / "bin" / "python"
    if not python.exists():
        hint = f" ({how_to_get})" if how_to_get else ""
        pytest.skip(f"the environment .venv-{name} is not installed{hint}")
    return python
