"""The example descriptions make what their inventories say: types, names, chosen values; nothing more, nothing less.

Under mocks, so this shows what is asked for, not that AWS would make it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.components.aws.bootstrapped import made, two
from tests.components.aws.inventories import BOOTSTRAP, FOLDER, descriptions, text
from tests.components.aws.whole import whole

RENEW = "renew it with `python -m tests.components.aws.inventories`, and look at the difference"


@pytest.mark.parametrize("name", descriptions())
def test_an_inventory(name: str, tree: Path) -> None:
    assert text(whole(descriptions()[name], tree)) == (FOLDER / f"{name}.json").read_text(), RENEW


def test_the_inventory_of_a_bootstrap(root: Path) -> None:
    assert text(made(two(root))) == BOOTSTRAP.read_text(), RENEW


def test_each_file_is_of_a_description() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == set(descriptions())
