"""Where a release comes from: a folder or a URI, made a local folder."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from model_server import stores
from model_server.errors import Exit, StartError
from spec import release as releases

#: Folders below the given one in which a platform may have put the release (Azure ML: <model>/<version>).
SEARCH_DEPTH = 3

_FETCHED: set[Path] = set()


@atexit.register
def _discard_all() -> None:
    for folder in list(_FETCHED):
        discard(folder)


def local_folder(uri: str) -> Path:
    """The folder of the release at `uri`. Raises StartError where there is none."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost"):
            raise StartError(
                Exit.BAD_SETTING,
                f"the release's URI is {uri!r}, which names the host {parts.netloc!r}; "
                "allowed: a file:// URI of this machine, with three slashes",
            )
        folder = Path(unquote(parts.path))
    elif parts.scheme in stores.SCHEMES:
        folder = Path(tempfile.mkdtemp(prefix="release-"))
        _FETCHED.add(folder)
        try:
            stores.fetch(uri, folder)
        except StartError:
            discard(folder)
            raise
    elif "://" in uri:
        raise StartError(
            Exit.BAD_SETTING,
            f"the release's URI is {uri!r}; allowed: a folder, or a URI with file://, s3://, gs:// or az://",
        )
    else:
        folder = Path(uri)
    return find_release(folder, uri)


def find_release(folder: Path, uri: str) -> Path:
    """The folder itself, or the only release below it. Raises StartError for none and for several."""
    if (folder / releases.METADATA_FILE).is_file():
        return folder
    if not folder.is_dir():
        raise StartError(
            Exit.NO_RELEASE,
            f"no release at {uri}: {folder} does not exist; name the folder of one version, such as models/digits/v1",
        )
    found = [
        file.parent
        for depth in range(1, SEARCH_DEPTH + 1)
        for file in folder.glob("/".join(["*"] * depth + [releases.METADATA_FILE]))
        if not file.parent.is_symlink()
    ]
    if len(found) == 1:
        return found[0]
    what = f"holds {len(found)} releases" if found else f"holds no {releases.METADATA_FILE}"
    raise StartError(
        Exit.NO_RELEASE,
        f"no one release at {uri}: {folder} {what}; name the folder of one version, such as models/digits/v1",
    )


def discard(folder: Path) -> None:
    """Remove the folder of a release that was fetched, once it is loaded; a folder that somebody named stays."""
    if folder in _FETCHED:
        _FETCHED.discard(folder)
        shutil.rmtree(folder, ignore_errors=True)
