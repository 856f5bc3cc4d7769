"""The alarms as they are asked for, run by a model of CloudWatch and held against the pure reference.

The inputs that the resources were registered with are run, not the Python objects they came from. Shows that they say
what is meant, as far as the model is CloudWatch (its own tests are the cases of AWS's pages); on AWS nothing ran.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.aws import sagemaker
from components.aws.monitoring import Alarms, AlarmsArgs
from spec import slo
from spec.alarms import STANDING, Alarm, burn_alarms
from spec.fields import Slo
from spec.metrics import TargetMetrics, names_needed, target_metrics
from spec.slo import Sample
from spec.targets import Target
from tests.components.aws.cloudwatch_model import Minute, Reading, Samples, composite, evaluate
from tests.components.recording import Recording, record
from tests.spec.scenarios import SCENARIOS, counters

SLO = Slo(availability_percent=99.9, latency_ms=250, latency_percentile=99)
TOPIC = "arn:aws:sns:eu-central-1:123456789012:topic"
PAGES = [alarm for alarm in burn_alarms(SLO) if alarm.severity == "page"]
FAST, SLOW = 40_000.0, 900_000.0  # microseconds, as ModelLatency is
NAMESPACE = "AWS/SageMaker"
#: What AWS's pages leave open; the alarms have to be right whichever it is.
READINGS = [
    Reading(fills_nothing=fills, gap_is_zero=gap, more=more)
    for fills, gap, more in ((True, False, 2), (False, False, 2), (True, True, 0), (False, True, 5))
]


def recorded(slots: Sequence[TargetMetrics], objective: Slo | None = SLO) -> Recording:
    return record(lambda: Alarms("digits", AlarmsArgs("digits-prod", slots, objective, TOPIC)))


def variants(count: int) -> list[TargetMetrics]:
    return [sagemaker.metrics("digits-prod", slot) for slot in (sagemaker.PRIMARY, sagemaker.CANARY)[:count]]


#: One alarm's inputs by name, and each composite alarm's rule.
Made = tuple[dict[str, dict[str, Any]], dict[str, str]]


def made(recording: Recording) -> Made:
    metric = recording.of("aws:cloudwatch/metricAlarm:MetricAlarm")
    both = recording.of("aws:cloudwatch/compositeAlarm:CompositeAlarm")
    return (
        {one.inputs["name"]: one.inputs for one in metric},
        {one.inputs["alarmName"]: one.inputs["alarmRule"] for one in both},
    )


@pytest.fixture(scope="module")
def alarms() -> dict[int, Made]:
    """Of a service without and with a canary."""
    return {count: made(recorded(variants(count))) for count in (1, 2)}


def firing(alarm: Alarm, alarms: Made, samples: Samples, now: int, reading: Reading) -> bool:
    metric, both = alarms
    rule = both[f"digits-prod-{alarm.name}"]
    named = {name: inputs for name, inputs in metric.items() if f'"{name}"' in rule}
    assert len(named) == 2
    return composite(rule, {name: evaluate(inputs, samples, now, reading) for name, inputs in named.items()})


Row = tuple[int, int, int]


def sent(rows: Sequence[Row], shares: Sequence[float]) -> Samples:
    """Samples of an endpoint whose variants take those shares of what came each minute. rows: counted since 0.

    As SageMaker does, a variant sends nothing in a minute without requests.
    """
    each = [tuple(b - a for a, b in zip(one, other, strict=True)) for one, other in pairwise(rows)]
    samples = Samples()
    for slot, share in zip((sagemaker.PRIMARY, sagemaker.CANARY), shares, strict=False):
        dimensions = {"EndpointName": "digits-prod", "VariantName": slot}
        minutes: dict[str, list[Minute]] = {"Invocations": [], "Invocation5XXErrors": [], "ModelLatency": []}
        for total, errors, slow in each:
            some = total * share > 0
            minutes["Invocations"].append({1.0: total * share} if some else {})
            minutes["Invocation5XXErrors"].append({1.0: errors * share, 0.0: (total - errors) * share} if some else {})
            minutes["ModelLatency"].append({SLOW: slow * share, FAST: (total - slow) * share} if some else {})
        for name, values in minutes.items():
            samples.send(NAMESPACE, name, dimensions, values)
    return samples


def reference(alarm: Alarm, rows: Sequence[Row], times: Sequence[int], scale: float = 1) -> list[bool]:
    """Whether the alarm has to fire, after each of those numbers of minutes. scale: of the burn rate that fires it."""
    objective = alarm.objective
    assert objective is not None
    assert alarm.rule is not None
    rule = replace(alarm.rule, factor=scale * alarm.rule.factor)
    bad = 1 if objective.indicator == "availability" else 2
    samples = [Sample(60 * minute, row[bad], row[0]) for minute, row in enumerate(rows)]
    return [slo.fires(samples, 60 * now, rule, objective) for now in times]


#: Shares of the slots: alone; a canary with a tenth; a canary that gets no request at all.
SLOTS = {"one slot": (1.0,), "canary": (0.9, 0.1), "canary without requests": (1.0, 0.0)}


@pytest.mark.proof("Amazon CloudWatch", level="model")
@pytest.mark.parametrize("slots", SLOTS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_alarms_fire_and_clear_when_the_reference_says(name: str, slots: str, alarms: dict[int, Made]) -> None:
    rows, shares = counters(SCENARIOS[name]), SLOTS[slots]
    samples = sent(rows, shares)
    readings = READINGS if slots == "canary without requests" or "traffic" in name else READINGS[:1]
    for alarm in PAGES:
        expected = reference(alarm, rows, range(len(rows)))
        changes = [now for now in range(1, len(rows)) if expected[now] != expected[now - 1]]
        # Within one evaluation period of a change either state is right; a change is the first minute of a new state.
        near = {now + by for now in changes for by in (-2, -1, 1, 2)} | set(range(0, len(rows), 20))
        for now in sorted((near - set(changes)) & set(range(len(rows)))):
            for reading in readings:
                state = firing(alarm, alarms[len(shares)], samples, now, reading)
                assert state == expected[now], f"{alarm.name} after {now} minutes, {reading}"


def test_the_scenarios_fire_the_pages_they_are_named_after() -> None:
    fired = {
        name: {alarm.name for alarm in PAGES if any(reference(alarm, counters(phases), range(0, 600, 2)))}
        for name, phases in SCENARIOS.items()
    }
    every = {alarm.name for alarm in PAGES}
    assert fired["fast burn"] == fired["recovering"] == fired["outage ends with the traffic"] == every
    assert fired["clean"] == fired["slow burn"] == fired["no traffic"] == set()
    assert fired["spike"] == {"AvailabilityBurnPage1h", "AvailabilityBurnPage6h"}


minutes = st.tuples(st.integers(1, 200), st.integers(0, 5_000), st.floats(0, 1), st.floats(0, 1))


@settings(max_examples=60, deadline=None)
@given(
    phases=st.lists(minutes, min_size=1, max_size=6),
    back=st.integers(0, 200),
    shares=st.sampled_from(sorted(SLOTS.values())),
    alarm=st.sampled_from(PAGES),
    reading=st.sampled_from(READINGS),
)
def test_any_traffic(
    phases: list[tuple[int, int, float, float]],
    back: int,
    shares: tuple[float, ...],
    alarm: Alarm,
    reading: Reading,
    alarms: dict[int, Made],
) -> None:
    rows = counters(tuple(phases))
    now = max(1, len(rows) - 1 - back)
    times = [then for then in (now - 1, now, now + 1) if then < len(rows)]
    # Within an evaluation period of a change either state is right, and so it is on the line, where rounding decides.
    states = {one for scale in (1 - 1e-9, 1 + 1e-9) for one in reference(alarm, rows, times, scale)}
    if len(states) == 1:
        assert firing(alarm, alarms[len(shares)], sent(rows, shares), now, reading) in states


def test_after_the_last_request_an_alarm_clears_with_its_short_window(alarms: dict[int, Made]) -> None:
    # Gaps in the result would leave CloudWatch looking at the newest windows there are, which are hours old.
    rows = counters(((60, 6000, 1.0, 1.0), (600, 0, 0.0, 0.0)))
    samples = sent(rows, (1.0,))
    for reading in READINGS:
        assert firing(PAGES[0], alarms[1], samples, 62, reading)
        assert not firing(PAGES[0], alarms[1], samples, 66, reading)


def test_a_late_minute_delays_and_does_no_more(alarms: dict[int, Made]) -> None:
    rows = counters(((120, 6000, 0.0, 0.0), (30, 6000, 1.0, 1.0), (60, 6000, 0.0, 0.0)))
    samples = sent(rows, (0.9, 0.1))
    samples.late = 2
    for alarm in PAGES:
        assert alarm.rule is not None
        assert firing(alarm, alarms[2], samples, 149, Reading())
        assert not firing(alarm, alarms[2], samples, 155 + alarm.rule.short_seconds // 60, Reading())


# Alarms that are no burn rate


def metrics_of(target: Target, slot: int = 0) -> TargetMetrics:
    return target_metrics("aws", target, {name: f"{name}-{slot}" for name in names_needed("aws", target)})


def standing(name: str) -> Alarm:
    (alarm,) = (alarm for alarm in STANDING if alarm.name == name)
    return alarm


def one_alarm(name: str, slots: Sequence[TargetMetrics], signal: Any) -> tuple[dict[str, Any], list[Any]]:
    alarms, _ = made(recorded(slots, None))
    return alarms[f"digits-prod-{name}"], [metric for target in slots for metric in target.metrics(signal)]


@pytest.mark.parametrize("late", [0, 1])
def test_throttled_after_five_minutes(late: int) -> None:
    alarm, metrics = one_alarm("Throttled", [metrics_of("lambda")], "throttles")
    refused: list[Minute] = [{1.0: 3.0} if 20 <= minute < 30 else {0.0: 5.0} for minute in range(50)]
    samples = Samples(late=late)
    samples.send(metrics[0].namespace, metrics[0].name, metrics[0].dimensions, refused)
    states = [evaluate(alarm, samples, now) for now in range(50)]
    assert states.index("ALARM") == 25 + late
    assert set(states[26:31]) == {"ALARM"}
    assert set(states[33:]) == {"OK"}
    assert evaluate(alarm, Samples(), 10) == "OK"


@pytest.mark.parametrize("slots", [1, 2])
def test_unhealthy_when_a_slot_has_nothing_that_answers(slots: int) -> None:
    targets = [metrics_of("ecs", slot) for slot in range(slots)]
    alarm, metrics = one_alarm("Unhealthy", targets, "healthy")
    samples = Samples(late=1)
    for metric in metrics[:-1]:
        samples.send(metric.namespace, metric.name, metric.dimensions, [{2.0: 1.0}] * 30)
    last = metrics[-1]
    samples.send(last.namespace, last.name, last.dimensions, [{2.0: 1.0}] * 10 + [{0.0: 1.0}] * 5 + [{1.0: 1.0}] * 15)
    # The newest minute is late: that alone is no reason to wake somebody.
    assert [evaluate(alarm, samples, now) for now in (9, 12, 15, 18)] == ["OK", "ALARM", "ALARM", "OK"]
    assert evaluate(alarm, Samples(), 10) == "ALARM"


def test_a_certificate_near_its_end() -> None:
    alarm, (metric,) = one_alarm("CertificateExpiry", [metrics_of("ecs")], "certificate")
    samples = Samples()
    days: list[Minute] = []
    for left in (22.5, 22.0, 21.5, 21.0, 20.5, 20.0):  # twice a day
        days += [{left: 1.0}, *({} for _ in range(719))]
    samples.send(metric.namespace, metric.name, metric.dimensions, days)
    assert [evaluate(alarm, samples, now * 720) for now in range(1, 7)] == ["OK"] * 4 + ["ALARM"] * 2
    assert evaluate(alarm, Samples(), 1440) == "OK"


def test_an_alarm_without_math_is_named_and_stops_nothing() -> None:
    found = record(lambda: Alarms("digits", AlarmsArgs("digits-prod", [metrics_of("lambda")], SLO, TOPIC))).returned
    assert "nobody wrote its math" in found.missing["Saturated"]
    assert "a day at most" in found.missing["AvailabilityBurnTicket3d"]
    assert [alarm.name for alarm in found.made] == [*(alarm.name for alarm in PAGES), "Throttled"]
