"""Progress of long work, shown with rich on stderr, so that stdout stays for results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Steps(Protocol):
    """What long work reports to."""

    def step(self, text: str, total: float | None = None) -> None:
        """A new step begins; the one before it is done. total: its size, where it is known."""
        ...

    def advance(self, amount: float = 1) -> None:
        """So much more of the step is done."""
        ...


class Silent:
    """Shows nothing."""

    def step(self, text: str, total: float | None = None) -> None: ...
    def advance(self, amount: float = 1) -> None: ...


class _Lines:
    """One line a step: for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def step(self, text: str, total: float | None = None) -> None:  # noqa: ARG002 # a log has no bars
        self._console.print(f"  {text} …", markup=False)

    def advance(self, amount: float = 1) -> None: ...


class _Bars:
    """One bar a step: for a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def step(self, text: str, total: float | None = None) -> None:
        self.finish()
        self._task = self._progress.add_task(text, total=total)

    def advance(self, amount: float = 1) -> None:
        if self._task is not None:
            self._progress.advance(self._task, amount)

    def finish(self) -> None:
        if self._task is not None:
            self._progress.update(self._task, total=1, completed=1)
        self._task = None


@contextmanager
def shown() -> Iterator[Steps]:
    """Steps on stderr: bars on a terminal, one line a step elsewhere."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _Lines(console)
        return
    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bars = _Bars(progress)
        yield bars
        bars.finish()
