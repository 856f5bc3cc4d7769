"""The example in docs/plan.md is what the command prints, and the page names every field of the command."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.operations.planned import Folder

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "plan.md"
EXAMPLE = Path(__file__).with_name("plan_example")


def printed(folder: Path) -> str:
    """What the command prints for the example after its change, the revision's hash made the same for all."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    Folder(folder).commit()
    settings = folder / "Pulumi.prod.yaml"
    settings.write_text(settings.read_text().replace('release: "3"', 'release: "4"').replace('s: "1"', 's: "2"'))
    done = subprocess.run(
        [sys.executable, "-m", "operations", "plan", "--program", folder, "--stack", "prod", "--base", "main"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return re.sub(r"\([0-9a-f]{10}\)", "(4f1c09d2ab)", done.stdout)


def test_the_example_is_what_the_command_prints(tmp_path: Path) -> None:
    block = re.search(r"<!-- example -->\n```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert block is not None
    assert block[1] == printed(tmp_path / "example")


def test_the_page_names_every_option() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "operations", "plan", "--help"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"},
    ).stdout
    options = set(re.findall(r"--[a-z]+", told)) - {"--help"}
    assert options == {"--stack", "--format", "--base", "--state", "--program"}
    page = PAGE.read_text()
    assert not [option for option in options if option not in page and option[2:].upper() not in page]
