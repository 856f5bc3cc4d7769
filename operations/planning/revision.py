"""A git revision as a folder: the program of BASE, beside what git does not hold (releases, say)."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from operations.errors import OperationError

#: What git does not hold and a plan does not need: linking it would let an old program write into the working tree.
_LEFT_OUT = {".local", ".pulumi", ".pytest_cache", ".ruff_cache", "__pycache__", "build"}


@contextlib.contextmanager
def checked_out(program: Path, revision: str) -> Iterator[tuple[Path, str]]:
    """The program's folder as it was at a revision, in a temporary folder: (folder, full hash).

    Neither the working tree nor anything of the repository is written. Ignored files (trained releases, an
    environment) are linked, so that the revision's program finds what the present one does.
    Raises OperationError where the program is in no repository, or `revision` names no commit.
    """
    top = Path(
        _git(
            program,
            "rev-parse",
            "--show-toplevel",
            wrong=f"BASE is {revision!r}, but {program} is in no git repository",
        )
    )
    commit = _git(
        program,
        "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}",
        wrong=f"BASE is {revision!r}, which is no commit of {top}: name a branch, a tag or a hash that `git log` knows "
        "(a shallow clone lacks older ones: git fetch --unshallow)",
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="plan-base-") as temporary:
        folder = Path(temporary) / "tree"
        folder.mkdir()
        index = {"GIT_INDEX_FILE": str(Path(temporary) / "index")}
        _git(top, "read-tree", commit, env=index)
        _git(top, "checkout-index", "--all", "--quiet", f"--prefix={folder}/", env=index)
        ignored = _git(top, "ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z")
        for name in filter(None, ignored.split("\0")):
            _link(top, folder, name.rstrip("/"))
        yield folder / program.resolve().relative_to(top.resolve()), commit


def _link(top: Path, folder: Path, name: str) -> None:
    there = folder / name
    if _LEFT_OUT.isdisjoint(Path(name).parts) and there.parent.is_dir() and not there.exists():
        there.symlink_to(top / name)


def _git(folder: Path, *arguments: str, wrong: str = "", env: Mapping[str, str] | None = None) -> str:
    git = shutil.which("git")
    if git is None:
        raise OperationError("BASE needs git, which is not on PATH: install it, or give STATE instead")
    done = subprocess.run(
        [git, "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip()
        raise OperationError(wrong or f"git {arguments[0]} failed: {said}")
    return done.stdout.strip("\n")
