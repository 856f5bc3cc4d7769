"""What the container allows: CPU from its control group, so that thread counts fit it."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def cpus(cgroup: Path = _CGROUP) -> int:
    """Whole CPUs this process may use, at least 1: the smaller of its affinity and its control group's quota."""
    return max(1, math.ceil(min(len(os.sched_getaffinity(0)), _quota(cgroup))))


def threads_per_process(workers: int, cgroup: Path = _CGROUP) -> int:
    """Threads of a model in each of several processes that fill the CPUs together."""
    return max(1, cpus(cgroup) // workers)


def _quota(cgroup: Path) -> float:
    """CPUs of the control group's quota, version 2 or 1; infinite where there is none."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return math.inf
    if not quota.isdigit() or not period.isdigit() or int(period) == 0:
        return math.inf
    return int(quota) / int(period)
