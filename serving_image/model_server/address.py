"""The address the server listens on, bound before anything slow is done: a taken port is said at once."""

from __future__ import annotations

import errno
import os
import socket

from model_server.errors import Exit, StartError
from spec import contracts


def bind(host: str, port: int) -> socket.socket:
    """A socket on the address. Raises StartError where it is taken or is not this machine's."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise StartError(
            Exit.BAD_SETTING,
            f"environment variable {contracts.HOST} is {host!r}, which is no address ({error.strerror}); "
            "allowed: an address of this machine, such as 127.0.0.1 or 0.0.0.0",
        ) from None
    sock = socket.socket(family, kind, proto)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(address)
        sock.listen(2048)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise StartError(
                Exit.PORT_TAKEN,
                f"port {port} of {host} is taken by another process; stop it or set {contracts.PORT} to a free port",
            ) from None
        raise StartError(
            Exit.PORT_TAKEN,
            f"cannot listen on {host}:{port} ({os.strerror(error.errno or 0)}); "
            f"set {contracts.HOST} to an address of this machine and {contracts.PORT} to a port this user may open",
        ) from None
    return sock
