"""`python -m operations.pages`: the pages under docs/ are what their sources make, and their links lead somewhere.

Every page that a program writes is written again in memory and compared; every link of every page to a file of this
tree is followed, with its heading. Links to other sites are not: a check must not depend on them.
"""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[1]
#: Page -> module that prints it.
GENERATED: Mapping[str, str] = {
    "docs/service.md": "spec.reference",
    "docs/capabilities.md": "spec.capabilities",
    "docs/contracts.md": "spec.contracts_page",
    "docs/metrics.md": "spec.metrics_page",
    "docs/parity.md": "operations.parity",
}
#: Folders with pages for people.
FOLDERS = ("docs", "training", "serving_image", "benchmarks", "engine", "policies", "examples")


def pages(root: Path) -> list[Path]:
    """Every page, the README first."""
    inside = [page for folder in FOLDERS for page in sorted((root / folder).rglob("*.md"))]
    return [*sorted(root.glob("*.md")), *inside]


def dead_links(root: Path) -> list[str]:
    """Links of pages that lead nowhere in this tree, each as `page:line: …`."""
    return [problem for page in pages(root) for problem in _dead(root, page)]


def outdated(root: Path) -> list[str]:
    """Pages that are not what their module prints, each with the command that mends it."""
    found = []
    for page, module in GENERATED.items():
        result = subprocess.run([sys.executable, "-m", module], cwd=root, capture_output=True, text=True)
        if result.returncode != 0:
            found.append(f"{page}: `python -m {module}` failed: {result.stderr.strip().splitlines()[-1:]}")
        elif result.stdout != (root / page).read_text():
            found.append(f"{page} is not what its sources say: run `make docs`, and commit it")
    return found


def headings(text: str) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them: lower case, no punctuation, hyphens for spaces."""
    anchors: set[str] = set()
    seen: dict[str, int] = {}
    tokens = MarkdownIt("commonmark").parse(text)
    for before, inline in itertools.pairwise(tokens):
        if before.type != "heading_open":
            continue
        words = "".join(child.content for child in inline.children or () if child.type in ("text", "code_inline"))
        anchor = re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-")
        count = seen.get(anchor, 0)
        seen[anchor] = count + 1
        anchors.add(anchor if count == 0 else f"{anchor}-{count}")
    return anchors


def _links(text: str) -> Iterator[tuple[int, str]]:
    """Line and address of each link and image."""
    for block in MarkdownIt("commonmark").enable("table").parse(text):
        line = (block.map or [0])[0] + 1
        for token in _flat(block.children or ()):
            address = token.attrGet("href") or token.attrGet("src")
            if address:
                yield line, str(address)


def _flat(tokens: Iterable[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _flat(token.children or ())


def _dead(root: Path, page: Path) -> Iterator[str]:
    name = page.relative_to(root)
    for line, address in _links(page.read_text()):
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            continue
        target = page if not parts.path else (page.parent / unquote(parts.path)).resolve()
        if not target.is_relative_to(root):
            yield f"{name}:{line}: {address} leads out of this tree"
        elif not target.exists():
            yield f"{name}:{line}: {address} leads to no file"
        elif parts.fragment and target.suffix == ".md" and unquote(parts.fragment) not in headings(target.read_text()):
            yield f"{name}:{line}: {address} names no heading of {target.relative_to(root)}"


def main() -> int:
    """Print what is wrong; 1 where anything is."""
    found = [*dead_links(ROOT), *outdated(ROOT)]
    for problem in found:
        print(problem, file=sys.stderr)  # noqa: T201 # for a terminal
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
