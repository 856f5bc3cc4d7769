"""One limit for all waits of an operation. It says nothing about how long a cloud really takes."""

from __future__ import annotations

import pytest

from components.rest.patience import Patience, TookTooLongError


class VirtualClock:
    """Time passes where somebody sleeps."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.now += seconds


def test_waits_add_up_to_one_limit() -> None:
    clock = VirtualClock()
    patience = Patience("setting the traffic", 30, clock=clock)
    patience.wait(20)
    patience.wait(10)
    with pytest.raises(TookTooLongError, match="setting the traffic did not end within 30 s"):
        patience.wait(1)
    assert clock.now == 30, "a wait that would pass the limit is not begun"


def test_calls_count_too() -> None:
    clock = VirtualClock()
    patience = Patience("a look", 30, clock=clock)
    clock.now += 29
    with pytest.raises(TookTooLongError):
        patience.wait(2)
