"""Tensors: their datatypes in each notation, a model's schema, and the check of what a client sent.

Every refusal is a RequestError 400 that names the tensor, the index where there is one, and the rule.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain
from math import isfinite, prod
from typing import Any

import numpy as np
import orjson

from model_server.errors import RequestError

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]

#: Open Inference Protocol name -> (numpy dtype, ONNX type). BYTES holds strings.
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

#: Letters of `struct` for datatypes that it packs several times as fast as numpy reads a list.
_PACKED = {"FP32": "f", "FP64": "d"}

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
    def described(self) -> bytes:
        """Name and datatype as members of a JSON object."""
        return b'"name":%b,"datatype":%b' % (orjson.dumps(self.name), orjson.dumps(self.datatype))

    @cached_property
    def wire_shape(self) -> list[int]:
        """Shape as protocols write it: -1 for any size."""
        return [-1 if size is None else size for size in self.shape]

    @cached_property
    def row_shape(self) -> tuple[int | None, ...]:
        """Shape of one row: without the batch axis."""
        return self.shape[1:]

    @cached_property
    def row_size(self) -> int | None:
        """Values in one row; None where that is not fixed."""
        return None if None in self.row_shape else prod(size for size in self.row_shape if size is not None)

    def check(self, array: Array, max_batch: int) -> Array:
        """The array, once its shape and its values are allowed. Its dtype is right already."""
        shape = array.shape
        if shape[1:] != self.row_shape or not shape:
            self._check_shape(shape)
        rows = shape[0]
        fixed = self.shape[0]
        if fixed is not None and rows != fixed:
            raise RequestError(400, f"input {self.name!r}: the batch has {rows} rows; this model takes exactly {fixed}")
        if not 0 < rows <= max_batch:
            raise RequestError(400, f"input {self.name!r}: the batch has {rows} rows; allowed: 1 to {max_batch}")
        # A sum is finite only where every value is; one of large values may overflow, and then each is looked at.
        if self.dtype.kind == "f" and not isfinite(np.add.reduce(array, None)) and not np.isfinite(array).all():
            index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise RequestError(
                400, f"input {self.name!r} at {list(index)}: {array[index]} is not a finite {self.datatype}"
            )
        return array

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        allowed = len(shape) == len(self.shape) and all(
            (want is None and got > 0) or got == want for got, want in zip(shape[1:], self.row_shape, strict=True)
        )
        if not allowed:
            raise RequestError(
                400, f"input {self.name!r}: shape {list(shape)} is not allowed; this model takes {self.wire_shape}"
            )

    def from_json(self, data: Any, *, no_booleans: bool = False) -> Array:
        """An array of this datatype from JSON lists, flat or nested; whether its shape is right is `check`'s to say.

        no_booleans: the text had none, which saves looking at each value of a tensor of floats.
        """
        flat, shape = self._flatten(data)
        if no_booleans and self.datatype in _PACKED:
            try:  # takes numbers alone, and each that the datatype holds; for others the reason is found below
                packed = struct.pack(f"={len(flat)}{_PACKED[self.datatype]}", *flat)
            except (struct.error, OverflowError):
                pass
            else:
                return np.frombuffer(packed, dtype=self.dtype).reshape(shape)
        allowed, words = _JSON_TYPES[self.dtype.kind]
        if not set(map(type, flat)) <= allowed:
            self._refuse_value(flat, shape, allowed, words)
        if self.dtype.kind in "ui":
            array = self._integers(flat, shape)
        else:
            try:
                array = np.array(flat, dtype=self.dtype)
            except OverflowError:  # a whole number that no float holds
                raise RequestError(400, f"input {self.name!r}: a value is not a finite {self.datatype}") from None
        return array if len(shape) == 1 else array.reshape(shape)

    def _flatten(self, data: Any) -> tuple[list[Any], tuple[int, ...]]:
        """Values of nested lists in one list, and the shape. Raises RequestError for ragged and for too deep ones."""
        if type(data) is not list:
            raise RequestError(400, f"input {self.name!r}: {_words(data)} where an array must stand")
        shape = [len(data)]
        while data and type(data[0]) is list:
            if len(shape) == len(self.shape):
                raise RequestError(
                    400, f"input {self.name!r}: arrays are nested deeper than the {len(self.shape)} axes of this model"
                )
            size = len(data[0])
            for index, row in enumerate(data):
                if type(row) is not list or len(row) != size:
                    found = f"{len(row)} values" if type(row) is list else _words(row)
                    where = list(map(int, np.unravel_index(index, shape)))
                    raise RequestError(
                        400, f"input {self.name!r} at {where}: ragged: {found}, the first has {size} values"
                    )
            shape.append(size)
            data = list(chain.from_iterable(data))
        return data, tuple(shape)

    def _integers(self, flat: list[int], shape: tuple[int, ...]) -> Array:
        limits = np.iinfo(self.dtype)
        if flat and (min(flat) < limits.min or max(flat) > limits.max):
            at = next(i for i, number in enumerate(flat) if not limits.min <= number <= limits.max)
            where = list(map(int, np.unravel_index(at, shape)))
            raise RequestError(
                400,
                f"input {self.name!r} at {where}: {_words(flat[at])} is outside {self.datatype}, "
                f"{limits.min} to {limits.max}",
            )
        return np.array(flat, dtype=self.dtype)

    def _refuse_value(self, flat: list[Any], shape: tuple[int, ...], allowed: frozenset[type], words: str) -> None:
        at = next(i for i, found in enumerate(flat) if type(found) not in allowed)
        where = list(map(int, np.unravel_index(at, shape)))
        raise RequestError(400, f"input {self.name!r} at {where}: {_words(flat[at])} where {words} must stand")


def _words(value: Any) -> str:
    """What a JSON value is, in words, short enough for an error."""
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    text = "true" if value is True else "false" if value is False else repr(value)
    return text if len(text) <= 40 else f"{text[:37]}…"


def shape_from_json(name: str, shape: Any) -> tuple[int, ...]:
    """A shape that a client wrote: up to 32 sizes ≥ 0."""
    allowed = type(shape) is list and len(shape) <= 32
    if allowed:
        for size in shape:
            if type(size) is not int or not 0 <= size < 2**31:
                allowed = False
    if not allowed:
        raise RequestError(400, f"input {name!r}: shape must be an array of at most 32 sizes, such as [1, 64]")
    return tuple(shape)


@lru_cache(maxsize=256)
def shape_text(shape: tuple[int, ...]) -> bytes:
    """A shape as JSON."""
    return orjson.dumps(shape)


def batch_rows(feeds: Arrays) -> int:
    """Rows of the batch. Raises RequestError where the inputs do not agree."""
    arrays = iter(feeds.values())
    rows: int = next(arrays).shape[0]
    for array in arrays:
        if array.shape[0] != rows:
            found = {name: array.shape[0] for name, array in feeds.items()}
            raise RequestError(400, f"the inputs have batches of different sizes: {found}")
    return rows


def for_json(array: Array) -> Any:
    """An output as the JSON writer takes it: numpy arrays of numbers as they are, strings as lists."""
    if array.dtype.kind == "O":
        return _texts(array.tolist())
    return np.ascontiguousarray(array)


def _texts(value: Any) -> Any:
    if isinstance(value, list):
        return [_texts(entry) for entry in value]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def names_of(specs: Sequence[TensorSpec]) -> list[str]:
    return [spec.name for spec in specs]
