"""`make image`: builds the serving image, the same bytes for the same commit, with its parts list beside it.

Needs docker's buildx and a builder for it, and nothing else: wheels are fetched and checked here, so the build itself
needs no package index, only the base image.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from components.image.built import DEFAULT_BASE, FOLDER, LOCAL_NAME, SOURCES, BuiltImage, source_digest, write_record
from operations.errors import OperationError
from operations.workspace import Workspace

#: SageMaker and Lambda take this one only, without an index around it.
PLATFORM = "linux/amd64"
#: The builder that is made where the current one cannot write reproducible images.
OWN_BUILDER = "cloud-ml-deployment"

#: Wheels for the image's Python and for glibc 2.28 and newer, whatever runs here.
WHEEL_OPTIONS = (
    *("--only-binary=:all:", "--python-version=3.11", "--implementation=cp"),
    *(f"--platform=manylinux_2_{minor}_x86_64" for minor in (28, 27, 26, 24, 17, 12, 5)),
    *(f"--platform=manylinux{year}_x86_64" for year in ("2014", "2010", "1")),
)


def build(
    workspace: Workspace,
    *,
    base: str = DEFAULT_BASE,
    builder: str | None = None,
    push: str | None = None,
    no_cache: bool = False,
) -> BuiltImage:
    """Build the image into build/image/.

    base: image that it stands on. builder: name of a buildx builder. push: repository (with a tag, or without one) that
    takes the image too. no_cache: do every step anew. Raises OperationError.
    """
    buildx = find_buildx(workspace)
    folder = workspace.root / FOLDER
    wheels = folder / "wheels"
    fetch_wheels(
        workspace, [workspace.root / "serving_image" / name for name in ("requirements.lock", "installer.lock")], wheels
    )
    revision, epoch = source_version(workspace.root)
    archive, metadata = folder / "image.tar", folder / "metadata.json"
    common = "rewrite-timestamp=true,oci-mediatypes=false"
    outputs = [f"type=docker,dest={archive},name={LOCAL_NAME}:{revision[:12]},{common}"]
    if push:
        outputs.append(f"type=image,name={_tagged(push, revision)},push=true,{common}")
    created = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    arguments = {"BASE": base, "REVISION": revision, "CREATED": created, "SOURCE_DATE_EPOCH": str(epoch)}
    command = [
        *buildx,
        "build",
        *("--builder", builder or _builder(buildx)),
        *("--file", str(workspace.root / "serving_image" / "Dockerfile")),
        *("--platform", PLATFORM),
        # An attestation makes the image an index, which SageMaker and Lambda refuse.
        *("--provenance=false", "--sbom=false"),
        *(["--no-cache"] if no_cache else []),
        *("--build-context", f"wheels={wheels}"),
        *(part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")),
        *(part for output in outputs for part in ("--output", output)),
        *("--metadata-file", str(metadata)),
        str(workspace.root),
    ]
    _run(command, "the image was not built", base=base)
    told = json.loads(metadata.read_text())
    built = BuiltImage(
        archive,
        told["containerimage.digest"],
        told["containerimage.config.digest"],
        revision,
        base,
        source_digest(workspace.root),
        builder,
    )
    write_record(workspace.root, built)
    return built


def fetch_wheels(workspace: Workspace, locks: Sequence[Path], folder: Path) -> None:
    """Every wheel of the locks in the folder, each checked against its hash; others are removed.

    What was fetched for the same locks stays: the installation checks each hash again. Raises OperationError.
    """
    mark = folder / "locks.sha256"
    wanted = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()
    if mark.is_file() and mark.read_text() == wanted:
        return
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    for lock in locks:
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--require-hashes", *WHEEL_OPTIONS),
            # What is there already is taken from there, once its hash is right.
            *(f"--find-links={folder}", f"--dest={fresh}", f"--requirement={lock}"),
        ]
        done = subprocess.run(command, cwd=workspace.root, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OperationError(
                f"the packages of {lock.relative_to(workspace.root)} could not be fetched: {last_lines(done.stderr)}\n"
                "Check the way to the package index; where a hash is wrong, somebody changed a package or the lock."
            )
    (fresh / mark.name).write_text(wanted)
    shutil.rmtree(folder)
    fresh.rename(folder)


def source_version(root: Path) -> tuple[str, int]:
    """The commit, with `-dirty` where the image's sources differ from it, and its time in seconds since 1970.

    Outside a git checkout SOURCE_DATE_EPOCH gives the time. Raises OperationError.
    """
    try:
        commit, seconds = _git(root, "log", "-1", "--format=%H %ct").split()
    except (OSError, subprocess.CalledProcessError, ValueError):
        given = os.environ.get("SOURCE_DATE_EPOCH", "")
        if not given.isdigit():
            raise OperationError(
                f"{root} is no git checkout, so the image's time is not known: set SOURCE_DATE_EPOCH to the seconds "
                f"since 1970 that it shall carry (it is {given!r})"
            ) from None
        return "unknown", int(given)
    dirty = "-dirty" if _git(root, "status", "--porcelain", "--", *SOURCES).strip() else ""
    return commit + dirty, int(os.environ.get("SOURCE_DATE_EPOCH") or seconds)


def find_buildx(workspace: Workspace) -> list[str]:
    """The command that runs buildx: docker's plug-in, or buildx by itself. Raises OperationError."""
    path = os.pathsep.join([os.environ.get("PATH", ""), str(workspace.local / "bin")])
    for command in (["docker", "buildx"], ["buildx"], ["docker-buildx"]):
        program = shutil.which(command[0], path=path)
        if program is None:
            continue
        found = [program, *command[1:]]
        if subprocess.run([*found, "version"], capture_output=True, check=False).returncode == 0:
            return found
    raise OperationError(
        "docker's buildx is not here, and only it can build the image: install Docker "
        "(https://docs.docker.com/engine/install/), or give an image built elsewhere with image.ref: …@sha256:…"
    )


def _builder(buildx: Sequence[str]) -> str:
    """The current builder, where it can write reproducible images, else one of our own. Raises OperationError."""
    found = subprocess.run([*buildx, "inspect"], capture_output=True, text=True, check=False)
    fields = dict(line.split(":", 1) for line in found.stdout.splitlines() if ":" in line and line[0].isalpha())
    if found.returncode == 0 and fields.get("Driver", "").strip() not in ("docker", ""):
        return fields["Name"].strip()
    if subprocess.run([*buildx, "inspect", OWN_BUILDER], capture_output=True, check=False).returncode:
        # On the host's network a registry on the loopback address can be reached.
        create = [
            *buildx,
            "create",
            "--name",
            OWN_BUILDER,
            "--driver",
            "docker-container",
            "--driver-opt",
            "network=host",
        ]
        done = subprocess.run(create, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OperationError(
                f"no builder could be made: {last_lines(done.stderr)}\nStart Docker, or name a builder with --builder."
            )
    return OWN_BUILDER


def load(archive: Path) -> bool:
    """Load the image into this machine's container engine; False where there is none."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], capture_output=True, check=False).returncode:
        return False
    _run(
        [docker, "load", "--quiet", "--input", str(archive)], "the image could not be loaded into the container engine"
    )
    return True


def _tagged(repository: str, revision: str) -> str:
    """The repository with the commit as its tag, unless it has a tag of its own."""
    if "@" in repository:
        raise OperationError(
            f"--push is {repository!r}; allowed: a repository with or without a tag. The digest is what comes out."
        )
    return repository if ":" in repository.rsplit("/", 1)[-1] else f"{repository}:{revision}"


def _run(command: Sequence[str], failure: str, env: Mapping[str, str] | None = None, *, base: str = "") -> None:
    done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True, env=env)
    if done.returncode == 0:
        return
    said = last_lines(done.stderr)
    hint = ""
    if base and base in done.stderr and ("not found" in said or "failed to resolve" in said or "no match" in said):
        hint = f"\nThe base image {base} could not be had for {PLATFORM}: name another with --base."
    elif "booting buildkit" in said:
        hint = (
            "\nThe builder that was made did not start; where its image cannot be had, name one that runs "
            '(make image IMAGE_ARGS="--builder …"), or give an image built elsewhere with image.ref.'
        )
    raise OperationError(f"{failure}: {said}{hint}")


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout


def last_lines(text: str, lines: int = 6) -> str:
    """The end of what a program said, where the reason stands."""
    return "\n".join(text.strip().splitlines()[-lines:])
