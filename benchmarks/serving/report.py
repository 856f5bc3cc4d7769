"""The figures as a table on the terminal, and as docs/benchmarks.md with its plot."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

Results = Mapping[str, Any]

#: What we promise, as ratios against the best peer: work -> (figure, least factor).
BARS: dict[str, tuple[tuple[str, float], ...]] = {
    "rf": (("rate@64", 6.0), ("rate@1", 8.0)),
    "rf-ort": (("rate@64", 4.0), ("rate@1", 2.5)),
    "cnn": (("rate@64", 2.0),),
}
COLUMNS = ("rate@1", "rate@8", "rate@64", "p50@64", "p99@64", "start", "idle_mb", "loaded_mb", "rounds")
HEADS = (
    "req/s, c=1", "c=8", "c=64", "p50 ms, c=64", "p99 ms, c=64", "start s", "MB after start", "MB after load", "rounds",
)  # fmt: skip


def show(console: Console, results: Results) -> None:
    """Print a table per work, and how the bars stand."""
    for name, result in results.items():
        table = Table(title=name)
        for head in ("server", *HEADS):
            table.add_column(head, justify="left" if head == "server" else "right")
        for server, figures in _sorted(result):
            table.add_row(server, *(_cell(column, figures[column]) for column in COLUMNS))
        console.print(table)
        console.print(f"floor: {_floor(result)}")
    for line in bars(results):
        console.print(line)


def bars(results: Results) -> list[str]:
    """Each bar with what was measured; nothing where no peer ran."""
    lines: list[str] = []
    for name, result in results.items():
        ran = result["servers"]["ran"]
        ours, peers = ran.get("ours"), {n: f for n, f in ran.items() if not n.startswith("ours")}
        if ours is None or not peers:
            continue
        for figure, least in BARS.get(name, ()):
            best = max(peers, key=lambda peer: peers[peer][figure])
            lines.append(_verdict(f"{name}, req/s at c={figure[5:]}", ours[figure] / peers[best][figure], least, best))
        best = min(peers, key=lambda peer: peers[peer]["p99@64"])
        lines.append(_verdict(f"{name}, p99 at c=64", peers[best]["p99@64"] / ours["p99@64"], 3.0, best))
        best = min(peers, key=lambda peer: peers[peer]["start"])
        lines.append(_verdict(f"{name}, start to first 200", peers[best]["start"] / ours["start"], 2.0, best))
        lines.append(_limit(f"{name}, start to first 200", ours["start"], 1.2, "s"))
        lines.append(_limit(f"{name}, memory with one model", ours["loaded_mb"], 130, "MB"))
        if "ours, binary" in ran:
            ratio = ran["ours, binary"]["rate@64"] / ours["rate@64"]
            lines.append(_verdict(f"{name}, binary tensors against JSON, req/s at c=64", ratio, 1.5, "ours"))
    return lines


def _verdict(what: str, ratio: float, least: float, best: str) -> str:
    return f"| {what} | {ratio:.1f}× {best} | at least {least:g}× | {'met' if ratio >= least else '**not met**'} |"


def _limit(what: str, value: float, most: float, unit: str) -> str:
    return f"| {what} | {value:.2f} {unit} | at most {most:g} {unit} | {'met' if value <= most else '**not met**'} |"


def write(docs: Path, results: Results, seconds: float) -> None:
    """Write docs/benchmarks.md and docs/images/benchmarks.svg."""
    lines = [
        "# Serving speed",
        "",
        f"Written by `make bench`: every server on the same machine ({os.cpu_count()} cores) in one run, "
        f"interleaved rounds of {seconds:g} s per load, medians. A peer that is not within a factor of two of the best "
        "one in any figure of a bar is measured in the first round only (column *rounds*). wrk sends "
        "1,200 distinct requests in turn; answers are compared with the right ones before each load. "
        "Ours runs as one process with validation, metrics "
        "and all contracts on. Only ratios travel to other machines.",
        "",
        "`rf`: the forest on scikit-learn's digits, with scikit-learn at the peers, as their users run it. `rf-ort`: "
        "the same with ONNX Runtime in all. `cnn`: the convolutional network for 32×32×3, ONNX Runtime in all.",
        "",
        "![requests per second at 64 connections](images/benchmarks.svg)",
        "",
        "| what | measured | bar | |",
        "|---|---|---|---|",
        *bars(results),
        "",
    ]
    for name, result in results.items():
        lines += [f"## {name}", "", f"| server | {' | '.join(HEADS)} |", f"|---|{'---:|' * len(HEADS)}"]
        for server, figures in _sorted(result):
            lines.append(f"| {server} | {' | '.join(_cell(column, figures[column]) for column in COLUMNS)} |")
        lines += ["", f"Floor: {_floor(result)}.", ""]
        lines += [f"{peer} did not run: {why}" for peer, why in result["servers"]["did not run"].items()]
    docs.joinpath("benchmarks.md").write_text("\n".join(lines).rstrip() + "\n")
    _plot(docs / "images" / "benchmarks.svg", results)


def _plot(file: Path, results: Results) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "benchmarks"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(results), figsize=(4.2 * len(results), 4), squeeze=False)
    for axis, (name, result) in zip(axes[0], results.items(), strict=True):
        rows = list(reversed(_sorted(result)))
        axis.barh(
            [server for server, _ in rows],
            [figures["rate@64"] for _, figures in rows],
            color=["#2457c5" if server.startswith("ours") else "#9aa5b8" for server, _ in rows],
        )
        axis.set_title(name)
        axis.set_xlabel("requests/s, 64 connections")
    figure.tight_layout()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Date": None})


def _sorted(result: Any) -> list[tuple[str, dict[str, float]]]:
    return sorted(result["servers"]["ran"].items(), key=lambda item: -item[1]["rate@64"])


def _floor(result: Any) -> str:
    floor = result["floor"]
    bare, model = floor["bare_http@64"], floor["model_in_process"]
    return f"bare HTTP {bare:,.0f} req/s at c=64, model in process {model:,.0f} rows/s"


def _cell(column: str, value: float) -> str:
    if column.startswith("p"):
        return f"{value * 1000:.1f}"
    return f"{value:.2f}" if column == "start" else f"{value:,.0f}"
