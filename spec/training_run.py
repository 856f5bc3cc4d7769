"""A training run on a cloud's own service: the config `cloud-ml-deployment:training` beside a service description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from spec.fields import Section
from spec.validation import validate

ROOT = "training"


class TrainingRun(Section):
    """One run. What it does is fixed once it has begun: a change of any field is another run."""

    trainer: Literal["forest", "cnn", "torch"] = Field(description="What trains: forest, cnn or torch.")
    image: str = Field(
        pattern=r"^[^@\s]+@sha256:[0-9a-f]{64}$",
        description="The training image (training/Dockerfile) by digest, in a registry of the place's own region.",
    )
    run: int = Field(default=1, ge=1, le=999_999, description="Number of the run; the next one trains again.")
    dataset: str | None = Field(
        default=None,
        pattern=r"^[\w.-]+(/[\w.-]+)*\.npz$",
        description="Key of the data in the bucket of training data, such as orders.npz. Default: the trainer's own.",
    )
    model: str | None = Field(
        default=None, pattern=r"^[a-z][a-z0-9_]{0,62}$", description="Name of the release. Default: the trainer's own."
    )
    instance_type: str = Field(
        default="ml.m5.xlarge", min_length=1, description="Machine type in the cloud's own form."
    )
    volume_gib: int = Field(default=30, ge=1, le=16_384, description="Disk for image, data and model, in GiB.")
    hours: float = Field(default=1.0, gt=0, le=672, description="Time after which it is ended, in hours.")
    spot: bool = Field(default=False, description="Use spare capacity: cheaper; waits for it and may be interrupted.")
    region: str | None = Field(default=None, min_length=1, description="Which place's. Default: the first one on AWS.")


def load_training(config: Mapping[str, Any]) -> TrainingRun:
    """The checked run. Raises spec.errors.SpecError with every problem found."""
    return validate(TrainingRun, config, root=ROOT, what="the training run")
