"""Files and folders by URI, in any store that the server reads releases from, and on this machine."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from model_server import stores
from model_server.errors import Exit, StartError


@dataclass(frozen=True)
class Location:
    """A file, or a folder of files, in a store. key: without a slash at its end; empty for the store's top."""

    uri: str
    store: Any
    key: str

    def under(self, name: str) -> str:
        """Key of a file in this folder."""
        return f"{self.key}/{name}" if self.key else name


def locate(uri: str) -> Location:
    """The place that a URI or a path of this machine names. Raises StartError."""
    parts = urlsplit(uri)
    if parts.scheme in stores.SCHEMES:
        store, prefix = stores.open_store(uri)
        return Location(uri, store, prefix.rstrip("/"))
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
        raise StartError(
            Exit.BAD_SETTING,
            f"{uri!r} is no place for data; allowed: a path, or a URI with file://, s3://, gs:// or az://",
        )
    from obstore.store import LocalStore

    path = Path(unquote(parts.path) if parts.scheme else uri).absolute()
    return Location(uri, LocalStore(path.anchor), path.relative_to(path.anchor).as_posix())


class Stream(io.RawIOBase):
    """Bytes of an object as they come: no more than a part of it is in memory."""

    def __init__(self, location: Location) -> None:
        import obstore

        self._reader = obstore.open_reader(location.store, location.key)
        self.size = int(self._reader.size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = bytes(self._reader.read(len(buffer)))
        buffer[: len(found)] = found
        return len(found)

    def tell(self) -> int:
        return self._reader.tell()
