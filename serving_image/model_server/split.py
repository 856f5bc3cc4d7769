"""Which release answers a request: by weight, by a sticky key, or the one that the path names."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping

from model_server.shared import SharedState

#: Sticky keys fall on this many points, so that a share is exact to 1/100 of a percent and more.
POINTS = 2**53
#: Step between the points of successive requests without a key. Multiples of the golden ratio fill a circle as evenly
#: as any sequence does, and no rhythm of the clients meets one of theirs.
STEP = (5**0.5 - 1) / 2 * 100


class Split:
    """Shares of a stable release and a canary.

    The canary's share may change at any time, for all processes of the server at once. Requests without a key are dealt
    out evenly, so that a share is met within a few requests and not only on average: a canary that gets one percent
    gets its first request within the first hundred or so. A sticky key keeps its release as long as the share does not
    cross the key's own point, after every restart too: it is a hash of the key alone.
    """

    def __init__(self, shared: SharedState, sticky_header: str | None) -> None:
        self._shared = shared
        self._header = sticky_header.encode() if sticky_header else None
        self._point = random.random() * 100  # noqa: S311 # traffic, not a secret; each process begins elsewhere

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
        self._point = (self._point + STEP) % 100
        return self._point < self._shared.percent


def point(key: bytes) -> float:
    """The key's own point, 0 to 100, evenly spread over keys."""
    number = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") >> 11
    return number / POINTS * 100
