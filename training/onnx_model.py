"""An exported graph: its schema, its answers, and the proof that they equal the framework's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from spec.transforms import TensorSchema
from training.data.dataset import Array
from training.errors import TrainingError

#: ONNX Runtime's type -> dtype in the metadata.
DTYPES = {
    "tensor(bool)": "bool",
    "tensor(uint8)": "uint8",
    "tensor(uint16)": "uint16",
    "tensor(uint32)": "uint32",
    "tensor(uint64)": "uint64",
    "tensor(int8)": "int8",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(float16)": "float16",
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(string)": "str",
}


@dataclass(frozen=True)
class Tensor(TensorSchema):
    """One input or output of a graph."""

    def as_metadata(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype, "shape": list(self.shape)}

    def array(self, rows: Any) -> Array:
        """Rows as this tensor takes them."""
        return np.asarray(rows, dtype=object if self.dtype == "str" else np.dtype(self.dtype))


class OnnxModel:
    """A graph loaded into ONNX Runtime.

    inputs, outputs: its schema. Raises TrainingError where the file is no graph that this project can serve.
    """

    def __init__(self, file: Path, *, shown: str | None = None) -> None:
        """shown: what errors call the file, where it is a copy of somebody's."""
        what = shown or str(file)
        options = ort.SessionOptions()
        options.log_severity_level = 4  # what fails is raised, and said once
        try:
            self._session = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime has no common base for its errors
            first = str(error).strip().splitlines()[0]
            raise TrainingError(f"{what} cannot be loaded by ONNX Runtime {ort.__version__}: {first}") from None
        self.inputs = tuple(_tensor(what, node) for node in self._session.get_inputs())
        self.outputs = tuple(_tensor(what, node) for node in self._session.get_outputs())

    def run(self, feeds: dict[str, Array]) -> dict[str, Array]:
        """Every output by its name."""
        answers = self._session.run(None, feeds)
        return {tensor.name: np.asarray(answer) for tensor, answer in zip(self.outputs, answers, strict=True)}


def _tensor(what: str, node: Any) -> Tensor:
    if node.type not in DTYPES:
        raise TrainingError(
            f"{what}: {node.name!r} is {node.type}; allowed: {', '.join(DTYPES)}. "
            "Export the model with tensors only (a classifier of scikit-learn: with zipmap off)"
        )
    shape = tuple(size if isinstance(size, int) and size >= 0 else None for size in node.shape or ())
    return Tensor(node.name, DTYPES[node.type], shape)


def largest_difference(expected: Array, found: Array, *, tolerance: float, what: str) -> float:
    """The largest absolute difference of two answers to the same rows.

    Raises TrainingError where it exceeds the tolerance, where the shapes differ, or where a row's best class differs.
    """
    if expected.shape != found.shape:
        raise TrainingError(
            f"{what}: the framework answers with shape {expected.shape}, the export with {found.shape}; "
            "nothing was written"
        )
    difference = float(np.max(np.abs(expected - found.astype(np.float64))))
    # A comparison with NaN is false: ask for what is right, not for what is wrong.
    if not difference <= tolerance:
        raise TrainingError(
            f"{what}: the export differs from the framework by {difference:.3g}; allowed: at most {tolerance:.3g}. "
            "Nothing was written"
        )
    different = np.flatnonzero(expected.argmax(axis=1) != found.argmax(axis=1))
    if len(different):
        raise TrainingError(
            f"{what}: framework and export name another class for {len(different)} of {len(expected)} rows "
            f"(first: row {different[0]}); nothing was written"
        )
    return difference
