"""The sections of a service description, each with the checks between its own fields."""

from __future__ import annotations

import re
import zoneinfo
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from spec.errors import FieldError, shown
from spec.section import Section
from spec.targets import Cloud

Auth = Literal["cloud_iam", "token", "none"]

# One pattern for all clouds: the narrowest of the three (Google's labels) is accepted by the other two as well.
TagKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
TagValue = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{0,63}$")]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Percent = Annotated[int, Field(ge=0, le=100)]

#: Stands in an error for a value that may hold a secret.
HIDDEN = "not shown: it may hold a secret"

#: Lowest objective, in percent: a burn rate of 14.4 pages (see spec.slo), and a budget over 1/14.4 never burns so fast.
LOWEST_OBJECTIVE = 95.0

DEFAULT_SCALING_TARGET = {"concurrency": 4.0, "requests_per_second": 50.0, "cpu": 60.0}


class Canary(Section):
    """A second release that answers part of the requests."""

    release: str = Field(description="The second release, as `model@version`; of the same model as the first.")
    percent: Percent = Field(description="Share of requests it answers, in percent (0–100, whole numbers).")


class Image(Section):
    """The server's container image."""

    build: bool = Field(default=True, description="Build the image from this tree.")
    ref: str | None = Field(
        default=None,
        pattern=r"^[^@\s]+@sha256:[0-9a-f]{64}$",
        description="An image already built, by digest (`registry/name@sha256:…`), in place of building one.",
    )
    runtime_ref: str | None = Field(
        default=None,
        pattern=r"^[^@\s]+@sha256:[0-9a-f]{64}$",
        description="By digest, the official image of runtime tensorflow_serving or torchserve; ref then only fetches "
        "and verifies the release.",
    )

    @property
    def builds(self) -> bool:
        """Whether the image is built here."""
        return self.ref is None

    @model_validator(mode="after")
    def _one_way(self) -> Image:
        if self.ref is not None and self.build and "build" in self.model_fields_set:
            raise FieldError(("build",), True, "false or nothing beside ref", "Remove build: true, or remove ref.")
        if self.ref is None and not self.build:
            raise FieldError(
                ("build",), False, "true, or false together with ref", "Add ref: …@sha256:…, or remove build: false."
            )
        return self


class Resources(Section):
    """Size of one replica."""

    cpu: float = Field(default=1.0, gt=0, le=192, description="CPUs of one replica, in cores.")
    memory_gib: float = Field(default=2.0, gt=0, le=1536, description="Memory of one replica, in GiB.")
    accelerator: str | None = Field(
        default=None, min_length=1, description="GPU or other accelerator, by the cloud's name."
    )


class Schedule(Section):
    """From a point in time on, other bounds for the number of replicas."""

    cron: str = Field(
        description="When it begins: minute, hour, day of month, month, day of week, such as `0 7 * * 1-5`."
    )
    timezone: str = Field(default="UTC", description="IANA name of the time zone of cron.")
    min: int = Field(ge=0, le=1000, description="Least replicas from then on.")
    max: int = Field(ge=1, le=1000, description="Most replicas from then on.")

    @model_validator(mode="after")
    def _makes_sense(self) -> Schedule:
        part = r"(\*|[0-9A-Za-z]+(-[0-9A-Za-z]+)?)(/\d+)?"
        if not re.fullmatch(rf"{part}(,{part})*( {part}(,{part})*){{4}}", self.cron):
            raise FieldError(
                ("cron",),
                self.cron,
                "five parts: minute hour day-of-month month day-of-week",
                "Write it like '0 7 * * 1-5'.",
            )
        # A machine without time zone data knows none; there the cloud checks the name.
        zones = zoneinfo.available_timezones()
        if zones and self.timezone not in zones:
            raise FieldError(
                ("timezone",), self.timezone, "an IANA time zone, such as Europe/Berlin", "Correct the name."
            )
        _ordered(self.min, self.max)
        return self


class Scaling(Section):
    """How many replicas run."""

    scale_to_zero: bool = Field(
        default=False, description="Run no replica while no request comes; the first one waits."
    )
    min: int = Field(
        default_factory=lambda data: 0 if data.get("scale_to_zero") else 1,
        ge=0,
        le=1000,
        description="Least replicas. Default: 1, with scale_to_zero 0.",
    )
    max: int = Field(
        default_factory=lambda data: max(1, data.get("min", 1)),
        ge=1,
        le=1000,
        description="Most replicas. Default: min, at least 1.",
    )
    metric: Literal["concurrency", "requests_per_second", "cpu"] = Field(
        default="concurrency",
        description="What scaling follows, per replica: requests at once, requests a second, CPU in percent.",
    )
    target: float = Field(
        default_factory=lambda data: DEFAULT_SCALING_TARGET.get(data.get("metric", ""), 1.0),
        gt=0,
        description="Value of the metric to hold per replica. Default: concurrency 4, requests_per_second 50, cpu 60.",
    )
    schedule: tuple[Schedule, ...] = Field(default=(), description="Other bounds at set times.")

    @model_validator(mode="after")
    def _makes_sense(self) -> Scaling:
        _ordered(self.min, self.max)
        if self.min == 0 and not self.scale_to_zero:
            raise FieldError(("min",), 0, "1 or more without scale_to_zero", "Set scale_to_zero: true, or min: 1.")
        if self.scale_to_zero and self.min > 0:
            raise FieldError(("min",), self.min, "0 with scale_to_zero", "Remove min, or scale_to_zero.")
        if self.metric == "cpu" and self.target > 100:
            raise FieldError(
                ("target",), self.target, "more than 0 and at most 100 with metric cpu (percent)", "Write 60 for 60 %."
            )
        return self


class Rollout(Section):
    """How the platform itself shifts traffic to a new configuration."""

    strategy: Literal["all_at_once", "canary", "linear"] = Field(
        default="all_at_once", description="all_at_once; canary: one step, then the rest; linear: equal steps."
    )
    step_percent: int = Field(default=10, ge=1, le=50, description="Share of traffic of one step, in percent (1–50).")
    bake_minutes: int = Field(
        default=5, ge=1, le=60, description="Time between steps and before the old one ends, in minutes."
    )
    rollback_on_alarm: bool = Field(
        default=False, description="Go back by itself when an alarm of the slo fires meanwhile."
    )

    @model_validator(mode="after")
    def _steps_need_a_strategy(self) -> Rollout:
        for field in ("step_percent", "bake_minutes"):
            if self.strategy == "all_at_once" and field in self.model_fields_set:
                raise FieldError(
                    (field,),
                    getattr(self, field),
                    "nothing with strategy all_at_once",
                    "Set strategy: canary or linear, or remove it.",
                )
        return self


class Slo(Section):
    """The service level objective: what share of requests is answered well, and fast."""

    availability_percent: float = Field(
        ge=LOWEST_OBJECTIVE,
        lt=100,
        description="Share of requests answered without a server error, in percent (95 to under 100).",
    )
    latency_ms: float | None = Field(
        default=None, gt=0, le=600_000, description="Time in which a request is fast, in milliseconds."
    )
    latency_percentile: float = Field(
        default=99.0,
        ge=LOWEST_OBJECTIVE,
        lt=100,
        description="Share of requests that is fast, in percent (95 to under 100).",
    )
    window_days: int = Field(default=30, ge=7, le=90, description="Days over which the objective holds (7–90).")

    @model_validator(mode="after")
    def _percentile_of_something(self) -> Slo:
        if self.latency_ms is None and "latency_percentile" in self.model_fields_set:
            raise FieldError(
                ("latency_percentile",),
                self.latency_percentile,
                "nothing without latency_ms",
                "Add latency_ms, or remove it.",
            )
        return self


class Access(Section):
    """Who reaches the service, and how a caller shows who it is."""

    visibility: Literal["public", "private"] = Field(
        default="private", description="Reachable from the internet, or not."
    )
    auth: Auth | None = Field(
        default=None,
        description="cloud_iam, token or none. Default: cloud_iam on a cloud; none on local (loopback address only).",
    )
    principals: tuple[str, ...] = Field(default=(), description="Identities that may call, in the cloud's own form.")
    domain: str | None = Field(
        default=None,
        pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$",
        description="Own host name of the service; a certificate is made for it.",
    )

    def auth_on(self, cloud: Cloud) -> Auth:
        """How callers show who they are on a cloud."""
        return self.auth or ("none" if cloud == "local" else "cloud_iam")

    @model_validator(mode="after")
    def _principals_need_iam(self) -> Access:
        if self.principals and self.auth in ("token", "none"):
            raise FieldError(
                ("principals",),
                self.principals,
                f"nothing with auth {self.auth}",
                "Set auth: cloud_iam, or remove principals.",
            )
        return self


class Capture(Section):
    """Requests and answers kept for looking at later."""

    percent: Percent = Field(description="Share of requests kept, in percent (0–100).")
    retention_days: int = Field(default=30, ge=1, le=3650, description="Days after which they are deleted.")


class Logging(Section):
    """Logs of the server."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is written."
    )
    retention_days: int = Field(default=30, ge=1, le=3650, description="Days after which logs are deleted.")


class Encryption(Section):
    """Encryption of what is stored."""

    customer_managed_key: bool = Field(
        default=True, description="Encrypt with a key of one's own, else with the cloud's."
    )


class Notify(Section):
    """Who is told when an alarm fires."""

    emails: tuple[Email, ...] = Field(default=(), description="Addresses that get a mail.")
    webhooks: tuple[str, ...] = Field(
        default=(),
        repr=False,
        description="HTTPS URLs that get a POST; a URL may hold a token, so set them as secrets.",
    )

    @model_validator(mode="after")
    def _safe_webhooks(self) -> Notify:
        # Plain HTTP only within this machine: alarms tell outsiders where it hurts.
        for index, url in enumerate(self.webhooks):
            if not re.fullmatch(r"https://[^\s/@]+(/\S*)?|http://(127\.0\.0\.1|localhost)(:\d+)?(/\S*)?", url):
                raise FieldError(
                    ("webhooks", index), HIDDEN, "https://…, or http:// on 127.0.0.1 or localhost", "Correct the URL."
                )
        return self


class Budget(Section):
    """What the service may cost."""

    monthly_usd: float = Field(
        gt=0, description="US dollars a month; an alarm is sent when it is in sight, nothing is stopped."
    )


def _ordered(low: int, high: int) -> None:
    if low > high:
        raise FieldError(
            ("min",), low, f"at most max, which is {shown(high)}", f"Lower min to {high}, or raise max to {low}."
        )
