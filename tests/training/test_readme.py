"""The page of training says what is there: its commands, its pictures, and the report of the data check."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from typer.main import get_command

from tests.real_parts import ROOT
from training import cli
from training.data.check import check
from training.stores import SCHEMES

PAGE = ROOT / "training" / "README.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_every_command_and_option_is_one() -> None:
    commands: dict[str, set[str]] = {}
    for name, command in get_command(cli.app).commands.items():  # pyright: ignore[reportAttributeAccessIssue]
        for path, each in [(f"{name} {sub}", entry) for sub, entry in getattr(command, "commands", {}).items()] or [
            (name, command)
        ]:
            commands[path] = {option for parameter in each.params for option in parameter.opts}
    shown = re.findall(r"^python -m training (.*?)(?: {2,}#.*)?$", TEXT, re.MULTILINE)
    used = set()
    for line in shown:
        words = line.split()
        name = next(name for name in (" ".join(words[:2]), words[0]) if name in commands)
        used.add(name)
        assert {word for word in words if word.startswith("--")} <= commands[name], line
    assert used == set(commands), "a command is missing on the page"


def test_pictures_and_files_are_there() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", TEXT):
        assert (PAGE.parent / link).exists(), link
    assert all(f"{scheme}://" in TEXT for scheme in SCHEMES)


def test_the_report_is_what_the_check_says(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(120, 4))
    X[7, 2] = np.nan
    y = np.array(["kept"] * 110 + ["returned"] * 9 + ["lost"])
    np.savez(tmp_path / "orders.npz", X=X, y=y, customers=np.arange(120))
    report = check(tmp_path / "orders.npz")
    words = TEXT.split()
    for finding in report.findings:
        for cell in (finding.found, finding.allowed, finding.fix):
            assert all(word in words for word in cell.split()), cell
    for name, value in report.facts.items():
        assert f"{name} " in TEXT
        assert value in TEXT
