"""The packages of `make functions`, built once and unpacked, and what a function needs to run from one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from operations import functions as packages
from operations.workspace import Workspace
from tests.real_parts import ROOT
from tests.serving_image.conftest import Digits
from tests.stores import RunningStore


@pytest.fixture(scope="session")
def built() -> dict[str, packages.Package]:
    """By target."""
    return {package.target: package for package in packages.build_and_tell(Workspace(ROOT))}


@pytest.fixture(scope="session")
def unpacked(built: dict[str, packages.Package], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders with the packages' content, by target."""
    folders = {}
    for target, package in built.items():
        folders[target] = tmp_path_factory.mktemp(target)
        with zipfile.ZipFile(package.file) as archive:
            archive.extractall(folders[target])
    return folders


def environment(digits: Digits, *paths: Path, **variables: str) -> dict[str, str]:
    """What a platform would set, and nothing of this machine's."""
    python_path = os.pathsep.join(map(str, paths))
    settings = {"MODEL_URI": str(digits.path), "PYTHONPATH": python_path, "PYTHONSAFEPATH": "1"}
    return {"PATH": os.environ["PATH"], "HOME": "/tmp", **settings, **variables}


def put(store: RunningStore, key: str, digits: Digits, rows: int = 4) -> str:
    """Drop a file with rows into the store; returns the top of the store, without a slash."""
    top = store.uri.rsplit("/", 1)[0]
    run_in_store(
        store,
        "import sys, obstore; from batch.locations import locate; at = locate(sys.argv[1]);"
        "obstore.put(at.store, at.key, sys.argv[2].encode())",
        f"{top}/{key}",
        "".join(f"{json.dumps(row)}\n" for row in digits.rows[:rows]),
    )
    return top


def files(store: RunningStore, folder: str) -> dict[str, str]:
    """Texts below a folder of the store, by key below it."""
    text = run_in_store(
        store,
        "import sys, json, obstore; from batch.locations import locate; at = locate(sys.argv[1]);"
        "keys = [e['path'] for page in obstore.list(at.store, at.key) for e in page];"
        "print(json.dumps({k[len(at.key) + 1:]: bytes(obstore.get(at.store, k).bytes()).decode() for k in keys}))",
        folder,
    )
    return json.loads(text)


def run_in_store(store: RunningStore, code: str, *arguments: str) -> str:
    python_path = os.pathsep.join([str(ROOT), str(ROOT / "serving_image")])
    env: Mapping[str, Any] = {"PATH": os.environ["PATH"], "PYTHONPATH": python_path, **store.environment}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env=env, check=True, capture_output=True, text=True
    ).stdout
