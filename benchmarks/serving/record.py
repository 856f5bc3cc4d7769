"""What a benchmark has measured so far, in a file that is written after every server: a run that was ended goes on."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

#: Figures that bars are about; for the last ones less is better.
MORE = ("rate@1", "rate@64")
LESS = ("p99@64", "start")
#: A server that is this many times worse than the best in each of these figures cannot become the best.
HOPELESS = 2.0


@dataclass
class Record:
    """settings: of this run; a file of other settings is not gone on with. seconds: spent so far. floors: by work.

    runs: one entry for each time a server was measured. failed: why a server did not run, by work and server.
    """

    file: Path
    settings: Mapping[str, Any]
    seconds: float = 0.0
    floors: dict[str, dict[str, float]] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)
    failed: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def open(cls, file: Path, settings: Mapping[str, Any]) -> Record:
        """The record in the file, where it is of the same settings; else an empty one."""
        try:
            found = json.loads(file.read_text())
        except (OSError, ValueError):
            return cls(file, settings)
        return cls(file, **found) if found.get("settings") == settings else cls(file, settings)

    def save(self) -> None:
        """Write the file as a whole."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        content = asdict(self)
        del content["file"]
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(content))
        new.replace(self.file)

    def has(self, work: str, server: str, round_number: int) -> bool:
        """Whether the server was measured in this round, or cannot be."""
        if server in self.failed.get(work, {}):
            return True
        return any((run["work"], run["server"], run["round"]) == (work, server, round_number) for run in self.runs)

    def add(self, work: str, server: str, round_number: int, figures: Mapping[str, float]) -> None:
        """Keep what one server did."""
        self.runs.append({"work": work, "server": server, "round": round_number, "figures": dict(figures)})

    def medians(self, work: str) -> dict[str, dict[str, float]]:
        """Of every figure, by server."""
        seen: dict[str, list[Mapping[str, float]]] = {}
        for run in self.runs:
            if run["work"] == work:
                seen.setdefault(run["server"], []).append(run["figures"])
        return {
            server: {key: statistics.median(run[key] for run in runs) for key in runs[0]} | {"rounds": len(runs)}
            for server, runs in seen.items()
        }

    def in_the_race(self, work: str, server: str) -> bool:
        """Whether the server is near the best of the others of its kind in a figure that a bar is about."""
        medians = self.medians(work)
        if server not in medians or server.startswith("ours"):
            return True
        peers = [figures for name, figures in medians.items() if not name.startswith("ours")]
        mine = medians[server]
        return any(mine[key] * HOPELESS >= max(peer[key] for peer in peers) for key in MORE) or any(
            mine[key] <= HOPELESS * min(peer[key] for peer in peers) for key in LESS
        )

    def results(self, works: Iterable[str]) -> dict[str, Any]:
        """By work: floor, servers that ran, and why others did not."""
        return {
            work: {
                "floor": self.floors[work],
                "servers": {"ran": self.medians(work), "did not run": self.failed.get(work, {})},
            }
            for work in works
        }
