"""What the tables of all vendors are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from spec.metrics import Emitted, Metric, NotEmitted, Signal, System, Unit

NO_DRIFT = NotEmitted(
    "no metric of the platform's; the server itself measures it, and its /metrics is not scraped here"
)
NO_PERCENTILE = NotEmitted("the vendor gives an average only, from which no percentile follows")
PLATFORM_CERTIFICATE = NotEmitted("the platform's own host name has a certificate that the platform renews")
BY_TRAFFIC = NotEmitted("the platform holds one release at a time, so all traffic is that release's")


@dataclass(frozen=True)
class Row:
    """The signals of a target. percentiles: of latency that the vendor offers; empty: any."""

    signals: Mapping[Signal, Emitted | NotEmitted]
    percentiles: tuple[float, ...] = ()


def one(
    system: System,
    namespace: str,
    name: str,
    unit: Unit,
    statistic: str,
    page: str,
    dimensions: Mapping[str, object],
    by_release: str | None = None,
) -> Emitted:
    return Emitted((Metric(system, namespace, name, unit, statistic, page, dimensions, by_release),))


def added(*parts: Emitted) -> Emitted:
    return Emitted(tuple(metric for part in parts for metric in part.metrics))
