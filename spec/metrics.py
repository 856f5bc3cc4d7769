"""What can be measured of a service on each target, known before the target exists.

A target's metrics are a pure function of names that are fixed beforehand, so that alarms that roll back a bad change
can be made first and handed to the target. The table itself, with each vendor's page, is `spec.vendor_metrics`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from spec.errors import one_of
from spec.targets import Cloud, Target

#: traffic: requests; errors: those that failed on the server's side; latency: time to answer; saturation: how full a
#: replica is; replicas: how many run; healthy: how many of them answer; throttles: requests turned away; drift: how far
#: inputs are from the training data; releases: traffic by release; certificate: when it ends.
Signal = Literal[
    "traffic",
    "errors",
    "latency",
    "saturation",
    "replicas",
    "healthy",
    "throttles",
    "drift",
    "releases",
    "certificate",
]
SIGNALS: tuple[Signal, ...] = get_args(Signal)

System = Literal["cloudwatch", "azure_monitor", "cloud_monitoring", "prometheus"]
Unit = Literal["count", "microseconds", "milliseconds", "seconds", "percent", "ratio", "index", "days", "unix_seconds"]

#: Stands in a latency metric's statistic or name for the objective's percentile, such as 99 or 99.9.
PERCENTILE = "{percentile}"


class MetricsError(ValueError):
    """A metric is asked for that the target does not emit, or a name is missing that its metrics need."""


@dataclass(frozen=True)
class Named:
    """Placeholder for a name that the target's component fixes, such as an endpoint's."""

    name: str


@dataclass(frozen=True)
class Metric:
    """One series of a vendor's monitoring.

    namespace and name: as the vendor writes them. statistic: how points within a period become one. dimensions: what
    picks the service's own series. by_release: the dimension or label that tells releases apart, None where none does.
    page: where the vendor documents it.
    """

    system: System
    namespace: str
    name: str
    unit: Unit
    statistic: str
    page: str
    dimensions: Mapping[str, Any] = field(default_factory=dict)
    by_release: str | None = None


@dataclass(frozen=True)
class NotEmitted:
    """The target has no such metric. reason: why, and what is used instead where something is."""

    reason: str


@dataclass(frozen=True)
class Emitted:
    """The metric of a signal; several are added up."""

    metrics: tuple[Metric, ...]


@dataclass(frozen=True)
class TargetMetrics:
    """All signals of one target, every one of them with its metric or the reason why there is none."""

    target: Target
    signals: Mapping[Signal, Emitted | NotEmitted]

    def has(self, signal: Signal) -> bool:
        """Whether the target emits it."""
        return isinstance(self.signals[signal], Emitted)

    def metrics(self, signal: Signal) -> tuple[Metric, ...]:
        """The metrics of a signal. Raises MetricsError with the reason where the target has none."""
        found = self.signals[signal]
        if isinstance(found, NotEmitted):
            raise MetricsError(f"target {self.target} has no metric for {signal}: {found.reason}")
        return found.metrics


def target_metrics(cloud: Cloud, target: Target, names: Mapping[str, Any], *, percentile: float = 99) -> TargetMetrics:
    """The metrics of a service on a target.

    names: what `names_needed` lists; a value may be an output that is known later. percentile: of latency, 0–100.
    Raises MetricsError for a missing or unknown name, and for a percentile that the vendor does not offer.
    """
    from spec.vendor_metrics import TABLE

    needed = names_needed(cloud, target)
    if set(names) != needed:
        raise MetricsError(
            f"names of target {target} are {sorted(names)}; allowed: exactly {sorted(needed)}: give each its value"
        )
    row = TABLE[cloud, target]
    if percentile not in row.percentiles and row.percentiles:
        allowed = one_of(f"{offered:g}" for offered in row.percentiles)
        raise MetricsError(
            f"slo.latency_percentile is {percentile:g} on target {target}; allowed: {allowed}, which its vendor offers"
        )
    return TargetMetrics(
        target,
        {
            signal: found
            if isinstance(found, NotEmitted)
            else Emitted(tuple(_resolve(metric, names, percentile) for metric in found.metrics))
            for signal, found in row.signals.items()
        },
    )


def names_needed(cloud: Cloud, target: Target) -> set[str]:
    """Names that a target's component has to fix before its metrics are known."""
    from spec.vendor_metrics import TABLE

    return {
        value.name
        for found in TABLE[cloud, target].signals.values()
        if isinstance(found, Emitted)
        for metric in found.metrics
        for value in metric.dimensions.values()
        if isinstance(value, Named)
    }


def _resolve(metric: Metric, names: Mapping[str, Any], percentile: float) -> Metric:
    return replace(
        metric,
        name=metric.name.replace(PERCENTILE, f"{percentile:g}"),
        statistic=metric.statistic.replace(PERCENTILE, f"{percentile:g}"),
        dimensions={
            key: names[value.name] if isinstance(value, Named) else value for key, value in metric.dimensions.items()
        },
    )
