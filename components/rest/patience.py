"""How long an operation on a cloud may take in all: one named limit for every wait in it.

Clouds answer at once and work on: an operation is a chain of calls with waits between them, for the operation's end,
for somebody else's, for what `Retry-After` asks. Limits on each of these add up to any length; a limit on all of them
is one that an error can name.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What is needed of a clock; the module `time` is one."""

    def monotonic(self) -> float:
        """Seconds since some moment."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Return after so many seconds."""
        ...


class TookTooLongError(RuntimeError):
    """An operation did not end within its limit; the text names both."""


class Patience:
    """What is left of an operation's time.

    name: of the limit, for the error. seconds: the limit, for calls and waits together, from now on. clock: the
    machine's, else another.
    """

    def __init__(self, name: str, seconds: float, *, clock: Clock | None = None) -> None:
        self.name = name
        self.seconds = seconds
        self._clock: Clock = clock or time
        self._until = self._clock.monotonic() + seconds

    def wait(self, seconds: float) -> None:
        """Wait. Raises TookTooLongError at once where the limit would be passed."""
        if self._clock.monotonic() + seconds > self._until:
            raise TookTooLongError(
                f"{self.name} did not end within {self.seconds:.0f} s, its limit here; the cloud may still be at it: "
                "look at the resource in the console, then run the command again"
            )
        self._clock.sleep(seconds)
