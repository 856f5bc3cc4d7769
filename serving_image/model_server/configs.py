"""The configuration files, read once at start."""

from __future__ import annotations

from typing import NamedTuple

from model_server import logs, metrics_config
from model_server.settings import Settings


class Configs(NamedTuple):
    """Where a file is not given, its defaults."""

    log: logs.LogConfig
    metrics: metrics_config.MetricsConfig


def read(settings: Settings) -> Configs:
    """Raises StartError."""
    return Configs(
        logs.read(settings.log_config, settings.log_level),
        metrics_config.read(settings.metrics_config, settings.emf_namespace),
    )
