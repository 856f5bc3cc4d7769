"""`make bench`: run the benchmark and write docs/benchmarks.md, or show our own figures and the floor."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from benchmarks.serving import floor, measure, report
from benchmarks.serving import work as works
from benchmarks.serving.contestants import CONTESTANTS, ROOT, Contestant
from benchmarks.serving.record import Record
from spec import release as releases

console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)

WORKS = {"rf": "digits", "rf-ort": "digits", "cnn": "digits_cnn"}
CONNECTIONS = (1, 8, 64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default="all", help="all, none, or names separated by commas")
    parser.add_argument("--works", default=",".join(WORKS), help=f"of {', '.join(WORKS)}")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds; the medians count")
    parser.add_argument("--seconds", type=float, default=2.0, help="of one load, in whole seconds")
    parser.add_argument("--minutes", type=float, default=14.0, help="after which no further round begins")
    parser.add_argument("--models", type=Path, default=ROOT / "models", help="folder of the releases")
    parser.add_argument("--record", type=Path, default=ROOT / "build" / "bench.json", help="what is gone on with")
    parser.add_argument("--fresh", action="store_true", help="do not go on with a run that was ended")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md and its plot")
    options = parser.parse_args()
    measure.need_wrk()
    if options.fresh:
        options.record.unlink(missing_ok=True)
    chosen = _chosen(options.peers)
    folders = {name: folder for name in options.works.split(",") if (folder := _release(options.models, name))}
    settings = {
        "servers": [contestant.name for contestant in chosen],
        "releases": {name: releases.digest(folder) for name, folder in folders.items()},
        "seconds": options.seconds,
    }
    record = Record.open(options.record, settings)
    if record.runs:
        console.print(f"going on after {len(record.runs)} measurements ({options.record}; --fresh begins anew)")
    with tempfile.TemporaryDirectory() as folder:
        made = [works.make(Path(folder) / name, release, name) for name, release in folders.items()]
        _measure(record, made, chosen, options)
    results = record.results(folders)
    report.show(console, results)
    if options.write:
        report.write(ROOT / "docs", results, options.seconds)
        console.print("wrote docs/benchmarks.md")
    options.record.unlink(missing_ok=True)


def _measure(record: Record, made: list[works.Work], chosen: list[Contestant], options: argparse.Namespace) -> None:
    """Every server once in each round; in later rounds those that may be the best, as long as there is time."""
    for work in made:
        if work.name not in record.floors:
            record.floors[work.name] = floor.measure(work, options.seconds)
    for number in range(options.rounds):
        for work, contestant in _due(record, made, chosen, number):
            if number and record.seconds > options.minutes * 60:
                console.print(f"{options.minutes:g} minutes are over in round {number + 1} of {options.rounds}")
                return
            console.print(
                f"{record.seconds / 60:4.1f} min  {work.name}, round {number + 1} of {options.rounds}: "
                f"{contestant.name} …",
                style="dim",
            )
            began = time.monotonic()
            try:
                record.add(work.name, contestant.name, number, _one(work, contestant, options.seconds))
            except (AssertionError, RuntimeError, OSError) as error:
                console.print(f"{contestant.name} did not run: {error}", style="red", markup=False)
                record.failed.setdefault(work.name, {})[contestant.name] = str(error).splitlines()[0]
            record.seconds += time.monotonic() - began
            record.save()


def _due(
    record: Record, made: list[works.Work], chosen: list[Contestant], number: int
) -> Iterator[tuple[works.Work, Contestant]]:
    for work in made:
        for contestant in chosen:
            if contestant.name == "ours, binary" and work.name != "cnn":
                continue
            if record.has(work.name, contestant.name, number):
                continue
            if number == 0 or record.in_the_race(work.name, contestant.name):
                yield work, contestant


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


def _release(models: Path, name: str) -> Path | None:
    """The release of a work; None, with how to get it, where there is none."""
    model = WORKS[name]
    try:
        return releases.resolve(models, f"{model}@latest").path
    except releases.ReleaseError as error:
        trainer = "cnn" if model == "digits_cnn" else "forest"
        console.print(f"{name} is left out: {error}: make train TRAINER={trainer}", style="yellow")
        return None


def _one(work: works.Work, contestant: Contestant, seconds: float) -> dict[str, float]:
    """Start the server, ask it for right answers, load it, weigh it."""
    bodies = work.bodies(contestant.body(work))
    file = work.folder / "bodies"
    measure.write_bodies(file, bodies)
    with measure.serving(contestant, work, work.folder / "server.log") as server:
        figures = {"start": server.start_seconds}
        server.check(bodies)
        server.load(file, contestant.head(bodies[0]), 8, 1)  # warm
        figures["idle_mb"] = server.memory_mb()
        for connections in CONNECTIONS:
            load = server.load(file, contestant.head(bodies[0]), connections, seconds)
            for key in ("rate", "p50", "p99", "refused"):
                figures[f"{key}@{connections}"] = getattr(load, key)
        figures["loaded_mb"] = server.memory_mb()
    return figures


if __name__ == "__main__":
    main()
