"""The program under rehearsal: a folder of links to it with config of its own, so nothing of the user's changes."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from engine.secrets import Crypter
from operations.errors import OperationError

#: Passphrase of the throw-away backend. It protects nothing: config secrets are replaced by made-up ones.
PASSPHRASE = "rehearsal"  # noqa: S105
_OURS = {"Pulumi.yaml", ".git", ".local", ".pulumi", "build", "__pycache__", ".pytest_cache", ".ruff_cache"}
#: Environment that could reach a real account or backend.
_CREDENTIALS = ("AWS_", "ARM_", "AZURE_", "GOOGLE_", "GCLOUD_", "CLOUDSDK_", "KUBE", "PULUMI_", "DOCKER_")
_KEPT = ("PULUMI_HOME", "PULUMI_PYTHON_CMD")


@dataclass
class Program:
    """A program's folder, seen through links.

    source: folder with the user's Pulumi.yaml. folder: where the engine runs it. config: the stack's config now.
    python: interpreter that the program runs on.
    """

    source: Path
    stack: str
    folder: Path
    name: str
    config: dict[str, Any]
    python: str
    _salt: str = field(repr=False, default="")
    _crypter: Crypter | None = field(repr=False, default=None)

    @classmethod
    def link(cls, source: Path, stack: str, into: Path) -> Program:
        """Links to everything in ``source`` but its stack files. Raises OperationError where there is no program."""
        project_file = source / "Pulumi.yaml"
        if not project_file.exists():
            raise OperationError(f"{source} has no Pulumi.yaml: name the folder of a Pulumi program")
        project = _yaml(project_file)
        stack_file = source / f"Pulumi.{stack}.yaml"
        if not stack_file.exists():
            known = sorted(file.name.split(".")[1] for file in source.glob("Pulumi.*.yaml"))
            raise OperationError(f"there is no {stack_file}; stacks with a file: {', '.join(known) or 'none'}")
        config = _yaml(stack_file).get("config") or {}
        into.mkdir(parents=True)
        for entry in source.iterdir():
            if entry.name not in _OURS and not (entry.name.startswith("Pulumi.") and entry.suffix == ".yaml"):
                (into / entry.name).symlink_to(entry)
        python = interpreter(source)
        runtime = project.get("runtime")
        if (runtime.get("name") if isinstance(runtime, dict) else runtime) != "python":
            raise OperationError(f"{project_file}: a rehearsal runs Python programs; the runtime is {runtime!r}")
        # The CLI looks for the interpreter below the program's folder, which is not where the user's is.
        project["runtime"] = {"name": "python", "options": {"toolchain": "pip", "virtualenv": str(python.parents[1])}}
        project.pop("backend", None)
        (into / "Pulumi.yaml").write_text(yaml.safe_dump(project, allow_unicode=True))
        crypter = Crypter.new(PASSPHRASE)
        program = cls(source, stack, into, str(project.get("name")), {}, str(python), crypter.salt, crypter)
        program.configure(config)
        return program

    def configure(self, changes: Mapping[str, Any]) -> None:
        """Set config values, on top of what there is. A ``secure`` value becomes a made-up secret."""
        for key, value in changes.items():
            own = key if ":" in key else f"{self.name}:{key}"
            before = self.config.get(own)
            if isinstance(before, Mapping) and isinstance(value, Mapping) and set(before) != {"secure"}:
                value = {**before, **value}
            self.config[own] = value
        assert self._crypter is not None  # noqa: S101 # set by link
        settings = {
            "encryptionsalt": self._salt,
            "config": {key: self._own_secrets(key, value) for key, value in self.config.items()},
        }
        text = yaml.safe_dump(settings, allow_unicode=True)
        (self.folder / f"Pulumi.{self.stack}.yaml").write_text(text)

    def _own_secrets(self, key: str, value: Any) -> Any:
        assert self._crypter is not None  # noqa: S101
        if isinstance(value, Mapping):
            if set(value) == {"secure"}:
                return {"secure": self._crypter.encrypt(f"rehearsal-{key.split(':')[-1]}")}
            return {name: self._own_secrets(f"{key}.{name}", item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._own_secrets(key, item) for item in value]
        return value


def _yaml(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise OperationError(f"{file} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise OperationError(f"{file} must hold named settings, not {type(content).__name__}")
    return content


def interpreter(source: Path) -> Path:
    """The Python that a program runs on: that of the environment its Pulumi.yaml names, else the one that runs this."""
    runtime = _yaml(source / "Pulumi.yaml").get("runtime")
    named = ((runtime.get("options") or {}) if isinstance(runtime, dict) else {}).get("virtualenv")
    for folder in [source / named] if named else []:
        python = folder.absolute() / "bin" / "python"
        if python.exists():
            return python
    # Without an environment of its own the program gets the one that runs this.
    return Path(sys.prefix) / "bin" / "python"


@contextlib.contextmanager
def without_credentials() -> Iterator[None]:
    """The process environment without anything that leads to an account, a cluster or a backend."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(_CREDENTIALS) and name not in _KEPT:
            del os.environ[name]
    # Vendors' libraries would look into the home folder next.
    os.environ.update(
        AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_EC2_METADATA_DISABLED="true",
        AZURE_CONFIG_DIR=os.devnull, CLOUDSDK_CONFIG=os.devnull, KUBECONFIG=os.devnull,
        PULUMI_SKIP_UPDATE_CHECK="true", PULUMI_CONFIG_PASSPHRASE=PASSPHRASE,
    )  # fmt: skip
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def remove(folder: Path) -> None:
    """Delete a rehearsal's folder; the links in it are not followed."""
    shutil.rmtree(folder, ignore_errors=True)
