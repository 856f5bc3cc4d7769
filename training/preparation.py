"""A release's `transforms.yaml` at training: the same steps prepare the training data and, later, requests.

Data is then what a client will send; what a framework is fitted on is what the steps make of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from spec.transforms import TensorSchema, Transforms, TransformsError, plan
from spec.transforms_numpy import UnknownCategoryError, apply
from training.data.dataset import Array
from training.errors import TrainingError


@dataclass(frozen=True)
class Preparation:
    """A checked transforms.yaml. text: the file as it goes into the release."""

    text: str
    document: object
    source: str

    @classmethod
    def read(cls, file: Path) -> Preparation:
        """Read and parse the file. Raises TrainingError."""
        try:
            text = file.read_text(encoding="utf-8")
            return cls(text, yaml.safe_load(text), str(file))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise TrainingError(f"transforms {file} cannot be read: {error}") from None

    def plan(self, inputs: Sequence[TensorSchema], outputs: Sequence[TensorSchema] | None) -> Transforms:
        """The steps, checked against a graph's schema (outputs None: those before it only). Raises TrainingError."""
        try:
            return plan(self.document, inputs, outputs)
        except TransformsError as error:
            raise TrainingError(f"{self.source}: {error}") from None


def before(transforms: Transforms | None, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """What the model gets for what a client sends. Raises TrainingError."""
    return _applied(transforms.before if transforms else (), inputs)


def after(transforms: Transforms | None, outputs: Mapping[str, Array]) -> dict[str, Array]:
    """What a client gets for what the model answers. Raises TrainingError."""
    return _applied(transforms.after if transforms else (), outputs)


def as_sent(transforms: Transforms, name: str, rows: Array) -> Array:
    """Rows in the dtype that a client sends."""
    dtype = next(tensor.dtype for tensor in transforms.inputs if tensor.name == name)
    sent = rows.astype(np.dtype(dtype))
    if not np.array_equal(sent, rows):
        raise TrainingError(
            f"{name!r} is declared as {dtype} in transforms.yaml, and the data holds values it cannot hold"
        )
    return sent


def _applied(steps: Any, tensors: Mapping[str, Array]) -> dict[str, Array]:
    try:
        return apply(steps, tensors)
    except UnknownCategoryError as error:
        raise TrainingError(f"transforms.yaml does not fit the data: {error}") from None
