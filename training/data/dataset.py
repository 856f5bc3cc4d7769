"""A data set in memory, and its file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

#: Share of the rows that a model never sees: what the test metrics are measured on.
HELD_OUT = 0.25


@dataclass(frozen=True)
class Dataset:
    """Rows and labels that passed the checks.

    X: shape (rows, …). y: shape (rows,). source: where they came from, for people.
    """

    X: Array
    y: Array
    source: str

    @cached_property
    def sha256(self) -> str:
        """Hash of the content (names, dtypes, shapes and values): the same however the npz was compressed."""
        digest = hashlib.sha256()
        for name, array in (("X", self.X), ("y", self.y)):
            digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @cached_property
    def classes(self) -> list[Any]:
        """The labels there are, in order."""
        return np.unique(self.y).tolist()

    def save(self, file: Path) -> None:
        """Write the npz."""
        np.savez_compressed(file, X=self.X, y=self.y)

    def split(self, held_out: float, seed: int) -> tuple[Dataset, Dataset]:
        """Two parts with the classes in equal proportion: for training, and held out."""
        from sklearn.model_selection import train_test_split

        train, rest = train_test_split(np.arange(len(self.y)), test_size=held_out, random_state=seed, stratify=self.y)
        return (
            Dataset(self.X[train], self.y[train], f"{self.source}, for training"),
            Dataset(self.X[rest], self.y[rest], f"{self.source}, held out"),
        )
