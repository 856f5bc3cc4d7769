"""Right inputs: nothing is found in them, nothing is passed in silence, and both ways of recording say the same."""

from __future__ import annotations

import pytest

from operations.schema.check import check
from operations.schema.recorder import of_program
from tests.operations.schema.programs import CONFIG, FOLDER, recording

CLOUDS = sorted(CONFIG)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_nothing_is_found_in_right_inputs(cloud: str):
    report = check(recording(cloud))
    assert report.findings == []
    assert report.problems == []
    assert report.resources >= 15
    assert report.without_model == set()
    assert report.unmapped == {}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_engine_and_mocks_record_the_same(cloud: str):
    ran = of_program(FOLDER / cloud, "small")
    assert sorted((one.token, one.name) for one in ran.records) == sorted(
        (one.token, one.name) for one in recording(cloud).records
    )
    assert check(ran).findings == []
