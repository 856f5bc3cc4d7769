"""Kubernetes' objects of a program against the API's schemas, as `make schema` holds them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from operations.schema.check import check
from operations.schema.findings import Record, Recording
from operations.schema.recorder import of_program


@pytest.fixture(scope="module")
def recording(root: Path) -> Recording:
    return of_program(root / "tests" / "engine" / "standin" / "programs" / "kubernetes", "small")


def test_nothing_is_found_in_right_objects_and_each_has_a_model(recording: Recording) -> None:
    report = check(recording)
    assert report.clean, [*report.problems, *report.findings]
    assert report.without_model == set()
    assert all("Kubernetes 1.35, 1.36, 1.37" in sources for sources in report.sources.values())
    assert report.resources >= 5


def changed(recording: Recording, kind: str, **spec: Any) -> Recording:
    records = []
    for one in recording.records:
        inputs = copy.deepcopy(dict(one.inputs))
        if one.token.endswith(f":{kind}"):
            inputs["spec"] |= spec
        records.append(Record(one.token, one.name, inputs, one.urn))
    return Recording(records, recording.objects)


@pytest.mark.parametrize(
    ("spec", "path", "rule"),
    [
        ({"replica": 1}, "spec.replica", "unknown"),
        ({"strategy": {"type": "Rolling"}}, "spec.strategy.type", "together"),
        ({"template": {"metadata": {}}}, "spec.template.spec", "required"),
    ],
)
def test_mistakes_are_found(recording: Recording, spec: dict[str, Any], path: str, rule: str) -> None:
    found = [(one.path, one.rule) for one in check(changed(recording, "Deployment", **spec)).findings]
    assert (path, rule) in found


def test_sums_over_several_objects_are_looked_at(recording: Recording) -> None:
    namespace = next(one for one in recording.records if one.token.endswith(":Deployment")).inputs["metadata"][
        "namespace"
    ]
    quota = Record(
        "kubernetes:core/v1:ResourceQuota",
        "quota",
        {"metadata": {"name": "quota", "namespace": namespace}, "spec": {"hard": {"pods": "0"}}},
    )
    [finding] = check(Recording([*recording.records, quota], recording.objects)).findings
    assert (finding.name, finding.path) == ("quota", "spec.hard['pods']")
