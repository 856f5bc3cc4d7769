"""The fake cloud: what exists, in one JSON file that several processes may share.

Each change is read–change–write under a file lock, and the file is replaced in one step: whoever reads it, or kills
the writer, sees a whole cloud. Secrets are never in it, only keyed hashes of them (:func:`engine.standin.values.mask`).
Beside it lies a journal, one JSON line per call that changed or refused something.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class CloudObject:
    """One thing in the cloud.

    key: type and what is unique in it. place: region or cluster, where equal ids may exist in several. seed: random
    text that generated parts (ids, addresses) are made from, so they stay the same for the object's life. handles:
    texts by which others may name it. uses: keys of the objects it needs; they cannot be deleted before it. serial:
    1, and one more per update. complete: False after a creation that was cut short. managed: False for what was
    there before the program (a given network, say).
    """

    package: str
    type: str
    id: str
    key: str
    seed: str
    name: str = ""
    urn: str = ""
    place: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    handles: list[str] = field(default_factory=list)
    uses: list[str] = field(default_factory=list)
    serial: int = 1
    created: str = ""
    complete: bool = True
    managed: bool = True


class CloudError(Exception):
    """The cloud's file cannot be used; the text names the file and what to do."""


class FakeCloud:
    """Objects by key, in ``path``. ``path.journal.jsonl`` and ``path.lock`` lie beside it."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock_path = self.path.with_name(self.path.name + ".lock")
        self.journal_path = self.path.with_name(self.path.name + ".journal.jsonl")
        self._guard = threading.RLock()
        self._seen: tuple[int, int, int] | None = None
        self._objects: dict[str, CloudObject] = {}
        self._salt = ""
        with self.change():
            self._salt = self._salt or secrets.token_hex(16)

    @property
    def salt(self) -> str:
        """Random text of this cloud: key of the hashes of secrets, seed of generated values."""
        return self._salt

    @contextlib.contextmanager
    def change(self) -> Iterator[dict[str, CloudObject]]:
        """The objects, to be changed; written when the block ends, left as it was when it raises."""
        with self._guard, self._locked():
            self._load()
            try:
                yield self._objects
            except BaseException:
                self._seen = None
                raise
            self._save()

    def objects(self) -> dict[str, CloudObject]:
        """What exists now, by key. A copy of the index; the objects are not to be changed."""
        with self._guard, self._locked():
            self._load()
            return dict(self._objects)

    def write_journal(self, **entry: Any) -> None:
        """Append one line: what was asked, and how it went."""
        line = json.dumps({"at": round(time.time(), 3), **entry}, default=str)
        with self._guard, self.journal_path.open("a") as file:
            file.write(line + "\n")

    def journal(self) -> list[dict[str, Any]]:
        """Every line written so far."""
        if not self.journal_path.exists():
            return []
        return [json.loads(line) for line in self.journal_path.read_text().splitlines() if line]

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock_path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)

    def _load(self) -> None:
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            if self._seen is not None:  # somebody took the cloud away: it is empty
                self._objects, self._seen = {}, None
            return
        seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if seen == self._seen:
            return
        try:
            whole = json.loads(self.path.read_text())
            self._objects = {key: CloudObject(**row) for key, row in whole["objects"].items()}
            self._salt = whole["salt"]
        except (ValueError, KeyError, TypeError) as error:
            raise CloudError(f"{self.path} is not a fake cloud's file ({error}): name another, or delete it") from None
        self._seen = seen

    def _save(self) -> None:
        text = json.dumps({"salt": self._salt, "objects": {key: asdict(o) for key, o in self._objects.items()}})
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        temporary.write_text(text)
        temporary.chmod(0o600)
        temporary.replace(self.path)
        stat = self.path.stat()
        self._seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
