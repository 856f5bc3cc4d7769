"""`python3 -m entry fetch <URI> <folder of the release> <destination>`: a part of a release for somebody else's server.

TensorFlow Serving and TorchServe cannot hold a release against its hashes, so this server's image does it before they
start: the whole release is fetched and verified, then one folder of it is laid where they look.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path, PurePosixPath

from model_server import source
from model_server.errors import Exit, StartError
from spec import release as releases


def fetch(uri: str, part: str, destination: Path) -> None:
    """Lay the content of a release's folder into `destination`, which is made.

    Raises StartError: BAD_SETTING for a part that is no plain name, NO_RELEASE where the release has no such folder,
    TAMPERED where a hash is wrong, STORE_AWAY where the store does not answer, CRASHED where nothing can be written.
    """
    if PurePosixPath(part).name != part or part in ("", ".", ".."):
        raise StartError(Exit.BAD_SETTING, f"the folder of the release is {part!r}; allowed: a plain name")
    folder = source.local_folder(uri)
    try:
        metadata = releases.verify(folder)
        wanted = [name for name in metadata["files"] if name.startswith(f"{part}/")]
        if not wanted:
            has = ", ".join(sorted(metadata["files"]))
            raise StartError(Exit.NO_RELEASE, f"the release at {uri} has nothing in {part}/; it has {has}")
        for name in wanted:
            target = destination / name.removeprefix(f"{part}/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, target)
    except releases.ReleaseError as error:
        raise StartError(Exit.TAMPERED, f"release refused: {error}") from None
    except OSError as error:
        raise StartError(Exit.CRASHED, f"{destination} cannot be filled: {error}") from None
    finally:
        source.discard(folder)


def main(arguments: list[str]) -> int:
    """Run the command. Returns the exit code."""
    if len(arguments) != 3:
        return _refuse(
            Exit.BAD_SETTING,
            f"command 'fetch' takes a URI, a folder of the release and a destination, but got {arguments}",
        )
    uri, part, destination = arguments
    try:
        fetch(uri, part, Path(destination))
    except StartError as error:
        return _refuse(error.exit_code, str(error))
    return Exit.OK


def _refuse(code: Exit, message: str) -> int:
    print(message, file=sys.stderr)  # noqa: T201 # before any logging is set up
    return code
