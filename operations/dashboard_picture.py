"""The dashboard as a picture: the same panels and the same queries as Grafana's, read from a Prometheus that runs.

`python -m operations draw-dashboard docs/images/dashboard.png` while `make monitor` runs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from operations.errors import OperationError
from spec.grafana import queries
from spec.metrics import target_metrics
from spec.panels import AddedPanel, DashboardConfig, Panel, PanelUnit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 3
POINTS = 240
#: Lines of a panel that have a name.
MAX_NAMES = 6
AXIS_LABELS: dict[PanelUnit, str] = {
    "requests_per_second": "requests/s",
    "ratio": "%",
    "seconds": "ms",
    "count": "",
    "index": "PSI",
}
#: From a metric's unit to the axis's.
FACTORS: dict[PanelUnit, float] = {"ratio": 100, "seconds": 1000}


@dataclass(frozen=True)
class Line:
    """One line of a panel. times: Unix seconds."""

    legend: str
    times: Sequence[float]
    values: Sequence[float]


def draw(prometheus: str, service: str, config: DashboardConfig, minutes: int, file: Path) -> None:
    """Draw the last minutes into a PNG file. Raises OperationError where Prometheus does not answer."""
    # Imported here: it takes as long as everything else together.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    metrics = target_metrics("local", "process", {"service": service})
    panels = [panel for panel in config.chosen(metrics)[0] if queries(panel, service)]
    end = time.time()
    start = end - minutes * 60
    lines = {panel.key: _lines(prometheus, panel, service, start, end) for panel in panels}
    rows = math.ceil(len(panels) / COLUMNS)
    figure = Figure(figsize=(5 * COLUMNS, 3.2 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    for axis, panel in zip(axes, panels, strict=False):
        _draw_panel(axis, panel, lines[panel.key])
        axis.set_xlim(_local(start), _local(end))
    figure.suptitle(f"Model service {service}", fontsize=14, fontweight="bold")
    figure.savefig(file, dpi=80)


def _lines(prometheus: str, panel: Panel | AddedPanel, service: str, start: float, end: float) -> list[Line]:
    factor = FACTORS.get(panel.unit, 1)
    found: list[Line] = []
    for legend, expr in queries(panel, service):
        for series in _query(prometheus, expr, start, end):
            name = legend
            for label, value in series["metric"].items():
                name = name.replace(f"{{{{{label}}}}}", value)
            points = [(float(at), float(value) * factor) for at, value in series["values"] if value != "NaN"]
            found.append(Line(name, [at for at, _ in points], [value for _, value in points]))
    return found


def _query(prometheus: str, expr: str, start: float, end: float) -> list[dict[str, Any]]:
    params = {"query": expr, "start": start, "end": end, "step": max(1, round((end - start) / POINTS))}
    try:
        answer = httpx.get(f"{prometheus}/api/v1/query_range", params=params, timeout=30)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise OperationError(
            f"Prometheus at {prometheus} does not answer ({error}); run `make monitor` first"
        ) from None
    return answer.json()["data"]["result"]


def _draw_panel(axis: Axes, panel: Panel | AddedPanel, lines: Sequence[Line]) -> None:
    from matplotlib.dates import DateFormatter

    axis.set_title(panel.title, loc="left", fontsize=11)
    for line in lines:
        axis.plot([_local(at) for at in line.times], line.values, label=line.legend, linewidth=1.4)
    if lines:
        # Of many lines the highest have a name; a legend of all would cover them.
        handles, names = axis.get_legend_handles_labels()
        highest = sorted(range(len(lines)), key=lambda at: -(lines[at].values or [0.0])[-1])[:MAX_NAMES]
        chosen = [at for at in range(len(lines)) if at in highest]
        title = f"highest {MAX_NAMES} of {len(lines)}" if len(lines) > MAX_NAMES else None
        axis.legend(
            [handles[at] for at in chosen], [names[at] for at in chosen],
            title=title, title_fontsize=8, fontsize=8, loc="best", frameon=False,
        )  # fmt: skip
    else:
        axis.text(0.5, 0.5, "no data", ha="center", va="center", transform=axis.transAxes, color="gray")
    if panel.key != "error_budget":
        axis.set_ylim(bottom=0)
    axis.set_ylabel(AXIS_LABELS[panel.unit], fontsize=9)
    axis.xaxis_date()
    axis.xaxis.set_major_formatter(DateFormatter("%H:%M"))
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.3)


def _local(seconds: float) -> Any:
    """A point on the axis of time: matplotlib's own number, in the time zone of whoever looks at the picture."""
    from matplotlib.dates import date2num

    return date2num(datetime.fromtimestamp(seconds))
