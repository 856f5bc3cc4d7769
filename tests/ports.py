"""Ports for servers that tests start.

A port that the system itself would choose is one that it may also give to somebody else, a client or a server, before
the server that it is meant for binds it. These are below that range, and no test gets one that another one had: what is
left of that one's connections is not in the way.
"""

from __future__ import annotations

import itertools
import os
import random
import socket

#: Below the systems' own ranges: Linux's begins at 32768 (/proc/sys/net/ipv4/ip_local_port_range), IANA's at 49152.
_ALL = range(20_000, 32_000)
#: Processes that run tests at the same time (tests/spread.py), and which of them this is.
_OF, _THIS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")), os.environ.get("PYTEST_XDIST_WORKER", "gw0")
_PORTS = _ALL[int(_THIS.removeprefix("gw")) % _OF :: _OF]
#: Each run begins elsewhere, as several may share a machine.
_candidates = itertools.cycle(random.SystemRandom().sample(_PORTS, len(_PORTS)))


def free_port() -> int:
    """A TCP port that nobody on this machine listens on."""
    for port in itertools.islice(_candidates, len(_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no free port from {_PORTS.start} to {_PORTS.stop}")
