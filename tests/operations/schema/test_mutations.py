"""Mistakes in right inputs are found: every operator at every recorded input, with a floor on what must be caught.

Does not prove that a vendor takes what is not found wrong: docs/schema.md lists what is missed.
"""

from __future__ import annotations

import pytest

from operations.schema import mutations
from operations.schema.operators import OPERATORS
from tests.operations.schema.programs import recording

FLOORS = {"aws": 0.85, "azure": 0.80, "gcp": 0.70}


@pytest.mark.timeout(900)  # a thousand mistakes: ten seconds, or minutes on a machine with much else to do
@pytest.mark.parametrize("cloud", sorted(FLOORS))
def test_mistakes_are_caught(cloud: str):
    found = mutations.score(recording(cloud))
    table = "\n".join([*mutations.table([(cloud, found)]), *mutations.misses([(cloud, found)])])
    assert found.rate >= FLOORS[cloud], table
    # Renamed keys are many and easy: no operator may be carried by another.
    assert found.by_operator >= FLOORS[cloud], table
    expected = {*OPERATORS, "dangling reference"} - (set() if cloud == "azure" else {"untranslated union"})
    assert set(found.tried) == expected
    assert sum(found.tried.values()) >= 500
