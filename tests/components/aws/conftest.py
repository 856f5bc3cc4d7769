"""A working tree for the whole stack: releases digits@1 and digits@2, and the example's description."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.components.aws.whole import example
from tests.training.small import write_small


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models/digits/v1 and v2."""
    folder = tmp_path_factory.mktemp("tree")
    write_small(folder / "models", "digits")
    write_small(folder / "models", "digits", features=3)
    return folder


@pytest.fixture
def service(root: Path) -> dict[str, Any]:
    """The description in Pulumi.aws.yaml; a test may change it."""
    return example(root)
