"""Trainers: each fits one kind of model on a checked npz and exports it to ONNX with one and the same schema."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from training.data.dataset import Array, Dataset
from training.errors import TrainingError
from training.progress import Steps

# Every model made here is called the same way, whatever framework it came from.
INPUT = "input"
LABEL = "label"
PROBABILITIES = "probabilities"

# Further formats, and the folder in a release that holds each.
TENSORFLOW_SERVING = "tensorflow_serving"
TORCHSERVE = "torchserve"

#: Seed of every split and of every framework: a run can be repeated.
SEED = 42


@dataclass(frozen=True)
class LearningCurve:
    """How the fit went.

    along: what the horizontal axis counts, such as `epoch`. at: its values. series: name -> value at each of them.
    """

    along: str
    at: list[float]
    series: Mapping[str, list[float]]


class Fitted(Protocol):
    """A model that was fitted, and knows how to leave its framework."""

    metrics: Mapping[str, float]
    curve: LearningCurve

    def probabilities(self, rows: Array) -> Array:
        """The framework's own answer, shape (rows, classes)."""
        ...

    def export_onnx(self, file: Path) -> None:
        """Write the graph: `input` -> `label`, `probabilities`."""
        ...

    def export_extra(self, kind: str, folder: Path, model: str, version: int) -> None:
        """Write another format into the folder of the release. Only for a kind its trainer names."""
        ...


class Fit(Protocol):
    """How a trainer is called."""

    def __call__(self, train_file: Path, held_out: Dataset, steps: Steps) -> Fitted: ...


@dataclass(frozen=True)
class Trainer:
    """One kind of model.

    name: what `--trainer` takes. model: name of its releases. data: the builder of its own data set.
    row_shape: the shape that a row must have; None: any flat row. tolerance: largest difference of a probability
    between framework and ONNX. module: what its framework is imported as. environment: `.venv-<name>` that holds the
    framework; None: the main one.
    libraries: distributions whose versions the metadata records. extras: formats it can add to a release.
    """

    name: str
    model: str
    framework: str
    data: str
    row_shape: tuple[int, ...] | None
    tolerance: float
    module: str
    environment: str | None = None
    libraries: tuple[str, ...] = ()
    extras: tuple[str, ...] = field(default=())

    def fit(self, train_file: Path, held_out: Dataset, steps: Steps) -> Fitted:
        """Fit on the npz; held_out is only for the learning curve."""
        fit: Fit = importlib.import_module(f"training.trainers.{self.name}_trainer").fit
        return fit(train_file, held_out, steps)


FOREST = Trainer(
    name="forest",
    model="digits",
    framework="scikit-learn",
    data="digits",
    row_shape=None,
    tolerance=1e-5,
    module="sklearn",
    libraries=("scikit-learn", "skl2onnx", "onnx", "onnxruntime", "numpy"),
)

CNN = Trainer(
    name="cnn",
    model="digits_cnn",
    framework="Keras",
    data="digits-32x32x3",
    row_shape=(32, 32, 3),
    tolerance=1e-4,
    module="tensorflow",
    environment="tensorflow",
    libraries=("keras", "tensorflow", "tensorflow-cpu", "tf2onnx", "onnx", "onnxruntime", "numpy"),
    extras=(TENSORFLOW_SERVING,),
)

TORCH = Trainer(
    name="torch",
    model="digits_torch",
    framework="PyTorch",
    data="digits",
    row_shape=None,
    tolerance=1e-4,
    module="torch",
    environment="torch",
    libraries=("torch", "onnx", "onnxruntime", "numpy", "torch-model-archiver"),
    extras=(TORCHSERVE,),
)

TRAINERS: Mapping[str, Trainer] = {trainer.name: trainer for trainer in (FOREST, CNN, TORCH)}


def get(name: str) -> Trainer:
    """The trainer of that name. Raises TrainingError."""
    try:
        return TRAINERS[name]
    except KeyError:
        raise TrainingError(f"trainer is {name!r}; allowed: {', '.join(TRAINERS)}") from None
