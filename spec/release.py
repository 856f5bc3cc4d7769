"""A release: one immutable version of a model on disk, found by its reference and verified by its hashes.

    models/digits/v3/model.onnx           the graph
    models/digits/v3/model_metadata.json  schema, metrics, origin, and the sha256 of every other file
    models/digits/v3/samples.json         rows with right answers
    models/digits/v3/statistics.json      histogram per feature of the training data
    models/digits/v3/transforms.yaml      optional: see `spec.transforms`
    models/digits/latest                  symlink to the highest version

Standard library only: the server, the trainers and the components all read releases through this module, and each of
them has an environment of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

MODEL_FILE = "model.onnx"
METADATA_FILE = "model_metadata.json"
SAMPLES_FILE = "samples.json"
STATISTICS_FILE = "statistics.json"
TRANSFORMS_FILE = "transforms.yaml"
LATEST = "latest"

#: Files that no release is without, beside the metadata that lists them.
REQUIRED_FILES = (MODEL_FILE, SAMPLES_FILE, STATISTICS_FILE)

#: `format` in the metadata: raised when a reader of today could misread what a writer of tomorrow wrote.
FORMAT = 1

#: dtype in the metadata (numpy's name) -> datatype of the Open Inference Protocol.
OPEN_INFERENCE_DATATYPES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "str": "BYTES",
}

MODEL_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_REFERENCE = re.compile(rf"(?P<model>{MODEL_NAME.pattern})(@(?P<version>latest|[1-9]\d{{0,8}}))?")
_VERSION_FOLDER = re.compile(r"v([1-9]\d{0,8})")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20


class ReleaseError(ValueError):
    """A release is missing, changed or not one; the text names what was found, what was expected and what to do."""


@dataclass(frozen=True)
class ReleaseReference:
    """What a user writes. version: None means the latest."""

    model: str
    version: int | None = None

    def __str__(self) -> str:
        return f"{self.model}@{self.version or LATEST}"


@dataclass(frozen=True)
class Release:
    """One release on this machine. path: its folder."""

    model: str
    version: int
    path: Path

    def __str__(self) -> str:
        return f"{self.model}@{self.version}"


def check_name(model: str) -> str:
    """The name, if a model can have it. Raises ReleaseError."""
    if not MODEL_NAME.fullmatch(model):
        raise ReleaseError(
            f"model is {model!r}; allowed: a lower-case letter, then up to 62 lower-case letters, digits, '_' and '-'"
        )
    return model


def parse_reference(text: str) -> ReleaseReference:
    """`digits@3`, `digits@latest` or `digits` (the latest). Raises ReleaseError."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise ReleaseError(
            f"release is {text!r}; allowed: model@version with a version from 1 on or 'latest', the model's name in "
            "lower-case letters, digits, '_' and '-': write it like digits@3"
        )
    version = match["version"]
    return ReleaseReference(match["model"], None if version in (None, LATEST) else int(version))


def models(models_dir: Path) -> list[str]:
    """Names of the models that have a release in the folder."""
    if not models_dir.is_dir():
        return []
    return sorted(
        entry.name
        for entry in models_dir.iterdir()
        if MODEL_NAME.fullmatch(entry.name) and versions(models_dir, entry.name)
    )


def versions(models_dir: Path, model: str) -> list[int]:
    """Numbers of the model's releases in the folder, in order."""
    folder = models_dir / model
    if not folder.is_dir():
        return []
    found = ((_VERSION_FOLDER.fullmatch(entry.name), entry) for entry in folder.iterdir())
    return sorted(int(match[1]) for match, entry in found if match and entry.is_dir() and not entry.is_symlink())


def version_folder(version: int) -> str:
    """Name of the folder of a version: 3 -> `v3`."""
    return f"v{version}"


def resolve(models_dir: Path, reference: str | ReleaseReference) -> Release:
    """The release that the reference names; `latest` becomes a number here.

    Raises ReleaseError, which lists the releases there are.
    """
    wanted = parse_reference(reference) if isinstance(reference, str) else reference
    # The link is read before the folder: a release that is written meanwhile is then among those found.
    link = models_dir / wanted.model / LATEST
    target = str(link.readlink()) if wanted.version is None and link.is_symlink() else None
    known = versions(models_dir, wanted.model)
    if not known:
        others = models(models_dir)
        there = f"models there: {', '.join(others)}" if others else "the folder holds no release of any model"
        raise ReleaseError(
            f"release {wanted} does not exist: {models_dir} has no release of {wanted.model!r}; {there}. "
            "Train it (`make train`), fetch it (`python -m training fetch`) or name another"
        )
    version = wanted.version or _latest(link, target, known)
    if version not in known:
        there = ", ".join(f"{wanted.model}@{number}" for number in known)
        raise ReleaseError(
            f"release {wanted} does not exist in {models_dir}; allowed: {there} or {wanted.model}@{LATEST}. "
            "Name one of these, or train or fetch the one you mean"
        )
    return Release(wanted.model, version, models_dir / wanted.model / version_folder(version))


def _latest(link: Path, target: str | None, known: list[int]) -> int:
    if target is None:  # a copy of the folder may have lost the link; the rule says where it would point
        return known[-1]
    match = _VERSION_FOLDER.fullmatch(target)
    if match is None or int(match[1]) not in known:
        raise ReleaseError(
            f"{link} points to {target!r}, which is no release; allowed: "
            f"{', '.join(version_folder(number) for number in known)}. Remove the link (the highest version is the "
            "latest then), or name a version by its number"
        )
    return int(match[1])


def read_metadata(path: Path) -> dict[str, Any]:
    """The metadata of the release in the folder, its form checked but no file hashed. Raises ReleaseError."""
    file = path / METADATA_FILE
    try:
        text = file.read_bytes()
    except OSError as error:
        raise ReleaseError(
            f"{path} is no release: {METADATA_FILE} cannot be read ({error.strerror}); name the folder of one version, "
            "such as models/digits/v1"
        ) from None
    return parse_metadata(text, str(file))


def parse_metadata(text: bytes, where: str) -> dict[str, Any]:
    """Metadata from its bytes. Raises ReleaseError that begins with ``where`` and names the wrong field."""
    try:
        metadata = json.loads(text)
    except ValueError as error:
        raise ReleaseError(f"{where} is not JSON ({error}); fetch or train the release again") from None
    if not isinstance(metadata, dict):
        raise ReleaseError(f"{where} holds no JSON object; fetch or train the release again")
    for field, right, allowed in (
        ("format", lambda value: value == FORMAT, f"{FORMAT}, the format that this program reads"),
        ("name", lambda value: isinstance(value, str) and MODEL_NAME.fullmatch(value), "a model's name"),
        ("version", lambda value: type(value) is int and value >= 1, "a whole number from 1 on"),
        ("inputs", _is_schema, "a list of tensors, each with name, shape and dtype"),
        ("outputs", _is_schema, "a list of tensors, each with name, shape and dtype"),
        ("files", _is_file_list, f"relative file names, each with its sha256, among them {', '.join(REQUIRED_FILES)}"),
    ):
        if not right(metadata.get(field)):
            raise ReleaseError(
                f"{where}: {field} is {str(metadata.get(field, 'missing'))[:120]!r}; allowed: {allowed}. "
                "The file was changed or is of another program: fetch or train the release again"
            )
    return metadata


def _is_schema(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(tensor, dict)
            and isinstance(tensor.get("name"), str)
            and isinstance(tensor.get("shape"), list)
            and tensor.get("dtype") in OPEN_INFERENCE_DATATYPES
            for tensor in value
        )
    )


def _is_file_list(value: object) -> bool:
    return (
        isinstance(value, dict)
        and all(_is_inside(name) and isinstance(sha, str) and _SHA256.fullmatch(sha) for name, sha in value.items())
        and all(name in value for name in REQUIRED_FILES)
    )


def _is_inside(name: str) -> bool:
    """A plain relative path: metadata comes from stores, and must never reach out of its folder."""
    parts = PurePosixPath(name).parts
    plain = name.isprintable() and "\\" not in name and ":" not in name
    return plain and parts != () and "/".join(parts) == name and ".." not in parts and name != METADATA_FILE


def verify(path: Path) -> dict[str, Any]:
    """The metadata of the release in the folder, once every file was found to have the sha256 that it lists.

    Raises ReleaseError naming the first file that is missing, changed, or not listed.
    """
    metadata = read_metadata(path)
    files: Mapping[str, str] = metadata["files"]
    what_to_do = "fetch or train the release again"
    for name, expected in files.items():
        try:
            found = file_digest(path / name)
        except OSError as error:
            reason = "missing" if isinstance(error, FileNotFoundError) else f"unreadable ({error.strerror})"
            raise ReleaseError(f"{path / name} is {reason}; {METADATA_FILE} lists it: {what_to_do}") from None
        if found != expected:
            raise ReleaseError(
                f"{path / name} was changed: its sha256 is {found}, {METADATA_FILE} says {expected}; {what_to_do}"
            )
    for file in _files(path):
        if file not in files and file != METADATA_FILE:
            raise ReleaseError(
                f"{path / file} does not belong to the release: {METADATA_FILE} does not list it; "
                f"allowed are {', '.join(files)}. Remove it, or {what_to_do}"
            )
    return metadata


def _files(folder: Path) -> list[str]:
    found = []
    for root, _folders, names in os.walk(folder):
        found += [(Path(root) / name).relative_to(folder).as_posix() for name in names]
    return sorted(found)


def list_files(folder: Path) -> dict[str, str]:
    """sha256 of every file in the folder but the metadata, by its name: what goes into `files`."""
    return {name: file_digest(folder / name) for name in _files(folder) if name != METADATA_FILE}


def file_digest(file: Path) -> str:
    """sha256 of one file, as hex."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def digest(path: Path) -> str:
    """One sha256 for the whole release in the folder: that of its metadata, which names the hash of every file.

    Raises ReleaseError where there is no metadata.
    """
    try:
        return file_digest(path / METADATA_FILE)
    except OSError as error:
        raise ReleaseError(f"{path} is no release: {METADATA_FILE} cannot be read ({error.strerror})") from None
