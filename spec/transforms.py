"""`transforms.yaml`: what the server does to a request before the model, and to the model's answer after it.

    inputs:                          # what a client sends, where that is not what the graph takes
      - {name: input, dtype: uint8, shape: [null, 8, 8]}
    before:
      - scale: {tensor: input, factor: 0.0625, offset: 0}
      - reshape: {tensor: input, shape: [64]}
    after:
      - label_map: {tensor: label, labels: [zero, one, two], into: name}
      - threshold: {tensor: probabilities, index: 1, at: 0.5, above: spam, below: ham, into: decision}

The list of steps is closed and holds no code; who needs code extends the image. `plan` checks a document against the
model's schema and follows dtype and shape through every step, so that a mistake shows when the release is written and
not at the first request. Standard library only; `spec.transforms_numpy` applies a plan.

scale      value * factor + offset, as float32; numbers; one factor for all, or one for each entry of the last axis
reshape    gives each row another shape with the same number of values
one_hot    a new last axis, float32: 1 at the category's place, else 0; whole numbers or text, listed in `categories`
label_map  class number -> text; whole numbers from 0 on, after the model
threshold  `above` where the value is at least `at`, else `below`; numbers, after the model; `index` picks an entry of
           the last axis
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Union

from spec.release import OPEN_INFERENCE_DATATYPES

_FLOATS = ("float16", "float32", "float64")
_WHOLE = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_NUMBERS = (*_FLOATS, *_WHOLE)


class TransformsError(ValueError):
    """`transforms.yaml` cannot be used; the text names the place, what was found and what is allowed."""


@dataclass(frozen=True)
class TensorSchema:
    """One tensor. dtype: numpy's name, `str` for text. shape: None where any size is allowed; first is the batch."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Scale:
    """`tensor * factor + offset`. One number for all values, or as many as the last axis has entries."""

    tensor: str
    factor: tuple[float, ...]
    offset: tuple[float, ...]


@dataclass(frozen=True)
class Reshape:
    """Each row of the tensor gets this shape."""

    tensor: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class OneHot:
    """A new last axis, one entry a category. A value that is no category is the client's mistake."""

    tensor: str
    categories: tuple[int, ...] | tuple[str, ...]


@dataclass(frozen=True)
class LabelMap:
    """Class number -> text. into: name of the output; the tensor's own name replaces it."""

    tensor: str
    labels: tuple[str, ...]
    into: str


@dataclass(frozen=True)
class Threshold:
    """`above` where the value is at least `at`, else `below`. index: entry of the last axis, None: every value."""

    tensor: str
    at: float
    above: str
    below: str
    index: int | None
    into: str


Step = Union[Scale, Reshape, OneHot, LabelMap, Threshold]  # noqa: UP007 # evaluated at run time on Python 3.10


@dataclass(frozen=True)
class Transforms:
    """A checked document. inputs, outputs: what a client sends and gets; before, after: the steps between."""

    inputs: tuple[TensorSchema, ...]
    before: tuple[Step, ...]
    after: tuple[Step, ...]
    outputs: tuple[TensorSchema, ...]


def schema(metadata: Sequence[Mapping[str, Any]]) -> tuple[TensorSchema, ...]:
    """`inputs` or `outputs` of a release's metadata."""
    return tuple(TensorSchema(entry["name"], entry["dtype"], tuple(entry["shape"])) for entry in metadata)


def plan(document: object, inputs: Sequence[TensorSchema], outputs: Sequence[TensorSchema] | None) -> Transforms:
    """Check a parsed `transforms.yaml` against the schema of the model's graph.

    outputs: None while they are not known yet: only what comes before the model is checked and returned then.

    Raises TransformsError naming the first wrong place.
    """
    fields = _mapping(document, "transforms", required=(), optional=("inputs", "before", "after"))
    client = {tensor.name: tensor for tensor in inputs}
    for position, entry in enumerate(_list(fields.get("inputs", []), "inputs")):
        tensor = _client_tensor(entry, f"inputs[{position}]", client)
        client[tensor.name] = tensor
    reached = dict(client)
    before = tuple(
        _step(entry, f"before[{position}]", reached, _BEFORE)
        for position, entry in enumerate(_list(fields.get("before", []), "before"))
    )
    for tensor in inputs:
        found = reached[tensor.name]
        if found.dtype != tensor.dtype or not _fits(found.shape, tensor.shape):
            raise TransformsError(
                f"before: {tensor.name!r} ends as {found.dtype} {_shown(found.shape)}; allowed: what the model takes, "
                f"{tensor.dtype} {_shown(tensor.shape)}. Change the steps, or what `inputs` declares"
            )
    if outputs is None:
        return Transforms(tuple(client.values()), before, (), ())
    answers = {tensor.name: tensor for tensor in outputs}
    after = tuple(
        _step(entry, f"after[{position}]", answers, _AFTER)
        for position, entry in enumerate(_list(fields.get("after", []), "after"))
    )
    return Transforms(tuple(client.values()), before, after, tuple(answers.values()))


def _client_tensor(entry: object, where: str, known: Mapping[str, TensorSchema]) -> TensorSchema:
    fields = _mapping(entry, where, required=("name", "dtype", "shape"), optional=())
    name = _one_of(fields["name"], f"{where}.name", known)
    dtype = _one_of(fields["dtype"], f"{where}.dtype", OPEN_INFERENCE_DATATYPES)
    shape = _list(fields["shape"], f"{where}.shape")
    if not shape or any(size is not None and not _is_whole(size, 1) for size in shape):
        raise TransformsError(
            f"{where}.shape is {shape}; allowed: sizes from 1 on, null for any; the first is the batch"
        )
    return TensorSchema(name, dtype, tuple(shape))


def _step(entry: object, where: str, tensors: dict[str, TensorSchema], allowed: Mapping[str, _Reader]) -> Step:
    """Read one step, and bring ``tensors`` to where they are after it."""
    if not isinstance(entry, dict) or len(entry) != 1:
        raise TransformsError(f"{where} is {_short(entry)}; allowed: one step, named {_or(allowed)}")
    (name, value), *_ = entry.items()
    _one_of(name, where, allowed)
    step, result = allowed[name](value, f"{where}.{name}", tensors)
    tensors[result.name] = result
    return step


_Reader = Callable[[object, str, Mapping[str, TensorSchema]], "tuple[Step, TensorSchema]"]


def _read_scale(value: object, where: str, tensors: Mapping[str, TensorSchema]) -> tuple[Step, TensorSchema]:
    fields = _mapping(value, where, required=("tensor", "factor"), optional=("offset",))
    tensor = _tensor(fields["tensor"], where, tensors, _NUMBERS)
    factor = _numbers(fields["factor"], f"{where}.factor", tensor)
    offset = _numbers(fields.get("offset", 0), f"{where}.offset", tensor)
    return Scale(tensor.name, factor, offset), replace(tensor, dtype="float32")


def _read_reshape(value: object, where: str, tensors: Mapping[str, TensorSchema]) -> tuple[Step, TensorSchema]:
    fields = _mapping(value, where, required=("tensor", "shape"), optional=())
    tensor = _tensor(fields["tensor"], where, tensors, tuple(OPEN_INFERENCE_DATATYPES))
    shape = _list(fields["shape"], f"{where}.shape")
    if any(not _is_whole(size, 1) for size in shape):
        raise TransformsError(f"{where}.shape is {shape}; allowed: sizes from 1 on, without the batch")
    row = tensor.shape[1:]
    if None in row or math.prod(size or 1 for size in row) != math.prod(shape):
        raise TransformsError(f"{where}.shape is {shape}; allowed: as many values as a row of {_shown(row)} has")
    return Reshape(tensor.name, tuple(shape)), replace(tensor, shape=(tensor.shape[0], *shape))


def _read_one_hot(value: object, where: str, tensors: Mapping[str, TensorSchema]) -> tuple[Step, TensorSchema]:
    fields = _mapping(value, where, required=("tensor", "categories"), optional=())
    tensor = _tensor(fields["tensor"], where, tensors, (*_WHOLE, "str"))
    kind = str if tensor.dtype == "str" else int
    categories = _list(fields["categories"], f"{where}.categories")
    if not categories or any(type(entry) is not kind for entry in categories) or len(set(categories)) < len(categories):
        raise TransformsError(
            f"{where}.categories is {_short(categories)}; allowed: different values, each "
            f"{'text' if kind is str else 'a whole number'} as {tensor.name!r} is {tensor.dtype}"
        )
    result = replace(tensor, dtype="float32", shape=(*tensor.shape, len(categories)))
    return OneHot(tensor.name, tuple(categories)), result


def _read_label_map(value: object, where: str, tensors: Mapping[str, TensorSchema]) -> tuple[Step, TensorSchema]:
    fields = _mapping(value, where, required=("tensor", "labels"), optional=("into",))
    tensor = _tensor(fields["tensor"], where, tensors, _WHOLE)
    labels = _list(fields["labels"], f"{where}.labels")
    if not labels or any(not isinstance(label, str) for label in labels):
        raise TransformsError(
            f"{where}.labels is {_short(labels)}; allowed: texts, one for each class number from 0 on"
        )
    into = _into(fields, where, tensor, tensors)
    return LabelMap(tensor.name, tuple(labels), into), TensorSchema(into, "str", tensor.shape)


def _read_threshold(value: object, where: str, tensors: Mapping[str, TensorSchema]) -> tuple[Step, TensorSchema]:
    fields = _mapping(value, where, required=("tensor", "at", "above", "below"), optional=("index", "into"))
    tensor = _tensor(fields["tensor"], where, tensors, _NUMBERS)
    for key in ("above", "below"):
        if not isinstance(fields[key], str):
            raise TransformsError(f"{where}.{key} is {_short(fields[key])}; allowed: text (quote it)")
    if not _is_number(fields["at"]):
        raise TransformsError(f"{where}.at is {_short(fields['at'])}; allowed: a finite number")
    index, last = fields.get("index"), tensor.shape[-1] if len(tensor.shape) > 1 else 0
    if index is not None and not (_is_whole(index, 0) and last and index < last):
        raise TransformsError(
            f"{where}.index is {_short(index)}; allowed: an entry of the last axis of {_shown(tensor.shape)}"
        )
    into = _into(fields, where, tensor, tensors)
    shape = tensor.shape if index is None else tensor.shape[:-1]
    step = Threshold(tensor.name, float(fields["at"]), fields["above"], fields["below"], index, into)
    return step, TensorSchema(into, "str", shape)


_BEFORE: Mapping[str, _Reader] = {"scale": _read_scale, "reshape": _read_reshape, "one_hot": _read_one_hot}
_AFTER: Mapping[str, _Reader] = {
    "scale": _read_scale,
    "reshape": _read_reshape,
    "label_map": _read_label_map,
    "threshold": _read_threshold,
}


def _into(fields: Mapping[str, Any], where: str, tensor: TensorSchema, tensors: Mapping[str, TensorSchema]) -> str:
    into = fields.get("into", tensor.name)
    if not isinstance(into, str) or not into or (into != tensor.name and into in tensors):
        raise TransformsError(
            f"{where}.into is {_short(into)}; allowed: a new name, or none to replace {tensor.name!r}"
        )
    return into


def _tensor(name: object, where: str, tensors: Mapping[str, TensorSchema], dtypes: Sequence[str]) -> TensorSchema:
    tensor = tensors[_one_of(name, f"{where}.tensor", tensors)]
    if tensor.dtype not in dtypes:
        raise TransformsError(f"{where}.tensor is {name!r}, which holds {tensor.dtype}; allowed: {_or(dtypes)}")
    return tensor


def _numbers(value: object, where: str, tensor: TensorSchema) -> tuple[float, ...]:
    values: list[Any] = value if isinstance(value, list) else [value]
    last = tensor.shape[-1] if len(tensor.shape) > 1 else None
    if not all(_is_number(entry) for entry in values) or (isinstance(value, list) and len(values) != last):
        many = f", or a list of {last}" if last else ""
        raise TransformsError(f"{where} is {_short(value)}; allowed: a finite number{many}")
    return tuple(float(entry) for entry in values)


def _mapping(value: object, where: str, *, required: Sequence[str], optional: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TransformsError(f"{where} is {_short(value)}; allowed: a mapping with {_or((*required, *optional))}")
    for key in value:
        _one_of(key, f"a field of {where}", (*required, *optional))
    for key in required:
        if key not in value:
            raise TransformsError(f"{where}.{key} is missing; allowed fields: {', '.join((*required, *optional))}")
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise TransformsError(f"{where} is {_short(value)}; allowed: a list")
    return value


def _one_of(value: object, where: str, allowed: Mapping[str, Any] | Sequence[str]) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise TransformsError(f"{where} is {_short(value)}; allowed: {_or(allowed)}")
    return value


def _is_whole(value: object, low: int) -> bool:
    return type(value) is int and value >= low


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # pyright: ignore[reportArgumentType]


def _fits(found: Sequence[int | None], wanted: Sequence[int | None]) -> bool:
    return len(found) == len(wanted) and all(
        want is None or have == want for have, want in zip(found, wanted, strict=True)
    )


def _shown(shape: Sequence[int | None]) -> str:
    return f"[{', '.join('any' if size is None else str(size) for size in shape)}]"


def _or(words: Mapping[str, Any] | Sequence[str]) -> str:
    return ", ".join(words)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
