"""What the processes of one server share: the canary's share, whether the first of them was ready, and whether all are
on their way out. A small file in memory that each maps; a process of its own has it in private memory.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

_SHARE = struct.Struct("d")
_READY_AT = _SHARE.size
_STOPPING_AT = _READY_AT + 1
_SIZE = mmap.PAGESIZE
FILE = "shared"


class SharedState:
    """Eight aligned bytes are read and written as one on every machine that runs this: no lock is needed.

    Through a view of doubles, which copies all eight; `struct.pack_into` writes zeros first, and another process that
    reads meanwhile would see a share of 0.
    """

    def __init__(self, folder: Path | None) -> None:
        if folder is None:
            self._memory: mmap.mmap | bytearray = bytearray(_SIZE)
        else:
            with (folder / FILE).open("r+b") as file:
                self._memory = mmap.mmap(file.fileno(), _SIZE)
        self._share = memoryview(self._memory)[: _SHARE.size].cast("d")

    @staticmethod
    def create(folder: Path, percent: float) -> None:
        """Make the file, before any process maps it."""
        (folder / FILE).write_bytes(_SHARE.pack(percent).ljust(_SIZE, b"\0"))

    @property
    def percent(self) -> float:
        """The canary's share, 0 to 100."""
        return self._share[0]

    @percent.setter
    def percent(self, percent: float) -> None:
        self._share[0] = percent

    @property
    def ready(self) -> bool:
        """Whether a process has been ready."""
        return self._memory[_READY_AT] == 1

    def set_ready(self) -> None:
        self._memory[_READY_AT] = 1

    @property
    def stopping(self) -> bool:
        """Whether the whole server stops, not one process of it alone."""
        return self._memory[_STOPPING_AT] == 1

    def set_stopping(self) -> None:
        self._memory[_STOPPING_AT] = 1
