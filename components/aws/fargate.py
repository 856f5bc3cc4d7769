"""Sizes of a task on Fargate: the smallest one that holds a replica. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from components.aws.instances import TooLargeError

#: CPU units of one virtual CPU, and MiB of one GiB.
UNITS = MIB = 1024


@dataclass(frozen=True)
class Size:
    """One size. cpu: in units, 1,024 for a virtual CPU. memory_mib: memory."""

    cpu: int
    memory_mib: int


@dataclass(frozen=True)
class _Row:
    """Memory that goes with some CPU units: from least to most in steps, all in MiB."""

    cpu: int
    least: int
    most: int
    step: int


#: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html
_TABLE = (
    _Row(256, 512, 1 * MIB, 512),
    _Row(256, 2 * MIB, 2 * MIB, MIB),
    _Row(512, 1 * MIB, 4 * MIB, MIB),
    _Row(1 * UNITS, 2 * MIB, 8 * MIB, MIB),
    _Row(2 * UNITS, 4 * MIB, 16 * MIB, MIB),
    _Row(4 * UNITS, 8 * MIB, 30 * MIB, MIB),
    _Row(8 * UNITS, 16 * MIB, 60 * MIB, 4 * MIB),
    _Row(16 * UNITS, 32 * MIB, 120 * MIB, 8 * MIB),
)

#: Every size, in the order of CPU units and then of memory.
SIZES = tuple(Size(row.cpu, memory) for row in _TABLE for memory in range(row.least, row.most + 1, row.step))


def smallest(cpu: float, memory_gib: float) -> Size:
    """The first size, in order, with so many virtual CPUs and so much memory. Raises TooLargeError."""
    for size in SIZES:
        if size.cpu >= cpu * UNITS and size.memory_mib >= memory_gib * MIB:
            return size
    most = SIZES[-1]
    raise TooLargeError(
        f"resources are cpu {cpu:g} and memory_gib {memory_gib:g}; allowed on this target: at most "
        f"{most.cpu // UNITS} and {most.memory_mib // MIB} (Fargate's largest task): lower them"
    )
