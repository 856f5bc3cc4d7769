"""Installs the locked packages into a folder, inside the build: `install_packages.py <source> <wheels> <target>`.

Runs on the base's own Python and needs nothing else. Every wheel must have the hash that the lock gives. Where the
folder `wheels` holds them, the network is not touched; pip is run from its own wheel then, as a base need not have it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

#: The Python that the lock was made for.
PYTHON = (3, 11)

#: Parts of packages that no server runs: their tests, compilers and converters.
UNUSED = (
    "bin",
    "numpy/distutils",
    "numpy/f2py",
    "onnxruntime/backend",
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "**/tests",
    "**/*.pyi",
    "**/*.pyx",
    "**/*.pxd",
    "**/*.c",
    "**/*.h",
    "**/*.a",
)


def main(source: Path, wheels: Path, target: Path) -> None:
    """Install, and take out what does not run."""
    if sys.version_info[:2] != PYTHON:
        found = f"{sys.version_info[0]}.{sys.version_info[1]}"
        sys.exit(f"the base image has Python {found}; serving_image/requirements.lock is for 3.11: name another BASE")
    pip = [sys.executable, "-m", "pip"]
    prepared = sorted(wheels.glob("pip-*.whl"))
    if prepared:
        pip = [sys.executable, str(prepared[0] / "pip")]
    command = [
        *pip,
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--root-user-action=ignore",
        "--no-cache-dir",
        "--no-compile",
        "--no-deps",
        "--only-binary=:all:",
        "--require-hashes",
        f"--target={target}",
        f"--requirement={source / 'requirements.lock'}",
        *(["--no-index", f"--find-links={wheels}"] if prepared else []),
    ]
    subprocess.run(command, check=True, env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"})
    for pattern in UNUSED:
        for path in sorted(target.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            elif path.exists():
                path.unlink()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
