"""`make functions`: the packages for AWS Lambda, Azure Functions and Google Cloud Functions, the same bytes each time.

Each is the server, the handler of its platform and, but for Google's, which installs them itself, the packages of its
lock. Beside each lies a JSON file with what a deployment gives the platform: memory, time-out, entry points, variables.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from operations.errors import OperationError
from operations.image import last_lines
from operations.workspace import Workspace
from serving_image.install_packages import UNUSED
from spec.errors import SpecError
from spec.serverless import CONFIG_FILE, FunctionSettings, load_serverless_config, settings_for
from spec.targets import Target

console = Console(soft_wrap=True, highlight=False)

FOLDER = Path("build") / "functions"
#: Modules of `spec` that the server uses; the image has the same.
SPEC_MODULES = ("__init__", "contracts", "release", "server_metrics", "transforms", "transforms_numpy")
#: What AWS Lambda takes at most, unpacked: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MOST_UNPACKED = 250 << 20
#: The oldest time that a zip can say.
_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Kind:
    """One platform's package. folder: of its handler. lock: of its packages. packages: where they lie in the package;
    None where the platform installs them from `requirements.txt`. top: files of the handler's folder that the platform
    looks for at the top. entry: what a deployment names.
    """

    target: Target
    folder: str
    lock: str
    packages: str | None
    top: tuple[str, ...]
    entry: Mapping[str, str]


KINDS = (
    Kind(
        "lambda", "aws_lambda", "serving_image/requirements.lock", "", (),
        {"runtime": "python3.11", "handler": "functions.aws_lambda.handler.handle"},
    ),
    Kind(
        "functions", "azure_functions", "serving_image/functions/azure_functions/requirements.lock",
        ".python_packages/lib/site-packages/", ("function_app.py",), {"runtime": "python 3.11"},
    ),
    Kind(
        "cloud_functions", "cloud_functions", "serving_image/functions/cloud_functions/requirements.lock", None,
        ("main.py",), {"runtime": "python311", "http": "predict", "bucket": "score"},
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Package:
    """A built package. digest: sha256 of the file. unpacked: bytes of what is in it."""

    target: Target
    file: Path
    digest: str
    unpacked: int
    settings: FunctionSettings


def build_and_tell(workspace: Workspace) -> list[Package]:
    """Build all packages into build/functions/ and say what came out. Raises OperationError."""
    try:
        config = load_serverless_config(workspace.root / CONFIG_FILE)
        settings = {kind.target: settings_for(config, kind.target) for kind in KINDS}
    except SpecError as error:
        raise OperationError(str(error)) from None
    folder = workspace.root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    built = [_build(workspace, kind, settings[kind.target], folder) for kind in KINDS]
    table = Table("package", "MiB", "unpacked", "memory", "seconds", "sha256")
    for package in built:
        sizes = (f"{size / (1 << 20):.1f}" for size in (package.file.stat().st_size, package.unpacked))
        found = package.settings
        table.add_row(
            package.file.name, *sizes, f"{found.memory_mib} MiB", str(found.timeout_seconds), package.digest[:16]
        )
    console.print(table)
    console.print(f"in {folder}; memory, time-out and triggers are from {CONFIG_FILE}")
    return built


def _build(workspace: Workspace, kind: Kind, settings: FunctionSettings, folder: Path) -> Package:
    with tempfile.TemporaryDirectory(prefix="function-") as made:
        top = Path(made) / "package"
        _own_code(workspace.root, kind, top)
        if kind.packages is None:
            shutil.copy(workspace.root / kind.lock, top / "requirements.txt")
        else:
            _install(workspace.root / kind.lock, top / kind.packages)
        if kind.target == "functions":
            (top / "host.json").write_text(json.dumps(host_file(settings), indent=2) + "\n")
        files = sorted(path for path in top.rglob("*") if path.is_file())
        unpacked = sum(path.stat().st_size for path in files)
        if kind.target == "lambda" and unpacked > MOST_UNPACKED:
            raise OperationError(
                f"the package for AWS Lambda has {unpacked >> 20} MiB unpacked; allowed: {MOST_UNPACKED >> 20} MiB. "
                "Deploy the image in its place."
            )
        target = folder / f"{kind.folder}.zip"
        _zip(top, files, target)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    document = {
        "package": target.name,
        "sha256": digest,
        "memory_mib": settings.memory_mib,
        "timeout_seconds": settings.timeout_seconds,
        "entry": dict(kind.entry),
        "environment": settings.environment,
    }
    target.with_suffix(".json").write_text(json.dumps(document, indent=2) + "\n")
    return Package(kind.target, target, digest, unpacked, settings)


def host_file(settings: FunctionSettings) -> dict[str, Any]:
    """`host.json` of Azure Functions: https://learn.microsoft.com/azure/azure-functions/functions-host-json"""
    minutes, seconds = divmod(settings.timeout_seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return {
        "version": "2.0",
        "functionTimeout": f"{hours:02}:{minutes:02}:{seconds:02}",
        # The contracts' paths begin at the top, without the platform's own /api.
        "extensions": {"http": {"routePrefix": ""}},
        "extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"},
    }


def _own_code(root: Path, kind: Kind, top: Path) -> None:
    source = root / "serving_image"
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", "requirements.*")
    for name in ("model_server", "batch"):
        shutil.copytree(source / name, top / name, ignore=ignore)
    (top / "spec").mkdir()
    for name in SPEC_MODULES:
        shutil.copy(root / "spec" / f"{name}.py", top / "spec")
    (top / "functions").mkdir()
    for file in (source / "functions").glob("*.py"):
        shutil.copy(file, top / "functions")
    handler = source / "functions" / kind.folder
    if kind.top:
        for name in kind.top:
            shutil.copy(handler / name, top)
    else:
        shutil.copytree(handler, top / "functions" / kind.folder, ignore=ignore)


def _install(lock: Path, target: Path) -> None:
    """The lock's packages for the platforms' Python, each checked against its hash, whatever runs here."""
    command = [
        *(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--require-hashes"),
        *("--only-binary=:all:", "--python-version=3.11", "--python-platform=x86_64-manylinux_2_28"),
        *("--link-mode=copy", f"--target={target}", f"--requirement={lock}"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OperationError(f"the packages of {lock} could not be installed: {last_lines(done.stderr)}")
    # Who installed it, and when, would make each package another one.
    for pattern in (*UNUSED, *(f"*.dist-info/{name}" for name in ("RECORD", "INSTALLER", "REQUESTED", "uv_*.json"))):
        for path in sorted(target.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            elif path.exists():
                path.unlink()
    (target / ".lock").unlink(missing_ok=True)


def _zip(top: Path, files: Sequence[Path], target: Path) -> None:
    unfinished = target.with_suffix(".new")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, data in _entries(top, files):
            info = zipfile.ZipInfo(name, _TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3  # Unix, on whatever this runs: the modes count
            info.external_attr = 0o100644 << 16
            archive.writestr(info, data)
    unfinished.replace(target)


def _entries(top: Path, files: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    for path in files:
        yield path.relative_to(top).as_posix(), path.read_bytes()
