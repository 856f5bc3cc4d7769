"""`metrics_config.yaml`: which figures the server gives, and how.

latency_buckets_seconds: [0.001, 0.01, 0.1, 1]   # upper bounds of the latency histogram
drift: {enabled: true, min_rows: 200, window_rows: 10000}
emf: {namespace: Digits, interval_seconds: 60}   # CloudWatch's embedded metric format on standard output
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_server import config_file
from spec import server_metrics


@dataclass(frozen=True)
class DriftConfig:
    """min_rows: seen before an index means anything. window_rows: beyond them older rows count half."""

    enabled: bool = True
    min_rows: int = 200
    window_rows: int = 10_000


@dataclass(frozen=True)
class EmfConfig:
    """namespace: of the metrics in CloudWatch. interval: seconds between lines."""

    namespace: str
    interval: float = 60.0


@dataclass(frozen=True)
class MetricsConfig:
    """All of it; the defaults where there is no file."""

    latency_buckets: tuple[float, ...] = server_metrics.LATENCY_BUCKETS
    drift: DriftConfig = DriftConfig()
    emf: EmfConfig | None = None


def read(file: Path | None, emf_namespace: str | None) -> MetricsConfig:
    """The configuration. emf_namespace: from the environment, wins over the file's. Raises StartError."""
    emf = None if emf_namespace is None else EmfConfig(emf_namespace)
    if file is None:
        return MetricsConfig(emf=emf)
    fields = config_file.read(file)
    config_file.check_fields(file, fields, ("latency_buckets_seconds", "drift", "emf"))
    buckets = server_metrics.LATENCY_BUCKETS
    if "latency_buckets_seconds" in fields:
        buckets = _buckets(file, fields["latency_buckets_seconds"])
    return MetricsConfig(buckets, _drift(file, fields.get("drift", {})), _emf(file, fields.get("emf"), emf))


def _buckets(file: Path, value: Any) -> tuple[float, ...]:
    allowed = "1 to 50 rising numbers above 0"
    if not isinstance(value, list) or not 1 <= len(value) <= 50:
        raise config_file.refuse(file, "latency_buckets_seconds", value, allowed)
    for index, bound in enumerate(value):
        config_file.number(file, f"latency_buckets_seconds[{index}]", bound, 1e-6, 3600)
    if any(low >= high for low, high in itertools.pairwise(value)):
        raise config_file.refuse(file, "latency_buckets_seconds", value, allowed)
    return tuple(float(bound) for bound in value)


def _drift(file: Path, fields: Any) -> DriftConfig:
    default = DriftConfig()
    if not isinstance(fields, dict):
        raise config_file.refuse(file, "drift", fields, "a mapping of enabled, min_rows, window_rows")
    config_file.check_fields(file, fields, ("enabled", "min_rows", "window_rows"), "drift.")
    return DriftConfig(
        config_file.choice(file, "drift.enabled", fields.get("enabled", True), (True, False)),
        config_file.number(file, "drift.min_rows", fields.get("min_rows", default.min_rows), 1, 10**9, whole=True),
        config_file.number(
            file, "drift.window_rows", fields.get("window_rows", default.window_rows), 100, 10**9, whole=True
        ),
    )


def _emf(file: Path, fields: Any, from_environment: EmfConfig | None) -> EmfConfig | None:
    if fields is None:
        return from_environment
    if not isinstance(fields, dict):
        raise config_file.refuse(file, "emf", fields, "a mapping of namespace, interval_seconds")
    config_file.check_fields(file, fields, ("namespace", "interval_seconds"), "emf.")
    interval = config_file.number(file, "emf.interval_seconds", fields.get("interval_seconds", 60), 1, 3600)
    namespace = fields.get("namespace") if from_environment is None else from_environment.namespace
    if not isinstance(namespace, str) or not 1 <= len(namespace) <= 255:
        raise config_file.refuse(file, "emf.namespace", namespace, "1 to 255 characters")
    return EmfConfig(namespace, float(interval))
