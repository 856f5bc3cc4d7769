"""Reading a data set that somebody names: loaded without pickle, checked, explained where it cannot be used."""

from __future__ import annotations

from pathlib import Path

from training.data.check import check
from training.data.dataset import Dataset
from training.errors import TrainingError


def read(source: str, row_shape: tuple[int, ...] | None = None) -> Dataset:
    """The data set at a path. row_shape: what a row must have; None: one flat row of numbers.

    Raises TrainingError with the whole report of the check where the data cannot be used.
    """
    report = check(Path(source), row_shape)
    if report.dataset is None:
        raise TrainingError(str(report))
    return report.dataset
