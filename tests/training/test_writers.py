"""Several processes write releases of one model, and writers are killed at every step of a write.

What it does not prove: that the bytes survive a power cut (the kernel lives on here), and anything about a file system
of another machine, where two hosts write at once.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spec import release as releases
from spec.release import ReleaseError
from tests.training.crashing_writers import TENSOR
from tests.training.small import write_small
from training.releases.write import VersionTakenError, write

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: object) -> list[str]:
    command = [sys.executable, "-m", "tests.training.crashing_writers", *map(str, arguments)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def whole(folder: Path, versions: list[int]) -> None:
    """These versions, each verified, `latest` at the highest, and nothing else."""
    assert releases.versions(folder, "digits") == versions
    for version in versions:
        assert releases.verify(folder / "digits" / f"v{version}")["version"] == version
    assert (folder / "digits" / "latest").readlink() == Path(f"v{versions[-1]}")
    assert {entry.name for entry in (folder / "digits").iterdir()} == {"latest", *(f"v{each}" for each in versions)}


@settings(max_examples=5, deadline=None, derandomize=True)
@given(writers=st.integers(2, 8), each=st.integers(1, 6), before=st.integers(0, 2))
@example(writers=8, each=6, before=0)
def test_writers_never_share_a_number_and_leave_no_gap(writers: int, each: int, before: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        for _release in range(before):
            write_small(models)
        given_out = [json.loads(line) for line in run("race", models, writers, each)]
        numbers = sorted(number for _writer, number in given_out)
        assert numbers == list(range(before + 1, before + writers * each + 1))
        whole(models, list(range(1, before + writers * each + 1)))
        for writer, number in given_out:
            assert releases.read_metadata(models / "digits" / f"v{number}")["writer"] == writer


def test_a_writer_killed_at_any_step_leaves_no_half_release(tmp_path: Path) -> None:
    """Each writer is killed one step later than the one before; what it leaves, the next one clears away."""
    [killed] = run("crash", tmp_path)
    assert int(killed) > 20, "the writers were not killed at many steps"
    versions = releases.versions(tmp_path, "digits")
    assert len(versions) >= 2, "no writer was killed after its release had its name"
    whole(tmp_path, list(range(1, versions[-1] + 1)))


def test_one_number_is_given_once(tmp_path: Path) -> None:
    write_small(tmp_path, version=4)
    with pytest.raises(VersionTakenError, match=r"digits@4 exists in .* write the next version"):
        write_small(tmp_path, version=4, accuracy=0.1)
    assert write_small(tmp_path).version == 5
    assert write_small(tmp_path, version=2).version == 2
    assert (tmp_path / "digits" / "latest").readlink() == Path("v5")


@pytest.mark.parametrize("failure", [RuntimeError("disk full"), KeyboardInterrupt()])
def test_a_failed_write_leaves_nothing(failure: BaseException, tmp_path: Path) -> None:
    def fill(folder: Path, _version: int) -> dict[str, Any]:
        (folder / releases.MODEL_FILE).write_bytes(b"half")
        raise failure

    with pytest.raises(type(failure)):
        write(tmp_path, "digits", fill)
    assert list(tmp_path.iterdir()) == []


def test_a_release_without_a_required_file_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=releases.SAMPLES_FILE):
        write(tmp_path, "digits", lambda folder, _version: {"inputs": TENSOR, "outputs": TENSOR})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("model", "version"), [("Digits", None), ("../digits", None), ("digits", 0), ("digits", -1)])
def test_what_is_no_name_or_number(model: str, version: int | None, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="allowed: "):
        write(tmp_path, model, lambda folder, version: {}, version=version)
    assert list(tmp_path.iterdir()) == []
