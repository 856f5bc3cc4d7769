"""`serverless_config.json`: memory, time-out and triggers of the function targets, and what each makes of them.

One file for AWS Lambda, Azure Functions (Flex Consumption plan) and Google Cloud Functions (2nd generation): a value
that one of them cannot honour is an error where that one is chosen, and names its limit.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from spec import contracts
from spec.errors import FieldError, Problem, SpecError, shown
from spec.section import Section
from spec.targets import Target
from spec.validation import validate

CONFIG_FILE = "serverless_config.json"
#: Endings of files that the scorer reads.
SUFFIXES = (".jsonl", ".ndjson", ".csv", ".npz")
#: Variables of the function handlers, beside the server's own.
TRIGGERS_VARIABLE, OUTPUT_VARIABLE, INPUT_PATH_VARIABLE = "FUNCTION_TRIGGERS", "SCORE_OUTPUT_URI", "SCORE_INPUT_PATH"
#: Seconds that the server leaves the platform for its own answer, where there is room.
MARGIN_SECONDS = 1


class Trigger(Section):
    """What starts the function."""

    type: Literal["http", "bucket"] = Field(description="http: a request. bucket: a file dropped into the bucket.")
    prefix: str = Field(
        default="incoming/", pattern=r"^([\w.-]+/)+$", description="Folder that files are dropped into; bucket only."
    )
    suffixes: tuple[Literal[".jsonl", ".ndjson", ".csv", ".npz"], ...] = Field(
        default=SUFFIXES, min_length=1, description="Endings of files that are scored; bucket only."
    )
    results_prefix: str = Field(
        default="scored/", pattern=r"^([\w.-]+/)+$", description="Folder for the results; bucket only."
    )

    @model_validator(mode="after")
    def _belongs_together(self) -> Trigger:
        if self.type == "http" and (extra := sorted(self.model_fields_set - {"type"})):
            name = extra[0]
            value = getattr(self, name)
            raise FieldError((name,), value, "nothing on type http", f"Remove {name}, or set type: bucket.")
        if self.results_prefix.startswith(self.prefix) or self.prefix.startswith(self.results_prefix):
            raise FieldError(
                ("results_prefix",),
                self.results_prefix,
                f"a folder that is not in {self.prefix!r}, nor around it: results would be scored again, without end",
                "Name another folder.",
            )
        return self


class ServerlessConfig(Section):
    """Size and triggers of a function."""

    memory_mib: int = Field(default=1024, ge=128, le=32768, description="Memory in MiB.")
    timeout_seconds: int = Field(default=30, ge=1, le=3600, description="Seconds that one call may take.")
    triggers: tuple[Trigger, ...] = Field(
        default=(Trigger(type="http"),), min_length=1, description="What starts the function; each type once."
    )

    @model_validator(mode="after")
    def _each_once(self) -> ServerlessConfig:
        types = [trigger.type for trigger in self.triggers]
        for index, kind in enumerate(types):
            if kind in types[:index]:
                raise FieldError(("triggers", index, "type"), kind, "each type once", "Remove one of the two.")
        return self

    def trigger(self, kind: Literal["http", "bucket"]) -> Trigger | None:
        """The trigger of this type, else None."""
        return next((trigger for trigger in self.triggers if trigger.type == kind), None)


@dataclass(frozen=True)
class Platform:
    """Limits of one function platform. memories: the sizes it has; None: every one from `least` to `most` MiB.

    seconds: longest call. http_seconds: longest answer to a request. bucket_seconds: longest run for a file.
    source: the vendor's page.
    """

    title: str
    least: int
    most: int
    memories: tuple[int, ...] | None
    http_seconds: int
    bucket_seconds: int
    source: str


PLATFORMS: dict[Target, Platform] = {
    "lambda": Platform(
        "AWS Lambda", 128, 10240, None, 900, 900,
        "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html",
    ),
    "functions": Platform(
        "Azure Functions", 512, 4096, (512, 2048, 4096), 230, 3600,
        "https://learn.microsoft.com/azure/azure-functions/functions-scale",
    ),
    "cloud_functions": Platform(
        "Google Cloud Functions", 128, 32768, None, 3600, 540,
        "https://cloud.google.com/functions/quotas",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class FunctionSettings:
    """What one platform is given. environment: of the handlers, without what only a deployment knows."""

    memory_mib: int
    timeout_seconds: int
    environment: dict[str, str]


def load_serverless_config(file: Path) -> ServerlessConfig:
    """The file's content; the defaults where there is no such file. Raises SpecError."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ServerlessConfig()
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        problem = Problem(f"{file.name}, {where}", shown(error.msg), "JSON", "Mend that line, or remove the file.")
        raise SpecError([problem], file.name) from None
    return validate(ServerlessConfig, value, root=file.name, what=file.name)


def settings_for(config: ServerlessConfig, target: Target) -> FunctionSettings:
    """The config as this platform can honour it. Raises SpecError with every value that it cannot."""
    platform = PLATFORMS[target]
    problems: list[Problem] = []
    memory = config.memory_mib
    if not platform.least <= memory <= platform.most:
        if platform.memories is None or memory > platform.most:
            allowed = f"{platform.least} to {platform.most} MiB on {platform.title} ({platform.source})"
            problems.append(Problem(f"{CONFIG_FILE}.memory_mib", shown(memory), allowed, "Change memory_mib."))
        memory = platform.least
    elif platform.memories is not None:
        memory = next(size for size in platform.memories if size >= memory)
    for trigger in config.triggers:
        most = platform.http_seconds if trigger.type == "http" else platform.bucket_seconds
        if config.timeout_seconds > most:
            allowed = f"{most} or less for trigger {trigger.type} on {platform.title} ({platform.source})"
            fix = "Lower timeout_seconds, or remove that trigger."
            problems.append(Problem(f"{CONFIG_FILE}.timeout_seconds", shown(config.timeout_seconds), allowed, fix))
    if problems:
        raise SpecError(problems, CONFIG_FILE)
    seconds = config.timeout_seconds
    environment = {
        TRIGGERS_VARIABLE: ",".join(trigger.type for trigger in config.triggers),
        # The server's own answer comes before the platform ends the call.
        contracts.REQUEST_TIMEOUT_SECONDS: str(seconds - MARGIN_SECONDS if seconds > MARGIN_SECONDS else seconds),
    }
    return FunctionSettings(memory, seconds, environment)


def json_schema() -> dict[str, object]:
    """JSON Schema of the file, for editors."""
    return ServerlessConfig.model_json_schema()
