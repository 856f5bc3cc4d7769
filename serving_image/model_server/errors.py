"""The two ways things go wrong: the server cannot start, or a request cannot be answered."""

from __future__ import annotations

import enum

#: Characters of an error's text that a client gets.
MAX_MESSAGE = 800


class Exit(enum.IntEnum):
    """Exit codes of `python -m model_server` (values of BSD's sysexits.h where one fits)."""

    OK = 0
    TAMPERED = 65  # EX_DATAERR: a file of the release is not what its metadata says, or its warm prediction is wrong
    NO_RELEASE = 66  # EX_NOINPUT: nothing to serve at MODEL_URI
    STORE_AWAY = 69  # EX_UNAVAILABLE: the object store did not answer
    CRASHED = 70  # EX_SOFTWARE
    PORT_TAKEN = 71  # EX_OSERR: the address cannot be bound
    BAD_SETTING = 78  # EX_CONFIG: an environment variable holds what is not allowed


class StartError(Exception):
    """The server cannot start. The text names what is wrong, what is allowed and what to do."""

    def __init__(self, exit_code: Exit, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class RequestError(Exception):
    """A request cannot be answered; `status` is an HTTP status and the text is for the client.

    retry_after: seconds, sent as `Retry-After` where given.
    """

    def __init__(self, status: int, message: str, *, retry_after: int | None = None) -> None:
        if len(message) > MAX_MESSAGE:  # a client's own words never make a large answer
            message = f"{message[: MAX_MESSAGE - 1]}…"
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after
