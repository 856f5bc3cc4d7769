"""A working tree for the whole stack: releases, what the image is built from, and the example's description."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.components.aws.inventories import write_tree
from tests.components.aws.whole import example


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models/digits/v1 and v2, and the image's sources."""
    folder = tmp_path_factory.mktemp("tree")
    write_tree(folder)
    return folder


@pytest.fixture
def service(root: Path) -> dict[str, Any]:
    """The description in Pulumi.aws.yaml; a test may change it."""
    return example(root)
