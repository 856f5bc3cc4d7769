"""Releases of the networks, trained for real in their own environments, once per run of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from spec.release import Release
from tests.real_parts import need_environment
from training import train_and_release

#: Trainer → environment, extra format.
NETWORKS = {"cnn": ("tensorflow", "tensorflow_serving"), "torch": ("torch", "torchserve")}


@pytest.fixture(scope="session")
def cnn(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """With a SavedModel for TensorFlow Serving."""
    return _trained("cnn", tmp_path_factory.mktemp("cnn"))


@pytest.fixture(scope="session")
def torch(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """With an archive for TorchServe."""
    return _trained("torch", tmp_path_factory.mktemp("torch"))


def _trained(trainer: str, folder: Path) -> Release:
    environment, extra = NETWORKS[trainer]
    need_environment(environment, f"make env-{environment}")
    return train_and_release(trainer, folder, extras=[extra])
