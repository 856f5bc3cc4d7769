"""Predictions that are answered without ASGI: the same answers, and no request that the short way gets wrong.

A query string sends a request the long way (see `model_server.direct`), so both ways can be asked the same.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from tests.serving_image.conftest import Digits
from tests.serving_image.server_process import ServerProcess, running

PATH = "/v2/models/digits/infer"


@pytest.fixture(scope="module")
def server(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with running({"MODEL_URI": str(digits.path), "MAX_BODY_MIB": "4"}, tmp_path_factory.mktemp("log")) as made:
        yield made


def body(digits: Digits, rows: int = 1) -> bytes:
    data = [value for index in range(rows) for value in digits.rows[index % len(digits.rows)]]
    tensor = {"name": digits.input, "shape": [rows, 64], "datatype": "FP32", "data": data}
    return json.dumps({"inputs": [tensor]}).encode()


def post(content: bytes, path: str = PATH, version: str = "1.1", *extra: str) -> bytes:
    head = [f"POST {path} HTTP/{version}", "host: test", "content-type: application/json", *extra]
    if not any("transfer-encoding" in line for line in extra):
        head.append(f"content-length: {len(content)}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + content


def talk(server: ServerProcess, sent: bytes, answers: int, pieces: int = 1) -> list[tuple[int, dict[str, str], bytes]]:
    """Send bytes, in pieces, and read so many answers: status, headers, body."""
    found = []
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        size = -(-len(sent) // pieces)
        for start in range(0, len(sent), size):
            connection.sendall(sent[start : start + size])
        stream = connection.makefile("rb")
        for _ in range(answers):
            status = int(stream.readline().split()[1])
            headers = {}
            while (line := stream.readline().strip()) != b"":
                name, _, value = line.decode().partition(": ")
                headers[name] = value
            found.append((status, headers, stream.read(int(headers["content-length"]))))
    return found


def labels(answer: bytes) -> list[int]:
    return json.loads(answer)["outputs"][0]["data"]


def test_both_ways_give_the_same_answer_and_headers(server: ServerProcess, digits: Digits):
    [direct] = talk(server, post(body(digits)), 1)
    [behind_asgi] = talk(server, post(body(digits), f"{PATH}?way=long"), 1)
    assert direct[0] == behind_asgi[0] == 200
    assert direct[2] == behind_asgi[2]
    assert labels(direct[2]) == digits.labels[:1]
    assert direct[1].keys() == behind_asgi[1].keys()
    varying = {"x-request-id", "date"}
    assert {k: v for k, v in direct[1].items() if k not in varying} == {
        k: v for k, v in behind_asgi[1].items() if k not in varying
    }


def test_both_ways_refuse_the_same(server: ServerProcess):
    for content in (b"", b"{", b"[]", b'{"inputs": []}', b"\xff" * 100):
        [direct] = talk(server, post(content), 1)
        [behind_asgi] = talk(server, post(content, f"{PATH}?way=long"), 1)
        assert direct[0] == behind_asgi[0]
        assert 400 <= direct[0] < 500
        assert direct[2] == behind_asgi[2]


@pytest.mark.parametrize("value", ["true", "false", "null", '"1"', "[1]", "{}", "1e39"])
def test_a_value_that_is_no_number_of_the_datatype(server: ServerProcess, digits: Digits, value: str):
    """Numbers are packed without a look at each; whatever else stands among them is still found and named."""
    values = ["1.5"] * 64
    values[63] = value
    tensor = f'{{"name":"{digits.input}","shape":[1,64],"datatype":"FP32","data":[{",".join(values)}]}}'
    [answer] = talk(server, post(f'{{"inputs":[{tensor}]}}'.encode()), 1)
    assert answer[0] == 400
    told = json.loads(answer[2])["error"]
    assert digits.input in told
    assert "63" in told or "finite" in told


@pytest.mark.parametrize("pieces", [2, 7, 40])
def test_a_request_that_comes_in_pieces(server: ServerProcess, digits: Digits, pieces: int):
    [answer] = talk(server, post(body(digits)), 1, pieces)
    assert answer[0] == 200
    assert labels(answer[2]) == digits.labels[:1]


def test_pipelined_requests_are_answered_in_order(server: ServerProcess, digits: Digits):
    sent = b"".join(post(body(digits, rows), PATH if rows % 2 else f"{PATH}?way=long") for rows in (1, 2, 3, 4, 5, 6))
    answers = talk(server, sent, 6)
    assert [len(labels(answer[2])) for answer in answers] == [1, 2, 3, 4, 5, 6]


def test_a_chunked_body(server: ServerProcess, digits: Digits):
    content = body(digits)
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)
    [answer] = talk(server, post(chunked, PATH, "1.1", "transfer-encoding: chunked"), 1)
    assert answer[0] == 200
    assert labels(answer[2]) == digits.labels[:1]


def test_bodies_around_the_limit_of_the_short_way(server: ServerProcess, digits: Digits):
    for size in ((1 << 20) - 1, 1 << 20, (1 << 20) + 1, 2_000_000):
        content = body(digits)
        padded = content[:-1] + b" " * (size - len(content)) + b"}"
        [answer] = talk(server, post(padded), 1)
        assert answer[0] == 200
        assert labels(answer[2]) == digits.labels[:1]
    [answer] = talk(server, post(b" " * 5_000_000), 1)
    assert answer[0] == 413


def test_the_connection_ends_where_the_client_wants_it(server: ServerProcess, digits: Digits):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(post(body(digits), PATH, "1.1", "connection: close"))
        answer = connection.makefile("rb").read()
    assert b"connection: close" in answer
    assert answer.startswith(b"HTTP/1.1 200")


def test_http_1_0(server: ServerProcess, digits: Digits):
    [answer] = talk(server, post(body(digits), PATH, "1.0"), 1)
    assert answer[0] == 200


def test_expect_100_continue(server: ServerProcess, digits: Digits):
    content = body(digits)
    head = post(content, PATH, "1.1", "expect: 100-continue")[: -len(content)]
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(head)
        stream = connection.makefile("rb")
        assert b"100" in stream.readline()
        stream.readline()
        connection.sendall(content)
        assert b"200" in stream.readline()


def test_a_token_is_wanted_on_the_short_way_too(digits: Digits, tmp_path):
    secret = "a-token-of-some-length-0123456789"
    (tmp_path / "token").write_text(secret)
    with running({"MODEL_URI": str(digits.path), "AUTH_TOKEN_FILE": str(tmp_path / "token")}, tmp_path) as guarded:
        [refused] = talk(guarded, post(body(digits)), 1)
        assert refused[0] == 401
        assert refused[1]["www-authenticate"] == "Bearer"
        [wrong] = talk(guarded, post(body(digits), PATH, "1.1", "authorization: Bearer something-else-entirely"), 1)
        assert wrong[0] == 401
        [right] = talk(guarded, post(body(digits), PATH, "1.1", f"authorization: Bearer {secret}"), 1)
        assert right[0] == 200


def test_a_client_that_goes_away_in_the_middle_harms_nobody(server: ServerProcess, digits: Digits):
    for end in (50, 200, len(post(body(digits))) - 1):
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            connection.sendall(post(body(digits))[:end])
    [answer] = talk(server, post(body(digits)), 1)
    assert answer[0] == 200
