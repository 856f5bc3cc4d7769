"""What the fuzz tests send with and start from: a connection that counts, a valid body per contract, and mutations."""

from __future__ import annotations

import copy
import io
import json
import random
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.serving_image.server_process import ServerProcess

BINARY_HEADER = "inference-header-content-length"


@dataclass(frozen=True)
class Seed:
    """A request that is answered 200. document: where the body is JSON, the value that `body` was made from."""

    contract: str
    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    document: Any = None


class Fuzzed:
    """Sends requests over one connection, made again where the server closes it, and looks at every answer."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.statuses: Counter[int] = Counter()
        self._connection: socket.socket | None = None

    def send(self, seed: Seed, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> int:
        """Send the seed with another body or headers. Raises AssertionError where the answer is the server's fault."""
        content = seed.body if body is None else body
        lines = [f"POST {seed.path} HTTP/1.1", "host: test", f"content-length: {len(content)}"]
        lines += [f"{name}: {text}" for name, text in {**seed.headers, **(headers or {})}.items()]
        return self.raw("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content)

    def raw(self, request: bytes) -> int:
        """Send the bytes of one whole request; returns the status."""
        try:
            status, answer = self._exchange(request)
        except (OSError, EOFError):  # an idle connection may have been closed
            self.close()
            status, answer = self._exchange(request)
        self.statuses[status] += 1
        assert status < 500, f"{status} for {request[:2000]!r}: {answer[:500]!r}\n{self.server.output()[-3000:]}"
        assert b"Traceback" not in answer
        return status

    def _exchange(self, request: bytes) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = socket.create_connection(("127.0.0.1", self.server.port), timeout=60)
        self._connection.sendall(request)
        received = bytearray()
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head, _, rest = bytes(received).partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        named = dict(line.lower().split(": ", 1) for line in lines)
        length = 0 if request.startswith(b"HEAD ") else int(named["content-length"])
        while len(rest) < length:
            rest += self._receive()
        if named.get("connection") == "close":
            self.close()
        return int(first.split()[1]), rest

    def _receive(self) -> bytes:
        assert self._connection is not None
        data = self._connection.recv(1 << 16)
        if not data:
            raise EOFError
        return data

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def npy(array: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def digits_seeds(name: str, row: list[float]) -> list[Seed]:
    """Every contract's request for the model with one input of 64 numbers."""
    as_json = {"content-type": "application/json"}
    short = [int(value) for value in row]
    tensor = {"name": name, "shape": [1, 64], "datatype": "FP32"}
    head = {"inputs": [{**tensor, "parameters": {"binary_data_size": 256}}], "outputs": [{"name": "label"}]}
    binary = json.dumps(head).encode()
    floats = np.array(row, "<f4")
    documents: list[tuple[str, str, Any]] = [
        ("sagemaker", "/invocations", {"instances": [short]}),
        ("sagemaker", "/invocations", {"inputs": {name: [short]}}),
        ("azure-ml", "/score", {"input_data": {"columns": [0], "index": [0], "data": [short]}}),
        ("azure-ml", "/score", {"data": [short]}),
        ("tensorflow-serving", "/v1/models/digits:predict", {"signature_name": "serving_default", "inputs": [short]}),
        ("tensorflow-serving", "/v1/models/digits:classify", {"examples": [{name: short}], "context": {}}),
        ("torchserve", "/predictions/digits", {"data": short}),
        ("open-inference-protocol", "/v2/models/digits/infer", {
            "id": "1", "parameters": {"timeout": 1000000, "binary_data_output": False},
            "inputs": [{**tensor, "data": short}], "outputs": [{"name": "label", "parameters": {"binary_data": True}}],
        }),
    ]  # fmt: skip
    return [
        *(Seed(contract, path, json.dumps(body).encode(), as_json, body) for contract, path, body in documents),
        Seed("sagemaker", "/invocations", ",".join(map(str, row)).encode(), {"content-type": "text/csv"}),
        Seed("sagemaker", "/invocations", npy(floats[np.newaxis]), {"content-type": "application/x-npy"}),
        Seed(
            "open-inference-protocol",
            "/v2/models/digits/infer",
            binary + floats.tobytes(),
            {BINARY_HEADER: str(len(binary))},
        ),
    ]


def table_seeds() -> list[Seed]:
    """Requests for the model with a whole number, a truth value and a text."""
    as_json = {"content-type": "application/json"}
    row = {"age": [42], "member": [True], "city": ["Zürich"]}
    columns = {name: [value] for name, value in row.items()}
    kinds = {"age": "INT64", "member": "BOOL", "city": "BYTES"}
    tensors = [{"name": n, "datatype": kinds[n], "shape": [1, 1], "data": row[n]} for n in row]
    sizes = {"age": 8, "member": 1, "city": 11}
    binary_tensors = [
        {"name": n, "datatype": kinds[n], "shape": [1, 1], "parameters": {"binary_data_size": sizes[n]}} for n in row
    ]
    head = json.dumps({"inputs": binary_tensors, "parameters": {"binary_data_output": True}}).encode()
    values = (42).to_bytes(8, "little") + b"\1" + (7).to_bytes(4, "little") + "Zürich".encode()
    encoded = {**row, "city": [{"b64": "WsO8cmljaA=="}]}
    documents: list[tuple[str, str, Any]] = [
        ("sagemaker", "/invocations", [row]),
        ("vertex-ai", "/vertex", {"instances": [row], "parameters": {"outputs": ["age_out"]}}),
        ("azure-ml", "/score", {"input_data": {"columns": list(row), "data": [[42, True, "Bern"]]}}),
        ("tensorflow-serving", "/v1/models/table:predict", {"instances": [encoded]}),
        ("tensorflow-serving", "/v1/models/table/versions/1:predict", {"inputs": columns}),
        ("torchserve", "/predictions/table", {"instances": [row]}),
        ("open-inference-protocol", "/v2/models/table/infer", {"inputs": tensors}),
    ]
    return [
        *(Seed(contract, path, json.dumps(body).encode(), as_json, body) for contract, path, body in documents),
        Seed("open-inference-protocol", "/v2/models/table/infer", head + values, {BINARY_HEADER: str(len(head))}),
    ]


#: Pieces that parsers have tripped over.
TOKENS = (
    b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-0", b"9223372036854775808", b"18446744073709551616", b"1e-400",
    b'""', b'"\\ud800"', b'"\\u0000"', b"{}", b"[]", b"[[]]", b"{", b"}", b"]", b"[", b",", b":", b'"', b"\\", b"\0",
    b"\xff\xfe", b"\xef\xbb\xbf", b"\r\n", b"\n", b"'", b"(", b")", b"1_0", b"0x10", b"\xd9\xa1", b"<f4", b"|O", b"'U'",
    b'"b64"', b'"instances"', b'"inputs"', b'"shape"', b'"data"', b'"parameters"', b"99999999999999999999", b"A" * 500,
    b"[" * 300, b'{"a":' * 300,
)  # fmt: skip


def mutate(body: bytes, dice: random.Random, others: list[bytes]) -> bytes:
    """The body with one to four changes of its bytes."""
    data = bytearray(body)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(data) + 1)
        kind = dice.randrange(7)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            data[at:at] = dice.choice(TOKENS)
        elif kind == 2:
            data[at : at + dice.randint(1, 12)] = dice.choice(TOKENS)
        elif kind == 3:
            del data[at : at + dice.choice((1, 2, 8, 64))]
        elif kind == 4:
            data[at:at] = data[at : at + dice.randint(1, 64)]
        elif kind == 5:
            data[at:] = dice.choice(others)[at:]
        else:
            data[at : at + 1] = dice.randbytes(dice.randint(1, 4))
    return bytes(data)


#: A place in a JSON value: keys and indices from the outside in.
Place = tuple[Any, ...]


def places(value: Any, here: Place = ()) -> list[Place]:
    """All places in a JSON value; of a long array the first two and the last."""
    found = [here]
    if isinstance(value, dict):
        for key in value:
            found += places(value[key], (*here, key))
    elif isinstance(value, list):
        for index in sorted({0, 1, len(value) - 1} & set(range(len(value)))):
            found += places(value[index], (*here, index))
    return found


def changed(document: Any, place: Place, change: Callable[[Any], Any]) -> Any:
    """A copy of the document with another value at the place."""
    if not place:
        return change(copy.deepcopy(document))
    made = copy.deepcopy(document)
    holder = made
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = change(holder[place[-1]])
    return made
