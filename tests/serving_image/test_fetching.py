"""The image's command `fetch`, in a process of its own: what an init container runs before somebody else's server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from model_server.errors import Exit

from tests.training.small import write_small

ROOT = Path(__file__).resolve().parents[2]
PARTS = {"tensorflow_serving/1/saved_model.pb": b"a graph", "tensorflow_serving/1/variables/index": b"numbers"}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return write_small(tmp_path / "models", "digits_cnn", more=PARTS).path


def fetch(*arguments: object, scratch: Path | None = None) -> subprocess.CompletedProcess[str]:
    temporary = {"TMPDIR": str(scratch)} if scratch else {}
    return subprocess.run(
        [sys.executable, "-m", "entry", "fetch", *map(str, arguments)],
        env={**os.environ, **temporary, "PYTHONPATH": f"{ROOT}:{ROOT / 'serving_image'}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_lays_a_folder_of_the_release_where_it_is_asked_to(release: Path, tmp_path: Path) -> None:
    """The layout that TensorFlow Serving takes: <model>/<version>/saved_model.pb, and nothing else of the release."""
    told = fetch(f"file://{release}", "tensorflow_serving", tmp_path / "models-of-the-pod" / "digits_cnn")
    assert told.returncode == Exit.OK, told.stderr
    found = {
        str(file.relative_to(tmp_path / "models-of-the-pod")): file.read_bytes()
        for file in (tmp_path / "models-of-the-pod").rglob("*")
        if file.is_file()
    }
    assert found == {f"digits_cnn/{name.partition('/')[2]}": content for name, content in PARTS.items()}


def test_lays_nothing_of_a_release_that_was_changed(release: Path, tmp_path: Path) -> None:
    (release / "tensorflow_serving" / "1" / "saved_model.pb").write_bytes(b"another graph")
    told = fetch(release, "tensorflow_serving", tmp_path / "laid")
    assert told.returncode == Exit.TAMPERED
    assert "saved_model.pb" in told.stderr
    assert not (tmp_path / "laid").exists()


@pytest.mark.parametrize(
    ("part", "code", "said"),
    [
        ("torchserve", Exit.NO_RELEASE, "has nothing in torchserve/; it has model.onnx"),
        ("../v2", Exit.BAD_SETTING, "allowed: a plain name"),
        ("", Exit.BAD_SETTING, "allowed: a plain name"),
    ],
)
def test_a_folder_that_is_not_there(part: str, code: Exit, said: str, release: Path, tmp_path: Path) -> None:
    told = fetch(release, part, tmp_path / "laid")
    assert (told.returncode, (tmp_path / "laid").exists()) == (code, False)
    assert said in told.stderr


def test_a_destination_that_cannot_be_written(release: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    told = fetch(release, "tensorflow_serving", tmp_path / "file")
    assert told.returncode == Exit.CRASHED
    assert "cannot be filled" in told.stderr


def test_arguments_are_counted() -> None:
    told = fetch("s3://bucket/models/digits/v1")
    assert told.returncode == Exit.BAD_SETTING
    assert "a URI, a folder of the release and a destination" in told.stderr
