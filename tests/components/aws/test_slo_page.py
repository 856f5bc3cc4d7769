"""`docs/slo.md`: its table is what the alarms do now, and its expressions are the generated ones."""

from __future__ import annotations

import re
from pathlib import Path

from spec import slo
from spec.slo import BURN_RULES, DAY, HOUR, MINUTE
from tests.components.aws.slo_table import BEGIN, END, table
from tests.components.aws.test_alarms import made, recorded, variants


def page(root: Path) -> str:
    return (root / "docs/slo.md").read_text()


def test_the_table_is_what_the_model_gives(root: Path) -> None:
    written = page(root).partition(BEGIN)[2].partition(END)[0].strip()
    assert written == table(), "run python -m tests.components.aws.slo_table, and put what it prints on the page"


def test_the_expressions_are_the_generated_ones(root: Path) -> None:
    alarms, _ = made(recorded(variants(1)))
    for name in ("AvailabilityBurnPage1h-60m", "LatencyBurnPage1h-60m"):
        queries = alarms[f"digits-prod-{name}"]["metricQueries"]
        for query in queries:
            text = query.get("expression") or query["metric"]["stat"]
            if query["id"] in {"requests", "bad", "l0"}:
                assert f"`{text}`" in page(root)


def test_the_rules_are_the_references(root: Path) -> None:
    rows = re.findall(r"^\| (page|ticket) \| ([\d.]+) \| (.+?) \| (.+?) \| (\d+) % \|$", page(root), re.MULTILINE)
    units = {"min": MINUTE, "h": HOUR, "days": DAY}

    def seconds(text: str) -> int:
        number, unit = text.split()
        return int(number) * units[unit]

    assert [(row[0], float(row[1]), seconds(row[2]), seconds(row[3]), int(row[4])) for row in rows] == [
        (rule.severity, rule.factor, rule.long_seconds, rule.short_seconds, round(100 * rule.budget_share(30 * DAY)))
        for rule in BURN_RULES
    ]


def test_the_example_is_right() -> None:
    rate = slo.burn_rate(200, 10_000, 0.001)
    assert rate is not None
    assert round(rate, 9) == 20
    assert round(slo.seconds_to_exhaustion(rate, 30 * DAY) / HOUR, 9) == 36
