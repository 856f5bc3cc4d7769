"""The work: two models in three forms, and distinct requests with known right answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

#: Distinct requests of a run; an answer kept from an earlier one would be found out by its label.
REQUESTS = 1200

Rows = np.ndarray[Any, Any]
Body = Callable[[Rows], bytes]


@dataclass(frozen=True)
class Work:
    """One model and its requests.

    name: rf (scikit-learn at the peers), rf-ort or cnn (ONNX Runtime in all). folder: `model.joblib` and `model.onnx`.
    release: the same model as a release, for our server. rows: one request each. labels: the right answers.
    """

    name: str
    folder: Path
    release: Path
    rows: Rows
    labels: list[int]

    def bodies(self, body: Body) -> list[bytes]:
        """One request body for each row, as a server takes them."""
        return [body(self.rows[index : index + 1]) for index in range(len(self.rows))]


def make(folder: Path, release: Path, name: str) -> Work:
    """The work `name`, its models taken from a release that was trained here."""
    import onnxruntime as ort

    from training.data.builders import BUILDERS
    from training.data.dataset import HELD_OUT
    from training.trainers import SEED

    folder.mkdir(parents=True, exist_ok=True)
    data = BUILDERS["digits-32x32x3" if name == "cnn" else "digits"]()
    rows = _distinct(data.X)
    graph = (release / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(graph)
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    outputs = session.run(None, {session.get_inputs()[0].name: rows})
    scores = next(np.asarray(output) for output in outputs if np.asarray(output).dtype.kind == "f")
    if name == "rf":
        train, _ = data.split(HELD_OUT, SEED)  # the rows that the release was trained on
        _scikit_learn(folder / "model.joblib", train.X, train.y)
    return Work(name, folder, release, rows, [int(label) for label in scores.argmax(axis=1)])


def _distinct(rows: Rows) -> Rows:
    chosen = np.unique(rows.reshape(len(rows), -1).round(3), axis=0, return_index=True)[1][:REQUESTS]
    if len(chosen) < REQUESTS:
        raise ValueError(f"{len(chosen)} distinct rows; {REQUESTS} are needed")
    return rows[np.sort(chosen)].round(3)


def _scikit_learn(file: Path, x: Rows, y: Rows) -> None:
    """The forest as scikit-learn's users keep it. The peers load this pickle; our server loads none."""
    import joblib
    from sklearn.ensemble import RandomForestClassifier

    joblib.dump(RandomForestClassifier(n_estimators=100, max_depth=5, random_state=42).fit(x, y), file)


def instances(rows: Rows) -> bytes:
    """`{"instances": [[…]]}`, what hand-written servers and LitServe, BentoML and MLflow take here."""
    return json.dumps({"instances": rows.tolist()}, separators=(",", ":")).encode()


def open_inference(name: str) -> Body:
    """JSON of the Open Inference Protocol, values flat."""

    def body(rows: Rows) -> bytes:
        tensor = {"name": name, "shape": list(rows.shape), "datatype": "FP32", "data": rows.ravel().tolist()}
        return json.dumps({"inputs": [tensor]}, separators=(",", ":")).encode()

    return body


def open_inference_binary(name: str, output: str) -> Body:
    """The binary tensor extension: a JSON head, then the values as they lie in memory."""

    def body(rows: Rows) -> bytes:
        raw = rows.astype("<f4").tobytes()
        tensor: dict[str, Any] = {"name": name, "shape": list(rows.shape), "datatype": "FP32"}
        tensor["parameters"] = {"binary_data_size": len(raw)}
        wanted = [{"name": output, "parameters": {"binary_data": False}}]
        return json.dumps({"inputs": [tensor], "outputs": wanted}, separators=(",", ":")).encode() + raw

    return body
