"""The alarms of a service as CloudWatch's metric math, without Pulumi: what is queried, over which window, how high.

A burn-rate alarm needs two windows at once, and all queries of one CloudWatch alarm share a period, so each window is
an alarm of its own and a composite alarm joins the two. An alarm is evaluated every minute over the window that ends
then, as long as its range is at most a day
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html); so the three-day window of the
slow ticket pair cannot be had here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spec.alarms import Alarm
from spec.metrics import Metric, MetricsError, TargetMetrics
from spec.slo import DAY, MINUTE, BurnRule, Objective, latency_in

#: The longest window of an alarm that is evaluated every minute.
LONGEST_SECONDS = DAY


@dataclass(frozen=True)
class Query:
    """One series of an alarm or a panel: a metric, or an expression over the ids of others.

    statistic: as CloudWatch writes it, `Sum` or `PR(:250000)`. period: seconds. returned: whether it is the result.
    """

    id: str
    expression: str = ""
    metric: Metric | None = None
    statistic: str = ""
    period: int = 0
    returned: bool = False


@dataclass(frozen=True)
class MetricAlarm:
    """One alarm over metric math; it is in alarm while the result is above the threshold. No data is no alarm.

    suffix: what tells it from the others of the same service. periods: how many in a row.
    """

    suffix: str
    queries: tuple[Query, ...]
    threshold: float
    periods: int = 1


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
    rate = Query("burn", f"bad / {objective.budget:g}", period=seconds, returned=True)
    return MetricAlarm(f"{alarm.name}-{seconds // MINUTE}m", (*queries, rate), rule.factor)


def bad_share(objective: Objective, metrics: Sequence[TargetMetrics], seconds: int) -> tuple[Query, ...]:
    """Queries whose last, `bad`, is the share of bad requests in a window, 0 to 1; without requests it has no data."""
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
    requests = " + ".join(totals)
    # FILL: a slot without requests sends no data points, and would leave the other one's out as well.
    queries.append(Query("requests", requests, period=seconds))
    queries.append(Query("bad", f"({' + '.join(bads)}) / requests", period=seconds))
    return tuple(queries)


def _sum(queries: list[Query], target: TargetMetrics, signal: str, id_: str, seconds: int) -> str:
    found = target.metrics(signal)  # pyright: ignore[reportArgumentType]
    for index, metric in enumerate(found):
        queries.append(Query(f"{id_}_{index}", metric=metric, statistic=metric.statistic, period=seconds))
    return "(" + " + ".join(f"FILL({id_}_{index}, 0)" for index in range(len(found))) + ")"


def _slow(
    queries: list[Query], objective: Objective, target: TargetMetrics, slot: int, total: str, seconds: int
) -> str:
    """Requests slower than the objective: the percentile rank of its threshold says how many per cent are not."""
    metric = target.metrics("latency")[0]
    if objective.threshold_seconds is None:
        raise ValueError("a latency objective has a threshold")
    limit = latency_in(objective.threshold_seconds * 1000, metric.unit)
    queries.append(Query(f"l{slot}", metric=metric, statistic=f"PR(:{limit:g})", period=seconds))
    return f"(1 - FILL(l{slot}, 100) / 100) * {total}"


def standing_alarm(alarm: Alarm, metrics: Sequence[TargetMetrics]) -> MetricAlarm:
    """An alarm that is no burn rate, where the target has the metric. Raises MetricsError otherwise."""
    period = MINUTE
    if alarm.name == "Unhealthy":
        signal, threshold, expression = "healthy", 0.5, "1 - MIN([{each}])"
    elif alarm.name == "Throttled":
        signal, threshold, expression = "throttles", 0.0, "{sum}"
    else:
        raise MetricsError(f"alarm {alarm.name} has no form in CloudWatch: its signals are not metrics there")
    queries: list[Query] = []
    sums = [_sum(queries, target, signal, f"{signal[0]}{slot}", period) for slot, target in enumerate(metrics)]
    each = ", ".join(sums)
    result = expression.format(each=each, sum=" + ".join(sums))
    queries.append(Query("result", result, period=period, returned=True))
    return MetricAlarm(alarm.name, tuple(queries), threshold, max(1, alarm.holds_seconds // period))
