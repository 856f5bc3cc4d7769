"""A release, loaded: verified, in an ONNX Runtime session, proven right on a sample. No pickle is ever loaded."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from model_server.errors import Exit, StartError
from model_server.tensors import DATATYPES, FROM_ONNX, TensorSpec
from spec import release as releases

log = logging.getLogger("model_server")

#: How far the warm prediction may be from the release's sample: another CPU rounds differently.
RELATIVE_TOLERANCE = 1e-3
ABSOLUTE_TOLERANCE = 1e-4

# Numbers too large for a datatype become infinite, which the check of finite values refuses: no warning needed.
np.seterr(all="ignore")

Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Model:
    """A release that predicts.

    name, version, digest: as its metadata says. inputs, outputs: the schema. labels: class names, empty where the
    model does not classify. row_seconds: what one row took when warm.
    """

    name: str
    version: str
    digest: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    labels: tuple[str, ...]
    metadata: Mapping[str, Any]
    session: ort.InferenceSession
    row_seconds: float

    def run(self, feeds: Arrays, names: Sequence[str] | None = None) -> list[np.ndarray[Any, Any]]:
        """Outputs in the order of `names`, all of them without names."""
        return self.session.run(names, feeds)  # pyright: ignore[reportReturnType]


def load(folder: Path, *, threads: int) -> Model:
    """Verify the release in `folder`, load it, and predict one of its samples.

    Raises StartError where a hash is wrong, the graph cannot be loaded or contradicts its metadata, or the answer is
    not the sample's.
    """
    try:
        metadata = releases.verify(folder)
    except releases.ReleaseError as error:
        raise StartError(Exit.TAMPERED, f"release refused: {error}") from None
    try:
        session = ort.InferenceSession(
            str(folder / releases.MODEL_FILE), _options(threads), providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime has no common base for its errors
        raise StartError(Exit.TAMPERED, f"{folder / releases.MODEL_FILE} cannot be loaded: {error}") from None
    inputs, outputs = (_schema(folder, nodes) for nodes in (session.get_inputs(), session.get_outputs()))
    _check_metadata(folder, metadata, inputs, outputs)
    seconds = _warm(folder, session, inputs, outputs)
    return Model(
        name=metadata["name"],
        version=str(metadata["version"]),
        digest=releases.digest(metadata),
        inputs=inputs,
        outputs=outputs,
        labels=tuple(str(label) for label in metadata.get("class_labels") or ()),
        metadata=metadata,
        session=session,
        row_seconds=seconds,
    )


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads would take the CPU that requests need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def _schema(folder: Path, nodes: Sequence[Any]) -> tuple[TensorSpec, ...]:
    specs: list[TensorSpec] = []
    for node in nodes:
        if node.type not in FROM_ONNX:
            raise StartError(
                Exit.TAMPERED,
                f"{folder / releases.MODEL_FILE}: {node.name!r} is {node.type}; "
                f"this server serves tensors of {', '.join(DATATYPES)} (export a classifier with zipmap off)",
            )
        shape = tuple(size if isinstance(size, int) and size >= 0 else None for size in node.shape or ())
        specs.append(TensorSpec(node.name, FROM_ONNX[node.type], shape))
    return tuple(specs)


def _check_metadata(
    folder: Path, metadata: Mapping[str, Any], inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
) -> None:
    for kind, specs in (("inputs", inputs), ("outputs", outputs)):
        told, found = [entry["name"] for entry in metadata[kind]], [spec.name for spec in specs]
        if told != found:
            raise StartError(Exit.TAMPERED, f"{folder}: metadata names {kind} {told}, the graph has {found}")


def _warm(
    folder: Path, session: ort.InferenceSession, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
) -> float:
    """Predict the first sample; its answer must be right. Returns the seconds one more run takes."""
    sample = json.loads((folder / releases.SAMPLES_FILE).read_text())["samples"][0]
    feeds = {spec.name: _sample_array(spec, sample["inputs"][spec.name]) for spec in inputs}
    answer = [np.asarray(output) for output in session.run(None, feeds)]
    for spec, got in zip(outputs, answer, strict=True):
        if spec.name not in sample["outputs"]:
            continue
        want = _sample_array(spec, sample["outputs"][spec.name])
        right = (
            np.allclose(got, want, rtol=RELATIVE_TOLERANCE, atol=ABSOLUTE_TOLERANCE)
            if spec.dtype.kind == "f"
            else np.array_equal(got, want)
        )
        if not right:
            raise StartError(
                Exit.TAMPERED,
                f"{folder}: the warm prediction is wrong: output {spec.name!r} is {got.tolist()}, "
                f"{releases.SAMPLES_FILE} says {want.tolist()}; train and release the model again",
            )
    began = time.perf_counter()
    session.run(None, feeds)
    return time.perf_counter() - began


def _sample_array(spec: TensorSpec, row: Any) -> np.ndarray[Any, Any]:
    array = np.array(row, dtype=spec.dtype)
    return array[np.newaxis] if array.ndim == len(spec.shape) - 1 else array
