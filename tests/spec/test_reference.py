"""The page of fields is what the model says."""

from pathlib import Path

from spec.reference import markdown


def test_the_page_is_up_to_date(root: Path):
    written = (root / "docs" / "service.md").read_text(encoding="utf-8")
    assert written == markdown(), "run `make docs`"


def test_fields_of_sections_are_listed_with_their_path():
    page = markdown()
    for field in ("name", "deploy_to[].port", "scaling.schedule[].cron", "slo.latency_ms"):
        assert f"| `{field}` |" in page
