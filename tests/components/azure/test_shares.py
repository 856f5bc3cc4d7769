"""Arithmetic of traffic; whether Azure takes it, nobody is asked here."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.azure.shares import among, plain, problems

NAMES = ["primary", "canary", "third"]
SHARES = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 100))


@given(SHARES, st.sets(st.sampled_from(NAMES)))
def test_what_is_left_is_100_or_nothing_and_names_nobody_else(shares: dict[str, int], names: set[str]) -> None:
    left = among(shares, names)
    assert sum(left.values()) in (0, 100)
    assert problems(left) == []
    assert left.keys() <= names & plain(shares).keys()
    assert bool(left) == any(shares.get(name) for name in names)


def test_others_keep_their_parts() -> None:
    assert among({"primary": 60, "canary": 30, "third": 10}, {"primary", "canary"}) == {"primary": 67, "canary": 33}
    assert among({"primary": 90, "canary": 10}, {"primary", "canary"}) == {"primary": 90, "canary": 10}


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ({"primary": 90}, "sums to 90 .primary 90.; allowed: 100"),
        ({"primary": 101}, "'primary' is 101; allowed: whole percents"),
        ({"primary": 99.5, "canary": 0.5}, "'primary' is 99.5"),
        ({"primary": True}, "'primary' is True"),
        ({"Primary": 100}, "names 'Primary'; allowed: .* lower case"),
        ("all", "is 'all'; allowed: a percentage"),
    ],
)
def test_what_azure_would_refuse_is_named(shares: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        raise ValueError("; ".join(problems(shares)))


def test_right_ones_pass() -> None:
    assert problems({}) == problems({"primary": 100}) == problems({"primary": 90.0, "canary": 10}) == []
