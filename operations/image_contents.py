"""What is in a built image, from its own layers: sizes, a software bill of materials (CycloneDX) and licences."""

from __future__ import annotations

import csv
import email.parser
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from importlib.metadata import PathDistribution
from pathlib import Path, PurePosixPath
from typing import Any, cast

from operations.errors import OperationError

PACKAGES = "app/packages"
_DPKG_STATUS = "var/lib/dpkg/status"
_COPYRIGHT = re.compile(r"usr/share/doc/([^/]+)/copyright")
_DIST_INFO = re.compile(rf"{PACKAGES}/([^/]+\.dist-info)/(.+)")
_LICENCE_LINE = re.compile(r"^License:\s*(\S.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Package:
    """One installed package. kind: python or debian. size: bytes in the image, 0 where that is not known."""

    kind: str
    name: str
    version: str
    licence: str
    size: int = 0


@dataclass
class Contents:
    """All that the layers hold: sizes of files, and the texts that describe packages."""

    sizes: dict[str, int] = field(default_factory=dict)
    dist_infos: dict[str, bytes] = field(default_factory=dict)
    copyrights: dict[str, str] = field(default_factory=dict)
    dpkg: str = ""

    @property
    def packages_size(self) -> int:
        """Bytes of the folder with the Python packages."""
        return sum(size for path, size in self.sizes.items() if path.startswith(f"{PACKAGES}/"))


def read(archive: Path) -> Contents:
    """Walk the layers of an image as `docker load` reads it. Raises OperationError."""
    contents = Contents()
    try:
        with tarfile.open(archive) as image:
            for layer in _layers(image):
                with tarfile.open(fileobj=image.extractfile(layer)) as files:
                    for member in files:
                        _take(contents, files, member)
    except (OSError, tarfile.TarError, KeyError, ValueError) as error:
        raise OperationError(f"{archive} is no image archive: {error}; build it again with make image") from None
    return contents


def _layers(image: tarfile.TarFile) -> Iterator[str]:
    manifest = image.extractfile("manifest.json")
    if manifest is None:
        raise KeyError("manifest.json")
    (entry,) = json.load(manifest)
    yield from entry["Layers"]


def _take(contents: Contents, files: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    path = member.name.removeprefix("./")
    if not member.isfile():
        return
    contents.sizes[path] = member.size

    def data() -> bytes:
        stream = files.extractfile(member)
        return b"" if stream is None else stream.read()

    if found := _DIST_INFO.fullmatch(path):
        contents.dist_infos["/".join(found.groups())] = data()
    elif found := _COPYRIGHT.fullmatch(path):
        contents.copyrights[found[1]] = data().decode(errors="replace")
    elif path == _DPKG_STATUS:
        contents.dpkg = data().decode(errors="replace")


def packages(contents: Contents) -> list[Package]:
    """Every package of the image, Python's first, each kind by size and then by name."""
    found = [*_python_packages(contents), *_debian_packages(contents)]
    return sorted(found, key=lambda package: (package.kind != "python", -package.size, package.name))


def _python_packages(contents: Contents) -> Iterator[Package]:
    with tempfile.TemporaryDirectory() as folder:
        _write_dist_infos(contents, Path(folder))
        for info in sorted(Path(folder).glob("*.dist-info")):
            distribution = PathDistribution(info)
            listed = {str(path) for path in distribution.files or ()}
            # A compiled file belongs to the package of its source.
            size = sum(
                size
                for path, size in contents.sizes.items()
                if path.startswith(f"{PACKAGES}/") and _source_of(path.removeprefix(f"{PACKAGES}/")) in listed
            )
            metadata = cast("Message", distribution.metadata)
            yield Package("python", metadata["Name"], distribution.version, _python_licence(distribution), size)


def _source_of(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.parent.name != "__pycache__":
        return path
    return str(parts.parent.parent / f"{parts.name.split('.')[0]}.py")


def _python_licence(distribution: PathDistribution) -> str:
    metadata = cast("Message", distribution.metadata)
    if expression := metadata.get("License-Expression"):
        return expression
    classifiers = [
        line.rsplit("::", 1)[-1].strip()
        for line in metadata.get_all("Classifier") or []
        if line.startswith("License ::") and line.count("::") > 1
    ]
    if classifiers:
        return " AND ".join(classifiers)
    first = (metadata.get("License") or "").strip().split("\n")[0]
    return first or "unknown"


def _debian_packages(contents: Contents) -> Iterator[Package]:
    for paragraph in contents.dpkg.split("\n\n"):
        fields = email.parser.HeaderParser().parsestr(paragraph)
        if "installed" not in fields.get("Status", "").split():
            continue
        name = fields["Package"]
        licences = dict.fromkeys(_LICENCE_LINE.findall(contents.copyrights.get(name, "")))
        licence = " AND ".join(licences) or (
            f"see /usr/share/doc/{name}/copyright" if name in contents.copyrights else "unknown"
        )
        yield Package("debian", name, fields["Version"], licence, int(fields.get("Installed-Size", "0")) << 10)


def write_licences(found: list[Package], file: Path) -> None:
    """The list of licences as CSV: kind, name, version, licence."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["kind", "name", "version", "licence"])
        writer.writerows((package.kind, package.name, package.version, package.licence) for package in found)


def write_sbom(contents: Contents, found: list[Package], digest: str, revision: str, file: Path) -> None:
    """The software bill of materials. Python's part is CycloneDX's own tool's; the base's packages are added to it.

    Raises OperationError.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "environment"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
        (site,) = environment.glob("lib/python*/site-packages")
        _write_dist_infos(contents, site)
        command = [
            sys.executable,
            "-m",
            "cyclonedx_py",
            "environment",
            "--output-reproducible",
            "--sv",
            "1.6",
            "--of",
            "JSON",
        ]
        done = subprocess.run([*command, str(environment)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OperationError(f"the software bill of materials was not made: {done.stderr.strip()[-600:]}")
    document: dict[str, Any] = json.loads(done.stdout)
    reference = f"image@{digest}"
    document.setdefault("metadata", {})["component"] = {
        "type": "container",
        "bom-ref": reference,
        "name": "cloud-ml-deployment/server",
        "version": digest,
        "properties": [{"name": "org.opencontainers.image.revision", "value": revision}],
    }
    debian = [_component(package) for package in found if package.kind == "debian"]
    document.setdefault("components", []).extend(debian)
    document.setdefault("dependencies", []).append(
        {"ref": reference, "dependsOn": sorted(component["bom-ref"] for component in document["components"])}
    )
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _component(package: Package) -> dict[str, Any]:
    purl = f"pkg:deb/debian/{package.name}@{package.version}?arch=amd64"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "purl": purl,
        "licenses": [{"license": {"name": package.licence}}],
    }


def _write_dist_infos(contents: Contents, folder: Path) -> None:
    for name, data in contents.dist_infos.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def table(contents: Contents, found: list[Package], least: int = 1 << 20) -> list[tuple[str, str, int]]:
    """Name, version, bytes of the Python packages. Those below `least` bytes are one row, and so is what none lists."""
    python = [package for package in found if package.kind == "python"]
    small = [package.size for package in python if package.size < least]
    rows = [(package.name, package.version, package.size) for package in python if package.size >= least]
    rows.append((f"{len(small)} smaller ones", "", sum(small)))
    rest = contents.packages_size - sum(size for _, _, size in rows)
    if rest:
        rows.append(("in no package's list", "", rest))
    return rows
