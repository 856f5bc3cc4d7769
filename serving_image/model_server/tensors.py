"""Tensors: their datatypes in each notation, a model's schema, and the check of what a client sent.

Every refusal is a RequestError 400 that names the tensor, the index where there is one, and the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from model_server.errors import RequestError

#: Open Inference Protocol name -> (numpy dtype, ONNX type). BYTES holds strings as UTF-8.
DATATYPES: dict[str, tuple[np.dtype[Any], str]] = {
    "BOOL": (np.dtype(np.bool_), "tensor(bool)"),
    "UINT8": (np.dtype(np.uint8), "tensor(uint8)"),
    "UINT16": (np.dtype(np.uint16), "tensor(uint16)"),
    "UINT32": (np.dtype(np.uint32), "tensor(uint32)"),
    "UINT64": (np.dtype(np.uint64), "tensor(uint64)"),
    "INT8": (np.dtype(np.int8), "tensor(int8)"),
    "INT16": (np.dtype(np.int16), "tensor(int16)"),
    "INT32": (np.dtype(np.int32), "tensor(int32)"),
    "INT64": (np.dtype(np.int64), "tensor(int64)"),
    "FP16": (np.dtype(np.float16), "tensor(float16)"),
    "FP32": (np.dtype(np.float32), "tensor(float)"),
    "FP64": (np.dtype(np.float64), "tensor(double)"),
    "BYTES": (np.dtype(np.object_), "tensor(string)"),
}
FROM_ONNX = {onnx: name for name, (_, onnx) in DATATYPES.items()}

#: JSON types that may stand for a datatype: by numpy kind.
_JSON_TYPES: dict[str, tuple[frozenset[type], str]] = {
    "b": (frozenset({bool}), "true or false"),
    "u": (frozenset({int}), "whole numbers"),
    "i": (frozenset({int}), "whole numbers"),
    "f": (frozenset({int, float}), "numbers"),
    "O": (frozenset({str}), "strings"),
}


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model.

    datatype: Open Inference Protocol name. shape: None where any size is allowed; the first axis is the batch.
    """

    name: str
    datatype: str
    shape: tuple[int | None, ...]

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        return DATATYPES[self.datatype][0]

    @cached_property
    def wire_shape(self) -> list[int]:
        """Shape as protocols write it: -1 for any size."""
        return [-1 if size is None else size for size in self.shape]

    @cached_property
    def row_shape(self) -> tuple[int | None, ...]:
        """Shape of one row: without the batch axis."""
        return self.shape[1:]

    def check(self, array: np.ndarray[Any, Any], max_batch: int) -> np.ndarray[Any, Any]:
        """The array, once its shape and its values are allowed. The dtype is right already."""
        if array.shape[1:] != self.row_shape or not array.ndim:
            self._check_shape(array.shape)
        rows = array.shape[0]
        first = self.shape[0]
        if first is not None and rows != first:
            raise RequestError(400, f"input {self.name!r}: the batch has {rows} rows; this model takes exactly {first}")
        if rows > max_batch or rows < 1:
            raise RequestError(400, f"input {self.name!r}: the batch has {rows} rows; allowed: 1 to {max_batch}")
        if self.dtype.kind == "f" and not np.isfinite(array).all():
            index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise RequestError(
                400, f"input {self.name!r} at {list(index)}: {array[index]} is not a finite {self.datatype}"
            )
        return array

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        allowed = len(shape) == len(self.shape) and all(
            want is None or got == want for got, want in zip(shape[1:], self.row_shape, strict=True)
        )
        if not allowed:
            raise RequestError(
                400, f"input {self.name!r}: shape {list(shape)} is not allowed; this model takes {self.wire_shape}"
            )

    def from_json(self, data: Any) -> np.ndarray[Any, Any]:
        """An array of this datatype from JSON lists, flat or nested; the shape is left to the caller."""
        if type(data) is not list:
            raise RequestError(400, f"input {self.name!r}: data is {_kind(data)}; it must be an array")
        kind = self.dtype.kind
        allowed, words = _JSON_TYPES[kind]
        found = _leaf_types(data)
        if not found <= allowed:
            self._refuse_leaf(data, allowed, words)
        try:
            if kind == "O":
                return np.array(data, dtype=object)
            if kind in "ui":
                return self._integers(data)
            return np.array(data, dtype=self.dtype)
        except ValueError:
            raise RequestError(400, f"input {self.name!r}: data is ragged; rows must have the same length") from None

    def _integers(self, data: list[Any]) -> np.ndarray[Any, Any]:
        limits = np.iinfo(self.dtype)
        wide = np.array(data)
        if wide.size and (wide.dtype.kind not in "ui" or wide.min() < limits.min or wide.max() > limits.max):
            raise RequestError(
                400, f"input {self.name!r}: a value is outside {self.datatype}, {limits.min} to {limits.max}"
            )
        return wide.astype(self.dtype)

    def _refuse_leaf(self, data: list[Any], allowed: frozenset[type], words: str) -> None:
        index, value = next((i, v) for i, v in _leaves(data) if type(v) not in allowed)
        raise RequestError(400, f"input {self.name!r} at {list(index)}: {_kind(value)} where {words} must stand")


def _leaf_types(data: list[Any]) -> set[type]:
    """Types of the values in nested lists; list itself where lists and values stand side by side."""
    types = set(map(type, data))
    if list not in types:
        return types
    if len(types) > 1:
        return types
    if type(data[0]) is list and data[0] and type(data[0][0]) is not list:
        nested: set[type] = set()
        for row in data:
            nested.update(map(type, row))
        return nested
    return set().union(*map(_leaf_types, data))


def _leaves(data: list[Any], prefix: tuple[int, ...] = ()) -> Iterable[tuple[tuple[int, ...], Any]]:
    mixed = any(type(value) is not list for value in data)
    for index, value in enumerate(data):
        if type(value) is list and not mixed:
            yield from _leaves(value, (*prefix, index))
        else:
            yield (*prefix, index), value


def _kind(value: Any) -> str:
    """What a JSON value is, in words, short enough for an error."""
    if value is None:
        return "null"
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "an array"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}…"


def shape_from_json(name: str, shape: Any) -> tuple[int, ...]:
    """A shape that a client wrote: a list of sizes ≥ 0."""
    if type(shape) is not list or not all(type(size) is int and 0 <= size < 2**31 for size in shape):
        raise RequestError(400, f"input {name!r}: shape must be an array of sizes, such as [1, 64]")
    return tuple(shape)


def to_json(array: np.ndarray[Any, Any]) -> Sequence[Any]:
    """Values of an output, flat, as JSON can hold them (BYTES as strings)."""
    flat = array.ravel().tolist()
    if array.dtype.kind == "O":
        return [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in flat]
    return flat
