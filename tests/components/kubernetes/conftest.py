"""A working tree for the whole stack: releases digits@1 and digits@2, one for each other runtime, and the example."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.components.kubernetes.whole import example
from tests.training.small import write_small


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models/digits/v1 and v2, and a model per runtime whose folder holds nothing that would run."""
    folder = tmp_path_factory.mktemp("tree")
    write_small(folder / "models", "digits")
    write_small(folder / "models", "digits", features=3)
    write_small(folder / "models", "digits_cnn", more={"tensorflow_serving/1/saved_model.pb": b"a graph"})
    write_small(folder / "models", "digits_torch", more={"torchserve/digits_torch.mar": b"an archive"})
    return folder


@pytest.fixture
def service(root: Path) -> dict[str, Any]:
    """The description in Pulumi.kubernetes.yaml; a test may change it."""
    return example(root)
