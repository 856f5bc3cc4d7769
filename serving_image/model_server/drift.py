"""Input drift: how far what clients send is from what the model was trained on, per feature.

The population stability index compares two histograms over the same bins: sum of (a - e) * ln(a / e), where a and e are
the shares of a bin now and in training. Below 0.1 is commonly read as no drift, above 0.25 as a large one.

The rows of many requests are counted together: one by one they would cost more than a cheap model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from model_server.metrics_config import DriftConfig
from model_server.model import Model
from model_server.tensors import Array, Arrays

#: Rows that wait to be counted together, at most.
PENDING_ROWS = 256
#: Features of an input that are watched; of one with more (an image) so many, evenly spread.
MAX_FEATURES = 128


class Drift:
    """Drift of one release. With several processes each counts in its own part of one file, and all read the sum.

    folder: of shared files, None for a single process. index, processes: which one this is, of how many.
    """

    def __init__(self, model: Model, config: DriftConfig, folder: Path | None, index: int, processes: int) -> None:
        self._config = config
        described = model.statistics.get("inputs", {})
        self._inputs: list[_Input] = []
        if config.enabled:
            for spec in model.inputs:
                entry = described.get(spec.name)
                if entry and spec.row_size == len(entry["features"]):
                    where = None if folder is None else folder / f"drift-{model.digest[:16]}-{len(self._inputs)}"
                    self._inputs.append(_Input(spec.name, entry, where, index, processes))
        self._pending: list[Arrays] = []
        self._pending_rows = 0

    def observe(self, feeds: Arrays, rows: int) -> None:
        """Take note of one request's inputs; they must not change any more."""
        if not self._inputs:
            return
        self._pending.append(feeds)
        self._pending_rows += rows
        if self._pending_rows >= PENDING_ROWS:
            self._count()

    def indices(self) -> list[tuple[str, float]]:
        """Feature and index of each, where enough rows have been seen."""
        self._count()
        found: list[tuple[str, float]] = []
        for entry in self._inputs:
            found += entry.indices(self._config.min_rows)
        return found

    def _count(self) -> None:
        pending, self._pending, self._pending_rows = self._pending, [], 0
        if not pending:
            return
        for entry in self._inputs:
            rows = [feeds[entry.name] for feeds in pending]
            entry.count(np.concatenate([array.reshape(array.shape[0], -1) for array in rows]), self._config.window_rows)


class _Input:
    """Histograms of one input's features."""

    def __init__(self, name: str, entry: Mapping[str, Any], file: Path | None, index: int, processes: int) -> None:
        self.name = name
        features = entry["features"]
        count = len(features)
        self._chosen = np.linspace(0, count - 1, min(count, MAX_FEATURES)).round().astype(int)
        chosen = [features[at] for at in self._chosen]
        self._names = [f"{name}[{at}]" if count > 1 else name for at in self._chosen]
        self._bins = max(len(feature["counts"]) for feature in chosen)
        # A row for each edge between two bins; features with fewer of them have edges that no value reaches.
        self._edges = np.full((self._bins - 1, len(chosen)), np.inf)
        for at, feature in enumerate(chosen):
            inner = feature["edges"][1:-1]
            self._edges[: len(inner), at] = inner
        self._first = np.arange(len(chosen)) * self._bins
        self._expected = np.zeros((len(chosen), self._bins))
        for row, feature in zip(self._expected, chosen, strict=True):
            row[: len(feature["counts"])] = feature["counts"]
        shape = (processes, len(chosen), self._bins)
        if file is None:
            self._all: Array = np.zeros(shape)
        else:
            file.touch()  # the first process that maps it makes it as long as all of them need
            self._all = np.memmap(file, dtype=np.float64, mode="r+", shape=shape)
        self._own = self._all[index]

    def count(self, rows: Array, window: int) -> None:
        """Add rows to this process's histograms; beyond the window older rows count half."""
        values = rows[:, self._chosen].astype(np.float64)
        places = np.repeat(self._first[np.newaxis], len(values), axis=0)
        for edge in self._edges:
            places += values >= edge
        self._own += np.bincount(places.ravel(), minlength=self._own.size).reshape(self._own.shape)
        if self._own[0].sum() > window:
            self._own *= 0.5

    def indices(self, min_rows: int) -> list[tuple[str, float]]:
        seen = self._all.sum(axis=0)
        if seen[0].sum() < min_rows:
            return []
        index = stability_index(self._expected, seen)
        return list(zip(self._names, (float(number) for number in index), strict=True))


def stability_index(expected: Array, seen: Array) -> Array:
    """Population stability index of each row of counts. Empty bins count as half a row, so that it stays finite."""
    shares = []
    used = (expected > 0) | (seen > 0)
    for counts in (expected, seen):
        smooth = np.where(used, np.maximum(counts, 0.5), 0.0)
        shares.append(smooth / smooth.sum(axis=1, keepdims=True))
    a, e = shares[1], shares[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(used, (a - e) * np.log(a / e), 0.0)
    return parts.sum(axis=1)
