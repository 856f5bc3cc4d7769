"""What a rehearsal found: a table on the terminal, the same in Markdown, and data for a program."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

Verdict = Literal["passed", "failed", "not defined"]
_SIGN = {"passed": "✓", "failed": "✗", "not defined": "–"}
_STYLE = {"passed": "green", "failed": "red", "not defined": "yellow"}


@dataclass(frozen=True)
class StepReport:
    """One step of the life.

    expected: in words. happened: what the engine did. problems: why it failed. steps: (op, URN) that were done.
    """

    name: str
    expected: str
    happened: str
    verdict: Verdict
    problems: tuple[str, ...] = ()
    seconds: float = 0.0
    steps: tuple[tuple[str, str], ...] = ()


@dataclass
class Report:
    """The whole rehearsal. notes: what it does not prove, and what the stand-in did not know."""

    program: str
    stack: str
    engine: str
    steps: list[StepReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """No step failed. Kinds of change that the program does not define are no failure; they are listed."""
        return bool(self.steps) and all(step.verdict != "failed" for step in self.steps)

    @property
    def seconds(self) -> float:
        """Time of all steps."""
        return sum(step.seconds for step in self.steps)

    def show(self, console: Console) -> None:
        """Print the table."""
        table = Table(title=f"Rehearsal of {self.program} ({self.stack}) on the {self.engine}", title_justify="left")
        for heading in ("", "step", "expected", "happened", "s"):
            table.add_column(heading, justify="right" if heading == "s" else "left", overflow="fold")
        for step in self.steps:
            told = step.happened + "".join(f"\n[red]{_plain(problem)}[/red]" for problem in step.problems)
            style = _STYLE[step.verdict]
            sign = f"[{style}]{_SIGN[step.verdict]}[/{style}]"
            table.add_row(sign, step.name, step.expected, told, f"{step.seconds:.1f}")
        console.print(table)
        for note in self.notes:
            console.print(f"note: {note}", style="dim", markup=False)

    def markdown(self) -> str:
        """The same for a pull request or a file."""
        lines = [f"# Rehearsal of {self.program} ({self.stack})", "", f"Engine: {self.engine}. ", ""]
        lines[2] = f"Engine: {self.engine}. {'Passed' if self.passed else 'Failed'} in {self.seconds:.0f} s."
        lines += ["| | step | expected | happened |", "|---|---|---|---|"]
        for step in self.steps:
            told = "<br>".join([step.happened, *(f"**{problem}**" for problem in step.problems)])
            lines.append(f"| {_SIGN[step.verdict]} | {step.name} | {step.expected} | {_cell(told)} |")
        if self.notes:
            lines += ["", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines) + "\n"

    def data(self) -> dict[str, Any]:
        """The report as plain values."""
        return {
            "program": self.program,
            "stack": self.stack,
            "engine": self.engine,
            "passed": self.passed,
            "steps": [
                {
                    "name": step.name,
                    "verdict": step.verdict,
                    "problems": list(step.problems),
                    "steps": [list(one) for one in step.steps],
                }
                for step in self.steps
            ],
            "notes": self.notes,
        }


def some(things: Iterable[str], limit: int = 5) -> str:
    """The first few of a list, and how many more."""
    listed = list(things)
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more


def _plain(text: str) -> str:
    return text.replace("[", "\\[")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "<br>")
