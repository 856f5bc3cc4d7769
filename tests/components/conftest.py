"""A release for components that store one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.small import write_small


@pytest.fixture(scope="session")
def release_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with the release digits@1."""
    folder = tmp_path_factory.mktemp("models")
    write_small(folder, "digits")
    return folder
