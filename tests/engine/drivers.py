"""The two engines behind one shape, each as a user has it: the embedded one in this process or in one of its own, the
CLI as a command. Both work on the same project folder and the same backend folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import psutil

from engine import EmbeddedEngine, EngineError, Event

PASSPHRASE = "correct horse"
#: A salt under that passphrase. Deriving a key takes a good part of a second; with one salt for all stacks once.
SALT = "v1:+v93R7BhlJ4=:v1:kJgl2FlBAT9Vjrxd:ObYLgFcTY6Jel3QyJGN/GOWBN8gfag=="
STACK = "test"
PROJECT = "files"
_TREE = Path(__file__).resolve().parents[2]
_WAIT_SECONDS = 120.0


@dataclass
class Outcome:
    """changes: resources per op, those that stayed the same left out. log: all that a user sees."""

    ok: bool
    changes: dict[str, int]
    log: str


@dataclass
class Workspace:
    """A project, its file backend, and the folder that its resources live in."""

    root: Path
    salt: str | None = SALT
    config: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.root / "cloud").mkdir(parents=True)
        self.backend.mkdir()
        shutil.copy(Path(__file__).with_name("cloud.py"), self.root)
        options = {"name": "python", "options": {"virtualenv": sys.prefix}}
        self.write("Pulumi.yaml", json.dumps({"name": PROJECT, "runtime": options}))
        self.write_config()

    @property
    def backend(self) -> Path:
        return self.root / "state"

    @property
    def cloud(self) -> Path:
        return self.root / "cloud"

    @property
    def state_file(self) -> Path:
        return self.backend / ".pulumi" / "stacks" / PROJECT / f"{STACK}.json"

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def write_config(self, **values: Any) -> None:
        salt = {"encryptionsalt": self.salt} if self.salt else {}
        config = {f"{PROJECT}:{key}": value for key, value in values.items()}
        self.write(f"Pulumi.{STACK}.yaml", json.dumps({"config": config, **salt}))

    def program(self, body: str) -> None:
        self.write("__main__.py", f"import pulumi\nfrom cloud import *\n{textwrap.dedent(body)}\n")

    def files(self) -> dict[str, str]:
        """Names and contents of what exists in the cloud."""
        files = {path: json.loads(path.read_text()) for path in self.cloud.glob("*.json")}
        return {content["name"]: content["content"] for content in files.values()}

    def journal(self) -> list[str]:
        """What was done in the cloud so far, in order."""
        return [" ".join(path.name.split(".")[2:]) for path in sorted(self.cloud.glob("log.*"))]

    def set(self, what: str) -> None:
        (self.cloud / what).touch()

    def unset(self, what: str) -> None:
        (self.cloud / what).unlink()

    def state(self) -> dict[str, Any]:
        return json.loads(self.state_file.read_text())["checkpoint"]["latest"]

    def resources(self) -> list[dict[str, Any]]:
        return self.state().get("resources", [])

    def urns(self) -> list[str]:
        return sorted(resource["urn"] for resource in self.resources() if ":providers:" not in resource["type"])

    def wait_for(self, name: str) -> None:
        """Until the cloud has the file `name`."""
        until = time.monotonic() + _WAIT_SECONDS
        while not (self.cloud / name).exists():
            if time.monotonic() > until:
                raise AssertionError(f"{name} did not come within {_WAIT_SECONDS:.0f} s")
            time.sleep(0.02)


class Embedded:
    """The embedded engine."""

    name = "embedded"

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def __call__(self, operation: str, **options: Any) -> Outcome:
        lines: list[str] = []
        try:
            result = getattr(self.engine(lines, **options), operation)()
        except EngineError as error:
            return Outcome(False, {}, "\n".join([*lines, str(error)]))
        changes = {op: count for op, count in result.changes.items() if op not in ("same", "read")}
        return Outcome(True, changes, "\n".join(lines))

    def engine(self, lines: list[str] | None = None, **options: Any) -> EmbeddedEngine:
        def on_event(event: Event) -> None:
            if lines is not None:
                lines.append(str(event))

        options = {"on_event": on_event, "passphrase": PASSPHRASE, **options}
        return EmbeddedEngine(self.workspace.root, options.pop("stack", STACK), self.workspace.backend, **options)

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        return self.engine().outputs(show_secrets=show_secrets)

    def start(self, operation: str) -> subprocess.Popen[str]:
        """Begin an operation in a process of its own."""
        code = (
            "import sys; from pathlib import Path; from engine import EmbeddedEngine, EngineError\n"
            "root, stack, backend, passphrase, operation = sys.argv[1:]\n"
            "tell = lambda event: print(event, flush=True)\n"
            "engine = EmbeddedEngine(Path(root), stack, Path(backend), passphrase, on_event=tell)\n"
            "try:\n    getattr(engine, operation)()\n"
            "except EngineError as error:\n    sys.exit(str(error))\n"
        )
        arguments = [str(self.workspace.root), STACK, str(self.workspace.backend), PASSPHRASE, operation]
        return _popen([sys.executable, "-c", code, *arguments], self.workspace.root, {"PYTHONPATH": str(_TREE)})

    def kill(self, process: subprocess.Popen[str]) -> None:
        """kill -9 of the engine alone: its children must notice by themselves."""
        process.kill()
        process.communicate()

    def unlock(self) -> None:
        """After a kill nothing has to be done: the lock of a dead run is known for what it is."""


class Cli:
    """The Pulumi CLI in the same backend."""

    name = "cli"
    _COUNT = re.compile(r"^\s+[-+~]*\s*(\d+) (?:to )?(creat|updat|delet|replac)", re.MULTILINE)
    _ARGUMENTS: ClassVar = {
        "up": ("--yes", "--skip-preview"),
        "refresh": ("--yes", "--skip-preview"),
        "destroy": ("--yes",),
    }

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def __call__(self, operation: str, *arguments: str) -> Outcome:
        self._make_stack()
        done = self.run(operation, *self._ARGUMENTS.get(operation, ()), *arguments)
        changes = {f"{stem}e": int(number) for number, stem in self._COUNT.findall(done.stdout)}
        return Outcome(done.returncode == 0, changes, done.stdout + done.stderr)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        if arguments[0] == "up" and "--yes" not in arguments:
            self._make_stack()
            arguments = (*arguments, *self._ARGUMENTS["up"])
        elif arguments == ("destroy",):
            arguments = ("destroy", "--yes")
        if arguments[0] != "stack" or "init" not in arguments:
            arguments = (*arguments, "--stack", STACK)
        environment = {
            "PULUMI_BACKEND_URL": self.workspace.backend.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        return _popen(["pulumi", *arguments, "--non-interactive"], self.workspace.root, environment)

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        flags = ("--show-secrets",) if show_secrets else ()
        return json.loads(self.run("stack", "output", "--json", *flags).stdout)

    def kill(self, process: subprocess.Popen[str]) -> None:
        """kill -9 of the CLI and of its plugins, which would live on."""
        for one in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
            one.kill()
        process.communicate()

    def unlock(self) -> None:
        self.run("cancel", "--yes")

    def _make_stack(self) -> None:
        if not self.workspace.state_file.exists():
            made = self.run("stack", "init", STACK)
            assert made.returncode == 0, made.stderr


Driver = Embedded | Cli
_started: list[subprocess.Popen[str]] = []


def end_all() -> None:
    """End what a test that failed left running."""
    while _started:
        process = _started.pop()
        if process.poll() is None:
            process.kill()
        process.communicate()


def _popen(command: list[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    _started.append(process)
    return process
