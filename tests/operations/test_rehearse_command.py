"""The command line of rehearsals: bad input is named before anything starts, and JSON is alone on standard output.

Whether a rehearsal itself finds what it should is tested beside the stand-in cloud.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from operations.__main__ import app
from operations.errors import OperationError
from tests.operations.planned import Folder
from tests.real_parts import need

#: One resource alone: the failure in the middle of its life must still find something to refuse.
BUCKET = 'make("aws:s3/bucket:Bucket", "store", tags={"release": config.get("release") or "1"})'


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--engine", "other"], "--engine is 'other'; allowed are 'cli' and 'embedded'"),
        (["--stack", "nope"], r"there is no .*Pulumi\.nope\.yaml; stacks with a file: test"),
        (["--program", "/nonexistent"], r"/nonexistent has no Pulumi\.yaml: name the folder of a Pulumi program"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, arguments: list[str], said: str) -> None:
    folder = Folder.make(tmp_path / "program", BUCKET)
    given = ["rehearse", "--program", str(folder.root), "--stack", "test", "--engine", "embedded", *arguments]
    with pytest.raises(OperationError, match=said):
        CliRunner().invoke(app, given, catch_exceptions=False)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("changes: {scale: {confg: {a: 1}}}", r"rehearsal\.yaml: changes\.scale\.config: Field required"),
        ("changes: [", r"rehearsal\.yaml is not YAML"),
    ],
)
def test_a_broken_settings_file_is_named(tmp_path: Path, settings: str, said: str) -> None:
    folder = Folder.make(tmp_path / "program", BUCKET)
    (folder.root / "rehearsal.yaml").write_text(settings)
    given = ["rehearse", "--program", str(folder.root), "--stack", "test", "--engine", "embedded"]
    with pytest.raises(OperationError, match=said):
        CliRunner().invoke(app, given, catch_exceptions=False)


def test_without_the_cli_it_cannot_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder.make(tmp_path / "program", BUCKET)
    monkeypatch.setenv("PATH", str(tmp_path))
    given = ["rehearse", "--program", str(folder.root), "--stack", "test", "--engine", "cli"]
    with pytest.raises(OperationError, match="there is no `pulumi` on PATH: `make pulumi` installs one"):
        CliRunner().invoke(app, given, catch_exceptions=False)


@pytest.mark.parametrize("engine", ["embedded", pytest.param("cli", marks=pytest.mark.engine)])
def test_json_is_alone_on_standard_output(tmp_path: Path, engine: str) -> None:
    if engine == "cli":
        need("pulumi", "https://www.pulumi.com/docs/install/")
    folder = Folder.make(tmp_path / "program", BUCKET)
    (folder.root / "rehearsal.yaml").write_text("changes: {release: {config: {release: '2'}}}")
    report = tmp_path / "report.md"
    given = ["rehearse", "--program", str(folder.root), "--stack", "test", "--engine", engine]
    done = CliRunner().invoke(app, [*given, "--json", "--markdown", str(report)], catch_exceptions=False)
    found = json.loads(done.stdout)
    assert found["passed"]
    assert {"release", "destroyed"} <= {step["name"] for step in found["steps"] if step["verdict"] == "passed"}
    assert report.read_text().startswith("# Rehearsal of ")
    assert {path.name for path in folder.root.iterdir()} - {"__pycache__"} == {
        "__main__.py",
        "Pulumi.yaml",
        "Pulumi.test.yaml",
        "rehearsal.yaml",
    }
