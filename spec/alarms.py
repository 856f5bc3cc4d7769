"""The alarms of a service: each with who has to act, how soon, and where the runbook says what to do.

Cloud-neutral: a target's component turns them into its vendor's alarms, `spec.prometheus` into Prometheus rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from spec.fields import Slo
from spec.metrics import NotEmitted, Signal, TargetMetrics
from spec.slo import BURN_RULES, DAY, HOUR, MINUTE, BurnRule, Objective, Severity, objectives

#: service: who runs it; model: who trains it; account: who pays.
Owner = Literal["service", "model", "account"]

#: Population stability index from which inputs count as drifted: the customary bound for a major shift.
DRIFT_PSI = 0.25
#: A certificate is renewed a month before its end; a week later somebody has to look.
CERTIFICATE_DAYS = 21

RUNBOOK = "docs/runbook.md"


@dataclass(frozen=True)
class Alarm:
    """One alarm.

    name: unique. anchor: heading of the runbook. watches: the signals it is made from; empty where it is no metric
    (a budget is a product of its own on each cloud). holds_seconds: how long the condition must hold. objective and
    rule: of a burn-rate alarm only.
    """

    name: str
    severity: Severity
    owner: Owner
    anchor: str
    summary: str
    watches: tuple[Signal, ...]
    holds_seconds: int = 0
    objective: Objective | None = None
    rule: BurnRule | None = None

    @property
    def runbook(self) -> str:
        """Where the runbook says what to do."""
        return f"{RUNBOOK}#{self.anchor}"


STANDING = (
    Alarm(
        "Unhealthy",
        "page",
        "service",
        "unhealthy",
        "no replica answers with a loaded release",
        ("healthy",),
        1 * MINUTE,
    ),
    Alarm(
        "Saturated",
        "ticket",
        "service",
        "saturated",
        "replicas hold more requests than they are meant to, and no more replicas may start",
        ("saturation", "replicas"),
        10 * MINUTE,
    ),
    Alarm("Throttled", "ticket", "service", "throttled", "requests are turned away", ("throttles",), 5 * MINUTE),
    Alarm(
        "Drift",
        "ticket",
        "model",
        "drift",
        f"inputs are not what the release was trained on (PSI above {DRIFT_PSI})",
        ("drift",),
        30 * MINUTE,
    ),
    Alarm(
        "CertificateExpiry",
        "ticket",
        "service",
        "certificate-expiry",
        f"the certificate ends in less than {CERTIFICATE_DAYS} days",
        ("certificate",),
        1 * HOUR,
    ),
)
BUDGET = Alarm("OverBudget", "ticket", "account", "over-budget", "the month's cost will be over the budget", ())


def burn_alarms(slo: Slo, rules: tuple[BurnRule, ...] = BURN_RULES) -> tuple[Alarm, ...]:
    """An alarm per objective and rule. The names of pages can be handed to a target as its rollback alarms."""
    watches: dict[str, tuple[Signal, ...]] = {"availability": ("traffic", "errors"), "latency": ("traffic", "latency")}
    return tuple(
        Alarm(
            f"{objective.indicator.capitalize()}Burn{rule.severity.capitalize()}{window(rule.long_seconds)}",
            rule.severity,
            "service",
            f"{objective.indicator}-burn",
            f"the {objective.indicator} budget burns more than {rule.factor:g} times too fast",
            watches[objective.indicator],
            objective=objective,
            rule=rule,
        )
        for objective in objectives(slo)
        for rule in rules
    )


def all_alarms(slo: Slo | None, *, budget: bool) -> tuple[Alarm, ...]:
    """Every alarm of a service. budget: whether one is set."""
    return (*(burn_alarms(slo) if slo else ()), *STANDING, *((BUDGET,) if budget else ()))


def possible(alarms: tuple[Alarm, ...], metrics: TargetMetrics) -> tuple[tuple[Alarm, ...], Mapping[str, str]]:
    """The alarms that a target can have, and for each other one the reason: a signal that it does not emit."""
    reasons: dict[str, str] = {}
    for alarm in alarms:
        for signal in alarm.watches:
            found = metrics.signals[signal]
            if isinstance(found, NotEmitted) and alarm.name not in reasons:
                reasons[alarm.name] = f"target {metrics.target} has no metric for {signal}: {found.reason}"
    return tuple(alarm for alarm in alarms if alarm.name not in reasons), reasons


def window(seconds: int) -> str:
    """A time span as Prometheus writes it: 300 -> `5m`, 3600 -> `1h`, 259200 -> `3d`."""
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
