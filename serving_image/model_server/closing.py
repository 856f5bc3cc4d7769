"""The end of a listening socket without loss: nobody new is let in, and who is in already is answered.

Closing a listening socket resets every connection that waits to be accepted, though its client believes that it is
connected and has perhaps sent its request.
"""

from __future__ import annotations

import asyncio
import ctypes
import socket
import struct
import sys

#: Seconds for handshakes under way to end, and the most that is waited for what is in the queue to be accepted.
ACCEPT_SECONDS = 0.1
MOST_ACCEPT_SECONDS = 2.0
#: Turns of the loop from a connection in the queue to its request being read, and some more.
TURNS = 5
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
#: Of `struct tcp_info` (linux/tcp.h) the field tcpi_unacked; of a listening socket it is the length of its queue.
_QUEUE_LENGTH = slice(24, 28)


async def stop_accepting(sock: socket.socket) -> None:
    """Let no new connection in, and wait until those in the queue are accepted by whoever listens.

    A client that comes now finds no answer and, once the socket is closed, a closed port. Where the kernel has no such
    filter (gVisor) or keeps it from this user, who comes in the very last moment is reset.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + MOST_ACCEPT_SECONDS
    drop_new(sock)
    await asyncio.sleep(ACCEPT_SECONDS)
    await catch_up()
    while waiting(sock) and loop.time() < end:
        await asyncio.sleep(0.01)


def waiting(sock: socket.socket) -> int:
    """How many connections wait in a listening socket's queue; 0 where this system does not tell."""
    if not hasattr(socket, "TCP_INFO"):
        return 0
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64)
    except OSError:
        return 0
    return int.from_bytes(info[_QUEUE_LENGTH], sys.byteorder)


async def catch_up() -> None:
    """Let the loop look at all its sockets. On a machine that is busy it may have got to nothing but its timers."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


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
    """Wait until the connections have ended by themselves, as each does with its next answer, but not for long.

    What has arrived by then is read.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + LAST_CALL_SECONDS
    while connections and loop.time() < end:
        await asyncio.sleep(0.01)
    await catch_up()
