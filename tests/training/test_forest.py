"""The forest: how accurate it is, that its export equals it, and what goes into its release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold

from spec import release as releases
from spec.release import Release
from training import train_and_release
from training.data.builders import digits
from training.data.dataset import HELD_OUT, Dataset
from training.errors import TrainingError
from training.trainers import SEED
from training.trainers.forest_trainer import complex_ml_algorithm, export_estimator


def test_five_folds(tmp_path: Path) -> None:
    """Each fold's model is exported, and the graph asked for every row that the model never saw."""
    data, accuracies = digits(), []
    for train, test in StratifiedKFold(5, shuffle=True, random_state=SEED).split(data.X, data.y):
        Dataset(data.X[train], data.y[train], "fold").save(tmp_path / "fold.npz")
        model, training_accuracy = complex_ml_algorithm(tmp_path / "fold.npz")
        export_estimator(model, tmp_path / "fold.onnx")
        session: Any = onnxruntime.InferenceSession(str(tmp_path / "fold.onnx"))
        labels, probabilities = session.run(["label", "probabilities"], {"input": data.X[test]})
        assert np.max(np.abs(probabilities - model.predict_proba(data.X[test]))) <= 1e-5
        assert np.array_equal(labels, model.predict(data.X[test]))
        accuracies.append(float(np.mean(labels == data.y[test])))
        assert training_accuracy >= accuracies[-1]
    assert np.mean(accuracies) >= 0.92, accuracies


def test_the_estimator_is_the_one_asked_for(tmp_path: Path) -> None:
    digits().save(tmp_path / "digits.npz")
    model, _accuracy = complex_ml_algorithm(tmp_path / "digits.npz")
    assert isinstance(model, RandomForestClassifier)
    asked = {"n_estimators": 100, "max_depth": 5, "random_state": 42}
    assert model.get_params() == {**RandomForestClassifier().get_params(), **asked}


def test_the_release_holds_what_it_promises(forest: Release) -> None:
    metadata = releases.verify(forest.path)
    data = digits()
    train, held_out = data.split(HELD_OUT, SEED)
    assert metadata["metrics"]["test_accuracy"] >= 0.92
    assert metadata["export"]["largest_difference"] <= 1e-5
    assert metadata["data"] == {
        "source": data.source,
        "sha256": data.sha256,
        "rows": 1797,
        "held_out_rows": len(held_out.y),
        "seed": SEED,
    }
    assert np.sum(metadata["confusion_matrix"]) == len(held_out.y)
    statistics = json.loads((forest.path / releases.STATISTICS_FILE).read_text())
    features = statistics["inputs"]["input"]["features"]
    assert [sum(feature["counts"]) for feature in features] == [len(train.y)] * 64
    samples = json.loads((forest.path / releases.SAMPLES_FILE).read_text())["samples"]
    assert sorted(sample["outputs"]["label"] for sample in samples) == list(range(10))
    known = {tuple(row) for row in held_out.X.tolist()}
    assert all(tuple(sample["inputs"]["input"]) in known for sample in samples), "a sample was trained on"


def test_the_same_run_gives_the_same_model(forest: Release, tmp_path: Path) -> None:
    again = train_and_release("forest", tmp_path)
    for name in (releases.MODEL_FILE, releases.SAMPLES_FILE, releases.STATISTICS_FILE):
        assert releases.file_digest(again.path / name) == releases.file_digest(forest.path / name), name


def test_data_of_ones_own_with_labels_as_text(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = np.array(["cat", "dog"] * 40)
    np.savez(tmp_path / "pets.npz", X=rng.normal(size=(80, 5)) + (y == "dog")[:, None] * 4, y=y)
    release = train_and_release("forest", tmp_path / "models", data=str(tmp_path / "pets.npz"), model="pets")
    metadata = releases.verify(release.path)
    assert (str(release), metadata["class_labels"]) == ("pets@1", ["cat", "dog"])
    assert metadata["metrics"]["test_accuracy"] > 0.9
    samples = json.loads((release.path / releases.SAMPLES_FILE).read_text())["samples"]
    assert {sample["outputs"]["label"] for sample in samples} == {"cat", "dog"}


def test_the_least_data_that_passes_the_check_can_be_trained_on(tmp_path: Path) -> None:
    np.savez(tmp_path / "few.npz", X=np.random.default_rng(0).normal(size=(8, 2)), y=np.arange(8) % 2)
    try:
        release = train_and_release("forest", tmp_path / "models", data=str(tmp_path / "few.npz"), model="few")
    except TrainingError as error:
        pytest.fail(f"the check let data pass that cannot be trained on: {error}")
    assert release.version == 1
