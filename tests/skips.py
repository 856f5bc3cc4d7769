"""pytest plugin: `--no-skips`, the rule on skipped tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

#: Marker of tests that may be skipped everywhere: the Pulumi CLI is in no package registry.
MAY_BE_SKIPPED = "engine"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-skips",
        action="store_true",
        help=f"a skipped test is a failure, but for those marked {MAY_BE_SKIPPED}",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:  # pyright: ignore[reportInvalidReturnType]  # pluggy's wrapper protocol
    report: pytest.TestReport = yield  # pyright: ignore[reportAssignmentType, reportReturnType]
    expected_failure = hasattr(report, "wasxfail")
    if (
        report.skipped
        and not expected_failure
        and item.config.getoption("--no-skips")
        and not item.get_closest_marker(MAY_BE_SKIPPED)
    ):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.user_properties.append(("skipped", why))  # tests/proof.py: nothing was shown to be wrong
        report.longrepr = f"skips are forbidden in this run: {why}"
    return report  # pyright: ignore[reportReturnType]
