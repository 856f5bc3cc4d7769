"""The arithmetic of objectives, held against the workbook's own figures and against its definitions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spec import slo
from spec.fields import LOWEST_OBJECTIVE, Slo
from spec.slo import BURN_RULES, DAY, HOUR, MINUTE, PAGE_RULES, TICKET_RULES, BurnRule, Objective, Sample

MONTH = 30 * DAY
THREE_NINES = Objective("availability", 0.999, MONTH)


def test_the_rules_are_the_workbooks() -> None:
    # Table 5-8 of the workbook: 2 % of a 30 days' budget in 1 h, 5 % in 6 h, 10 % in 3 days.
    shares = {rule.long_seconds: rule.budget_share(MONTH) for rule in BURN_RULES}
    assert shares == pytest.approx({HOUR: 0.02, 6 * HOUR: 0.05, 3 * DAY: 0.10})
    assert all(rule.short_seconds * 12 == rule.long_seconds for rule in BURN_RULES)
    assert [rule.severity for rule in BURN_RULES] == ["page", "page", "ticket"]


def test_objectives_of_a_service() -> None:
    availability, latency = slo.objectives(Slo(availability_percent=99.9, latency_ms=250, window_days=28))
    assert availability == Objective("availability", 0.999, 28 * DAY)
    assert availability.budget == 0.001
    assert latency == Objective("latency", 0.99, 28 * DAY, 0.25)
    assert latency.budget == 0.01
    assert slo.objectives(Slo(availability_percent=99.5)) == (Objective("availability", 0.995, MONTH),)


@pytest.mark.parametrize(("unit", "value"), [("microseconds", 250_000), ("milliseconds", 250), ("seconds", 0.25)])
def test_latency_in_the_units_of_vendors(unit: str, value: float) -> None:
    assert slo.latency_in(250, unit) == pytest.approx(value)


def test_figures_worked_out_by_hand() -> None:
    # 1440 errors in 100 000 requests are 1.44 %, 14.4 times the 0.1 % that three nines allow.
    assert slo.burn_rate(1440, 100_000, THREE_NINES.budget) == pytest.approx(14.4)
    # At that rate a month's budget lasts 50 hours.
    assert slo.seconds_to_exhaustion(14.4, MONTH) == pytest.approx(50 * HOUR)
    assert slo.budget_left(50, 100_000, THREE_NINES.budget) == pytest.approx(0.5)
    assert slo.budget_left(150, 100_000, THREE_NINES.budget) == pytest.approx(-0.5)


def test_no_traffic_is_neither_good_nor_bad() -> None:
    assert slo.bad_ratio(0, 0) is None
    assert slo.burn_rate(0, 0, 0.001) is None
    assert slo.budget_left(0, 0, 0.001) == 1.0
    quiet = [Sample(t, 5, 100) for t in range(0, 2 * HOUR, MINUTE)]
    assert not any(slo.fires(quiet, 2 * HOUR, rule, THREE_NINES) for rule in BURN_RULES)


requests = st.integers(min_value=1, max_value=10**9)
budgets = st.floats(min_value=1e-6, max_value=1 - LOWEST_OBJECTIVE / 100)


@given(requests, st.floats(0, 1), budgets)
def test_burning_and_what_is_left_are_two_sides_of_one_figure(total: int, share: float, budget: float) -> None:
    bad = share * total
    rate = slo.burn_rate(bad, total, budget)
    assert rate is not None
    assert rate >= 0
    assert slo.budget_left(bad, total, budget) == pytest.approx(1 - rate)
    assert (slo.budget_left(bad, total, budget) < 0) == (rate > 1)


@given(requests, st.floats(0, 1), st.floats(0, 1), budgets)
def test_more_errors_never_burn_slower(total: int, one: float, other: float, budget: float) -> None:
    low, high = sorted((one * total, other * total))
    slow, fast = slo.burn_rate(low, total, budget), slo.burn_rate(high, total, budget)
    assert slow is not None
    assert fast is not None
    assert slow <= fast


@given(st.floats(LOWEST_OBJECTIVE, 99.999), st.sampled_from(BURN_RULES))
def test_every_rule_can_fire_for_every_objective_that_may_be_asked_for(percent: float, rule: BurnRule) -> None:
    (objective,) = slo.objectives(Slo(availability_percent=percent))
    outage = [Sample(t, t, t) for t in range(0, rule.long_seconds + 1, rule.short_seconds // 5)]
    assert slo.fires(outage, rule.long_seconds, rule, objective)


def test_a_lower_objective_could_never_page() -> None:
    # Why 95 % is the lowest that may be asked for: at 93 % even a full outage burns at 14.3 only.
    outage = [Sample(t, t, t) for t in range(0, HOUR + 1, MINUTE)]
    assert not slo.fires(outage, HOUR, PAGE_RULES[0], Objective("availability", 0.93, MONTH))


def steady(error_share: float, *, until: int, step: int = MINUTE) -> list[Sample]:
    return [Sample(t, error_share * 10 * t, 10 * t) for t in range(0, until + 1, step)]


@pytest.mark.parametrize("rule", BURN_RULES)
@given(factor=st.floats(0.01, 30))
def test_a_steady_burn_fires_exactly_above_the_factor(rule: BurnRule, factor: float) -> None:
    if abs(factor - rule.factor) < 1e-6:
        return  # on the line, floating point decides
    samples = steady(factor * THREE_NINES.budget, until=rule.long_seconds, step=rule.short_seconds // 2)
    assert slo.fires(samples, rule.long_seconds, rule, THREE_NINES) == (factor > rule.factor)


def test_a_spike_is_gone_with_its_short_window() -> None:
    # Two minutes of full outage within an hour at 10 requests a second: 3.3 % of the hour's requests, burning at 33.
    samples, bad, total = [], 0.0, 0.0
    for t in range(0, 3 * HOUR, 15):
        samples.append(Sample(t, bad, total))
        total += 150
        bad += 150 if HOUR <= t < HOUR + 2 * MINUTE else 0
    rule = PAGE_RULES[0]
    firing = [s.seconds for s in samples if slo.fires(samples, s.seconds, rule, THREE_NINES)]
    assert HOUR < min(firing) <= HOUR + 2 * MINUTE
    assert max(firing) <= HOUR + 2 * MINUTE + rule.short_seconds + 15


def test_the_ticket_rule_is_silent_in_a_spike_and_speaks_in_a_slow_burn() -> None:
    (ticket,) = TICKET_RULES
    slow = steady(2 * THREE_NINES.budget, until=3 * DAY, step=HOUR)
    assert slo.fires(slow, 3 * DAY, ticket, THREE_NINES)
    assert not any(slo.fires(slow, 3 * DAY, rule, THREE_NINES) for rule in PAGE_RULES)
