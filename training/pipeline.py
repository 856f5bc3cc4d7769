"""From data to a release: check, split, fit, export, prove the export equal, write."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spec import release as releases
from spec.release import Release
from spec.transforms import TensorSchema, Transforms
from training import elsewhere, preparation, progress, provenance, statistics
from training.data import builders
from training.data.dataset import HELD_OUT, Array, Dataset
from training.data.source import read
from training.errors import TrainingError
from training.onnx_model import OnnxModel, largest_difference
from training.preparation import Preparation
from training.releases.write import check_free, write, write_json
from training.trainers import INPUT, LABEL, PROBABILITIES, SEED, Fitted, Trainer, get


def run(
    trainer_name: str,
    models_dir: Path,
    *,
    data: str | None = None,
    model: str | None = None,
    extras: Sequence[str] = (),
    transforms: Path | None = None,
    version: int | None = None,
) -> Release:
    """See :func:`training.train_and_release`."""
    trainer = get(trainer_name)
    unknown = sorted(set(extras) - set(trainer.extras))
    if unknown:
        allowed = ", ".join(trainer.extras) or "none"
        raise TrainingError(f"extra format is {unknown[0]!r}; allowed with trainer {trainer.name}: {allowed}")
    name = model or trainer.model
    check_free(models_dir, name, version)
    prepared = Preparation.read(transforms) if transforms else None
    if elsewhere.is_needed(trainer):
        return elsewhere.run(
            trainer, models_dir, data=data, model=name, extras=extras, transforms=transforms, version=version
        )
    with progress.shown() as steps, tempfile.TemporaryDirectory(prefix="train-") as temporary:
        steps.step("reading the data")
        sent, dataset = _data(trainer, data, prepared, steps)
        train, held_out = dataset.split(HELD_OUT, SEED)
        train_file, graph = Path(temporary) / "train.npz", Path(temporary) / releases.MODEL_FILE
        train.save(train_file)
        fitted = trainer.fit(train_file, held_out, steps)
        steps.step("exporting to ONNX")
        fitted.export_onnx(graph)
        steps.step("comparing the export with the framework on the held-out rows")
        proof = prove(trainer, fitted, OnnxModel(graph), dataset.classes, held_out)
        steps.step("writing the release")
        outcome = _Outcome(name, trainer, fitted, graph, proof, sent, train, held_out, prepared)

        def fill(folder: Path, version: int) -> dict[str, Any]:
            for kind in extras:
                fitted.export_extra(kind, folder, name, version)
            return outcome.fill(folder, version)

        return write(models_dir, name, fill, version=version)


def _data(
    trainer: Trainer, source: str | None, prepared: Preparation | None, steps: progress.Steps
) -> tuple[Dataset, Dataset]:
    """The data as a client would send it, and as the framework is fitted on it: the same without transforms."""
    takes = TensorSchema(INPUT, "float32", (None, *(trainer.row_shape or (None,))))
    plan = prepared.plan((takes,), None) if prepared else None
    row = plan.inputs[0].shape[1:] if plan else takes.shape[1:]
    row_shape = None if row == (None,) else tuple(size or 0 for size in row)
    sent = read(source, row_shape, steps) if source else builders.BUILDERS[trainer.data]()
    if row_shape is not None and sent.X.shape[1:] != row_shape:
        raise TrainingError(
            f"transforms.yaml declares rows of {list(row_shape)}, the data has {list(sent.X.shape[1:])}: "
            "change `inputs` in it"
        )
    if plan is None:
        return sent, sent
    sent = replace(sent, X=preparation.as_sent(plan, INPUT, sent.X))
    rows = preparation.before(plan, {INPUT: sent.X})[INPUT].astype(np.float32)
    return sent, Dataset(rows, sent.y, sent.source)


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
        test_accuracy=float(accuracy_score(held_out.y, answers[LABEL].astype(held_out.y.dtype))),
        confusion=confusion_matrix(held_out.y, answers[LABEL].astype(held_out.y.dtype), labels=classes).tolist(),
    )


@dataclass(frozen=True)
class _Outcome:
    """All that a release is written from. sent: the data as a client sends it; train, held_out: as it was fitted on."""

    name: str
    trainer: Trainer
    fitted: Fitted
    graph: Path
    proof: Proof
    sent: Dataset
    train: Dataset
    held_out: Dataset
    prepared: Preparation | None

    def fill(self, folder: Path, version: int) -> dict[str, Any]:
        """Write every file but the metadata, and return the metadata."""
        from training import pictures

        proof, trainer, model = self.proof, self.trainer, self.proof.model
        classes = [str(label) for label in self.sent.classes]
        shutil.copyfile(self.graph, folder / releases.MODEL_FILE)
        plan = self._write_transforms(folder)
        sent_train, sent_held_out = self.sent.split(HELD_OUT, SEED)
        dtype = plan.inputs[0].dtype if plan else model.inputs[0].dtype
        write_json(
            folder / releases.SAMPLES_FILE,
            statistics.samples(
                {INPUT: sent_held_out.X.astype(dtype)},
                preparation.after(plan, proof.answers),
                statistics.one_row_per_class(self.held_out.y, proof.answers[LABEL]),
                tolerance=trainer.tolerance,
                origin="held-out rows whose label the model predicts right",
            ),
        )
        write_json(folder / releases.STATISTICS_FILE, statistics.statistics({INPUT: sent_train.X}, sent_train.y))
        title = f"{self.name}@{version}"
        pictures.confusion_matrix(folder / pictures.CONFUSION_MATRIX, proof.confusion, classes, title)
        pictures.learning_curve(folder / pictures.LEARNING_CURVE, self.fitted.curve, title)
        return {
            "framework": trainer.framework,
            "trainer": trainer.name,
            "inputs": [tensor.as_metadata() for tensor in model.inputs],
            "outputs": [tensor.as_metadata() for tensor in model.outputs],
            "class_labels": classes,
            "metrics": {**self.fitted.metrics, "test_accuracy": proof.test_accuracy},
            "confusion_matrix": proof.confusion,
            "export": {
                "tolerance": trainer.tolerance,
                "largest_difference": proof.largest_difference,
                "rows_compared": len(self.held_out.y),
            },
            "data": {
                "source": self.sent.source,
                "sha256": self.sent.sha256,
                "rows": len(self.sent.y),
                "held_out_rows": len(self.held_out.y),
                "seed": SEED,
            },
            "code": provenance.code(),
            "libraries": provenance.libraries(trainer.libraries),
            "created": provenance.now(),
        }

    def _write_transforms(self, folder: Path) -> Transforms | None:
        if self.prepared is None:
            return None
        (folder / releases.TRANSFORMS_FILE).write_text(self.prepared.text, encoding="utf-8")
        model = self.proof.model
        return self.prepared.plan(model.inputs, model.outputs)
