"""Requests that come at the same time and are run together: each gets its own answer, and every figure stays exact.

Does not prove that batches make anything faster; `make bench` measures that.
"""

from __future__ import annotations

import json
import math
import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from sklearn.datasets import load_digits

from tests.operations import fragile_model
from tests.serving_image.conftest import Digits
from tests.serving_image.server_process import ServerProcess, running

CONNECTIONS = 24
#: Seconds until requests sent at the same time have met in the server: how soon is the machine's doing.
PATIENCE = 60


@pytest.fixture
def server(digits: Digits, tmp_path: Path) -> Iterator[ServerProcess]:
    with running({"MODEL_URI": str(digits.path)}, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def rows() -> list[list[float]]:
    return load_digits().data.tolist()  # pyright: ignore[reportAttributeAccessIssue]


class Burst:
    """Connections over which requests are sent at the same time."""

    def __init__(self, server: ServerProcess, stack: ExitStack) -> None:
        address = ("127.0.0.1", server.port)
        made = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(CONNECTIONS)]
        self._connections = [(connection, stack.enter_context(connection.makefile("rb"))) for connection in made]

    def send(self, bodies: Sequence[bytes], path: str) -> list[tuple[int, bytes]]:
        """Status and body of each answer, in the order of the requests."""
        assert len(bodies) <= CONNECTIONS
        used = self._connections[: len(bodies)]
        for (connection, _), body in zip(used, bodies, strict=True):
            head = f"POST {path} HTTP/1.1\r\nhost: t\r\ncontent-length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
        answers: list[tuple[int, bytes]] = []
        for _, stream in used:
            status = int(stream.readline().split()[1])
            length = 0
            while (line := stream.readline()) != b"\r\n":
                if found := re.fullmatch(rb"content-length: (\d+)\r\n", line):
                    length = int(found[1])
            answers.append((status, stream.read(length)))
        return answers


@pytest.fixture
def burst(server: ServerProcess) -> Iterator[Burst]:
    with ExitStack() as stack:
        yield Burst(server, stack)


def tensor(name: str, values: Sequence[float], columns: int) -> bytes:
    shape = [len(values) // columns, columns]
    return json.dumps({"inputs": [{"name": name, "shape": shape, "datatype": "FP32", "data": values}]}).encode()


def ran_together(server: ServerProcess) -> bool:
    return server.metric("model_batch_size_bucket", le="1") < server.metric("model_batch_size_count")


def until_together(server: ServerProcess) -> Iterator[int]:
    """Rounds, until the model has run several rows as one."""
    end = time.monotonic() + PATIENCE
    number = 0
    while number < 3 or not ran_together(server):
        assert time.monotonic() < end, "requests never met"
        yield number
        number += 1


def test_each_gets_its_own_answer_and_is_counted_once(
    server: ServerProcess, burst: Burst, digits: Digits, rows: list[list[float]]
) -> None:
    alone = {}
    sent = 0
    for number in until_together(server):
        chosen = range(number * CONNECTIONS % 240, number * CONNECTIONS % 240 + CONNECTIONS)
        answers = burst.send([tensor(digits.input, rows[at], 64) for at in chosen], "/v2/models/digits/infer")
        sent += CONNECTIONS
        for at, (status, body) in zip(chosen, answers, strict=True):
            assert status == 200
            outputs = json.loads(body)["outputs"]
            if at not in alone:
                [(_, single)] = burst.send([tensor(digits.input, rows[at], 64)], "/v2/models/digits/infer")
                sent += 1
                alone[at] = json.loads(single)["outputs"]
            assert outputs[0] == alone[at][0]
            assert outputs[1]["data"] == pytest.approx(alone[at][1]["data"], abs=1e-6)
    labels = {"contract": "open-inference-protocol", "release": "digits@1"}
    assert server.metric("model_requests_total", code="200", **labels) == sent
    assert server.metric("model_request_seconds_count", **labels) == sent
    assert server.metric("model_request_seconds_bucket", le="+Inf", **labels) == sent
    assert server.metric("model_predictions_total", release="digits@1") == sent
    assert server.metric("model_batch_size_sum") == sent


def test_a_bad_request_among_good_ones_is_refused_alone(
    server: ServerProcess, burst: Burst, digits: Digits, rows: list[list[float]]
) -> None:
    bad = [b"{", tensor(digits.input, [1.0] * 63, 63), tensor("other", rows[0], 64)]
    good = [tensor(digits.input, rows[at], 64) for at in range(CONNECTIONS - len(bad))]
    mixed = [*good[:5], bad[0], *good[5:9], bad[1], *good[9:], bad[2]]
    total = 0
    for _ in until_together(server):
        total += 1
        answers = burst.send(mixed, "/v2/models/digits/infer")
        assert [status for status, _ in answers] == [400 if body in bad else 200 for body in mixed]
    assert server.metric("model_requests_total", code="400") == total * len(bad)
    assert server.metric("model_requests_total", code="200") == total * len(good)


def test_several_rows_and_other_outputs_are_not_mixed_up(
    server: ServerProcess, burst: Burst, digits: Digits, rows: list[list[float]]
) -> None:
    alone: list[list[float]] = []
    for row in rows[: CONNECTIONS + 2]:
        [(_, answer)] = burst.send([tensor(digits.input, row, 64)], "/v2/models/digits/infer")
        alone.append(json.loads(answer)["outputs"][1]["data"])
    for _ in until_together(server):
        bodies: list[bytes] = []
        for at in range(CONNECTIONS):
            count = at % 3 + 1
            body = json.loads(tensor(digits.input, [value for row in rows[at : at + count] for value in row], 64))
            if at % 4 == 0:
                body["outputs"] = [{"name": "probabilities"}]
            bodies.append(json.dumps(body).encode())
        for at, (status, answer) in enumerate(burst.send(bodies, "/v2/models/digits/infer")):
            count = at % 3 + 1
            outputs = json.loads(answer)["outputs"]
            assert status == 200
            assert [output["name"] for output in outputs] == ["label", "probabilities"][at % 4 == 0 :]
            assert outputs[-1]["shape"] == [count, 10]
            wanted = [score for scores in alone[at : at + count] for score in scores]
            assert outputs[-1]["data"] == pytest.approx(wanted, abs=1e-6)


def test_drift_is_the_index_of_all_rows(
    server: ServerProcess, burst: Burst, digits: Digits, rows: list[list[float]]
) -> None:
    sent: list[list[float]] = []
    for number in range(10):
        chosen = [[min(16.0, value + number % 4) for value in row] for row in rows[number * 24 : number * 24 + 24]]
        burst.send([tensor(digits.input, row, 64) for row in chosen], "/v2/models/digits/infer")
        sent += chosen
    features = json.loads((digits.path / "statistics.json").read_text())["inputs"][digits.input]["features"]
    for at in (10, 20, 43):
        edges, expected = features[at]["edges"], features[at]["counts"]
        seen = [0] * len(expected)
        for row in sent:
            seen[sum(row[at] >= edge for edge in edges[1:-1])] += 1
        index = server.metric("model_input_drift_psi", feature=f"{digits.input}[{at}]")
        assert index == pytest.approx(stability(expected, seen), rel=1e-6)


def stability(expected: Sequence[float], seen: Sequence[float]) -> float:
    """Population stability index; an empty bin counts as half a row."""
    used = [(e, s) for e, s in zip(expected, seen, strict=True) if e or s]
    e = [max(pair[0], 0.5) for pair in used]
    s = [max(pair[1], 0.5) for pair in used]
    return sum((b / sum(s) - a / sum(e)) * math.log((b / sum(s)) / (a / sum(e))) for a, b in zip(e, s, strict=True))


def test_a_row_on_which_the_model_fails_harms_no_other(tmp_path: Path) -> None:
    release = fragile_model.release(tmp_path / "models")
    bodies = [tensor("data", [fragile_model.BAD if at % 5 == 0 else float(at % 4 + 1)], 1) for at in range(CONNECTIONS)]
    with running({"MODEL_URI": str(release.path)}, tmp_path) as server, ExitStack() as stack:
        burst = Burst(server, stack)
        for _ in range(5):
            answers = burst.send(bodies, "/v2/models/fragile/infer")
            assert [status for status, _ in answers] == [500 if at % 5 == 0 else 200 for at in range(CONNECTIONS)]
            for at, (status, answer) in enumerate(answers):
                if status == 200:
                    assert json.loads(answer)["outputs"][0]["data"] == [at % 4 + 1]


def test_with_several_processes_an_answer_is_counted_before_it_leaves(
    digits: Digits, rows: list[list[float]], tmp_path: Path
) -> None:
    with running({"MODEL_URI": str(digits.path), "WORKERS": "2"}, tmp_path) as server, ExitStack() as stack:
        burst = Burst(server, stack)
        for number in range(1, 6):
            burst.send([tensor(digits.input, row, 64) for row in rows[:CONNECTIONS]], "/v2/models/digits/infer")
            assert server.metric("model_requests_total", code="200") == number * CONNECTIONS
            assert server.metric("model_predictions_total") == number * CONNECTIONS
