"""The check of training data: whatever the bytes are, a report; never a traceback, and never a pickle.

What it does not prove: that a model learns anything from data that passed.
"""

from __future__ import annotations

import io
import json
import pickle
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from training.data.check import ANY, Report, check
from training.data.dataset import HELD_OUT
from training.data.source import read
from training.display import report_as_json
from training.trainers import SEED

MANY = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


class Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return (Path.touch, (self.marker,))


MARKER = Path(tempfile.gettempdir()) / "a-pickle-was-loaded"
PICKLE = pickle.dumps(Bomb(MARKER))


def npy(array: Any) -> bytes:
    """The array as numpy writes it; object arrays hold a pickle."""
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names of fields that only newer versions of the format can hold
        np.lib.format.write_array(stream, np.asarray(array), allow_pickle=True)
    return stream.getvalue()


def header(text: str, content: bytes = b"") -> bytes:
    """An array file with a header of one's own."""
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode("latin-1") + content


def zipped(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", method) as file:
        warnings.simplefilter("ignore")  # two members of one name
        for name, content in members:
            file.writestr(name, content)
    return stream.getvalue()


def good(rows: int = 12, features: int = 3, classes: int = 2) -> bytes:
    rng = np.random.default_rng(0)
    return zipped([("X.npy", npy(rng.normal(size=(rows, features)))), ("y.npy", npy(np.arange(rows) % classes))])


objects = np.empty(1, dtype=object)
objects[0] = Bomb(MARKER)

any_array = hnp.arrays(
    st.one_of(hnp.scalar_dtypes(), hnp.unicode_string_dtypes(max_len=3), hnp.array_dtypes(), hnp.nested_dtypes()),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6),
).map(npy)
labelled_rows = st.integers(0, 20).flatmap(
    lambda rows: st.tuples(
        hnp.arrays(st.sampled_from(["f4", "f8", "f2", "i8", "u1", "?"]), (rows, 2)),
        hnp.arrays(st.sampled_from(["i8", "u8", "f8", "<U2", "?"]), rows, elements=None),
    )
)
content = st.one_of(
    any_array,
    st.sampled_from([npy(objects), PICKLE, b"", b"\x93NUMPY", header("{'descr': '<f8'}\n")]),
    st.binary(max_size=100),
    st.text(max_size=40).map(lambda text: header(text.encode("ascii", "replace").decode(), b"\0" * 16)),
)
name = st.sampled_from(["X.npy", "y.npy", "X", "y", "z.npy", "X.npy.npy", "../X.npy", "dir/"])
archive = st.builds(
    zipped,
    st.one_of(
        st.lists(st.tuples(name, content), max_size=4),
        labelled_rows.map(lambda pair: [("X.npy", npy(pair[0])), ("y.npy", npy(pair[1]))]),
    ),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """An archive with bytes flipped, cut off, or put before it."""
    whole = bytearray(draw(st.one_of(archive, st.just(good()))))
    for _flip in range(draw(st.integers(0, 4))):
        position = draw(st.integers(0, len(whole) - 1))
        whole[position] ^= draw(st.integers(1, 255))
    cut = draw(st.integers(0, len(whole)))
    return draw(st.sampled_from([b"", PICKLE, npy([1.0])])) + bytes(whole[: cut if draw(st.booleans()) else None])


def judge(file: Path) -> Report:
    """What must hold for any file."""
    report = check(file)
    json.dumps(report_as_json(report)).encode()
    str(report).encode()
    if report.dataset is None:
        assert report.errors
        for finding in report.errors:
            assert all((finding.field, finding.found, finding.allowed, finding.fix)), finding
    else:
        assert not report.errors
        loaded = read(str(file))
        assert (loaded.X.dtype, loaded.X.ndim, loaded.y.ndim) == (np.float32, 2, 1)
        assert np.isfinite(loaded.X).all()
        train, held_out = loaded.split(HELD_OUT, SEED)
        assert train.classes == loaded.classes, "a class would never be learned"
        assert len(held_out.y) + len(train.y) == len(loaded.y)
    assert not MARKER.exists(), "a pickle was loaded"
    return report


@MANY
@given(st.one_of(st.binary(max_size=300), archive, damaged()))
@example(PICKLE)
@example(npy([1.0]) + good())
@example(zipped([("X", b"no array"), ("y", b"no array")]))
@example(zipped([("X.npy", npy(np.zeros((4, 2)))), ("y.npy", npy(np.array([2**63, 0, 2**63, 0], dtype="u8")))]))
@example(zipped([("X.npy", npy(np.zeros((4, 2)))), ("y.npy", npy(np.array([1e300, 0, 1e300, 0])))]))
@example(zipped([("X.npy", npy(np.zeros((4, 2)))), ("y.npy", npy(np.array(["\ud800", "a", "\ud800", "a"])))]))
@example(
    zipped(
        [
            ("X.npy", npy(np.zeros((4, 2)))),
            ("y.npy", header("{'descr': '<U1', 'fortran_order': False, 'shape': (4,)}\n", b"\xff" * 16)),
        ]
    )
)
@example(
    zipped(
        [
            ("X.npy", header("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 9)}\n")),
            ("y.npy", npy([1])),
        ]
    )
)
@example(good(rows=4, classes=2))
@example(good(rows=40, classes=20))
def test_any_bytes_give_a_report(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "data.npz"
        file.write_bytes(content)
        judge(file)


@settings(MANY, max_examples=60)
@given(
    rows=st.integers(4, 8),
    classes=st.integers(2, 5),
    features=st.integers(1, 4),
    kind=st.sampled_from(["i8", "u1", "f8", "U"]),
    data=st.data(),
)
def test_good_data_passes_unchanged(rows: int, classes: int, features: int, kind: str, data: st.DataObject) -> None:
    floats = st.floats(-1e6, 1e6, width=32)
    X = data.draw(hnp.arrays("f4", (rows * classes, features), elements=floats))
    y = (np.arange(rows * classes) % classes).astype(kind if kind != "U" else str)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "data.npz"
        np.savez(file, X=X, y=y)
        report = judge(file)
    assert report.dataset is not None, str(report)
    assert np.array_equal(report.dataset.X, X)
    assert report.dataset.y.astype(str).tolist() == (y if kind == "U" else y.astype("i8")).astype(str).tolist()


def save(folder: Path, **arrays: Any) -> Path:
    file = folder / "data.npz"
    np.savez(file, **arrays)
    return file


GOOD_X, GOOD_Y = np.arange(24.0).reshape(12, 2), np.arange(12) % 2


@pytest.mark.parametrize(
    ("arrays", "field", "says"),
    [
        ({"X": GOOD_X}, "y", "is missing (the file holds X)"),
        ({"x": GOOD_X, "labels": GOOD_Y}, "X", "is missing (the file holds labels, x)"),
        ({"X": GOOD_X.ravel(), "y": GOOD_Y}, "X", "has shape (24,); allowed: (rows, features)"),
        ({"X": GOOD_X.reshape(12, 2, 1), "y": GOOD_Y}, "X", "has shape (12, 2, 1)"),
        ({"X": GOOD_X, "y": np.eye(2)[GOOD_Y]}, "y", "undo the one-hot"),
        ({"X": GOOD_X[:-1], "y": GOOD_Y}, "X and y", "have 11 and 12 rows"),
        ({"X": np.where(GOOD_X == 5, np.nan, GOOD_X), "y": GOOD_Y}, "X", "has 1 value that no float32 can hold"),
        ({"X": GOOD_X * 1e300, "y": GOOD_Y}, "X", "(first: "),
        ({"X": np.zeros((0, 2)), "y": np.zeros(0, int)}, "X", "is empty"),
        ({"X": np.array([["a", "b"]] * 12), "y": GOOD_Y}, "X", "real numbers"),
        ({"X": GOOD_X, "y": GOOD_Y + 0.5}, "y", "whole numbers or text"),
        ({"X": GOOD_X, "y": np.zeros(12, int)}, "y", "one class only"),
        ({"X": GOOD_X, "y": np.array([0] * 11 + [1])}, "y", "has 1 row of class 1"),
        ({"X": GOOD_X, "y": np.arange(12) % 5}, "X and y", "a quarter of the rows is held out"),
        ({"X": GOOD_X, "y": np.array([2**63, 0] * 6, dtype="u8")}, "y", "no int64 holds"),
    ],
)
def test_what_is_wrong_is_named(arrays: dict[str, Any], field: str, says: str, tmp_path: Path) -> None:
    report = judge(save(tmp_path, **arrays))
    assert field in {finding.field for finding in report.errors}
    assert says in str(report)


def test_object_arrays_are_refused_with_a_way_out(tmp_path: Path) -> None:
    report = judge(save(tmp_path, X=GOOD_X, y=np.array([Bomb(MARKER)] * 12, dtype=object)))
    assert "a pickle could run any program, and is never loaded" in str(report)


def test_every_problem_is_found_at_once(tmp_path: Path) -> None:
    report = judge(save(tmp_path, X=np.full((3, 2), np.inf), y=np.array([0, 0]), spare=1))
    assert [finding.field for finding in report.findings] == ["spare", "X", "y", "X and y"]


@pytest.mark.parametrize(
    ("X", "y", "says"),
    [
        (np.hstack([GOOD_X, np.ones((12, 1))]), GOOD_Y, "1 constant features of 3"),
        (np.vstack([GOOD_X[:6], GOOD_X[:6]]), GOOD_Y, "repeats 6 rows"),
        (np.arange(60.0).reshape(30, 2), np.array([0] * 28 + [1] * 2), "28 rows of one class and 2 of another"),
    ],
)
def test_a_warning_does_not_keep_data_from_being_used(X: Any, y: Any, says: str, tmp_path: Path) -> None:
    report = judge(save(tmp_path, X=X, y=y))
    assert report.dataset is not None
    assert says in str(report)


def test_a_row_shape_is_held(tmp_path: Path) -> None:
    file = save(tmp_path, X=np.random.default_rng(0).random((12, 4, 4, 3)), y=GOOD_Y)
    assert check(file, (4, 4, 3)).dataset is not None
    assert check(file, ANY).dataset is not None
    assert "allowed: (rows, 32, 32, 3)" in str(check(file, (32, 32, 3)))


def test_what_is_no_file(tmp_path: Path) -> None:
    assert "does not exist" in str(check(tmp_path / "none.npz"))
    assert "is a folder" in str(check(tmp_path))
