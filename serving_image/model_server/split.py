"""Which release answers a request: by weight, by a sticky key, or the one that the path names."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping

from model_server.shared import SharedState

#: Sticky keys fall on this many points, so that a share is exact to 1/100 of a percent and more.
POINTS = 2**53


class Split:
    """Shares of a stable release and a canary.

    The canary's share may change at any time, for all processes of the server at once. A sticky key keeps its release
    as long as the share does not cross the key's own point, after every restart too: it is a hash of the key alone.
    """

    def __init__(self, shared: SharedState, sticky_header: str | None) -> None:
        self._shared = shared
        self._header = sticky_header.encode() if sticky_header else None

    @property
    def percent(self) -> float:
        """Share of the canary, 0 to 100."""
        return self._shared.percent

    @percent.setter
    def percent(self, percent: float) -> None:
        self._shared.percent = percent

    def to_canary(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether the canary answers the request with these headers."""
        if self._header is not None:
            key = headers.get(self._header)
            if key is not None:
                return point(key) < self._shared.percent
        return random.random() * 100 < self._shared.percent  # noqa: S311 # traffic, not a secret


def point(key: bytes) -> float:
    """The key's own point, 0 to 100, evenly spread over keys."""
    number = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") >> 11
    return number / POINTS * 100
