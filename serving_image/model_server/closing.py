"""The end of a listening socket without loss: nobody new is let in, and who is in already is answered.

Closing a listening socket resets every connection that waits to be accepted, though its client believes that it is
connected and has perhaps sent its request.
"""

from __future__ import annotations

import asyncio
import ctypes
import socket
import struct

#: Seconds for handshakes under way to end and for what waits to be accepted.
ACCEPT_SECONDS = 0.1
#: Seconds in which a request that is on its way over an idle connection still arrives.
LAST_CALL_SECONDS = 0.5

#: Of the flags in a TCP header's byte 13, a first SYN has SYN without ACK: dropped, and everything else let through.
_DROP_SYN = b"".join(
    struct.pack("=HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load byte 13
        (0x54, 0, 0, 0x12),  # keep SYN and ACK
        (0x15, 0, 1, 0x02),  # SYN alone?
        (0x06, 0, 0, 0),  # drop
        (0x06, 0, 0, 0xFFFFFFFF),  # let through
    )
)
_SO_ATTACH_FILTER = 26  # asm-generic/socket.h; the socket module has no name for it


async def stop_accepting(sock: socket.socket) -> None:
    """Let no new connection in, and give those in the queue the time to be accepted by whoever listens.

    A client that comes now finds no answer and, once the socket is closed, a closed port. Where the kernel has no such
    filter (gVisor) or keeps it from this user, who comes in the very last moment is reset.
    """
    drop_new(sock)
    await asyncio.sleep(ACCEPT_SECONDS)


def drop_new(sock: socket.socket) -> bool:
    """Let no new handshake begin on a listening socket; whether the kernel allows that."""
    code = ctypes.create_string_buffer(_DROP_SYN, len(_DROP_SYN))
    program = struct.pack("HP", len(_DROP_SYN) // 8, ctypes.addressof(code))
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    except OSError:
        return False
    return True


async def last_call(connections: set[object]) -> None:
    """Wait until the connections have ended by themselves, as each does with its next answer, but not for long."""
    loop = asyncio.get_running_loop()
    end = loop.time() + LAST_CALL_SECONDS
    while connections and loop.time() < end:
        await asyncio.sleep(0.01)
