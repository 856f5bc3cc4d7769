"""The embedded engine beside the Pulumi CLI: the same program, the same operations, one after the other.

    python benchmarks/engine.py [resources ...]

Prints seconds per operation and the ratio. Without `pulumi` on PATH it prints the embedded engine's times alone.
Each operation runs in a fresh process, so that starting it counts; both `up` as they come, that is with their own
preview of the whole program first. The resources are dynamic and do nothing but answer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
PROGRAM = """
import pulumi
from pulumi import dynamic

class Provider(dynamic.ResourceProvider):
    def create(self, props):
        return dynamic.CreateResult(props["label"], props)

class Item(dynamic.Resource, module="bench", name="Item"):
    def __init__(self, name):
        super().__init__(Provider(), name, {"label": name})

for number in range(COUNT):
    Item(f"item-{number}")
"""
EMBEDDED = """
import sys
from pathlib import Path
from engine import EmbeddedEngine
operation, root, backend = sys.argv[1:]
getattr(EmbeddedEngine(Path(root), "bench", Path(backend), "passphrase"), operation)()
"""
#: What is timed: name, operation of the embedded engine, arguments of the CLI.
OPERATIONS = (
    ("up", "up", ["up", "--yes"]),
    ("up, nothing to do", "up", ["up", "--yes"]),
    ("preview", "preview", ["preview"]),
    ("refresh", "refresh", ["refresh", "--yes"]),
    ("destroy", "destroy", ["destroy", "--yes"]),
)


def main() -> None:
    counts = [int(argument) for argument in sys.argv[1:]] or [3, 300]
    cli = shutil.which("pulumi")
    if cli is None:
        print("pulumi is not on PATH: the embedded engine alone")
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            compare(Path(folder), count, cli)


def compare(folder: Path, count: int, cli: str | None) -> None:
    print(f"\n{count} dynamic resources" + (f"; {'embedded':>30} {'CLI':>8} {'ratio':>7}" if cli else ""))
    project = folder / "project"
    project.mkdir()
    (project / "__main__.py").write_text(PROGRAM.replace("COUNT", str(count)))
    (project / "Pulumi.yaml").write_text(
        f"name: bench\nruntime:\n  name: python\n  options:\n    virtualenv: {sys.prefix}\n"
    )
    (project / "Pulumi.bench.yaml").write_text("config: {}\n")
    environment = {
        **os.environ,
        "PYTHONPATH": str(TREE),
        "PULUMI_BACKEND_URL": (folder / "cli").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "passphrase",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    for backend in ("embedded", "cli"):
        (folder / backend).mkdir()
    if cli:
        run([cli, "stack", "init", "bench", "--non-interactive"], project, environment)
    for name, operation, arguments in OPERATIONS:
        command = [sys.executable, "-c", EMBEDDED, operation, str(project), str(folder / "embedded")]
        ours = run(command, project, environment)
        line = f"  {name:<20} {ours:>22.2f} s"
        if cli:
            theirs = run([cli, *arguments, "--stack", "bench", "--non-interactive"], project, environment)
            line += f" {theirs:>6.2f} s {ours / theirs:>7.2f}"
        print(line)


def run(command: list[str], folder: Path, environment: dict[str, str]) -> float:
    """Seconds that a command took; it must succeed."""
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise SystemExit(f"{command[:3]} failed:\n{done.stdout}\n{done.stderr}")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
