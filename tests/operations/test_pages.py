"""The check of pages finds a dead link, a heading that is not there and a page that is not what its sources say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from operations import pages
from tests.real_parts import ROOT


def test_this_trees_pages_are_right() -> None:
    assert len(pages.pages(ROOT)) > 20
    assert pages.dead_links(ROOT) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[there](docs/b.md) ![picture](docs/p.png)", None),
        ("[heading](docs/b.md#what-it-does-1) [own](#top)\n\n# Top", None),
        ("[elsewhere](https://example.com/no-such-page)", None),
        ("`[code](nowhere.md)`", None),
        ("[gone](docs/c.md)", "README.md:1: docs/c.md leads to no file"),
        ("a\n\n| a |\n|---|\n| [gone](c.md) |", "README.md:5: c.md leads to no file"),
        ("![gone](docs/q.png)", "README.md:1: docs/q.png leads to no file"),
        ("[wrong](docs/b.md#what-it-did)", "names no heading of docs/b.md"),
        ("[out](../secret.md)", "leads out of this tree"),
        ("[by name][name]\n\n[name]: docs/d.md", "docs/d.md leads to no file"),
    ],
)
def test_a_link(text: str, said: str | None, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "b.md").write_text("# What it does?\n\n## What `it` does\n")
    (tmp_path / "docs" / "p.png").write_bytes(b"")
    (tmp_path / "README.md").write_text(text)
    found = pages.dead_links(tmp_path)
    assert len(found) == (said is not None)
    assert said is None or said in found[0]


def test_a_page_that_is_not_what_its_sources_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "spec", tmp_path / "spec", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(pages, "GENERATED", {"docs/service.md": "spec.reference"})
    page = tmp_path / "docs" / "service.md"
    shutil.copy(ROOT / "docs" / "service.md", page)
    assert pages.outdated(tmp_path) == []
    fields = tmp_path / "spec" / "fields.py"
    fields.write_text(
        fields.read_text()
        .replace("Size of one replica", "Size of a replica")
        .replace("CPUs of one replica", "CPUs of a replica")
    )
    assert pages.outdated(tmp_path) == ["docs/service.md is not what its sources say: run `make docs`, and commit it"]
