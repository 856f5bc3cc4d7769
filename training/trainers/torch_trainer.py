# The framework is in an environment of its own, where the type checker does not look.
# pyright: reportMissingImports=false
"""A small network of PyTorch, for flat rows of numbers."""

from __future__ import annotations

import inspect
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.data.dataset import Array, Dataset
from training.errors import TrainingError
from training.progress import Silent, Steps
from training.trainers import INPUT, PROBABILITIES, SEED, TORCHSERVE, LearningCurve
from training.trainers.network import finish_graph

HIDDEN = 128
EPOCHS = 40
BATCH = 64
OPSET = 17

#: Runs inside TorchServe; imports nothing of this project.
HANDLER = Path(__file__).resolve().parent / "torchserve_handler.py"


def small_network(data_path: str | Path) -> tuple[torch.nn.Module, float, float]:
    """Fit the network on an npz with `X` (rows, features) and `y`.

    Returns the model, its loss and its accuracy (0 to 1) on the rows it was trained on.
    """
    return _fit(data_path, None, Silent())[:3]


def _fit(
    data_path: str | Path, held_out: Dataset | None, steps: Steps
) -> tuple[torch.nn.Module, float, float, LearningCurve]:
    with np.load(data_path, allow_pickle=False) as data:
        rows, names = torch.from_numpy(data["X"].astype(np.float32)), data["y"]
    classes, numbers = np.unique(names, return_inverse=True)
    labels = torch.from_numpy(numbers.astype(np.int64))
    torch.manual_seed(SEED)
    model = torch.nn.Sequential(
        # Learns the scale of each feature, so that the data needs no preparation of its own.
        torch.nn.BatchNorm1d(rows.shape[1]),
        torch.nn.Linear(rows.shape[1], HIDDEN),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.2),
        torch.nn.Linear(HIDDEN, len(classes)),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4)
    loss_of = torch.nn.CrossEntropyLoss()
    order = torch.Generator().manual_seed(SEED)
    curve: dict[str, list[float]] = {"training accuracy": [], "held-out accuracy": [], "training loss": []}
    for _epoch in range(EPOCHS):
        model.train()
        # The last batch may hold one row, of which no variance can be taken: it is left out of this epoch.
        for batch in torch.randperm(len(labels), generator=order).split(BATCH):
            if len(batch) > 1:
                optimizer.zero_grad()
                loss_of(model(rows[batch]), labels[batch]).backward()
                optimizer.step()
        model.eval()
        with torch.no_grad():
            scores = model(rows)
            curve["training loss"].append(float(loss_of(scores, labels)))
            curve["training accuracy"].append(float((scores.argmax(1) == labels).float().mean()))
            if held_out is not None:
                found = classes[model(torch.from_numpy(held_out.X)).argmax(1).numpy()]
                curve["held-out accuracy"].append(float(np.mean(found == held_out.y)))
        steps.advance()
    series = {name: values for name, values in curve.items() if values}
    at = [float(epoch) for epoch in range(1, EPOCHS + 1)]
    return model, curve["training loss"][-1], curve["training accuracy"][-1], LearningCurve("epoch", at, series)


def fit(train_file: Path, held_out: Dataset, steps: Steps) -> FittedNetwork:
    """Fit on the npz, one step of progress an epoch."""
    steps.step(f"fitting the network: {EPOCHS} epochs", total=EPOCHS)
    with np.load(train_file, allow_pickle=False) as data:
        classes = np.unique(data["y"]).tolist()
    return FittedNetwork(*_fit(train_file, held_out, steps), classes)


class FittedNetwork:
    """The network, fitted; it answers probabilities."""

    def __init__(
        self, model: torch.nn.Module, loss: float, accuracy: float, curve: LearningCurve, classes: list[Any]
    ) -> None:
        self.model = torch.nn.Sequential(model, torch.nn.Softmax(dim=1)).eval()
        self.metrics: Mapping[str, float] = {"training_loss": loss, "training_accuracy": accuracy}
        self.curve = curve
        self.classes = classes
        self._row = torch.zeros(2, next(model.parameters()).shape[0])

    def probabilities(self, rows: Array) -> Array:
        with torch.no_grad():
            return self.model(torch.from_numpy(np.ascontiguousarray(rows, dtype=np.float32))).numpy()

    def export_onnx(self, file: Path) -> None:
        options: dict[str, Any] = {}
        if "dynamo" in inspect.signature(torch.onnx.export).parameters:
            options["dynamo"] = False  # the other exporter needs onnxscript, and gives the same graph here
        torch.onnx.export(
            self.model,
            (self._row,),
            str(file),
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[PROBABILITIES],
            dynamic_axes={INPUT: {0: "batch"}, PROBABILITIES: {0: "batch"}},
            **options,
        )
        finish_graph(file, self.classes, source="PyTorch")

    def export_extra(self, kind: str, folder: Path, model: str, version: int) -> None:
        """The archive that TorchServe loads, https://github.com/pytorch/serve/blob/master/model-archiver/README.md.

        It holds TorchScript, which is no pickle of classes, and a handler of plain Python.
        """
        if kind != TORCHSERVE:
            raise ValueError(kind)
        destination = folder / TORCHSERVE
        destination.mkdir()
        with tempfile.TemporaryDirectory() as temporary:
            script = Path(temporary) / "network.pt"
            torch.jit.trace(self.model, self._row).save(str(script))
            command = ["--model-name", model, "--version", str(version), "--serialized-file", str(script)]
            result = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "model_archiver.model_packaging",
                    *command,
                    "--handler",
                    str(HANDLER),
                    "--export-path",
                    str(destination),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
        if result.returncode != 0 or not any(destination.glob("*.mar")):
            raise TrainingError(f"torch-model-archiver failed: {(result.stderr or result.stdout).strip()[-800:]}")
