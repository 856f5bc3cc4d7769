"""One run at a time: the file backend's own lock files, so that the CLI and this engine exclude each other.

A lock is `.pulumi/locks/organization/<project>/<stack>/<id>.json`, as `pkg/backend/diy/lock.go` of the CLI writes it.
Ours is also held with flock, which the kernel lets go of when the process dies: the lock of a killed run of this
engine is recognised as stale and removed, without guessing from process ids.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import socket
import uuid
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from engine.errors import EngineError

_MARK = "cloud-ml-deployment"


@contextlib.contextmanager
def stack_lock(backend: Path, project: str, stack: str) -> Iterator[None]:
    """Hold the stack's lock. Raises EngineError naming the other run where there is one."""
    folder = backend / ".pulumi" / "locks" / "organization" / project / stack
    folder.mkdir(parents=True, exist_ok=True)
    own = folder / f"{uuid.uuid4()}.json"
    _refuse_others(folder, own)
    staging = own.with_suffix(".new")
    with staging.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump(_content(), file)
        file.flush()
        staging.rename(own)  # it appears already held: nobody can take it for stale
        try:
            _refuse_others(folder, own)  # somebody may have come between the look and the write
            yield
        finally:
            own.unlink(missing_ok=True)


def _content() -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "username": _user(),
        "hostname": socket.gethostname(),
        "timestamp": datetime.now(timezone.utc).isoformat().replace("+00:00", "Z"),
        "engine": _MARK,
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in containers
        return str(os.getuid())


def _refuse_others(folder: Path, own: Path) -> None:
    others = [lock for lock in folder.glob("*.json") if lock != own and not _removed_as_stale(lock)]
    if not others:
        return
    lines = "\n".join(f"  {_describe(lock)}" for lock in others)
    raise EngineError(
        f"another run holds this stack; nothing was changed:\n{lines}\n"
        "Wait until it ends. If that process no longer exists, its lock is stale: delete the file, "
        "or run `pulumi cancel`.",
        changed=False,
    )


def _removed_as_stale(lock: Path) -> bool:
    """True where the lock belonged to a run of this engine that is dead; the file is then gone."""
    try:
        with lock.open("r+") as file:
            if json.load(file).get("engine") != _MARK:
                return False
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lock.unlink(missing_ok=True)
            return True
    except FileNotFoundError:
        return True
    except (OSError, ValueError, AttributeError):  # held, or no lock of ours
        return False


def _describe(lock: Path) -> str:
    try:
        content = json.loads(lock.read_text())
        who = f"pid {content['pid']} of {content['username']} on {content['hostname']} since {content['timestamp']}"
        if content["hostname"] == socket.gethostname() and not Path(f"/proc/{content['pid']}").exists():
            who += " (that process no longer exists)"
    except (OSError, ValueError, KeyError, TypeError):
        who = "an unreadable lock"
    return f"{who}: {lock}"
