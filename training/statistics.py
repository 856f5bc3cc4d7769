"""`statistics.json` and `samples.json`: what the training data looked like, and rows with right answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.data.dataset import Array

#: Bins of a feature's histogram.
BINS = 10

#: Rows in samples.json at most.
SAMPLES = 10


def statistics(inputs: Mapping[str, Array], labels: Array | None) -> dict[str, Any]:
    """A histogram per feature of each numeric input, and how often each label occurs.

    A feature is one position of a row, in C order. `counts[i]` counts the values from `edges[i]` up to, but without,
    `edges[i+1]`; the last bin includes its upper edge.
    """
    rows = len(next(iter(inputs.values())))
    document: dict[str, Any] = {"rows": rows, "inputs": {}}
    for name, array in inputs.items():
        if array.dtype.kind not in "biuf":
            continue
        columns = array.reshape(len(array), -1).astype(np.float64)
        document["inputs"][name] = {
            "shape": list(array.shape[1:]),
            "features": [_feature(columns[:, index]) for index in range(columns.shape[1])],
        }
    if labels is not None:
        names, counts = np.unique(labels, return_counts=True)
        document["labels"] = {str(label): int(count) for label, count in zip(names, counts, strict=True)}
    return document


def _feature(values: Array) -> dict[str, Any]:
    counts, edges = np.histogram(values, bins=BINS)
    return {
        "edges": [round(float(edge), 6) for edge in edges],
        "counts": counts.tolist(),
        "mean": round(float(values.mean()), 6),
        "std": round(float(values.std()), 6),
    }


def samples(
    inputs: Mapping[str, Array], outputs: Mapping[str, Array], rows: Sequence[int], *, tolerance: float, origin: str
) -> dict[str, Any]:
    """Rows with their right answers.

    An answer is right where its numbers differ by at most `tolerance.absolute` and everything else is equal.
    origin: what makes the answers right, for people.
    """
    return {
        "origin": origin,
        "tolerance": {"absolute": tolerance},
        "samples": [
            {
                "inputs": {name: array[row : row + 1].tolist()[0] for name, array in inputs.items()},
                "outputs": {name: array[row : row + 1].tolist()[0] for name, array in outputs.items()},
            }
            for row in rows
        ],
    }


def one_row_per_class(truth: Array, predicted: Array) -> list[int]:
    """Rows that were predicted right, one of each class in turn, :data:`SAMPLES` at most."""
    right = np.flatnonzero(truth == predicted)
    first = [int(right[truth[right] == label][0]) for label in np.unique(truth[right])]
    rest = [int(row) for row in right if int(row) not in first]
    return [*first, *rest][:SAMPLES]
