"""The table in `docs/slo.md`: when each page fires and clears, by the reference and by the model of CloudWatch.

`python -m tests.components.aws.slo_table` prints it; a test holds the page to it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise

from spec.alarms import Alarm
from tests.components.aws.cloudwatch_model import Reading
from tests.components.aws.test_alarms import PAGES, Made, firing, made, recorded, reference, sent, variants
from tests.spec.scenarios import SCENARIOS, counters

BEGIN, END = "<!-- written by python -m tests.components.aws.slo_table -->", "<!-- until here -->"


def table(alarms: Made | None = None) -> str:
    """The rows in Markdown. alarms: those of a service with one slot."""
    alarms = alarms or made(recorded(variants(1)))
    lines = [
        "| traffic | alarm | fires, by the reference | clears | fires on CloudWatch | clears |",
        "|---|---|---|---|---|---|",
    ]
    for name, phases in SCENARIOS.items():
        rows = counters(phases)
        samples = sent(rows, (1.0,))
        before = len(lines)
        for alarm in PAGES:
            expected = reference(alarm, rows, range(len(rows)))
            if any(expected):
                found = [firing(alarm, alarms, samples, now, Reading()) for now in range(len(rows))]
                lines.append(f"| {name} | {alarm.name} | {_when(alarm, expected)} | {_when(alarm, found)} |")
        if len(lines) == before:
            lines.append(f"| {name} | none | – | – | – | – |")
    return "\n".join(lines)


def _when(alarm: Alarm, states: Sequence[bool]) -> str:
    """First minute in alarm and first one after it: `minute 121 | minute 136`."""
    changes = [now for now, (before, after) in enumerate(pairwise(states), start=1) if before != after]
    assert len(changes) <= 2, f"{alarm.name} comes and goes: {changes}"
    return " | ".join([*(f"minute {change}" for change in changes), *["not yet"] * (2 - len(changes))])


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
