"""`make bench`: run the benchmark and write docs/benchmarks.md, or show our own figures and the floor."""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.serving import floor, measure, report, work
from benchmarks.serving.contestants import CONTESTANTS, ROOT, Contestant

console = Console(highlight=False)

WORKS = {"rf": "digits", "rf-ort": "digits", "cnn": "digits_cnn"}
CONNECTIONS = (1, 8, 64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default="all", help="all, none, or names separated by commas")
    parser.add_argument("--works", default=",".join(WORKS), help=f"of {', '.join(WORKS)}")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds; the medians count")
    parser.add_argument("--seconds", type=float, default=5.0, help="of one load")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md and its plot")
    options = parser.parse_args()
    measure.need_wrk()
    chosen = _chosen(options.peers)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.works.split(","):
            made = work.make(Path(folder) / name, _release(WORKS[name]), name)
            results[name] = {"floor": floor.measure(made, options.seconds), "servers": _run(made, chosen, options)}
            console.print_json(json.dumps(results[name]))
    report.show(console, results)
    if options.write:
        report.write(ROOT / "docs", results, options.rounds, options.seconds)
        console.print("wrote docs/benchmarks.md")


def _chosen(peers: str) -> list[Contestant]:
    ours = [contestant for contestant in CONTESTANTS if contestant.name.startswith("ours")]
    if peers == "none":
        return ours
    asked = None if peers == "all" else {name.strip().lower() for name in peers.split(",")}
    others = [
        c for c in CONTESTANTS if c not in ours and (asked is None or any(c.name.lower().startswith(n) for n in asked))
    ]
    for missing in [c for c in others if not c.installed]:
        console.print(
            f"{missing.name} is not installed, and does not run (make bench-peers installs it)", style="yellow"
        )
    return ours + [contestant for contestant in others if contestant.installed]


def _release(model: str) -> Path:
    from spec import release as releases

    try:
        return releases.resolve(ROOT / "models", f"{model}@latest").path
    except releases.ReleaseError as error:
        trainer = "cnn" if model == "digits_cnn" else "forest"
        raise SystemExit(f"{error}: make train TRAINER={trainer}") from None


def _run(made: work.Work, contestants: Iterable[Contestant], options: argparse.Namespace) -> dict[str, Any]:
    seen: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    out: dict[str, str] = {}
    for round_number in range(options.rounds):
        for contestant in contestants:
            if contestant.name in out or (contestant.name == "ours, binary" and made.name != "cnn"):
                continue
            console.print(
                f"{made.name}, round {round_number + 1} of {options.rounds}: {contestant.name} …", style="dim"
            )
            try:
                _one(made, contestant, options.seconds, seen[contestant.name])
            except (AssertionError, RuntimeError) as error:
                console.print(f"{contestant.name} did not run: {error}", style="red", markup=False)
                out[contestant.name] = str(error).splitlines()[0]
                seen.pop(contestant.name, None)
    return {"ran": {name: _medians(figures) for name, figures in seen.items()}, "did not run": out}


def _one(made: work.Work, contestant: Contestant, seconds: float, figures: dict[str, list[Any]]) -> None:
    bodies = made.bodies(contestant.body(made))
    file = made.folder / "bodies"
    measure.write_bodies(file, bodies)
    with measure.serving(contestant, made, made.folder / "server.log") as server:
        figures["start"].append(server.start_seconds)
        server.check(bodies)
        server.load(file, contestant.head(bodies[0]), 8, 1)  # warm
        figures["idle_mb"].append(server.memory_mb())
        for connections in CONNECTIONS:
            load = server.load(file, contestant.head(bodies[0]), connections, seconds)
            for key in ("rate", "p50", "p99", "refused"):
                figures[f"{key}@{connections}"].append(getattr(load, key))
        figures["loaded_mb"].append(server.memory_mb())


def _medians(figures: dict[str, list[Any]]) -> dict[str, float]:
    return {name: statistics.median(values) for name, values in figures.items()}


if __name__ == "__main__":
    main()
