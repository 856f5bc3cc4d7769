"""Traffic that every generated alarm is held against the reference on, minute by minute."""

from __future__ import annotations

HOUR = 60  # in minutes, as everything below is
TOTAL_PER_MINUTE = 6000

# What happens to traffic, as (minutes, requests a minute, share of errors, share of slow answers).
Phase = tuple[int, int, float, float]
BUSY = TOTAL_PER_MINUTE
SCENARIOS: dict[str, tuple[Phase, ...]] = {
    "clean": ((8 * HOUR, BUSY, 0.0002, 0.002),),
    # Twice too fast: gone in half a month. Nobody is woken, a ticket is written.
    "slow burn": ((10 * HOUR, BUSY, 0.002, 0.02), (7 * HOUR, BUSY, 0.0, 0.0)),
    "fast burn": ((6 * HOUR, BUSY, 0.0, 0.0), (90, BUSY, 0.2, 0.5)),
    "spike": ((2 * HOUR, BUSY, 0.0, 0.0), (2, BUSY, 1.0, 1.0), (8 * HOUR, BUSY, 0.0, 0.0)),
    "no traffic": ((HOUR, BUSY, 0.0, 0.0), (8 * HOUR, 0, 0.0, 0.0)),
    "outage ends with the traffic": ((HOUR, BUSY, 0.0, 0.0), (30, BUSY, 1.0, 1.0), (8 * HOUR, 0, 0.0, 0.0)),
    "recovering": ((2 * HOUR, BUSY, 0.0, 0.0), (45, BUSY, 0.3, 0.6), (9 * HOUR, BUSY, 0.0, 0.0)),
}


def counters(phases: tuple[Phase, ...]) -> list[tuple[int, int, int]]:
    """Total, errors and slow answers so far, minute by minute."""
    rows, total, errors, slow = [(0, 0, 0)], 0, 0, 0
    for minutes, per_minute, error_share, slow_share in phases:
        for _ in range(minutes):
            total += per_minute
            errors += round(per_minute * error_share)
            slow += round(per_minute * slow_share)
            rows.append((total, errors, slow))
    return rows
