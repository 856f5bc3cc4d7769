"""Which resources a field of the description may touch: for each target a table written and reviewed by hand.

The property: a changed field touches resources of the listed types only, and at least one. So nobody's data is in the
way of a change of the log level, and no field is accepted and ignored. It holds for the example, and for the example
with another field changed before. Resources are compared by what is asked for, under mocks; what a change of theirs
does (update, replacement) the rehearsal shows.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from spec.capabilities import COLUMNS, Column, Mapped, rows
from spec.targets import TARGETS
from tests.components.aws import touch_sagemaker
from tests.components.aws.touch import EVERYTHING, Table, made, made_before, touched

TABLES = [touch_sagemaker.TABLE]
_BY_TARGET = {table.target: table for table in TABLES}
EACH = [(table.target, name) for table in TABLES for name in table.fields]
#: Every other field: each takes the whole stack twice, a second on a quiet machine.
COMBINED = [(t.target, name) for t in TABLES for name in [one for one in t.fields if one not in t.alone][::2]]


def test_every_target_that_is_built_has_a_table() -> None:
    assert {target for target in TARGETS["aws"] if isinstance(COLUMNS["aws", target], Column)} == set(_BY_TARGET)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.target)
def test_the_table_has_every_field_that_the_target_maps(table: Table) -> None:
    column = COLUMNS["aws", table.target]
    assert isinstance(column, Column)
    assert {row for row in rows() if isinstance(column.cell(row), Mapped)} == set(table.rows)


@pytest.mark.parametrize(("target", "field"), EACH)
@settings(max_examples=2, deadline=None, phases=[Phase.generate], derandomize=True)
@given(data=st.data())
def test_a_field_touches_what_the_table_says(target: str, field: str, tree: Path, data: st.DataObject) -> None:
    table = _BY_TARGET[target]
    values, change, allowed = table.rows[field]
    service = table.described(field)
    found = touched(made_before(service, tree), made(service | change(data.draw(values)), tree))
    assert found, "the field is accepted and ignored"
    if allowed != EVERYTHING:
        assert found <= allowed


@pytest.mark.parametrize(("target", "field"), COMBINED)
@settings(max_examples=1, deadline=None, phases=[Phase.generate], derandomize=True)
@given(data=st.data())
def test_whatever_else_is_asked_for(target: str, field: str, tree: Path, data: st.DataObject) -> None:
    table = _BY_TARGET[target]
    values, change, allowed = table.rows[field]
    other_values, other_change, _ = table.rows[other := table.another(field)]
    service = table.described(field) | table.described(other) | other_change(data.draw(other_values))
    found = touched(made(service, tree), made(service | change(data.draw(values)), tree))
    assert found, f"the field is accepted and ignored after a change of {other}"
    if allowed != EVERYTHING:
        assert found <= allowed, f"after a change of {other}"
