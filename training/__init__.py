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
    trainer: str,
    models_dir: Path,
    *,
    data: str | None = None,
    model: str | None = None,
    extras: Sequence[str] = (),
    transforms: Path | None = None,
    version: int | None = None,
) -> Release:
    """Train, export, prove the export equal, and write the model's next release.

    trainer: `forest`, `cnn` or `torch`. data: path or URI of an npz with `X` and `y`; None: the data set that ships
    with scikit-learn. model: name of the release; None: the trainer's own. extras: further formats to put into the
    release: `tensorflow_serving` (cnn), `torchserve` (torch). transforms: a transforms.yaml to prepare the data with
    and to put into the release; the data is then what a client will send. version: exactly this number; None: the next.

    A trainer whose framework is not installed here runs in its own environment, `.venv-tensorflow` or `.venv-torch`.

    Raises TrainingError (bad data, missing framework, export that differs) or spec.release.ReleaseError. Nothing is
    written then.
    """
    from training.pipeline import run

    return run(trainer, models_dir, data=data, model=model, extras=extras, transforms=transforms, version=version)
