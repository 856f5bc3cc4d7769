"""A checkout of one's own: the tracked files of this tree in a temporary folder, its stack on a free port.

What a test does there is what a user does: `python -m operations …` in a fresh clone. The Python environment is the
tests' own, linked.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Checkout:
    """root: the copied tree. engine: `embedded` or `cli`, for every command run in it."""

    root: Path
    engine: str

    @classmethod
    def make(cls, root: Path, engine: str) -> Checkout:
        tracked = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
        for name in tracked:
            if name.startswith(("tests/", "docs/")) or not (ROOT / name).is_file():
                continue
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
        (root / ".venv").symlink_to(Path(sys.prefix))
        checkout = cls(root, engine)
        checkout.edit(port=free_port())
        return checkout

    @property
    def stack_file(self) -> Path:
        return self.root / "Pulumi.dev.yaml"

    def service(self) -> dict[str, Any]:
        return yaml.safe_load(self.stack_file.read_text())["config"]["cloud-ml-deployment:service"]

    def edit(self, *, port: int | None = None, **fields: Any) -> None:
        """Change the service description in the stack's file."""
        content = yaml.safe_load(self.stack_file.read_text())
        service = content["config"]["cloud-ml-deployment:service"]
        if port is not None:
            service["deploy_to"][0]["port"] = port
        service.update(fields)
        self.stack_file.write_text(yaml.safe_dump(content, sort_keys=False))

    def describe(self, service: dict[str, Any]) -> None:
        """Put another service description into the stack's file."""
        content = yaml.safe_load(self.stack_file.read_text())
        content["config"]["cloud-ml-deployment:service"] = service
        self.stack_file.write_text(yaml.safe_dump(content, sort_keys=False))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python -m operations …` in the checkout; output and errors in one text."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "PYTHONPATH"))}
        env["CLOUD_ML_ENGINE"] = self.engine
        return subprocess.run(
            [sys.executable, "-m", "operations", *arguments],
            cwd=self.root,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=400,
            check=False,
        )

    def state(self) -> str:
        """Text of the stack's state file; empty where there is none."""
        files = list((self.root / ".local" / "state").glob(".pulumi/stacks/*/dev.json"))
        return files[0].read_text() if files else ""

    def made(self) -> dict[str, Any]:
        """What exists beside components, by the state: URN of each dynamic resource and its outputs.

        Without `__provider`: it is a secret, and a secret reads differently each time it is written.
        """
        latest = json.loads(self.state() or '{"checkpoint": {}}')["checkpoint"].get("latest") or {}
        resources = latest.get("resources") or []
        return {
            r["urn"]: {name: value for name, value in r["outputs"].items() if name != "__provider"}
            for r in resources
            if r["type"].startswith("pulumi-python:dynamic")
        }
