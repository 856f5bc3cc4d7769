"""The packages of `make functions`: the same bytes for the same tree, wherever it lies, whatever its modes.

What this does not prove: the same bytes from another version of Python, whose zlib may pack otherwise.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from operations import functions as packages
from operations.workspace import Workspace
from spec.serverless import CONFIG_FILE
from tests.real_parts import ROOT

#: The first test waits until the packages are built.
pytestmark = pytest.mark.timeout(1200)


def test_two_builds_give_the_same_bytes(built: dict[str, packages.Package], tmp_path: Path) -> None:
    for name in ("serving_image", "spec"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignore, copy_function=shutil.copyfile)  # other times
    shutil.copy(ROOT / CONFIG_FILE, tmp_path)
    (tmp_path / "serving_image" / "model_server" / "app.py").chmod(0o600)
    before = os.umask(0o077)
    try:
        again = {package.target: package for package in packages.build_and_tell(Workspace(tmp_path))}
    finally:
        os.umask(before)
    assert {target: package.digest for target, package in again.items()} == {
        target: package.digest for target, package in built.items()
    }
    for target, package in again.items():
        assert package.file.read_bytes() == built[target].file.read_bytes()
