"""The measured part of docs/schema.md: ``python -m operations.schema.page`` runs the programs of the tests.

Needs the packages of operations/requirements-schema.txt.
"""

from __future__ import annotations

import re
from pathlib import Path

from operations.schema import mutations
from operations.schema.check import check
from operations.schema.recorder import of_program

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "tests" / "operations" / "schema" / "programs"
PAGE = ROOT / "docs" / "schema.md"
_MARK = re.compile(r"(<!-- measured -->\n).*(<!-- /measured -->)", re.DOTALL)


def measured() -> str:
    """Models by type, catch rates and what was missed."""
    scores: list[tuple[str, mutations.Score]] = []
    models = ["| type | held against, beside the SDK |", "|---|---|"]
    for cloud in ("aws", "azure", "gcp"):
        recording = of_program(PROGRAMS / cloud, "small")
        scores.append((cloud, mutations.score(recording)))
        models += [f"| `{token}` | {', '.join(names)} |" for token, names in sorted(check(recording).sources.items())]
    return "\n".join(
        ["", "### Catch rates", "", *mutations.table(scores), "", "### Missed", "", *mutations.misses(scores), "",
         "### Models of the types in these programs", "", *models, ""]
    )  # fmt: skip


def main() -> None:
    """Write the measured part anew."""
    text = PAGE.read_text()
    PAGE.write_text(_MARK.sub(lambda found: found[1] + measured() + found[2], text))


if __name__ == "__main__":
    main()
