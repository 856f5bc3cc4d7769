"""Reading a data set that somebody names: fetched, loaded without pickle, checked, and explained where it is unfit."""

from __future__ import annotations

import tempfile
from pathlib import Path

from training.data.check import Report, check
from training.data.dataset import Dataset
from training.errors import TrainingError
from training.progress import Silent, Steps
from training.stores import StoreError, is_uri, open_parent


def read(
    source: str, row_shape: tuple[int, ...] | None = None, steps: Steps | None = None, *, split: bool = True
) -> Dataset:
    """The data set at a path or a URI (`file://`, `s3://`, `gs://`, `az://`).

    row_shape: what a row must have; None: one flat row of numbers. split: whether a part is to be held out.

    Raises TrainingError with the whole report of the check where the data cannot be used.
    """
    report = inspect(source, row_shape, steps, split=split)
    if report.dataset is None:
        raise TrainingError(str(report))
    return report.dataset


def inspect(
    source: str, row_shape: tuple[int, ...] | None = None, steps: Steps | None = None, *, split: bool = True
) -> Report:
    """The report of the check. Raises TrainingError where a store cannot be reached or holds no such object."""
    if not is_uri(source):
        return check(Path(source), row_shape, split=split)
    with tempfile.TemporaryDirectory(prefix="data-") as temporary:
        file = Path(temporary) / "data.npz"
        try:
            store, key = open_parent(source)
            store.download(key, file, steps or Silent())
        except StoreError as error:
            raise TrainingError(f"data {source}: {error}") from None
        return check(file, row_shape, source=source, split=split)
