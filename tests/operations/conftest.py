"""Releases for the tests of the main job."""

from __future__ import annotations

from pathlib import Path

import pytest

from training import train_and_release


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two releases of digits, trained once; to be copied, not changed."""
    folder = tmp_path_factory.mktemp("trained") / "models"
    train_and_release("forest", folder)
    train_and_release("forest", folder)
    return folder
