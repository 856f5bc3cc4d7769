"""Logs in a folder of one's own, a file per day (UTC), for a machine where nothing else looks after them."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from pathlib import Path

from model_server.errors import Exit, StartError
from spec import contracts

#: Names of the files, for `strftime` and for `glob`.
NAME = "server-%Y-%m-%d.log"
PATTERN = "server-????-??-??.log"


class DailyFiles(logging.Handler):
    """Appends each line to the file of its day. Several processes may share the folder: a line is one write.

    Raises StartError where the folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._name = ""
        self._file = -1
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._open(time.strftime(NAME, time.gmtime()))
        except OSError as error:
            raise StartError(
                Exit.BAD_SETTING,
                f"environment variable {contracts.LOG_FOLDER} is '{folder}', where no log can be written "
                f"({error.strerror}); allowed: a folder that this user may write to",
            ) from None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            name = time.strftime(NAME, time.gmtime(record.created))
            if name > self._name:
                self._open(name)
            os.write(self._file, self.format(record).encode(errors="replace") + b"\n")
        except Exception:
            self.handleError(record)

    def _open(self, name: str) -> None:
        file = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._name = file, name
        # The newest file under a name that stays; a rename, so that the name is always there.
        staged = self._folder / f".{contracts.LOG_LINK}-{os.getpid()}"
        with contextlib.suppress(OSError):  # a file system without links
            staged.unlink(missing_ok=True)
            staged.symlink_to(name)
            staged.replace(self._folder / contracts.LOG_LINK)
