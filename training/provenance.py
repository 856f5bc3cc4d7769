"""Where a release comes from: the code's commit, the libraries' versions, the time."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

#: What decides how a model comes out: the training code, the format, and the versions of the libraries.
CODE = ("training", "spec", "constraints.txt")

#: Environment variable that names the commit where there is no git.
COMMIT_VARIABLE = "CODE_COMMIT"


def code() -> dict[str, Any]:
    """`commit` of the training code, and whether that part of the tree was `clean`; both None outside of git."""
    try:
        commit = _git("rev-parse", "HEAD").strip()
        changes = _git("status", "--porcelain", "--", *CODE)
    except (OSError, subprocess.CalledProcessError):
        # The training image holds no git checkout: what it was built from is told it at the build.
        told = os.environ.get(COMMIT_VARIABLE)
        if told:
            return {"commit": told, "clean": True, "why": f"as {COMMIT_VARIABLE} says"}
        return {"commit": None, "clean": None, "why": "the code is in no git checkout, or git is not installed"}
    return {"commit": commit, "clean": not changes.strip(), "paths": list(CODE)}


def libraries(names: Sequence[str]) -> dict[str, str]:
    """Version of Python and of each distribution that is installed."""
    versions = {"python": platform.python_version()}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def now() -> str:
    """The time in UTC, in ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


def _git(*command: str) -> str:
    return subprocess.run(["git", *command], cwd=ROOT, check=True, capture_output=True, text=True).stdout
