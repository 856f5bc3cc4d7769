"""Releases and servers that the tests of the server share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.serving_image import releases
from tests.serving_image.server_process import ServerProcess, running
from training import train_and_release


@dataclass(frozen=True)
class Digits:
    """The forest on scikit-learn's digits, trained for real. rows, labels: of its samples."""

    path: Path
    input: str
    rows: list[list[float]]
    labels: list[int]
    probabilities: list[list[float]]


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def digits(models_dir: Path) -> Digits:
    return read_digits(train_and_release("forest", models_dir).path)


@pytest.fixture(scope="session")
def digits_again(models_dir: Path, digits: Digits) -> Digits:
    """A second release of the same model."""
    assert digits.path.name == "v1"
    return read_digits(train_and_release("forest", models_dir).path)


@pytest.fixture(scope="session")
def table(models_dir: Path) -> Path:
    return releases.write_release(models_dir, "table", *releases.table_model())


@pytest.fixture(scope="session")
def doubling(models_dir: Path) -> Path:
    return releases.write_release(models_dir, "doubling", *releases.doubling_model())


@pytest.fixture(scope="session")
def slow(models_dir: Path) -> Path:
    return releases.write_release(models_dir, "slow", *releases.slow_model())


@pytest.fixture(scope="session")
def server(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server with the digits release and no platform around it."""
    with running({"MODEL_URI": str(digits.path)}, tmp_path_factory.mktemp("server")) as process:
        yield process


def read_digits(path: Path) -> Digits:
    metadata: dict[str, Any] = json.loads((path / "model_metadata.json").read_text())
    samples = json.loads((path / "samples.json").read_text())["samples"]
    name = metadata["inputs"][0]["name"]
    return Digits(
        path,
        name,
        [sample["inputs"][name] for sample in samples],
        [sample["outputs"]["label"] for sample in samples],
        [sample["outputs"]["probabilities"] for sample in samples],
    )
