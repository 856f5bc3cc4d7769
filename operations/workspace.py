"""Where things are in the working tree, and the secrets passphrase of its own backend."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from operations.errors import OperationError


@dataclass(frozen=True)
class Workspace:
    """One checkout of the project.

    root: folder with Pulumi.yaml.
    """

    root: Path

    @property
    def local(self) -> Path:
        """What the project makes on this machine; ignored by git."""
        return self.root / ".local"

    @property
    def backend(self) -> Path:
        """Folder of the file backend that both engines share."""
        return self.local / "state"

    @property
    def cli_root(self) -> Path:
        """Where `make pulumi` puts the Pulumi CLI."""
        return self.local / "pulumi"

    def backend_folder(self) -> Path:
        """The file backend in use: PULUMI_BACKEND_URL where it names a folder, else the tree's own.

        Raises OperationError for a backend that is no folder: the embedded engine writes files only.
        """
        url = os.environ.get("PULUMI_BACKEND_URL", "")
        if not url:
            return self.backend
        if not url.startswith("file://"):
            raise OperationError(
                f"PULUMI_BACKEND_URL is {url!r}; the embedded engine keeps state in a folder only (file://…). "
                "Unset it, or get the Pulumi CLI (`make pulumi`), which speaks to every backend."
            )
        return self.root / Path(url.removeprefix("file://")).expanduser()

    def passphrase(self) -> str:
        """The passphrase that encrypts secrets in state.

        PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE where set, as for the CLI; else one made once for
        this checkout and kept in `.local/passphrase`, readable by its owner only.
        """
        given = os.environ.get("PULUMI_CONFIG_PASSPHRASE")
        if given is not None:
            return given
        named = os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
        if named:
            try:
                return Path(named).expanduser().read_text().strip()
            except OSError as error:
                raise OperationError(
                    f"PULUMI_CONFIG_PASSPHRASE_FILE names {named!r}, which cannot be read ({error.strerror}): "
                    "name a readable file, or unset it"
                ) from None
        own = self.local / "passphrase"
        try:
            return own.read_text().strip()
        except FileNotFoundError:
            pass
        own.parent.mkdir(parents=True, exist_ok=True)
        made = secrets.token_urlsafe(32)
        try:
            with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(made + "\n")
        except FileExistsError:  # another run was quicker; its passphrase is the one
            return own.read_text().strip()
        return made
