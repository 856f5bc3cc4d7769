"""The model of CloudWatch on the cases of AWS's own pages; each table is named after the page it stands on."""

from __future__ import annotations

import pytest

from tests.components.aws.cloudwatch_model import ModelError, Reading, Samples, composite, math, state

GAP = None


def points(text: str) -> list[bool | None]:
    """`0 - X` as AWS's tables write points: fine, missing, breaching."""
    return [{"0": False, "X": True, "-": None}[one] for one in text.split()]


# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
@pytest.mark.parametrize(
    ("retrieved", "needed", "breaching", "not_breaching"),
    [
        ("0 - X - X", 3, "OK", "OK"),
        ("0 - - - -", 3, "OK", "OK"),
        ("- - - - -", 3, "ALARM", "OK"),
        ("0 X X - X", 3, "ALARM", "ALARM"),
        ("- - - - X", 3, "ALARM", "OK"),
        ("X - - - -", 3, "ALARM", "OK"),
        ("0 - X - X", 2, "ALARM", "ALARM"),
        ("0 0 X 0 X", 2, "ALARM", "ALARM"),
        ("0 - X - -", 2, "ALARM", "OK"),
        ("- - - - 0", 2, "ALARM", "OK"),
        ("- - - - X", 2, "ALARM", "OK"),
    ],
)
def test_missing_data(retrieved: str, needed: int, breaching: str, not_breaching: str) -> None:
    assert state(points(retrieved), 3, needed, "breaching") == breaching
    assert state(points(retrieved), 3, needed, "notBreaching") == not_breaching


# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
METRICS = {"metric1": [30.0, 20.0, 0.0, 0.0], "metric2": [20.0, GAP, 20.0, GAP]}
CONDITION = {
    "metric1": [1.0, 1.0, 0.0, 0.0, GAP],
    "metric2": [30.0, GAP, 0.0, 0.0, 30.0],
    "metric3": [0.0, 0.0, 20.0, GAP, 20.0],
}


@pytest.mark.parametrize("gap_is_zero", [False, True])
@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("metric1 < metric2", [0, 0, 1, 0]),
        ("metric1 >= 30", [1, 0, 0, 0]),
        ("metric1 > 15 AND metric2 > 15", [1, 0, 0, 0]),
        ("metric1 + metric2", [50, 20, 20, 0]),
        # "attempt to divide by zero, the data point is dropped"
        ("metric2 / metric1", [20 / 30, 0, GAP, GAP]),
        ("FILL(metric2, 10)", [20, 10, 20, 10]),
        ("MIN([metric1, FILL(metric2, 5)])", [20, 5, 0, 0]),
        ("MAX(metric1) / 3 + metric1", [40, 30, 10, 10]),
        ("metric1 / PERIOD(metric1)", [0.5, 20 / 60, 0, 0]),
        ("-metric1 * 2 ^ 2", [-120, -80, 0, 0]),
    ],
)
def test_metric_math(expression: str, values: list[float | None], *, gap_is_zero: bool) -> None:
    assert math(expression, METRICS, reading=Reading(gap_is_zero=gap_is_zero)) == values


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("IF(metric1, metric2, metric3)", [30, 0, 20, GAP, GAP]),
        ("IF(metric1, 5, metric3)", [5, 5, 20, GAP, GAP]),
        ("IF(metric1, metric2, 5)", [30, 0, 5, 5, GAP]),
        ("IF(metric2 < 10, 10, 2)", [2, GAP, 10, 10, 2]),
        ("IF(metric1, metric3)", [0, 0, GAP, GAP, GAP]),
    ],
)
def test_if(expression: str, values: list[float | None]) -> None:
    assert math(expression, CONDITION) == values


# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
@pytest.mark.parametrize(
    ("stat", "value"),
    [("Sum", 5_400), ("Average", 675), ("Minimum", 100), ("Maximum", 2_000), ("PR(:300)", 62.5),
     ("PR(100:2000)", 75), ("PR(300:)", 37.5)],
)  # fmt: skip
def test_statistics(stat: str, value: float) -> None:
    samples = Samples()
    samples.send("N", "M", {"D": "d"}, [{100.0: 2, 200.0: 1}, {300.0: 2, 400.0: 1}, {2_000.0: 2}, {}])
    assert samples.statistic(("N", "M", (("D", "d"),)), stat, 0, 4) == pytest.approx(value)
    assert samples.statistic(("N", "M", (("D", "d"),)), stat, 3, 4) is None


# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ('ALARM("CPU AND disk") AND ALARM("reads")', True),
        ('ALARM("CPU AND disk") AND NOT ALARM("deployment")', True),
        ('(ALARM("deployment") OR ALARM("reads")) AND OK("deployment")', True),
        ('OK("reads")', False),
        ("TRUE AND FALSE", False),
    ],
)
def test_composite_rules(rule: str, *, holds: bool) -> None:
    assert composite(rule, {"CPU AND disk": "ALARM", "reads": "ALARM", "deployment": "OK"}) is holds


def test_what_the_model_does_not_know_is_an_error() -> None:
    for expression in ("ANOMALY_DETECTION_BAND(metric1)", "metric9 + 1", "metric1 +"):
        with pytest.raises(ModelError):
            math(expression, METRICS)
    with pytest.raises(ModelError, match="no alarm"):
        composite('ALARM("other")', {})
    with pytest.raises(ModelError):
        state([True], 1, 1, "ignore")
