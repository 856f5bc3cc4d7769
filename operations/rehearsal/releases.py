"""Releases for a rehearsal: complete and hashed, but with no model in them, since nothing ever loads one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spec import release as releases


def write_releases(program: Path, wanted: Mapping[str, int]) -> None:
    """Put this many releases of each model into the folder of a program under rehearsal, in place of its own."""
    from training.releases.write import write, write_json

    if not wanted:
        return
    models = program / "models"
    models.unlink(missing_ok=True)  # a link to the user's
    models.mkdir()

    def fill(folder: Path, version: int) -> dict[str, Any]:
        (folder / releases.MODEL_FILE).write_bytes(f"release {version} of a rehearsal".encode())
        write_json(folder / releases.SAMPLES_FILE, {"samples": []})
        write_json(folder / releases.STATISTICS_FILE, {"rows": 0, "inputs": {}})
        tensor = {"dtype": "float32", "shape": [None, 1]}
        return {
            "inputs": [{"name": "input", **tensor}],
            "outputs": [{"name": "probabilities", **tensor}],
            "metrics": {"test_accuracy": 1.0},
        }

    for model, count in wanted.items():
        for _ in range(count):
            write(models, model, fill)
