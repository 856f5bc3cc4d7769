"""Fuzz of every contract: whatever a client sends, it gets an answer that is not the server's fault.

More than 20,000 requests: bytes mutated with a fixed seed, JSON documents changed by hypothesis, headers, paths and
methods, and what schemathesis makes of the server's own OpenAPI description. No answer is 5xx, the processes at the end
are those of the beginning, nothing is logged as a failure, and memory has not grown. The seeds are fixed: this does not
search further on each run, it guards what has been searched.
"""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serving_image import fuzzing
from tests.serving_image.conftest import Digits
from tests.serving_image.fuzzing import BINARY_HEADER, Fuzzed, Seed
from tests.serving_image.server_process import ServerProcess, running

SECRET = "a-token-of-some-length-0123456789"
#: Requests in all, and how many of them are mutated bytes.
AT_LEAST = 20_000
MUTATED_BYTES = 16_000
#: Bytes that a server's memory may grow by from the first thousands of requests to the last.
GROWTH = 24 << 20

fuzz = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def asked() -> list[Fuzzed]:
    """All senders of this module, for the sums at its end."""
    return []


def _fuzzed(env: dict[str, str], folder: Path, asked: list[Fuzzed], seeds: list[Seed]) -> Iterator[Fuzzed]:
    with running(env, folder) as server:
        fuzzed = Fuzzed(server)
        asked.append(fuzzed)
        dice = random.Random(1)  # warm-up: the same kind of requests as what is measured
        for _ in range(150):
            for seed in seeds:
                assert fuzzed.send(seed) == 200, seed
                fuzzed.send(seed, fuzzing.mutate(seed.body, dice, [seed.body]))
        process, memory = server.process.pid, server.memory()
        yield fuzzed
        for seed in seeds:
            assert fuzzed.send(seed) == 200
        fuzzed.close()
        assert server.process.poll() is None
        assert server.process.pid == process
        assert server.memory() - memory < GROWTH, f"from {memory >> 20} to {server.memory() >> 20} MiB"
        output = server.output()
        assert "Traceback" not in output
        assert "failed" not in output
        assert server.metric("model_requests_shed_total") == 0


@pytest.fixture(scope="module")
def seeds(digits: Digits) -> list[Seed]:
    return fuzzing.digits_seeds(digits.input, digits.rows[0])


@pytest.fixture(scope="module")
def numbers(
    digits: Digits, seeds: list[Seed], asked: list[Fuzzed], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fuzzed]:
    """The server with the digits release."""
    yield from _fuzzed({"MODEL_URI": str(digits.path)}, tmp_path_factory.mktemp("numbers"), asked, seeds)


@pytest.fixture(scope="module")
def texts(table: Path, asked: list[Fuzzed], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    """The server with a model of three datatypes."""
    env = {"MODEL_URI": str(table), "AIP_PREDICT_ROUTE": "/vertex"}
    yield from _fuzzed(env, tmp_path_factory.mktemp("texts"), asked, fuzzing.table_seeds())


def test_mutated_bytes_of_every_contract(numbers: Fuzzed, texts: Fuzzed, seeds: list[Seed]) -> None:
    dice = random.Random(20_000)
    servers = [(numbers, seeds), (texts, fuzzing.table_seeds())]
    bodies = [seed.body for _, several in servers for seed in several]
    for number in range(MUTATED_BYTES):
        fuzzed, several = servers[number % 2]
        seed = dice.choice(several)
        fuzzed.send(seed, fuzzing.mutate(seed.body, dice, bodies))


@pytest.mark.parametrize("length", [0, 1, 10, 118, 128, 1000])
def test_lengths_of_npy_and_binary_headers(numbers: Fuzzed, seeds: list[Seed], length: int) -> None:
    """The two formats that say inside how long they are: every byte of their heads is changed."""
    dice = random.Random(length)
    for seed in seeds:
        if seed.headers.get("content-type") == "application/x-npy":
            for at in range(128):
                body = bytearray(seed.body)
                body[at] = dice.randrange(256)
                numbers.send(seed, bytes(body))
                numbers.send(seed, seed.body[:at] + dice.choice(fuzzing.TOKENS) + seed.body[at:])
        elif BINARY_HEADER in seed.headers:
            for text in (length, -length, f"+{length}", f"{length}.0", f"0{length}", f"{length}" * 5, f"{length}_0"):
                numbers.send(seed, headers={BINARY_HEADER: str(text)})


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["label", "input", "age", "FP32", "FP64", "INT64", "BYTES", "stable", "b64", [], {}, [[]], [1] * 64]
    ),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "data", "b64", "shape", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("which", ["numbers", "texts"])
@fuzz
@given(data=st.data())
def test_documents_with_other_values(which: str, numbers: Fuzzed, texts: Fuzzed, seeds: list[Seed], data) -> None:
    """Valid documents of every contract in which values are replaced, wrapped or left out."""
    fuzzed, several = (numbers, seeds) if which == "numbers" else (texts, fuzzing.table_seeds())
    for seed in several:
        if seed.document is None:
            continue
        place = data.draw(st.sampled_from(fuzzing.places(seed.document)))
        value = data.draw(VALUES)
        for document in (
            fuzzing.changed(seed.document, place, lambda _, value=value: value),
            fuzzing.changed(seed.document, place, lambda old, value=value: [old, value]),
        ):
            body = json.dumps(document).encode("utf-8", "surrogatepass")
            headers = {}
            if BINARY_HEADER in seed.headers:
                headers[BINARY_HEADER] = str(len(body))
            fuzzed.send(seed, body, headers)


@pytest.mark.parametrize("depth", [60, 250, 490, 700, 960, 985, 1000, 1020, 1023, 1024, 1025, 5000])
def test_nesting_of_every_depth_at_every_place(numbers: Fuzzed, texts: Fuzzed, seeds: list[Seed], depth: int) -> None:
    """JSON as deep as the parser takes it must not exhaust what handles it afterwards, errors included."""
    mark = "the-place"
    for fuzzed, several in ((numbers, seeds), (texts, fuzzing.table_seeds())):
        for seed in several:
            if seed.document is None:
                continue
            for place in fuzzing.places(seed.document):
                text = json.dumps(fuzzing.changed(seed.document, place, lambda _: mark)).encode()
                for nested in (
                    b"[" * depth + b"]" * depth,
                    b'["a",' * depth + b"1" + b"]" * depth,
                    b'{"a":' * depth + b"1" + b"}" * depth,
                ):
                    fuzzed.send(seed, text.replace(b'"the-place"', nested))


HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "content-type", "content-encoding", "accept", "accept-encoding", BINARY_HEADER, "x-request-timeout-ms",
            "x-request-id", "traceparent", "authorization", "host", "x", "cookie", "range",
        ]
    ),
    st.one_of(
        st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60),
        st.sampled_from(
            [
                "gzip", "deflate", "br", "gzip, gzip", "text/csv", "application/x-npy", "application/json;q=0.5, */*",
                "application/x-npy; output=label", "text/*", "application/*", "9" * 40, "0", "-1", "1e3", ";;;", ",,,",
            ]
        ),
    ),
    min_size=1,
    max_size=4,
)  # fmt: skip


@fuzz
@given(headers=HEADERS)
def test_headers(numbers: Fuzzed, seeds: list[Seed], headers: dict[str, str]) -> None:
    for seed in seeds:
        numbers.send(seed, headers=headers)


WORDS = ["v1", "v2", "models", "digits", "versions", "1", "infer", "%00", "..", "", "a:predict"]


@fuzz
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PROPFIND"]),
    path=st.one_of(
        st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40),
        st.lists(st.sampled_from(WORDS)).map("/".join),
    ),
)  # fmt: skip
def test_paths_and_methods(numbers: Fuzzed, method: str, path: str) -> None:
    numbers.raw(f"{method} /{path} HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n".encode())


def test_what_is_no_http(numbers: Fuzzed, seeds: list[Seed]) -> None:
    """Mutated heads of requests. Some of them are never whole, so only what is answered is looked at."""
    dice = random.Random(7)
    head = b"POST /invocations HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n"
    valid = [head.replace(b"transfer-encoding: chunked\r\n", b""), head.replace(b"content-length: 2\r\n", b""), head]
    for number in range(600):
        request = fuzzing.mutate(dice.choice(valid), dice, valid) if number % 3 else dice.randbytes(200)
        with socket.create_connection(("127.0.0.1", numbers.server.port), timeout=60) as connection:
            connection.sendall(request + b"[]")
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            try:
                while part := connection.recv(1 << 16):
                    answer += part
            except ConnectionResetError:
                pass
        if answer:
            numbers.statuses[int(answer.split()[1])] += 1
        assert not answer.startswith(b"HTTP/1.1 5"), (request, answer)


@pytest.fixture(scope="module")
def controlled(
    digits: Digits, digits_again: Digits, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A server with all routes on, administration too."""
    folder = tmp_path_factory.mktemp("controlled")
    (folder / "token").write_text(SECRET)
    env = {
        "MODEL_URI": str(digits.path),
        "CANARY_URI": str(digits_again.path),
        "ADMIN": "on",
        "AUTH_TOKEN_FILE": str(folder / "token"),
    }
    with running(env, folder) as server:
        yield server
        assert server.client.get("/readyz").status_code == 200
        assert "Traceback" not in server.output()


def test_schemathesis_over_the_servers_own_description(controlled: ServerProcess) -> None:
    """Requests made from the OpenAPI description, valid and not, with and without the token."""
    token = {"authorization": f"Bearer {SECRET}"}
    schema = schemathesis.openapi.from_url(f"{controlled.url}/openapi.json", headers=token)
    operations: list[Any] = [found.ok() for found in schema.get_all_operations()]  # pyright: ignore[reportAttributeAccessIssue]
    assert len(operations) >= 30
    for operation in operations:
        if operation.path == "/admin/reload":  # each loads a release: a test of its own does that
            continue

        @settings(fuzz, max_examples=10)
        @given(case=operation.as_strategy())
        def ask(case) -> None:
            for headers in (token, {}):
                answer = case.call(base_url=controlled.url, headers=headers, timeout=60)
                assert answer.status_code < 500, f"{case.as_curl_command()}: {answer.status_code} {answer.text[:300]}"
                assert answer.headers["x-content-type-options"] == ["nosniff"]

        ask()


def test_enough_was_asked(asked: list[Fuzzed], request: pytest.FixtureRequest) -> None:
    """Last in this file: the sum of what the tests before have sent. Says nothing where only some of them ran."""
    total = sum(sum(fuzzed.statuses.values()) for fuzzed in asked)
    statuses = {
        status: sum(fuzzed.statuses[status] for fuzzed in asked) for fuzzed in asked for status in fuzzed.statuses
    }
    ran = {item.name.split("[")[0] for item in request.session.items if item.path == request.path}
    there = {name for name in globals() if name.startswith("test_")}
    assert total >= AT_LEAST or ran != there, statuses
    assert statuses.get(200, 0) < total or not total
