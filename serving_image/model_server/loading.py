"""The releases that the settings name, fetched, verified and loaded."""

from __future__ import annotations

from model_server import limits
from model_server import model as models
from model_server.errors import Exit, StartError
from model_server.settings import Settings
from model_server.source import discard, local_folder

#: Seconds of one row from which a model gets more than one thread.
THREADS_PAY_SECONDS = 0.002


def load_models(settings: Settings) -> tuple[models.Model, models.Model | None]:
    """The stable release, and the canary where there is one. Raises StartError."""
    stable = load_model(settings, settings.model_uri)
    if settings.canary_uri is None:
        return stable, None
    canary = load_model(settings, settings.canary_uri)
    _check_canary(stable, canary)
    return stable, canary


def load_model(settings: Settings, uri: str) -> models.Model:
    """Load with one thread; a model that takes its time on one row is loaded again with all that are its own.

    Splitting microseconds of work between threads costs more than it saves, and takes the CPU from other requests.
    Raises StartError.
    """
    folder = local_folder(uri)
    try:
        model = models.load(folder, name=settings.model_name, threads=1)
        threads = limits.threads_per_process(settings.workers)
        if threads == 1 or model.cost.seconds(1) < THREADS_PAY_SECONDS:
            return model
        return models.load(folder, name=settings.model_name, threads=threads)
    finally:
        discard(folder)  # each reload would leave one behind


def _check_canary(stable: models.Model, canary: models.Model) -> None:
    if canary.metadata["name"] != stable.metadata["name"]:
        raise StartError(
            Exit.BAD_SETTING, f"the canary is {canary.reference}, a release of another model than {stable.reference}"
        )
    if canary.version == stable.version:
        raise StartError(Exit.BAD_SETTING, f"the canary is {canary.reference}, the same release as the stable one")
    if canary.inputs != stable.inputs:
        raise StartError(
            Exit.BAD_SETTING,
            f"the canary {canary.reference} takes other inputs than {stable.reference}: a request cannot go to either",
        )
