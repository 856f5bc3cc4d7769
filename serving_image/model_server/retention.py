"""Files of the server that are deleted after some days: its logs, and captured requests in a folder.

An object store has life-cycle rules of its own; there the infrastructure sets them.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

log = logging.getLogger("model_server")

DAY_SECONDS = 86_400
#: Seconds between two looks.
INTERVAL_SECONDS = 3600.0


def sweep(folder: Path, pattern: str, days: int) -> int:
    """Delete the folder's files of this name pattern that were last written more than `days` ago; how many."""
    oldest = time.time() - days * DAY_SECONDS
    deleted = 0
    for file in folder.glob(pattern):
        try:
            if file.is_file() and not file.is_symlink() and file.stat().st_mtime < oldest:
                file.unlink()
                deleted += 1
        except OSError as error:  # another process was quicker, or may not: the next look tries again
            log.warning("%s cannot be deleted after %d days: %s", file, days, error.strerror)
    return deleted


def keep_sweeping(folder: Path, pattern: str, days: int) -> None:
    """Look now, and then every hour from a thread of its own, as long as the process lives."""
    sweep(folder, pattern, days)

    def work() -> None:
        while True:
            time.sleep(INTERVAL_SECONDS)
            sweep(folder, pattern, days)

    threading.Thread(target=work, name="retention", daemon=True).start()
