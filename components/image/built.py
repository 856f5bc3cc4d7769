"""The image that `make image` built in this tree: its record, and whether the tree is still what it was built from.

No Pulumi in here: what builds the image writes the record, what runs or pushes it reads it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

#: Where the image and the record lie, in the working tree.
FOLDER = Path("build") / "image"
RECORD = "image.json"
#: The image's name in a container engine; its tag is the commit.
LOCAL_NAME = "cloud-ml-deployment/server"
#: The base where none is named. A tag may move: name one by digest (`--base …@sha256:…`) for a repeatable build.
DEFAULT_BASE = "docker.io/library/python:3.11-slim-bookworm"
#: Files and folders that the image is made of, as the Dockerfile copies them.
SOURCES = (
    *(f"serving_image/{name}" for name in ("Dockerfile", "install_packages.py", "installer.lock", "requirements.lock")),
    *(f"serving_image/{name}" for name in ("entry.py", "model_server", "batch", "functions")),
    "spec",
)


@dataclass(frozen=True)
class BuiltImage:
    """archive: the image as `docker load` reads it. digest: of its manifest, what registries know it by. id: of its
    configuration, what a container engine knows it by. sources: hash over what it is made of. builder: None where none
    was named.
    """

    archive: Path
    digest: str
    id: str
    revision: str
    base: str
    sources: str
    builder: str | None

    @property
    def name(self) -> str:
        """Name and tag that the image has once it is loaded."""
        return f"{LOCAL_NAME}:{self.revision[:12]}"


def write_record(root: Path, built: BuiltImage) -> None:
    """Say what was built last in the tree at `root`."""
    record = {**dataclasses.asdict(built), "archive": built.archive.name}
    (root / FOLDER / RECORD).write_text(json.dumps(record, indent=2) + "\n")


def last_built(root: Path) -> BuiltImage | None:
    """The image that was built last in the tree at `root`; None where there is none."""
    folder = root / FOLDER
    try:
        record = json.loads((folder / RECORD).read_text())
        built = BuiltImage(**{**record, "archive": folder / record["archive"]})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return built if built.archive.is_file() else None


def source_digest(root: Path) -> str:
    """One hash over what the image is made of in the tree at `root`."""
    digest = hashlib.sha256()
    tops = [root / name for name in SOURCES]
    for path in sorted(path for top in tops for path in [top, *top.rglob("*")]):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(root)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
