"""Training and releases: data, trainers, export to ONNX, and the life of a release until it is served.

`train_and_release` is the whole way. Importing this package costs nothing: frameworks are imported when used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spec.release import Release

#: Model that can be trained here -> the trainer that makes it.
TRAINERS: Mapping[str, str] = {"digits": "forest", "digits_cnn": "cnn", "digits_torch": "torch"}


def train_and_release(
    trainer: str, models_dir: Path, *, data: str | None = None, model: str | None = None, extras: Sequence[str] = ()
) -> Release:
    """Train, export, prove the export equal, and write the model's next release.

    trainer: `forest`, `cnn` or `torch`. data: path or URI of an npz with `X` and `y`; None: the data set that ships
    with scikit-learn. model: name of the release; None: the trainer's own. extras: further formats to put into the
    release (see `training.pipeline`).

    Raises TrainingError (bad data, missing framework, export that differs) or spec.release.ReleaseError. Nothing is
    written then.
    """
    from training.pipeline import run

    return run(trainer, models_dir, data=data, model=model, extras=extras)
