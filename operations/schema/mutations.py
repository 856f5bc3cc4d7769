"""How many mistakes the checks catch: every operator at every place of a recording, counted.

``python -m operations.schema.mutations FOLDER STACK`` prints the table for a program.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from operations.schema import references
from operations.schema.check import check, resource
from operations.schema.findings import Recording, shown
from operations.schema.operators import Mutant, mutants
from operations.schema.recorder import of_program


@dataclass
class Score:
    """What was caught, by operator. missed: the mutants that nothing was found in."""

    caught: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    tried: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    missed: list[Mutant] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Share that was caught, 0 to 1."""
        tried = sum(self.tried.values())
        return sum(self.caught.values()) / tried if tried else 0.0

    @property
    def by_operator(self) -> float:
        """Mean of the operators' rates: the many easy places of one operator do not make up for another."""
        rates = [self.caught[operator] / tried for operator, tried in self.tried.items()]
        return sum(rates) / len(rates) if rates else 0.0


def score(recording: Recording) -> Score:
    """The catch rate over a recording that is right.

    Raises ValueError where it is not: then a finding would not tell that the mistake was seen.
    """
    before = check(recording)
    if not before.clean:
        raise ValueError(f"the recording itself is not right: {[*before.problems, *before.findings][0]}")
    there = references.index(recording)
    result = Score()
    for mutant in mutants(recording):
        result.tried[mutant.operator] += 1
        found = bool(resource(mutant.record)) or any(references.dangling(mutant.record, there))
        if found:
            result.caught[mutant.operator] += 1
        else:
            result.missed.append(mutant)
    return result


def table(scores: Iterable[tuple[str, Score]]) -> list[str]:
    """Rows of Markdown: cloud, operator, caught of tried."""
    lines = ["| cloud | operator | caught | of | rate |", "|---|---|---:|---:|---:|"]
    for cloud, one in scores:
        for operator, tried in sorted(one.tried.items()):
            lines.append(
                f"| {cloud} | {operator} | {one.caught[operator]} | {tried} | {one.caught[operator] / tried:.0%} |"
            )
        caught, tried = sum(one.caught.values()), sum(one.tried.values())
        lines.append(f"| **{cloud}** | **all** | **{caught}** | **{tried}** | **{one.rate:.1%}** |")
        lines.append(f"| **{cloud}** | **mean of the operators** | | | **{one.by_operator:.1%}** |")
    return lines


def misses(scores: Iterable[tuple[str, Score]]) -> list[str]:
    """What was not caught, by cloud and operator: places without their position in lists, with the wrong value."""
    lines: list[str] = []
    for cloud, one in scores:
        grouped: dict[str, set[str]] = defaultdict(set)
        for mutant in one.missed:
            kind = mutant.record.token.split(":")[-1]
            grouped[mutant.operator].add(f"`{kind}.{mutant.path}` = `{shown(mutant.now, 30)}`")
        for operator, places in sorted(grouped.items()):
            lines.append(f"- {cloud}, {operator}: {', '.join(sorted(places))}")
    return lines


def main(
    folder: Annotated[Path, typer.Argument(help="Folder of the Pulumi program.")],
    stack: Annotated[str, typer.Argument(help="Its stack.")],
) -> None:
    """Print how many mistakes in a program's inputs the schema checks catch."""
    scores = [(folder.name, score(of_program(folder, stack)))]
    typer.echo("\n".join([*table(scores), "", *misses(scores)]))


if __name__ == "__main__":
    typer.run(main)
