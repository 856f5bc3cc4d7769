"""From data to a release: check, split, fit, export, prove the export equal, write."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spec import release as releases
from spec.release import Release
from training import progress, provenance, statistics
from training.data import builders
from training.data.dataset import Array, Dataset
from training.data.source import read
from training.errors import TrainingError
from training.onnx_model import OnnxModel, largest_difference
from training.releases.write import write, write_json
from training.trainers import INPUT, LABEL, PROBABILITIES, SEED, Fitted, Trainer, get

#: Share of the rows that the model never sees: what the test metrics are measured on.
HELD_OUT = 0.25


def run(
    trainer_name: str,
    models_dir: Path,
    *,
    data: str | None = None,
    model: str | None = None,
    extras: Sequence[str] = (),
) -> Release:
    """See :func:`training.train_and_release`."""
    trainer = get(trainer_name)
    unknown = sorted(set(extras) - set(trainer.extras))
    if unknown:
        allowed = ", ".join(trainer.extras) or "none"
        raise TrainingError(f"extra format is {unknown[0]!r}; allowed with trainer {trainer.name}: {allowed}")
    name = model or trainer.model
    with progress.shown() as steps, tempfile.TemporaryDirectory(prefix="train-") as temporary:
        steps.step("reading the data")
        dataset = read(data, trainer.row_shape) if data else builders.BUILDERS[trainer.data]()
        train, held_out = dataset.split(HELD_OUT, SEED)
        train_file, graph = Path(temporary) / "train.npz", Path(temporary) / releases.MODEL_FILE
        train.save(train_file)
        fitted = trainer.fit(train_file, held_out, steps)
        steps.step("exporting to ONNX")
        fitted.export_onnx(graph)
        steps.step("comparing the export with the framework on the held-out rows")
        proof = prove(trainer, fitted, OnnxModel(graph), dataset.classes, held_out)
        steps.step("writing the release")
        outcome = _Outcome(trainer, fitted, graph, proof, dataset, train, held_out)

        def fill(folder: Path, version: int) -> dict[str, Any]:
            for kind in extras:
                fitted.export_extra(kind, folder, name, version)
            return outcome.fill(folder)

        return write(models_dir, name, fill)


@dataclass(frozen=True)
class Proof:
    """What the held-out rows showed. largest_difference: of a probability, between framework and ONNX."""

    model: OnnxModel
    answers: dict[str, Array]
    largest_difference: float
    test_accuracy: float
    confusion: list[list[int]]


def prove(trainer: Trainer, fitted: Fitted, model: OnnxModel, classes: Sequence[Any], held_out: Dataset) -> Proof:
    """Compare the export with the framework on every held-out row, and measure it there.

    Raises TrainingError where a probability differs by more than the trainer's tolerance, or any label differs.
    """
    from sklearn.metrics import accuracy_score, confusion_matrix

    what = f"trainer {trainer.name}"
    expected = fitted.probabilities(held_out.X)
    answers = model.run({INPUT: model.inputs[0].array(held_out.X)})
    difference = largest_difference(expected, answers[PROBABILITIES], tolerance=trainer.tolerance, what=what)
    labels = np.asarray(classes)[expected.argmax(axis=1)]
    different = int(np.sum(labels != answers[LABEL]))
    if different:
        raise TrainingError(f"{what}: the export labels {different} held-out rows differently; nothing was written")
    return Proof(
        model=model,
        answers=answers,
        largest_difference=difference,
        test_accuracy=float(accuracy_score(held_out.y, answers[LABEL])),
        confusion=confusion_matrix(held_out.y, answers[LABEL], labels=classes).tolist(),
    )


@dataclass(frozen=True)
class _Outcome:
    """All that a release is written from."""

    trainer: Trainer
    fitted: Fitted
    graph: Path
    proof: Proof
    dataset: Dataset
    train: Dataset
    held_out: Dataset

    def fill(self, folder: Path) -> dict[str, Any]:
        """Write every file but the metadata, and return the metadata."""
        proof, trainer, rows = self.proof, self.trainer, self.proof.model.inputs[0].array(self.held_out.X)
        shutil.copyfile(self.graph, folder / releases.MODEL_FILE)
        write_json(
            folder / releases.SAMPLES_FILE,
            statistics.samples(
                {INPUT: rows},
                proof.answers,
                statistics.one_row_per_class(self.held_out.y, proof.answers[LABEL]),
                tolerance=trainer.tolerance,
                origin="held-out rows whose label the model predicts right",
            ),
        )
        write_json(folder / releases.STATISTICS_FILE, statistics.statistics({INPUT: self.train.X}, self.train.y))
        return {
            "framework": trainer.framework,
            "trainer": trainer.name,
            "inputs": [tensor.as_metadata() for tensor in proof.model.inputs],
            "outputs": [tensor.as_metadata() for tensor in proof.model.outputs],
            "class_labels": [str(label) for label in self.dataset.classes],
            "metrics": {**self.fitted.metrics, "test_accuracy": proof.test_accuracy},
            "confusion_matrix": proof.confusion,
            "export": {
                "tolerance": trainer.tolerance,
                "largest_difference": proof.largest_difference,
                "rows_compared": len(self.held_out.y),
            },
            "data": {
                "source": self.dataset.source,
                "sha256": self.dataset.sha256,
                "rows": len(self.dataset.y),
                "held_out_rows": len(self.held_out.y),
                "seed": SEED,
            },
            "code": provenance.code(),
            "libraries": provenance.libraries(trainer.libraries),
            "created": provenance.now(),
        }
