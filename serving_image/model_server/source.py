"""Where the release comes from: a folder or a URI, made a local folder."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from model_server.errors import Exit, StartError
from spec import contracts
from spec import release as releases


def local_folder(uri: str) -> Path:
    """The folder of the release at `uri`. Raises StartError where there is none."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost"):
            raise StartError(
                Exit.BAD_SETTING,
                f"environment variable {contracts.MODEL_URI} is {uri!r}, which names the host {parts.netloc!r}; "
                "allowed: a file:// URI of this machine, with three slashes",
            )
        folder = Path(unquote(parts.path))
    elif "://" in uri:
        raise StartError(
            Exit.BAD_SETTING,
            f"environment variable {contracts.MODEL_URI} is {uri!r}; allowed: a folder or a file:// URI",
        )
    else:
        folder = Path(uri)
    if not (folder / releases.METADATA_FILE).is_file():
        what = "holds no " + releases.METADATA_FILE if folder.is_dir() else "does not exist"
        raise StartError(
            Exit.NO_RELEASE,
            f"no release at {contracts.MODEL_URI}={uri}: {folder} {what}; "
            "name the folder of one version, such as models/digits/v1",
        )
    return folder
