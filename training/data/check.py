"""Can a model be trained on this npz? Every problem is found at once, and said so that a data engineer can mend it."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from training.data.dataset import HELD_OUT, Array, Dataset

#: Stands for a row of any shape.
ANY = ()

#: Rows a class needs at least, so that one can be held out and others learned from.
ROWS_PER_CLASS = 2

#: A class with more than so many times the rows of the smallest is worth a warning.
IMBALANCE = 10

#: Labels beyond this are most likely measurements, not classes.
MOST_CLASSES = 1000


@dataclass(frozen=True)
class Finding:
    """One thing about the data. level: an `error` keeps it from being used, a `warning` does not."""

    level: Literal["error", "warning"]
    field: str
    found: str
    allowed: str
    fix: str

    def __str__(self) -> str:
        return f"{self.level}: {self.field} {self.found}; allowed: {self.allowed}. {self.fix}"


@dataclass
class Report:
    """What the check found. facts: what the data is. dataset: the data, None where an error was found."""

    source: str
    facts: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    dataset: Dataset | None = None

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.level == "error"]

    def __str__(self) -> str:
        verdict = "can be used" if self.dataset is not None else "cannot be used"
        lines = [f"data {self.source} {verdict}", *(f"  {name}: {value}" for name, value in self.facts.items())]
        return "\n".join([*lines, *(f"  - {finding}" for finding in self.findings)])

    def error(self, field: str, found: str, allowed: str, fix: str) -> None:
        self.findings.append(Finding("error", field, found, allowed, fix))

    def warn(self, field: str, found: str, allowed: str, fix: str) -> None:
        self.findings.append(Finding("warning", field, found, allowed, fix))


def check(
    file: Path, row_shape: tuple[int, ...] | None = None, *, source: str | None = None, split: bool = True
) -> Report:
    """Check an npz with `X` and `y`.

    row_shape: the shape that each row must have; None: one flat row of numbers; ANY: any.
    source: how the report calls the file. split: whether a part is to be held out, which takes rows of every class.
    Never raises for bad data, and never loads a pickle.
    """
    report = Report(source or str(file))
    arrays = _load(file, report)
    if arrays is None:
        return report
    rows, labels = (arrays.get(name) for name in ("X", "y"))
    if rows is not None:
        _check_rows(rows, row_shape, report)
    if labels is not None:
        _check_labels(labels, report, split=split)
    if rows is not None and labels is not None and rows.ndim > 0 and labels.ndim > 0 and len(rows) != len(labels):
        report.error(
            "X and y", f"have {len(rows)} and {len(labels)} rows", "one label a row", "Write both from the same table"
        )
    if not report.errors and rows is not None and labels is not None:
        if split:
            _check_split(labels, report)
        _warn(rows, labels, report)
    if not report.errors and rows is not None and labels is not None:
        report.dataset = Dataset(_as_float(rows), _as_label(labels), report.source)
    return report


WRITE_IT = "Write it with numpy.savez(file, X=…, y=…)"
AN_NPZ = "an npz file with the arrays X and y"


def _load(file: Path, report: Report) -> dict[str, Array] | None:
    """The arrays of the file that could be read; None where it is no npz."""
    if not file.is_file():
        report.error("file", "is a folder" if file.is_dir() else "does not exist", AN_NPZ, WRITE_IT)
        return None
    # numpy warns of headers from Python 2 and the like; the arrays are judged, not their age.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            loaded: Any = np.load(file, allow_pickle=False)
        # Any layer can fail on any bytes, each in its own way: numpy's header is Python source, the rest zip and zlib.
        except Exception as error:
            found = "is no npz" if _is_pickle(error) else f"cannot be read ({_first_line(error)})"
            report.error("file", found, AN_NPZ, WRITE_IT)
            return None
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            report.error("file", "is no npz: it holds one array", AN_NPZ, WRITE_IT)
            return None
        arrays: dict[str, Array] = {}
        with loaded:
            for name in ("X", "y"):
                if name not in loaded.files:
                    there = ", ".join(sorted(loaded.files)) or "nothing"
                    report.error(name, f"is missing (the file holds {there})", "the arrays X and y", WRITE_IT)
                    continue
                try:
                    array = loaded[name]
                except Exception as error:  # as above
                    _unreadable(name, error, report)
                    continue
                if isinstance(array, np.ndarray):
                    arrays[name] = array
                else:  # numpy hands out the bytes of what is no array
                    _unreadable(name, TypeError("it is no array"), report)
            for name in sorted(set(loaded.files) - {"X", "y"}):
                report.warn(name, "is not used", "the arrays X and y", "Leave it out, or name the right array X or y")
    return arrays


def _is_pickle(error: Exception) -> bool:
    """Whether numpy refused the bytes as a pickle: what it takes anything for that is neither npy nor zip."""
    return "allow_pickle" in str(error)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _unreadable(name: str, error: Exception, report: Report) -> None:
    if _is_pickle(error):
        report.error(
            name,
            "is an array of Python objects",
            "numbers (a pickle could run any program, and is never loaded)",
            "Convert it with .astype(numpy.float32), or encode text as numbers",
        )
        return
    report.error(
        name, f"cannot be read ({_first_line(error)})", "an array written by numpy.savez", "Write the file again"
    )


def _check_rows(rows: Array, row_shape: tuple[int, ...] | None, report: Report) -> None:
    report.facts["X"] = f"{rows.dtype}, shape {rows.shape}"
    wanted = "(rows, features)" if row_shape is None else f"(rows, {', '.join(map(str, row_shape))})"
    if rows.dtype.kind not in "biuf":
        report.error("X", f"holds {rows.dtype}", "real numbers", "Encode text and dates as numbers")
        return
    if row_shape == ANY:
        right, wanted = rows.ndim >= 2, "(rows, …)"
    else:
        right = rows.ndim == 2 if row_shape is None else rows.ndim >= 1 and rows.shape[1:] == row_shape
    if not right:
        report.error("X", f"has shape {rows.shape}", wanted, "Reshape it, rows first")
        return
    if rows.size == 0:
        report.error("X", f"is empty (shape {rows.shape})", "at least two rows of each class", "Export the data again")
        return
    with np.errstate(over="ignore"):
        bad = np.argwhere(~np.isfinite(rows.astype(np.float32)))
    if len(bad):
        index = tuple(int(i) for i in bad[0])
        many = f"{len(bad)} value{'s' if len(bad) > 1 else ''} that no float32 can hold as a finite number"
        report.error(
            "X",
            f"has {many} (first: {rows[index]} at {list(index)})",
            "finite numbers",
            "Fill or drop these rows before training",
        )


def _check_labels(labels: Array, report: Report, *, split: bool) -> None:
    report.facts["y"] = f"{labels.dtype}, shape {labels.shape}"
    if labels.ndim != 1:
        report.error("y", f"has shape {labels.shape}", "(rows,): one label a row", "Flatten it, or undo the one-hot")
        return
    whole = labels.dtype.kind == "f" and bool(np.isfinite(labels).all()) and bool((labels == np.floor(labels)).all())
    if labels.dtype.kind not in "biuU" and not whole:
        report.error("y", f"holds {labels.dtype}", "whole numbers or text, one class each", "Encode each class once")
        return
    if labels.size == 0:
        report.error("y", "is empty", "at least two rows of each class", "Export the data again")
        return
    if labels.dtype.kind == "U":
        if not _is_text(labels):
            report.error("y", "holds characters that are none", "text in Unicode", "Encode each class once")
            return
    elif int(labels.max()) >= 2**63 or int(labels.min()) < -(2**63):
        report.error(
            "y", f"holds {labels.max()}, which no int64 holds", "whole numbers", "Number the classes from 0 on"
        )
        return
    labels = _as_label(labels)
    names, counts = np.unique(labels, return_counts=True)
    if len(names) > MOST_CLASSES:
        report.error(
            "y", f"has {len(names)} different labels", f"at most {MOST_CLASSES} classes", "Is y a measurement?"
        )
        return
    shown = ", ".join(
        f"{name}: {count}" for name, count in list(zip(names.tolist(), counts.tolist(), strict=True))[:20]
    )
    report.facts["rows per class"] = shown + (" …" if len(names) > 20 else "")
    if not split:
        return
    if len(names) < 2:
        report.error("y", f"has one class only ({names[0]})", "at least two classes", "Add rows of another class")
    for name, count in zip(names.tolist(), counts.tolist(), strict=True):
        if count < ROWS_PER_CLASS:
            report.error(
                "y",
                f"has {count} row of class {name!r}",
                f"at least {ROWS_PER_CLASS} rows a class, so that one can be held out",
                "Add rows of that class, or drop it",
            )


def _check_split(labels: Array, report: Report) -> None:
    classes = len(np.unique(labels))
    if math.ceil(len(labels) * HELD_OUT) < classes:
        report.error(
            "X and y",
            f"have {len(labels)} rows of {classes} classes",
            f"{classes / HELD_OUT:.0f} rows or more: a quarter of the rows is held out, one of each class at least",
            "Add rows, or drop rare classes",
        )


def _is_text(labels: Array) -> bool:
    """Whether each character is one: numpy stores any 32 bits, and also halves of UTF-16 pairs."""
    codes = np.frombuffer(labels.astype(labels.dtype.newbyteorder("=")).tobytes(), dtype=np.uint32)
    return not bool(np.any((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes <= 0xDFFF))))


def _warn(rows: Array, labels: Array, report: Report) -> None:
    flat = rows.reshape(len(rows), -1)
    constant = int(np.sum(flat.min(axis=0) == flat.max(axis=0)))
    if constant:
        report.warn("X", f"has {constant} constant features of {flat.shape[1]}", "features that vary", "Drop them")
    twins = len(flat) - len(np.unique(flat, axis=0))
    if twins:
        report.warn("X", f"repeats {twins} rows", "rows that differ", "A repeated row may be learned and held out")
    counts = np.unique(labels, return_counts=True)[1]
    if counts.max() > IMBALANCE * counts.min():
        report.warn(
            "y",
            f"has {counts.max()} rows of one class and {counts.min()} of another",
            f"a ratio of at most {IMBALANCE}",
            "Accuracy says little here; add rows of the small class",
        )


def _as_float(rows: Array) -> Array:
    return rows.astype(np.float32)


def _as_label(labels: Array) -> Array:
    return labels if labels.dtype.kind == "U" else labels.astype(np.int64)
