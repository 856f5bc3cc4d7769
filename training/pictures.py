"""The two pictures of a release: what was mistaken for what, and how the fit went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from training.trainers import LearningCurve

CONFUSION_MATRIX = "confusion_matrix.png"
LEARNING_CURVE = "learning_curve.png"

#: Beyond this many classes the numbers in the cells cannot be read.
MOST_NUMBERS = 20


def confusion_matrix(file: Path, counts: Sequence[Sequence[int]], classes: Sequence[str], title: str) -> None:
    """Draw counts[true class][predicted class]."""
    matrix = np.asarray(counts)
    figure = Figure(figsize=(6, 5), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    figure.colorbar(axes.imshow(matrix, cmap="Blues"), label="held-out rows")
    if len(classes) <= MOST_NUMBERS:
        ticks = range(len(classes))
        axes.set_xticks(ticks, classes)
        axes.set_yticks(ticks, classes)
        for row, column in np.argwhere(matrix > 0):
            dark = matrix[row, column] > matrix.max() / 2
            text = str(matrix[row, column])
            axes.text(column, row, text, ha="center", va="center", color="white" if dark else "black")
    axes.set(xlabel="predicted", ylabel="true", title=title)
    figure.savefig(file)


def learning_curve(file: Path, curve: LearningCurve, title: str) -> None:
    """Draw each series over what the curve runs along; losses on an axis of their own."""
    figure = Figure(figsize=(6, 4), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlabel=curve.along, ylabel="accuracy", title=title)
    for name, values in curve.series.items():
        if not name.endswith("loss"):
            axes.plot(curve.at, values, marker="o", markersize=3, label=name)
    losses = {name: values for name, values in curve.series.items() if name.endswith("loss")}
    if losses:
        other = axes.twinx()
        other.set_ylabel("loss")
        for name, values in losses.items():
            other.plot(curve.at, values, linestyle="--", color="grey", label=name)
            axes.plot([], [], linestyle="--", color="grey", label=name)  # so that one legend holds them all
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="best")
    figure.savefig(file)
