"""Applies the steps of `spec.transforms` to numpy arrays: the same code prepares training data and serves requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spec.release import TRANSFORMS_FILE
from spec.transforms import LabelMap, OneHot, Reshape, Scale, Step

Array = np.ndarray[Any, Any]


class UnknownCategoryError(ValueError):
    """A value is none of a one-hot step's categories, or a class number has no label; the text names it."""


def apply(steps: Sequence[Step], tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The tensors after the steps; tensors that no step names pass unchanged. The first axis is the batch.

    Raises UnknownCategoryError.
    """
    result = dict(tensors)
    for step in steps:
        array = result[step.tensor]
        if isinstance(step, Scale):
            factor, offset = (np.asarray(values, dtype=np.float32) for values in (step.factor, step.offset))
            result[step.tensor] = array.astype(np.float32) * factor + offset
        elif isinstance(step, Reshape):
            result[step.tensor] = array.reshape(len(array), *step.shape)
        elif isinstance(step, OneHot):
            result[step.tensor] = _one_hot(step, array)
        elif isinstance(step, LabelMap):
            result[step.into] = _label_map(step, array)
        else:
            values = array if step.index is None else array[..., step.index]
            result[step.into] = np.where(values >= step.at, step.above, step.below).astype(object)
    return result


def _one_hot(step: OneHot, array: Array) -> Array:
    matches = array[..., np.newaxis] == np.asarray(step.categories, dtype=object if array.dtype.kind in "OU" else None)
    unknown = ~matches.any(axis=-1)
    if unknown.any():
        value = array[unknown].flat[0]
        raise UnknownCategoryError(
            f"{step.tensor!r} holds {value!r}; allowed: {', '.join(map(str, step.categories[:50]))}"
        )
    return matches.astype(np.float32)


def _label_map(step: LabelMap, array: Array) -> Array:
    outside = (array < 0) | (array >= len(step.labels))
    if outside.any():
        raise UnknownCategoryError(
            f"{step.tensor!r} is class {array[outside].flat[0]}; "
            f"{TRANSFORMS_FILE} has labels for 0 to {len(step.labels) - 1}"
        )
    return np.asarray(step.labels, dtype=object)[array]
