"""Writers of releases as processes, some of which are killed: `python -m tests.training.crashing_writers <folder> …`.

`race <folder> <writers> <releases each>`: all write at once while a reader verifies what is there; prints who was given
which number.
`crash <folder>`: one writer after another is killed with SIGKILL, the first before its first call that touches the file
system, the next one call later, and so on until one gets through; prints how many were killed.

The children are forked from one process that holds no threads, so that a hundred of them cost a second.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from spec import release as releases
from training.releases.write import write

#: Audit events of what changes or opens files, https://docs.python.org/3/library/audit_events.html.
EVENTS = ("open", "os.mkdir", "os.rename", "os.symlink", "os.remove", "os.rmdir", "shutil.rmtree")

TENSOR = [{"name": "input", "dtype": "float32", "shape": [None, 2]}]


def fill(folder: Path, version: int) -> dict[str, Any]:
    """Files of a release: nobody loads them here, their hashes are what counts."""
    for name in releases.REQUIRED_FILES:
        (folder / name).write_text(f"{name} of {version} by {os.getpid()}")
    return {"inputs": TENSOR, "outputs": TENSOR, "writer": os.getpid()}


def forked(work: Any) -> int:
    """The process id of a child that does the work and ends."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException as error:
        os.write(2, f"writer failed: {error!r}\n".encode())
        os._exit(1)
    os._exit(0)


def ended(child: int) -> int:
    """Exit code of the child; minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def race(folder: Path, writers: int, each: int) -> None:
    def work() -> None:
        for _release in range(each):
            release = write(folder, "digits", fill)
            os.write(1, f"{json.dumps([os.getpid(), release.version])}\n".encode())

    def watch() -> None:
        while os.getppid() == parent:
            check(folder)

    parent = os.getpid()
    reader = forked(watch)
    codes = [ended(child) for child in [forked(work) for _writer in range(writers)]]
    read_wrong = os.waitpid(reader, os.WNOHANG) != (0, 0)
    if not read_wrong:
        os.kill(reader, signal.SIGKILL)
        ended(reader)
    sys.exit(any(codes) or read_wrong)


def crash(folder: Path) -> None:
    killed = 0
    while True:

        def work(after: int = killed) -> None:
            left = [after]

            def count(event: str, _arguments: Any) -> None:
                if event in EVENTS:
                    if left[0] == 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                    left[0] -= 1

            sys.addaudithook(count)
            write(folder, "digits", fill)

        code = ended(forked(work))
        if code == 0:
            os.write(1, f"{killed}\n".encode())
            return
        if code != -signal.SIGKILL:
            sys.exit(code)
        killed += 1
        check(folder)


def check(folder: Path) -> None:
    """What must hold after each crash: every version there is is whole, and `latest` is one of them."""
    for version in releases.versions(folder, "digits"):
        releases.verify(folder / "digits" / releases.version_folder(version))
    if releases.versions(folder, "digits"):
        releases.verify(releases.resolve(folder, "digits@latest").path)


if __name__ == "__main__":
    command, models = sys.argv[1], Path(sys.argv[2])
    if command == "race":
        race(models, int(sys.argv[3]), int(sys.argv[4]))
    else:
        crash(models)
