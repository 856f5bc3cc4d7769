"""Running a trainer in the environment that holds its framework: TensorFlow and PyTorch do not fit beside the rest."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from spec.release import Release, parse_reference, resolve
from training.errors import TrainingError
from training.provenance import ROOT
from training.trainers import Trainer


def is_needed(trainer: Trainer) -> bool:
    """Whether this process cannot run the trainer itself."""
    return trainer.environment is not None and importlib.util.find_spec(trainer.module) is None


def run(
    trainer: Trainer,
    models_dir: Path,
    *,
    data: str | None,
    model: str,
    extras: Sequence[str],
    transforms: Path | None,
    version: int | None,
) -> Release:
    """Train in `.venv-<environment>`; its progress goes to our stderr.

    Raises TrainingError where the environment is missing, or with what the trainer itself reported.
    """
    python = ROOT / f".venv-{trainer.environment}" / "bin" / "python"
    if not python.exists():
        raise TrainingError(
            f"trainer {trainer.name} needs {trainer.framework}, and {python.parent.parent.name} is not there: "
            f"run `make env-{trainer.environment}`"
        )
    command = [str(python), "-m", "training", "train", "--json", "--trainer", trainer.name, "--model", model]
    command += ["--models-dir", str(models_dir.resolve())]
    if data is not None:
        command += ["--data", data if "://" in data else str(Path(data).resolve())]
    if transforms is not None:
        command += ["--transforms", str(transforms.resolve())]
    if version is not None:
        command += ["--version", str(version)]
    for extra in extras:
        command += ["--extra", extra]
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        raise TrainingError(f"trainer {trainer.name} failed in {python.parent.parent.name}; what it said stands above")
    reference = parse_reference(json.loads(result.stdout.splitlines()[-1])["release"])
    return resolve(models_dir, reference)
