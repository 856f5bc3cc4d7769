"""The README's picture: a command is run for real, and what it printed becomes an SVG.

`python -m operations.picture docs/images/make-up.svg make up`
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

#: Columns of the picture: what a README shows without scaling it down.
WIDTH = 110


def draw(target: Path, command: list[str]) -> None:
    """Run ``command`` in the current folder and draw its output to ``target``."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True)
        console.print(Text.assemble(("$ ", "bold green"), (" ".join(command), "bold")))
        console.print(Text.from_ansi(result.stdout.rstrip()))
    target.parent.mkdir(parents=True, exist_ok=True)
    # A fixed id keeps the file the same where the output is.
    target.write_text(console.export_svg(title=" ".join(command), unique_id="picture"))


if __name__ == "__main__":
    draw(Path(sys.argv[1]), sys.argv[2:])
