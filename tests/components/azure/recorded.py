"""Components of Azure under mocks that answer as the stand-in cloud does: ids and names have Azure's own form.

What this does not prove: no vendor's code runs here, so it shows what is asked for, not that Azure takes it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.azure.account import Account, AccountArgs
from components.azure.logs import Logs, LogsArgs
from operations.schema.check import check
from operations.schema.findings import Report
from operations.schema.mocked import StandInMocks
from tests.components.recording import Recording, record

REGION = "westeurope"
TAGS = {"service": "digits"}


@dataclass(frozen=True)
class Answered:
    """registered: every resource as the program registered it. report: what the vendor's own models say about it."""

    registered: Recording
    report: Report


def answered(program: Callable[[], Any]) -> Answered:
    """Run a program's resources. What it raises, this raises."""
    with tempfile.TemporaryDirectory(prefix="azure-") as folder:
        standing = StandInMocks(Path(folder))
        registered = record(program, answers=standing)
        standing.recording.objects = list(standing.cloud.objects().values())
        return Answered(registered, check(standing.recording))


def account(*, protect: bool = True) -> Account:
    """An account to build on."""
    return Account("digits-weu", AccountArgs(REGION, TAGS, protect))


def logs(of: Account) -> Logs:
    """A workspace to build on."""
    return Logs("digits-weu", LogsArgs(of))
