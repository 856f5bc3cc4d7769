# The framework is in an environment of its own, where the type checker does not look.
# pyright: reportMissingImports=false
"""A convolutional network of Keras on TensorFlow, for images of 32×32×3."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from training.data.dataset import Array, Dataset
from training.errors import TrainingError
from training.progress import Silent, Steps
from training.trainers import INPUT, SEED, TENSORFLOW_SERVING, LearningCurve
from training.trainers.network import finish_graph

# Read when the frameworks are imported: their start-up chatter is no progress.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Its kernels add up in another order from run to run; without them the same seed gives the same network.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras

ROW_SHAPE = (32, 32, 3)
CLASSES = 10
EPOCHS = 10
BATCH = 32


def complex_deep_learning_algorithm(data_path: str | Path) -> tuple[Any, float, float]:
    """Fit the network on an npz with `X` (rows, 32, 32, 3) and `y` (whole numbers from 0 to 9).

    Returns the model, its loss and its accuracy (0 to 1) in the last epoch of training.
    """
    return _fit(data_path, None, Silent())[:3]


def _fit(data_path: str | Path, held_out: Dataset | None, steps: Steps) -> tuple[Any, float, float, LearningCurve]:
    with np.load(data_path, allow_pickle=False) as data:
        rows, labels = data["X"], data["y"]
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= CLASSES:
        found = ", ".join(map(str, np.unique(labels)[:12]))
        raise TrainingError(
            f"y holds the labels {found}; allowed for trainer cnn: whole numbers from 0 to {CLASSES - 1}, "
            "as its last layer has one unit for each"
        )
    keras.utils.set_random_seed(SEED)
    model = keras.Sequential(
        [
            keras.Input(ROW_SHAPE, name=INPUT),
            keras.layers.Conv2D(32, (3, 3), activation="relu"),
            keras.layers.MaxPooling2D((2, 2)),
            keras.layers.Conv2D(64, (3, 3), activation="relu"),
            keras.layers.MaxPooling2D((2, 2)),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        rows,
        labels,
        epochs=EPOCHS,
        batch_size=BATCH,
        # Only looked at for the learning curve: nothing is chosen by it.
        validation_data=(held_out.X, held_out.y) if held_out is not None else None,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda _epoch, _logs: steps.advance())],
        verbose=0,
    ).history
    shown = {"accuracy": "training accuracy", "val_accuracy": "held-out accuracy", "loss": "training loss"}
    curve = LearningCurve(
        "epoch",
        [float(epoch) for epoch in range(1, EPOCHS + 1)],
        {name: [float(value) for value in history[key]] for key, name in shown.items() if key in history},
    )
    return model, float(history["loss"][-1]), float(history["accuracy"][-1]), curve


def fit(train_file: Path, held_out: Dataset, steps: Steps) -> FittedNetwork:
    """Fit on the npz, one step of progress an epoch."""
    steps.step(f"fitting the network: {EPOCHS} epochs", total=EPOCHS)
    return FittedNetwork(*_fit(train_file, held_out, steps))


class FittedNetwork:
    """The network, fitted."""

    def __init__(self, model: Any, loss: float, accuracy: float, curve: LearningCurve) -> None:
        self.model = model
        self.metrics: Mapping[str, float] = {"training_loss": loss, "training_accuracy": accuracy}
        self.curve = curve

    def probabilities(self, rows: Array) -> Array:
        return np.asarray(self.model.predict(rows, batch_size=256, verbose=0))

    def export_onnx(self, file: Path) -> None:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # Keras asks numpy for a name that is gone
            exported = Path(folder) / "network.onnx"
            self.model.export(str(exported), format="onnx", verbose=False)
            finish_graph(exported, list(range(CLASSES)), source="Keras")
            file.write_bytes(exported.read_bytes())

    def export_extra(self, kind: str, folder: Path, model: str, version: int) -> None:  # noqa: ARG002 # others need the name
        if kind != TENSORFLOW_SERVING:
            raise ValueError(kind)
        # TensorFlow Serving takes the folder above and finds the version by its number:
        # https://www.tensorflow.org/tfx/serving/serving_basic
        self.model.export(str(folder / TENSORFLOW_SERVING / str(version)), format="tf_saved_model", verbose=False)
