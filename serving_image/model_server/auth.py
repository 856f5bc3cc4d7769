"""Bearer token from a secret file."""

from __future__ import annotations

import hmac
from pathlib import Path

from model_server.errors import Exit, StartError
from spec import contracts

MIN_LENGTH = 16


class Token:
    """The token that requests must carry. It is compared in constant time and never logged."""

    def __init__(self, file: Path) -> None:
        try:
            token = file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise StartError(
                Exit.BAD_SETTING, f"environment variable {contracts.AUTH_TOKEN_FILE} names {file}, unreadable: {error}"
            ) from None
        if len(token) < MIN_LENGTH or not token.isascii() or not token.isprintable() or " " in token:
            raise StartError(
                Exit.BAD_SETTING,
                f"environment variable {contracts.AUTH_TOKEN_FILE} names {file}, whose content is no token; "
                f"allowed: one line of {MIN_LENGTH} or more printable ASCII characters without spaces",
            )
        self._expected = b"Bearer " + token.encode()

    def allows(self, authorization: bytes | None) -> bool:
        """Whether this `Authorization` header carries the token."""
        if authorization is None:
            return False
        scheme, _, token = authorization.partition(b" ")
        given = b"Bearer " + token.strip() if scheme.lower() == b"bearer" else b""
        return hmac.compare_digest(given, self._expected)
