"""Every command of `python -m training`, given what is wrong: one message on stderr, exit code 1 or 2, nothing changed.

Run in this process, through the function that the command line runs; so that a hundred cases cost seconds.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml

from spec import release as releases
from tests.training.small import small_graph, write_small
from training import cli

STACK = """# What this machine runs.
config:
  cloud-ml-deployment:service:
    name: digits  # the service
    release: "digits@1"
    deploy_to:
      - {cloud: local, target: process, port: 8080}
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs a command in an empty folder; returns its exit code, what it printed, and its errors."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["training", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        assert isinstance(ended.value.code, int | None)
        return ended.value.code or 0, printed.out, printed.err

    return command


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with digits@1 (accuracy 0.9), a stack file that serves it, and files for the commands."""
    write_small(tmp_path / "models", accuracy=0.9)
    (tmp_path / "Pulumi.dev.yaml").write_text(STACK)
    onnx.save(small_graph(), str(tmp_path / "some.onnx"))
    (tmp_path / "bad.yaml").write_text("before: [{shout: {}}]\n")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "good.npz", X=rng.normal(size=(40, 3)).astype("f4"), y=np.arange(40) % 2)
    np.savez(tmp_path / "nan.npz", X=np.full((40, 3), np.nan), y=np.arange(40) % 2)
    np.savez(tmp_path / "three.npz", X=rng.normal(size=(40, 32, 32, 3)).astype("f4"), y=np.arange(40) % 2 + 10)
    return tmp_path


def tree(folder: Path) -> dict[str, bytes | str]:
    """Every file and link in the folder, with what it holds."""
    found: dict[str, bytes | str] = {}
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(root) / name
            if path.is_symlink():
                found[str(path)] = os.readlink(path)  # noqa: PTH115
            elif path.is_file():
                found[str(path)] = path.read_bytes()
    return found


BAD = [
    ("train --trainer tree", "trainer is 'tree'; allowed: forest, cnn, torch"),
    ("train --model Digits", "model is 'Digits'; allowed"),
    ("train --extra torchserve", "extra format is 'torchserve'; allowed with trainer forest: none"),
    ("train --data none.npz", "file does not exist"),
    ("train --data nan.npz", "has 120 values that no float32 can hold"),
    ("train --data three.npz", "has shape (40, 32, 32, 3); allowed: (rows, features)"),
    ("train --data s3://", "'s3://' names no object"),
    ("train --data s3://bucket", "names no object"),
    ("train --data http://host/x.npz", "allowed: a URI with file://"),
    ("train --data file:///none/x.npz", "data file:///none/x.npz"),
    ("train --version 0", "version is 0; allowed"),
    ("train --version 1 --data good.npz", "digits@1 exists"),
    ("train --transforms none.yaml", "none.yaml cannot be read"),
    ("train --transforms bad.yaml", "bad.yaml: "),
    ("data check none.npz", ""),
    ("data check good.npz --row-shape 3,x", "row shape is '3,x'; allowed: sizes from 1 on"),
    ("data build faces faces.npz", "data set is 'faces'; allowed: digits, digits-32x32x3"),
    ("data build digits good.npz", "good.npz exists, and is not overwritten"),
    ("import some", "give --onnx or --estimator"),
    ("import some --onnx some.onnx --estimator a:b", "give --onnx or --estimator"),
    ("import Some --onnx some.onnx", "model is 'Some'"),
    ("import some --onnx none.onnx", "none.onnx does not exist"),
    ("import some --onnx good.npz", "good.npz is no ONNX file"),
    ("import some --onnx some.onnx --data good.npz", "has rows of [3]; the model takes [any, 2]"),
    ("import some --onnx some.onnx --data nan.npz", "no float32 can hold"),
    ("import some --onnx some.onnx --schema none.json", "schema none.json cannot be read"),
    ("import some --onnx some.onnx --transforms bad.yaml", "bad.yaml: "),
    ("import some --onnx some.onnx --labels a,b,c", "labels: 3 names; the model answers with 2 classes"),
    ("import some --estimator nothing:here --data good.npz", "allowed: module:attribute"),
    ("import some --estimator math --data good.npz", "allowed: module:attribute"),
    ("import some --estimator math:pi --data good.npz", "float has no predict_proba"),
    ("import some --estimator math:pi", "--estimator needs --data"),
    ("import some --estimator math:pi --labels a,b", "--labels goes with --onnx only"),
    ("show digits@7", "digits@7 does not exist in models; allowed: digits@1 or digits@latest"),
    ("show cats@1", "has no release of 'cats'; models there: digits"),
    ("show digits@1 --models-dir none", "the folder holds no release of any model"),
    ("show Digits@1", "release is 'Digits@1'; allowed: model@version"),
    ("show digits@0", "release is 'digits@0'"),
    ("verify digits@2", "digits@2 does not exist"),
    ("diff digits@1 digits@2", "digits@2 does not exist"),
    ("publish digits@2 --store file:///tmp", "digits@2 does not exist"),
    ("publish digits@1 --store /tmp", "store is '/tmp'; allowed: a URI"),
    ("fetch digits@1 --store s3://key:secret@bucket", "holds a user"),
    ("fetch ../x@1 --store file:///tmp", "release is '../x@1'"),
    ("promote digits@2", "digits@2 does not exist"),
    ("promote digits@1 --stack none", "Pulumi.none.yaml cannot be read"),
    ("promote digits@1 --serving x@y", "release is 'x@y'"),
    ("job --output nowhere", "store is 'nowhere'"),
    ("promote digits@1 --margin 2", "less than or equal to 1"),
    ("fetch digits@1", "--store"),
]


@pytest.mark.parametrize(("command", "says"), BAD, ids=[command for command, _says in BAD])
def test_what_is_wrong_is_one_message(command: str, says: str, run: Run, place: Path) -> None:
    before = tree(place)
    code, printed, errors = run(*command.split())
    assert code in (1, 2)
    told = " ".join((errors or printed).replace("│", " ").split())
    assert says in told
    assert "Traceback" not in errors
    assert "secret" not in errors
    assert tree(place) == before, "something was changed"


def test_a_release_that_was_changed_goes_nowhere(run: Run, place: Path) -> None:
    file = place / "models/digits/v1/model.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"\x00")
    write_small(place / "models", accuracy=0.99)
    before = tree(place)
    for command in (
        "verify digits@1",
        f"publish digits@1 --store {place.as_uri()}/store",
        "promote digits@2",  # compares with what is in place
        "promote digits@1 --serving digits@2",
    ):
        code, _printed, errors = run(*command.split())
        assert (code, "model.onnx was changed" in errors) == (1, True), command
    (place / "store").rmdir() if (place / "store").exists() else None
    assert tree(place) == before


@pytest.mark.parametrize(
    ("accuracy", "features", "options", "says"),
    [
        (0.89, 2, "", "is 0.8900, of digits@1, which is in place, 0.9000; allowed: at most 0 less"),
        (0.85, 2, "--margin 0.04", "allowed: at most 0.04 less"),
        (0.99, 3, "", "input 'input' was float32 [any, 2] and is float32 [any, 3]"),
        (0.99, 3, "--margin 1", "takes other inputs than digits@1"),
        (None, 2, "", "digits@2 has no test_accuracy, digits@1 has 0.9000"),
    ],
)
def test_promote_refuses(accuracy: float | None, features: int, options: str, says: str, run: Run, place: Path) -> None:
    write_small(place / "models", accuracy=accuracy, features=features)
    code, _printed, errors = run("promote", "digits@2", *options.split())
    assert (code, says in errors) == (1, True), errors
    assert (place / "Pulumi.dev.yaml").read_text() == STACK


@pytest.mark.parametrize(("accuracy", "options"), [(0.9, ""), (0.95, ""), (0.87, "--margin 0.03"), (0.9, "--margin 0")])
def test_promote_writes_the_number_and_nothing_else(accuracy: float, options: str, run: Run, place: Path) -> None:
    write_small(place / "models", accuracy=accuracy)
    code, printed, _errors = run("promote", "digits@latest", *options.split())
    assert code == 0
    assert "release digits@1 -> digits@2 (compared with digits@1)" in printed
    text = (place / "Pulumi.dev.yaml").read_text()
    assert text == STACK.replace('"digits@1"', "digits@2")
    assert yaml.safe_load(text)["config"]["cloud-ml-deployment:service"]["release"] == "digits@2"


def test_promote_does_not_take_another_model_or_compare_with_what_is_not_here(run: Run, place: Path) -> None:
    write_small(place / "models", "cats")
    write_small(place / "models")
    code, _printed, errors = run("promote", "cats@1")
    assert (code, "serves model 'digits'; cats@1 is another model" in errors) == (1, True)
    (place / "Pulumi.dev.yaml").write_text(STACK.replace("digits@1", "digits@9"))
    code, _printed, errors = run("promote", "digits@2")
    assert (code, "digits@9 in place, which cannot be compared with" in errors) == (1, True)
    (place / "Pulumi.dev.yaml").write_text("config: {}\n")
    code, _printed, errors = run("promote", "digits@2")
    assert (code, "has no config → …:service → release" in errors) == (1, True)


def test_a_release_goes_its_whole_way(run: Run, place: Path) -> None:
    store = f"{place.as_uri()}/store"
    assert run("import", "some", "--onnx", "some.onnx", "--labels", "no,yes")[0] == 0
    code, printed, _errors = run("show", "some@latest", "--json")
    metadata = json.loads(printed)
    assert (code, metadata["class_labels"], metadata["imported_from"]) == (0, ["no", "yes"], "some.onnx")
    assert "some@1" in run("show", "some@1")[1]
    assert "some@1: all 3 files have the sha256" in run("verify", "some")[1]
    assert run("publish", "some@1", "--store", store)[0] == 0
    code, _printed, errors = run("publish", "some@1", "--store", store)
    assert (code, "is published at" in errors) == (1, True)
    assert run("fetch", "some@latest", "--store", store, "--models-dir", "elsewhere")[0] == 0
    assert releases.digest(place / "elsewhere/some/v1") == releases.digest(place / "models/some/v1")
    write_small(place / "models", accuracy=0.95, features=3)
    changes = run("diff", "digits@1", "digits@2")[1]
    assert "+0.0500" in changes
    assert "input 'input' was float32 [any, 2] and is float32 [any, 3]" in changes
    listed = json.loads(run("list", "--json")[1])
    assert [(row["release"], row["latest"]) for row in listed] == [
        ("digits@1", False),
        ("digits@2", True),
        ("some@1", True),
    ]
    assert "digits@2" in run("list")[1]
    assert "no releases in nothing" in run("list", "--models-dir", "nothing")[1]


def test_data_commands(run: Run, place: Path) -> None:
    assert "1797 rows of [64]" in run("data", "build", "digits", "digits.npz")[1]
    code, printed, _errors = run("data", "check", "digits.npz")
    assert (code, "can be used" in printed) == (0, True)
    code, printed, _errors = run("data", "check", (place / "nan.npz").as_uri(), "--json")
    report = json.loads(printed)
    assert (code, report["usable"], report["findings"][0]["field"]) == (1, False, "X")
