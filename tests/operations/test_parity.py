"""The page of parity: made from the tables, and every target and role has its row."""

from __future__ import annotations

from pathlib import Path

import pytest

from operations import parity
from operations.parity import PRODUCTS, ROLES, SERVICES, levels, markdown
from spec.capabilities import COLUMNS, Column, rows
from tests.proof_record import LEVELS, MODEL, Claim, Record, load_systems


def test_the_page_is_made_from_the_tables(root: Path) -> None:
    assert (root / "docs" / "parity.md").read_text() == markdown(root), "run `make docs`"


def test_every_product_is_a_row_of_the_proofs(root: Path) -> None:
    systems = {name for group in load_systems(root / "tests" / "systems.yaml").values() for name in group}
    assert set(PRODUCTS) == set(COLUMNS)
    assert {*PRODUCTS.values(), *SERVICES.values()} <= systems
    assert set(parity.LEVELS) == {*LEVELS, MODEL}


def test_every_target_and_field_is_on_the_page(root: Path) -> None:
    page = markdown(root)
    for (_, target), product in PRODUCTS.items():
        assert f"| `{target}` | {product} |" in page
    for row in rows():
        assert f"| `{row}` | " in page
    head = next(line for line in page.splitlines() if line.startswith("| | | "))
    assert head.count("|") == 3 + sum(isinstance(column, Column) for column in COLUMNS.values())


def test_a_role_appears_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    record = Record({Claim("Azure Key Vault", "schema", "", "tests/test_a.py::test"): []})
    record.save(tmp_path / "docs" / "proof.json")
    before = markdown(tmp_path)
    assert "Azure Key Vault" not in before
    (tmp_path / "components" / "azure").mkdir(parents=True)
    (tmp_path / "components" / "azure" / "keys.py").touch()
    assert f"| {ROLES['keys']} | not yet | ✓ Azure Key Vault: accepted by the vendor's model | not yet |" in markdown(
        tmp_path
    )


@pytest.mark.parametrize("failed", [[], ["[x]"]])
def test_the_levels_are_those_of_the_record(failed: list[str], tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    record = Record(
        {
            Claim("SageMaker", "runtime", "", "tests/test_a.py::test"): failed,
            Claim("SageMaker", "engine", "embedded", "tests/test_b.py::test"): [],
            Claim("Amazon S3", "runtime", "", "tests/test_a.py::test"): ["[y]"],
        }
    )
    record.save(tmp_path / "docs" / "proof.json")
    assert levels(tmp_path) == {"SageMaker": ("engine",) if failed else ("runtime", "engine")}
    assert (levels(tmp_path)["SageMaker"][0], record.level("Amazon S3")) == (record.level("SageMaker"), "")
