"""The end of a listening socket, and what several processes share, asked directly: moments that a request over HTTP
meets only by chance.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from model_server import closing
from model_server.shared import SharedState

from tests.serving_image.server_process import python_path


def test_who_waits_to_be_accepted_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "MOST_ACCEPT_SECONDS", 600.0)

    async def end() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            if not hasattr(socket, "TCP_INFO"):
                pytest.skip("only Linux tells how many wait")
            clients = [socket.create_connection(listening.getsockname()) for _ in range(3)]
            assert closing.waiting(listening) == 3
            ending = asyncio.ensure_future(closing.stop_accepting(listening))
            for left in (2, 1):
                listening.accept()[0].close()
                await asyncio.sleep(2 * closing.ACCEPT_SECONDS)
                assert closing.waiting(listening) == left
                assert not ending.done(), "nobody has accepted them all"
            listening.accept()[0].close()
            await asyncio.wait_for(ending, 60)
            for client in clients:
                client.close()

    asyncio.run(end())


def test_nobody_is_waited_for_longer_than_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "MOST_ACCEPT_SECONDS", 0.2)

    async def end() -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as listening,
            socket.create_connection(listening.getsockname()),
        ):
            await asyncio.wait_for(closing.stop_accepting(listening), 60)

    asyncio.run(end())


WRITER = """
import sys
from pathlib import Path
from model_server.shared import SharedState
state = SharedState(Path(sys.argv[1]))
print("writing", flush=True)
while True:
    state.percent = 30.0
    state.percent = 70.1
"""


def test_a_share_is_never_seen_half_written(tmp_path: Path) -> None:
    SharedState.create(tmp_path, 30.0)
    state = SharedState(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], env={"PYTHONPATH": python_path()}, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"writing\n"
            seen = {state.percent for _ in range(500_000)}
            while len(seen) < 2:  # on one core the two take turns
                seen |= {state.percent for _ in range(500_000)}
        finally:
            process.kill()
    assert seen == {30.0, 70.1}
