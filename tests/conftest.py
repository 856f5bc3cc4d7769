"""What every test shares."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples in every run, however long each takes: it shows what a change broke, and does not search. To search:
# --hypothesis-profile=search.
settings.register_profile(
    "steady", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", settings.get_profile("steady"), derandomize=False)
settings.load_profile("steady")

# tests.containers: one container engine, one registry and one image for all tests that need them.
pytest_plugins = ["tests.skips", "tests.proof", "tests.spread", "pytester", "tests.containers", "tests.trained"]


@pytest.fixture(scope="session")
def root() -> Path:
    """The working tree."""
    return Path(__file__).resolve().parent.parent
