"""How a process learns that it is one of several: variables that the supervisor sets, and no one else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_INDEX, _SOCKET, _FOLDER, _EARLY = (f"_MODEL_SERVER_{name}" for name in ("INDEX", "SOCKET", "FOLDER", "EARLY"))


@dataclass(frozen=True)
class Worker:
    """One of several processes.

    index: from 0 on; a process that takes a dead one's place takes its number. socket: descriptor of the listening
    socket. folder: of shared files. early: answers liveness while it loads; the others listen once they are ready.
    supervisor: pid; a process whose parent is another has lost it.
    """

    index: int
    socket: int
    folder: Path
    early: bool
    supervisor: int

    def environment(self) -> dict[str, str]:
        """Variables from which the process reads this."""
        return {
            _INDEX: str(self.index),
            _SOCKET: str(self.socket),
            _FOLDER: str(self.folder),
            _EARLY: str(int(self.early)),
            "PROMETHEUS_MULTIPROC_DIR": str(self.folder),
        }

    @staticmethod
    def read(env: Mapping[str, str]) -> Worker | None:
        """The worker that this process is; None where it is alone."""
        if _INDEX not in env:
            return None
        return Worker(int(env[_INDEX]), int(env[_SOCKET]), Path(env[_FOLDER]), env[_EARLY] == "1", os.getppid())
