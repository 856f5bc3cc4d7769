"""Secrets at rest, in the format of the CLI's passphrase provider.

A salt reads `v1:<base64 salt>:<the word "pulumi", encrypted>`, so a wrong passphrase is noticed. A ciphertext reads
`v1:<base64 nonce>:<base64 AES-256-GCM of the UTF-8 text>`.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.errors import EngineError

_ROUNDS = 1_000_000
_CHECK_WORD = "pulumi"


class Crypter:
    """Encrypts and decrypts text under one passphrase and salt.

    salt: the whole salt string as Pulumi.<stack>.yaml and state files hold it.
    """

    def __init__(self, passphrase: str, salt: str) -> None:
        self.salt = salt
        try:
            version, encoded, check = salt.split(":", 2)
            raw = base64.b64decode(encoded, validate=True)
        except ValueError:
            raise EngineError(
                f"the encryption salt {salt!r} is not in the form v1:<salt>:<check>: restore it from version control",
                changed=False,
            ) from None
        if version != "v1":
            raise EngineError(f"the encryption salt has version {version!r}; known is v1", changed=False)
        self._cipher = AESGCM(_key(passphrase, raw))
        try:
            found = self.decrypt(check)
        except EngineError:
            found = None
        if found != _CHECK_WORD:
            raise EngineError(
                "the passphrase is wrong for this stack: set PULUMI_CONFIG_PASSPHRASE (or "
                "PULUMI_CONFIG_PASSPHRASE_FILE) to the one its secrets were encrypted with. Nothing was changed.",
                changed=False,
            )

    @classmethod
    def new(cls, passphrase: str) -> Crypter:
        """A crypter with a fresh random salt."""
        raw = os.urandom(8)
        check = _encrypt(AESGCM(_key(passphrase, raw)), _CHECK_WORD)
        return cls(passphrase, f"v1:{base64.b64encode(raw).decode()}:{check}")

    def encrypt(self, text: str) -> str:
        return _encrypt(self._cipher, text)

    def decrypt(self, ciphertext: str) -> str:
        try:
            _version, nonce, data = ciphertext.split(":")
            return self._cipher.decrypt(base64.b64decode(nonce), base64.b64decode(data), None).decode()
        except (ValueError, InvalidTag):
            raise EngineError(
                "a secret cannot be decrypted: it was encrypted with another passphrase or salt, or was damaged. "
                "Nothing was changed.",
                changed=False,
            ) from None


def _encrypt(cipher: AESGCM, text: str) -> str:
    nonce = os.urandom(12)
    data = cipher.encrypt(nonce, text.encode(), None)
    return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(data).decode()}"


@functools.lru_cache(maxsize=8)
def _key(passphrase: str, salt: bytes) -> bytes:
    # Costly on purpose (a good part of a second): once per process and salt.
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, _ROUNDS, 32)
