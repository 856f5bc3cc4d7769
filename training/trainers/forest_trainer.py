"""A random forest of scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from training.data.dataset import Array, Dataset
from training.progress import Steps
from training.trainers import INPUT, LABEL, PROBABILITIES, SEED, LearningCurve

#: Versions of the operator sets: old enough for the ONNX Runtime of every platform, new enough for skl2onnx.
OPSET = {"": 18, "ai.onnx.ml": 3}

#: Shares of the training rows at which the learning curve looks, before the whole.
SHARES = (0.1, 0.25, 0.5)


def complex_ml_algorithm(data_path: str | Path) -> tuple[RandomForestClassifier, float]:
    """Fit the forest on an npz with `X` (rows, features) and `y`.

    Returns the model and its accuracy on the rows it was trained on (0 to 1).
    """
    with np.load(data_path, allow_pickle=False) as data:
        rows, labels = data["X"], data["y"]
    model = RandomForestClassifier(n_estimators=100, max_depth=5, random_state=SEED)
    model.fit(rows, labels)
    return model, float(model.score(rows, labels))


def fit(train_file: Path, held_out: Dataset, steps: Steps) -> FittedForest:
    """Fit on the npz; the learning curve grows the training rows."""
    steps.step("fitting the forest")
    model, accuracy = complex_ml_algorithm(train_file)
    steps.step("learning curve")
    return FittedForest(model, accuracy, _curve(train_file, held_out, model, accuracy))


class FittedForest:
    """The forest, fitted."""

    def __init__(self, model: RandomForestClassifier, training_accuracy: float, curve: LearningCurve) -> None:
        self.model = model
        self.metrics: Mapping[str, float] = {"training_accuracy": training_accuracy}
        self.curve = curve

    def probabilities(self, rows: Array) -> Array:
        return np.asarray(self.model.predict_proba(rows))

    def export_onnx(self, file: Path) -> None:
        export_estimator(self.model, file)

    def export_extra(self, kind: str, folder: Path, model: str, version: int) -> None:
        raise NotImplementedError


def export_estimator(model: Any, file: Path) -> None:
    """Write a fitted scikit-learn classifier as ONNX: float32 rows in, labels and a tensor of probabilities out."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    rows: Any = [(INPUT, FloatTensorType([None, int(model.n_features_in_)]))]
    graph: Any = to_onnx(
        model,
        initial_types=rows,
        # Without this the probabilities are a list of maps, which no serving contract can carry.
        options={id(model): {"zipmap": False}},
        target_opset=OPSET,
    )
    names = [output.name for output in graph.graph.output]
    if names != [LABEL, PROBABILITIES]:
        raise RuntimeError(f"skl2onnx named the outputs {names}, not {[LABEL, PROBABILITIES]}")
    file.write_bytes(graph.SerializeToString())


def _curve(train_file: Path, held_out: Dataset, whole: RandomForestClassifier, accuracy: float) -> LearningCurve:
    with np.load(train_file, allow_pickle=False) as data:
        rows, labels = data["X"], data["y"]
    order = np.random.default_rng(SEED).permutation(len(labels))
    at, seen, unseen = [], [], []
    for size in (max(2, round(len(labels) * share)) for share in SHARES):
        part = order[:size]
        model = RandomForestClassifier(**whole.get_params()).fit(rows[part], labels[part])
        at.append(float(size))
        seen.append(float(model.score(rows[part], labels[part])))
        unseen.append(float(model.score(held_out.X, held_out.y)))
    return LearningCurve(
        "training rows",
        [*at, float(len(labels))],
        {
            "training accuracy": [*seen, accuracy],
            "held-out accuracy": [*unseen, float(whole.score(held_out.X, held_out.y))],
        },
    )
