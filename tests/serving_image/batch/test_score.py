"""The batch scorer as a real process: results equal the model's, a killed job goes on, every store, misuse.

What this does not prove: throughput, or behaviour of a vendor's own store under load.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from tests.real_parts import ROOT
from tests.serving_image.conftest import Digits
from tests.stores import STORES

ROWS = 100_000


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "entry", "score", *map(str, arguments)]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    python_path = os.pathsep.join([str(ROOT), str(ROOT / "serving_image")])
    return {"PATH": os.environ["PATH"], "PYTHONPATH": python_path, **(extra or {})}


def run(*arguments: object, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    done = subprocess.run(
        command(*arguments), env=environment(env), cwd="/", capture_output=True, text=True, timeout=600, check=False
    )
    return done.returncode, done.stdout + done.stderr


def written(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def numbers() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 17, (ROWS, 64)).astype("f4")


@pytest.fixture(scope="module")
def expected(digits: Digits, numbers: np.ndarray[Any, Any]) -> tuple[list[int], np.ndarray[Any, Any]]:
    session = ort.InferenceSession(str(digits.path / "model.onnx"), providers=["CPUExecutionProvider"])
    labels, probabilities = session.run(None, {digits.input: numbers[:2000]})
    return np.asarray(labels).tolist(), np.asarray(probabilities)


@pytest.fixture(scope="module")
def lines(numbers: np.ndarray[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rows as JSON lines: a file of some 30 MB."""
    file = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    with file.open("w") as stream:
        stream.writelines(f"{json.dumps(row)}\n" for row in numbers.tolist())
    return file


def test_a_killed_job_goes_on_and_its_results_equal_an_unbroken_run(
    digits: Digits, lines: Path, tmp_path: Path, expected: tuple[list[int], np.ndarray[Any, Any]]
) -> None:
    arguments = ("--model", digits.path, "--input", lines, "--rows-per-part", 5000)
    code, output = run(*arguments, "--output", tmp_path / "unbroken")
    assert code == 0, output
    broken = tmp_path / "broken"
    process = subprocess.Popen(
        command(*arguments, "--output", broken), env=environment(), cwd="/", stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 180
    while len(list(broken.glob("part-*"))) < 3:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.wait()
    there = {file.name: file.stat().st_mtime_ns for file in broken.glob("part-*")}
    assert 3 <= len(there) < ROWS // 5000
    assert not (broken / "result.json").exists()

    code, output = run(*arguments, "--output", broken)
    assert code == 0, output
    assert f"going on: {len(there)} parts are there" in output
    assert {name: (broken / name).stat().st_mtime_ns for name in there} == there, "a whole part was written again"
    assert written(broken) == written(tmp_path / "unbroken")
    assert json.loads((broken / "result.json").read_text())["rows"] == ROWS

    first = [json.loads(line) for line in (broken / "part-00000.jsonl").read_text().splitlines()]
    assert [entry["label"] for entry in first[:2000]] == expected[0]
    np.testing.assert_allclose([entry["probabilities"] for entry in first[:2000]], expected[1], atol=1e-6)


def test_a_job_that_was_killed_before_its_last_word_counts_its_rows_right(
    digits: Digits, numbers: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    np.savez(tmp_path / "rows.npz", pixels=numbers[:2500])
    (tmp_path / "rows.csv").write_text("\n".join(",".join(map(str, row)) for row in numbers[:2500].tolist()))
    for name in ("rows.npz", "rows.csv"):
        out = tmp_path / f"out-{name}"
        arguments = ("--model", digits.path, "--input", tmp_path / name, "--output", out, "--rows-per-part", 1000)
        assert run(*arguments)[0] == 0
        before = (out / "result.json").read_bytes()
        (out / "result.json").unlink()
        assert run(*arguments)[0] == 0
        assert (out / "result.json").read_bytes() == before
        assert json.loads(before)["rows"] == 2500


def test_sigterm_ends_between_two_parts(digits: Digits, lines: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("--model", digits.path, "--input", lines, "--rows-per-part", 2000, "--output", out)
    process = subprocess.Popen(command(*arguments), env=environment(), cwd="/", stderr=subprocess.PIPE, text=True)
    while not list(out.glob("part-*")):
        assert process.poll() is None
        time.sleep(0.005)
    process.terminate()
    _, output = process.communicate(timeout=180)
    assert process.returncode == 143
    assert "run the same command again" in output
    assert not (out / "result.json").exists()


@pytest.mark.parametrize("kind", ["jsonl", "csv", "npz"])
def test_every_format_gives_the_same_predictions(
    kind: str,
    digits: Digits,
    numbers: np.ndarray[Any, Any],
    expected: tuple[list[int], np.ndarray[Any, Any]],
    tmp_path: Path,
) -> None:
    np.savez(tmp_path / "rows.npz", numbers[:2000])
    out = tmp_path / "out"
    code, output = run(
        "--model", digits.path, "--input", tmp_path / "rows.npz", "--output", out, "--output-format", kind
    )
    assert code == 0, output
    part = out / f"part-00000.{kind}"
    if kind == "jsonl":
        labels = [json.loads(line)["label"] for line in part.read_text().splitlines()]
    elif kind == "csv":
        labels = [int(line[0]) for line in csv.reader(part.read_text().splitlines())]
    else:
        labels = np.load(part)["label"].tolist()
    assert labels == expected[0]


def test_a_header_is_skipped_where_it_is_said_and_refused_where_not(digits: Digits, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    rows = [",".join(map(str, row)) for row in digits.rows[:3]]
    file.write_text("\n".join([",".join(f"pixel{index}" for index in range(64)), *rows]) + "\n")
    code, output = run("--model", digits.path, "--input", file, "--output", tmp_path / "a")
    assert code == 65
    assert "'pixel0' is no FP32" in output
    code, output = run(
        "--model", digits.path, "--input", file, "--output", tmp_path / "b", "--header", "--output-format", "csv"
    )
    assert code == 0, output
    labels = [int(line.split(",")[0]) for line in (tmp_path / "b" / "part-00000.csv").read_text().splitlines()]
    assert labels == digits.labels[:3]


# fake-gcs-server refuses the XML API that the client library writes with, so writing to GCS runs nowhere here.
@pytest.mark.parametrize("scheme", ["s3", "az"])
def test_from_and_to_an_object_store(scheme: str, digits: Digits, tmp_path: Path) -> None:
    lines = "".join(f"{json.dumps(row)}\n" for row in digits.rows[:4])
    with STORES[scheme](tmp_path) as store:
        place = store.uri.rsplit("/", 1)[0]
        put = (
            "import sys, obstore; from batch.locations import locate;"
            "at = locate(sys.argv[1]); obstore.put(at.store, at.key, sys.argv[2].encode())"
        )
        env = environment(store.environment)
        subprocess.run([sys.executable, "-c", put, f"{place}/in/rows.jsonl", lines], env=env, check=True)
        arguments = ("--model", digits.path, "--input", f"{place}/in/rows.jsonl", "--output", f"{place}/out")
        code, output = run(*arguments, "--rows-per-part", 2, env=store.environment)
        assert code == 0, output
        assert "4 rows in 2 parts" in output
        code, output = run(*arguments, "--rows-per-part", 2, env=store.environment)
        assert code == 0, output
        assert "going on: 2 parts are there" in output


def test_a_folder_of_another_job_is_refused(digits: Digits, digits_again: Digits, tmp_path: Path) -> None:
    file, out = tmp_path / "rows.jsonl", tmp_path / "out"
    file.write_text(f"{json.dumps(digits.rows[0])}\n")
    assert run("--model", digits.path, "--input", file, "--output", out)[0] == 0
    before = written(out)
    code, output = run("--model", digits_again.path, "--input", file, "--output", out)
    assert code == 78
    assert "another job (release: 'digits@1' there, 'digits@2' now" in output
    file.write_text(f"{json.dumps(digits.rows[1])}\n")
    code, output = run("--model", digits.path, "--input", file, "--output", out)
    assert code == 78
    assert "input_digest" in output
    assert written(out) == before


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--input", "nowhere.jsonl"), 66, "no input at nowhere.jsonl"),
        (("--input", "rows.parquet"), 78, "allowed endings: .jsonl"),
        (("--input", "ftp://h/rows.csv"), 78, "allowed: a path, or a URI with file://, s3://"),
        (("--input", "rows.jsonl", "--header"), 78, "--header is for csv"),
        (("--input", "rows.jsonl", "--rows-per-part", "0"), 2, "whole numbers from 1 to 1000000"),
    ],
)
def test_misuse_is_answered(arguments: tuple[str, ...], code: int, says: str, digits: Digits, tmp_path: Path) -> None:
    found, output = run("--model", digits.path, "--output", tmp_path / "out", *arguments)
    assert (found, says in output) == (code, True), output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("rows.jsonl", b"[1, 2]\n", "rows 0 to 0"),
        ("rows.jsonl", b"{\n", "row 0 is no JSON"),
        ("rows.jsonl", b"\xff\n", "is not jsonl in UTF-8"),
        ("rows.csv", b"1,2\n1\n", "1 values, the first row has 2"),
        ("rows.npz", b"nothing", "is no npz of plain arrays"),
    ],
)
def test_rows_that_the_model_does_not_take_are_named(
    name: str, content: bytes, says: str, digits: Digits, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    code, output = run("--model", digits.path, "--input", tmp_path / name, "--output", tmp_path / "out")
    assert code == 65, output
    assert "Traceback" not in output
    assert says in output
