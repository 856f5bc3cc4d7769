"""The alarms of a service as CloudWatch's metric math, without Pulumi: what is queried, over which window, how high.

A burn-rate alarm needs two windows at once, and all queries of one CloudWatch alarm share a period, so each window is
an alarm of its own and a composite alarm joins the two. An alarm is evaluated every minute over the window that ends
then, as long as its range is at most a day
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html); so the three-day window of the
slow ticket pair cannot be had here.

Two habits of CloudWatch's shape the expressions. While a result has gaps, an alarm goes on looking at the newest points
that there are, which may be windows old; so a burn rate has a value without requests as well, 0. And what `FILL` makes
of a metric that never had a data point is not documented; so a filler is always what a missing point counts as anyway
in arithmetic, 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spec.alarms import CERTIFICATE_DAYS, Alarm
from spec.metrics import Metric, MetricsError, Signal, TargetMetrics
from spec.slo import DAY, MINUTE, BurnRule, Objective, latency_in

#: The longest window of an alarm that is evaluated every minute.
LONGEST_SECONDS = DAY


@dataclass(frozen=True)
class Query:
    """One series of an alarm or a panel: a metric, or an expression over the ids of others.

    statistic: as CloudWatch writes it, `Sum` or `PR(250000:)`. period: seconds. returned: whether it is the result.
    """

    id: str
    expression: str = ""
    metric: Metric | None = None
    statistic: str = ""
    period: int = 0
    returned: bool = False


@dataclass(frozen=True)
class MetricAlarm:
    """One alarm over metric math; it is in alarm while the result is above the threshold.

    suffix: what tells it from the others of the same service. periods: how many are looked at. breaching: how many of
    them have to be above. missing: what a period without data counts as, `notBreaching` or `breaching`.
    """

    suffix: str
    queries: tuple[Query, ...]
    threshold: float
    periods: int = 1
    breaching: int = 1
    missing: str = "notBreaching"


def windows(rule: BurnRule) -> tuple[int, int] | None:
    """Long and short window of a rule in seconds; None where CloudWatch cannot look back that far."""
    if rule.long_seconds > LONGEST_SECONDS:
        return None
    return rule.long_seconds, rule.short_seconds


def burn_alarm(alarm: Alarm, metrics: Sequence[TargetMetrics], seconds: int) -> MetricAlarm:
    """The alarm of one window of a burn rule. metrics: of each slot of the service; their requests are added up.

    Its result is the burn rate: how many times faster than allowed the budget goes.
    Raises MetricsError where the target has no metric for it, ValueError for an alarm that is no burn-rate alarm.
    """
    objective, rule = alarm.objective, alarm.rule
    if objective is None or rule is None:
        raise ValueError(f"alarm {alarm.name} is no burn-rate alarm")
    queries = bad_share(objective, metrics, seconds)
    rate = Query("burn", f"bad / {number(objective.budget)}", period=seconds, returned=True)
    return MetricAlarm(f"{alarm.name}-{seconds // MINUTE}m", (*queries, rate), rule.factor)


def bad_share(objective: Objective, metrics: Sequence[TargetMetrics], seconds: int) -> tuple[Query, ...]:
    """Queries whose last, `bad`, is the share of bad requests in a window, 0 to 1; 0 without requests."""
    queries: list[Query] = []
    totals: list[str] = []
    bads: list[str] = []
    for slot, target in enumerate(metrics):
        total = _sum(queries, target, "traffic", f"t{slot}", seconds)
        totals.append(total)
        if objective.indicator == "availability":
            bads.append(_sum(queries, target, "errors", f"e{slot}", seconds))
        else:
            bads.append(_slow(queries, objective, target, slot, total, seconds))
    queries.append(Query("requests", _plus(totals), period=seconds))
    queries.append(Query("bad", f"IF(requests > 0, ({_plus(bads)}) / requests, 0)", period=seconds))
    return tuple(queries)


def number(value: float) -> str:
    """A number as metric math takes it, without an exponent: 0.00001, 600000000."""
    return f"{value:.12f}".rstrip("0").rstrip(".")


def _plus(terms: Sequence[str]) -> str:
    """A sum; slots that share a balancer's metric have no term of their own for it."""
    return " + ".join(term for term in terms if term)


def _sum(queries: list[Query], target: TargetMetrics, signal: Signal, id_: str, seconds: int) -> str:
    """Adds the metrics of a signal, each once, and returns their sum as an expression."""
    terms: list[str] = []
    for index, metric in enumerate(target.metrics(signal)):
        if any(query.metric == metric for query in queries):
            continue
        queries.append(Query(f"{id_}_{index}", metric=metric, statistic=metric.statistic, period=seconds))
        terms.append(f"FILL({id_}_{index}, 0)")
    return " + ".join(terms)


def _slow(
    queries: list[Query], objective: Objective, target: TargetMetrics, slot: int, total: str, seconds: int
) -> str:
    """Requests slower than the objective, from the percentile rank: how many per cent are above its threshold."""
    metric = target.metrics("latency")[0]
    if objective.threshold_seconds is None:
        raise ValueError("a latency objective has a threshold")
    limit = latency_in(objective.threshold_seconds * 1000, metric.unit)
    queries.append(Query(f"l{slot}", metric=metric, statistic=f"PR({number(limit)}:)", period=seconds))
    return f"FILL(l{slot}, 0) / 100 * ({total})"


def standing_alarm(alarm: Alarm, metrics: Sequence[TargetMetrics]) -> MetricAlarm:
    """An alarm that is no burn rate, where the target has the metric. Raises MetricsError otherwise."""
    periods = max(1, alarm.holds_seconds // MINUTE)
    queries: list[Query] = []
    if alarm.name == "Unhealthy":
        for slot, target in enumerate(metrics):
            for index, metric in enumerate(target.metrics("healthy")):
                queries.append(Query(f"h{slot}_{index}", metric=metric, statistic=metric.statistic, period=MINUTE))
        # Not filled: the newest minute may only be late. A metric that stays away is as bad as none that is healthy.
        ids = [query.id for query in queries]
        # MIN of one series would be one number, and the result has to be a series.
        result = "1 - " + (ids[0] if len(ids) == 1 else f"MIN([{', '.join(ids)}])")
        queries.append(Query("result", result, period=MINUTE, returned=True))
        return MetricAlarm(alarm.name, tuple(queries), 0.5, periods, periods, "breaching")
    if alarm.name == "Throttled":
        total = _plus([_sum(queries, target, "throttles", f"t{slot}", MINUTE) for slot, target in enumerate(metrics)])
        queries.append(Query("result", total, period=MINUTE, returned=True))
        # One more than have to be above: the newest minute is filled with 0 while its data is late.
        return MetricAlarm(alarm.name, tuple(queries), 0.0, periods + 1, periods)
    if alarm.name == "CertificateExpiry":
        # Sent twice a day (https://docs.aws.amazon.com/acm/latest/userguide/cloudwatch-metrics.html).
        for metric in metrics[0].metrics("certificate"):
            queries.append(Query("c", metric=metric, statistic=metric.statistic, period=DAY))
        queries.append(Query("result", f"{CERTIFICATE_DAYS} - c", period=DAY, returned=True))
        return MetricAlarm(alarm.name, tuple(queries), 0.0)
    raise MetricsError(f"target {metrics[0].target} has no alarm {alarm.name} in CloudWatch: nobody wrote its math")
