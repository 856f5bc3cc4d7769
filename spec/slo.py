"""Service level objectives as arithmetic: what is good, how much may be bad, how fast it is used up.

After "Alerting on SLOs" of Google's Site Reliability Workbook (https://sre.google/workbook/alerting-on-slos/): an alarm
fires when the error budget burns several times faster than the objective allows, over a long window (so that it
matters) and over a short one as well (so that it clears soon after the end). Pure functions; every unit is in a name.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from spec.fields import Slo

Severity = Literal["page", "ticket"]
Indicator = Literal["availability", "latency"]

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR

#: Milliseconds in the unit that a vendor gives latency in.
UNITS_PER_MILLISECOND = {"microseconds": 1000.0, "milliseconds": 1.0, "seconds": 0.001}


@dataclass(frozen=True)
class Objective:
    """One promise about all requests of the service.

    Total is every prediction request that the server answered. Bad is, for `availability`, each of them that got a 5xx,
    or a 429: the server has no limit per client, so it answers that only when it is full. Any other 4xx is the client's
    doing. For `latency`, good is each that was answered within `threshold_seconds`, whatever its status.

    ratio: least share of good requests, 0–1. window_seconds: time over which it holds.
    """

    indicator: Indicator
    ratio: float
    window_seconds: int
    threshold_seconds: float | None = None

    @property
    def budget(self) -> float:
        """Share of requests that may be bad, 0–1."""
        return round(1.0 - self.ratio, 12)


@dataclass(frozen=True)
class BurnRule:
    """Fires while the budget burns at least `factor` times as fast as allowed, over both windows."""

    severity: Severity
    factor: float
    long_seconds: int
    short_seconds: int

    def budget_share(self, window_seconds: int) -> float:
        """Share of the whole budget that is gone when a steady burn at `factor` has lasted the long window."""
        return self.factor * self.long_seconds / window_seconds


#: Every cloud can look back this far. Over 30 days: 2 % of the budget in an hour, 5 % in six hours.
PAGE_RULES = (
    BurnRule("page", 14.4, 1 * HOUR, 5 * MINUTE),
    BurnRule("page", 6.0, 6 * HOUR, 30 * MINUTE),
)
#: Three days are more than some clouds' alarms look back. Over 30 days: 10 % of the budget.
TICKET_RULES = (BurnRule("ticket", 1.0, 3 * DAY, 6 * HOUR),)
BURN_RULES = (*PAGE_RULES, *TICKET_RULES)


def objectives(slo: Slo) -> tuple[Objective, ...]:
    """The promises of a service: availability always, latency where `latency_ms` is set."""
    window = slo.window_days * DAY
    found = [Objective("availability", _ratio(slo.availability_percent), window)]
    if slo.latency_ms is not None:
        found.append(Objective("latency", _ratio(slo.latency_percentile), window, slo.latency_ms / 1000))
    return tuple(found)


def _ratio(percent: float) -> float:
    # Rounded so that 99.9 % is 0.999 and not 0.9990000000000001: these figures are printed into rules.
    return round(percent / 100, 12)


def latency_in(milliseconds: float, unit: str) -> float:
    """A latency in a vendor's unit. Raises KeyError for an unknown unit."""
    return milliseconds * UNITS_PER_MILLISECOND[unit]


def bad_ratio(bad: float, total: float) -> float | None:
    """Share of bad requests, 0–1; None where there were none at all: no traffic is neither good nor bad."""
    return bad / total if total > 0 else None


def burn_rate(bad: float, total: float, budget: float) -> float | None:
    """How many times faster than allowed the budget burns; 1 uses up exactly the budget in the objective's window."""
    ratio = bad_ratio(bad, total)
    return None if ratio is None else ratio / budget


def budget_left(bad: float, total: float, budget: float) -> float:
    """Share of the budget that is left after the objective's window; below 0 when the objective is missed."""
    rate = burn_rate(bad, total, budget)
    return 1.0 if rate is None else 1.0 - rate


def seconds_to_exhaustion(rate: float, window_seconds: int) -> float:
    """Time in which a whole budget is gone at a steady burn rate."""
    return window_seconds / rate if rate > 0 else float("inf")


@dataclass(frozen=True)
class Sample:
    """Counters at a point in time, both since the same start. seconds: since any epoch."""

    seconds: float
    bad: float
    total: float


def increase(samples: Sequence[Sample], now: float, window_seconds: float) -> tuple[float, float]:
    """Bad and total requests in the window that ends now, from samples in the order of time.

    What lies between samples is not guessed: the window counts from its first sample to its last.
    """
    first = bisect_left(samples, now - window_seconds, key=_seconds)
    last = bisect_right(samples, now, key=_seconds) - 1
    if last <= first:
        return 0.0, 0.0
    return samples[last].bad - samples[first].bad, samples[last].total - samples[first].total


def _seconds(sample: Sample) -> float:
    return sample.seconds


def fires(samples: Sequence[Sample], now: float, rule: BurnRule, objective: Objective) -> bool:
    """Whether the rule fires now. This is the reference that every generated alarm is held against."""
    rates = [
        burn_rate(*increase(samples, now, window), objective.budget)
        for window in (rule.long_seconds, rule.short_seconds)
    ]
    return all(rate is not None and rate > rule.factor for rate in rates)
