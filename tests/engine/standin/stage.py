"""The small programs, each on an engine with a stand-in cloud of its own."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.standin import StandIn
from operations.rehearsal import settings as rehearsal_settings
from operations.rehearsal.engines import CliRun, EmbeddedRun
from operations.rehearsal.program import Program, without_credentials
from operations.rehearsal.settings import Settings

PROGRAMS = Path(__file__).with_name("programs")
STACK = "small"
#: Folder of each program and its row in docs/proof.md.
CLOUDS = {
    "aws": "AWS program",
    "azure": "Azure program",
    "gcp": "Google Cloud program",
    "kubernetes": "Kubernetes program",
}
#: The machine that runs this may be busy with other things.
PATIENCE = 1500


def cli() -> Path:
    """The Pulumi CLI on PATH; skips the test where there is none."""
    found = shutil.which("pulumi")
    if found is None:
        pytest.skip("pulumi is not on PATH (https://www.pulumi.com/docs/install/)")
    return Path(found)


@dataclass
class Stage:
    """One program, ready to run. said: what the engine printed."""

    program: Program
    stand_in: StandIn
    engine: EmbeddedRun | CliRun
    settings: Settings
    said: list[str]


@contextlib.contextmanager
def stage(cloud: str, engine: str, place: Path) -> Iterator[Stage]:
    """A program with an empty cloud and an empty state, below ``place``."""
    command = cli() if engine == "cli" else None
    said: list[str] = []
    tell: Callable[[str], None] = said.append
    with without_credentials(), StandIn(place / "cloud.json") as stand_in:
        program = Program.link(PROGRAMS / cloud, STACK, place / "program")
        state = place / "state"
        run = (
            CliRun(program, state, stand_in, tell, command) if command else EmbeddedRun(program, state, stand_in, tell)
        )
        yield Stage(program, stand_in, run, rehearsal_settings.load(PROGRAMS / cloud, STACK), said)
