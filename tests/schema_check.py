"""For tests of components and stacks: everything they ask for is held against what the vendors publish.

    def test_inputs_are_what_aws_publishes():
        schema_check.assert_right(lambda: ModelStore("store", ModelStoreArgs(...)), {"aws:region": "us-east-1"})

Proof level ``schema``: names, types, enumerations, ranges, patterns, IAM documents and references are right as far as
the vendor publishes them (docs/schema.md says how far). It does not prove that a deployment works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from operations.schema.check import check
from operations.schema.findings import Recording, Report
from operations.schema.mocked import of_function
from operations.schema.recorder import of_program


def assert_right(
    make: Callable[[], Any],
    config: Mapping[str, str] | None = None,
    *,
    without_model: Iterable[str] = (),
    unmapped: Iterable[str] = (),
) -> Report:
    """Fail unless all that ``make`` asks for is right; answers what was checked, for further assertions.

    make: builds resources under Pulumi's mocks, answered by the stand-in cloud. config: settings it reads. Whatever
    could not be looked at must be named, so that nothing is passed in silence: without_model, types that only the SDK
    is held against; unmapped, ``token#path`` of inputs that the vendor's model has no counterpart for.
    """
    return _assert_right(of_function(make, config), without_model, unmapped)


def assert_program_right(
    folder: Path,
    stack: str,
    config: Mapping[str, Any] | None = None,
    *,
    without_model: Iterable[str] = (),
    unmapped: Iterable[str] = (),
) -> Report:
    """As :func:`assert_right`, for a whole program run by the embedded engine against the stand-in cloud."""
    return _assert_right(of_program(folder, stack, config), without_model, unmapped)


def _assert_right(recording: Recording, without_model: Iterable[str], unmapped: Iterable[str]) -> Report:
    report = check(recording)
    assert report.resources, "nothing was recorded: the program made no resource of a vendor's"
    wrong = "\n".join(f"- {one}" for one in [*report.problems, *report.findings])
    assert report.clean, f"the vendors would refuse this:\n{wrong}"
    assert report.without_model == set(without_model), (
        f"held against no vendor's model: {sorted(report.without_model)}; named by the test: {sorted(without_model)}. "
        "Add a row to operations/schema/data/, or name the type in the test"
    )
    left = {f"{token}#{path}" for token, paths in report.unmapped.items() for path in paths}
    assert left == set(unmapped), (
        f"without a counterpart in the vendor's model: {sorted(left)}; named by the test: {sorted(unmapped)}. "
        "Add an alias to operations/schema/data/, or name the input in the test"
    )
    return report
