"""Good and bad requests of every contract, with the answer that the contract's own documents ask for.

The digits release has one input of 64 values and two outputs: `label` and `probabilities`.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np

from spec import contracts
from tests.serving_image.conftest import Digits

Check = Callable[[httpx.Response, Digits], None]


@dataclass(frozen=True)
class Case:
    """One request. body: bytes, or a value that is sent as JSON. check: looks at a good answer."""

    name: str
    contract: str
    method: str
    path: str
    status: int
    body: Callable[[Digits], Any] = lambda _digits: None
    headers: Mapping[str, str] = field(default_factory=dict)
    check: Check | None = None

    def send(self, client: httpx.Client, digits: Digits) -> httpx.Response:
        body = self.body(digits)
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return client.request(self.method, self.path, content=content, headers=self.headers)


def check(case: Case, client: httpx.Client, digits: Digits) -> None:
    """Send the request and look at the answer. Raises AssertionError."""
    response = case.send(client, digits)
    assert response.status_code == case.status, response.text[:500]
    assert response.headers["x-content-type-options"] == "nosniff"
    if case.check is not None:
        case.check(response, digits)
    if response.status_code >= 400 and case.method != "HEAD":
        error_is_own(response, case.contract)
    predicts = case.method == "POST" and response.status_code == 200
    assert (contracts.VERSION_HEADER in response.headers) >= predicts


def error_is_own(response: httpx.Response, contract: str) -> None:
    """The error has the contract's shape, names something, and holds no trace of the server's inside."""
    body = response.json()
    if contract in (contracts.SAGEMAKER, contracts.TORCHSERVE):
        assert body.keys() == {"code", "type", "message"}
        assert body["code"] == response.status_code
        message = body["message"]
    elif contract == contracts.VERTEX:
        assert body["error"].keys() == {"code", "message", "status"}
        assert body["error"]["code"] == response.status_code
        message = body["error"]["message"]
    elif contract == contracts.AZURE_ML:
        assert body.keys() == {"message"}
        message = body["message"]
    else:
        assert body.keys() == {"error"}
        message = body["error"]
    assert message
    assert "Traceback" not in message
    assert ".py" not in message


# What good answers hold.


def _labels_of(predictions: list[dict[str, Any]], digits: Digits) -> None:
    assert [entry["label"] for entry in predictions] == digits.labels[: len(predictions)]
    for entry, right in zip(predictions, digits.probabilities, strict=False):
        np.testing.assert_allclose(entry["probabilities"], right, atol=1e-4)


def predictions(response: httpx.Response, digits: Digits) -> None:
    _labels_of(response.json()["predictions"], digits)


def bare_predictions(response: httpx.Response, digits: Digits) -> None:
    _labels_of(response.json(), digits)


def one_prediction(response: httpx.Response, digits: Digits) -> None:
    _labels_of([response.json()], digits)


def columns(response: httpx.Response, digits: Digits) -> None:
    outputs = response.json()["outputs"]
    assert outputs["label"] == digits.labels[:2]
    np.testing.assert_allclose(outputs["probabilities"], digits.probabilities[:2], atol=1e-4)


def tensors(response: httpx.Response, digits: Digits) -> None:
    body = response.json()
    assert body["model_name"] == "digits"
    assert body["model_version"] == "1"
    label, probabilities = body["outputs"]
    rows = label["shape"][0]
    assert label == {"name": "label", "datatype": "INT64", "shape": [rows], "data": digits.labels[:rows]}
    assert (probabilities["name"], probabilities["datatype"]) == ("probabilities", "FP32")
    assert probabilities["shape"] == [rows, 10]
    np.testing.assert_allclose(np.reshape(probabilities["data"], (rows, 10)), digits.probabilities[:rows], atol=1e-4)


def classes(response: httpx.Response, digits: Digits) -> None:
    (row,) = response.json()["results"]
    assert [label for label, _ in row] == [str(number) for number in range(10)]
    assert max(row, key=lambda pair: pair[1])[0] == str(digits.labels[0])


def csv_rows(response: httpx.Response, digits: Digits) -> None:
    assert response.headers["content-type"].startswith("text/csv")
    lines = [line.split(",") for line in response.text.strip().split("\n")]
    assert [int(line[0]) for line in lines] == digits.labels[:2]
    np.testing.assert_allclose(
        [[float(text) for text in line[1:]] for line in lines], digits.probabilities[:2], atol=1e-4
    )


def npy_labels(response: httpx.Response, digits: Digits) -> None:
    assert np.load(io.BytesIO(response.content)).tolist() == digits.labels[:2]


def npy_probabilities(response: httpx.Response, digits: Digits) -> None:
    np.testing.assert_allclose(np.load(io.BytesIO(response.content)), digits.probabilities[:2], atol=1e-4)


def binary_outputs(response: httpx.Response, digits: Digits) -> None:
    length = int(response.headers["inference-header-content-length"])
    head = json.loads(response.content[:length])
    label, probabilities = head["outputs"]
    first = label["parameters"]["binary_data_size"]
    rest = response.content[length:]
    assert np.frombuffer(rest[:first], "<i8").tolist() == digits.labels[:1]
    np.testing.assert_allclose(np.frombuffer(rest[first:], "<f4"), digits.probabilities[0], atol=1e-4)
    assert probabilities["parameters"]["binary_data_size"] == 40


def _json_of(expected: Mapping[str, Any]) -> Check:
    def check(response: httpx.Response, _digits: Digits) -> None:
        body = response.json()
        assert {key: body.get(key) for key in expected} == expected

    return check


# Bodies.


def _npy(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def _tensor(digits: Digits, rows: int = 1, **changes: Any) -> dict[str, Any]:
    data = [value for row in digits.rows[:rows] for value in row]
    return {"name": digits.input, "shape": [rows, 64], "datatype": "FP32", "data": data} | changes


def _infer(rows: int = 1, **changes: Any) -> Callable[[Digits], Any]:
    return lambda digits: {"inputs": [_tensor(digits, rows, **changes)]}


def _binary(data: Callable[[Digits], bytes], size: int = 256, **request: Any) -> Callable[[Digits], bytes]:
    def body(digits: Digits) -> bytes:
        tensor = {"name": digits.input, "shape": [1, 64], "datatype": "FP32", "parameters": {"binary_data_size": size}}
        return json.dumps({"inputs": [tensor], **request}).encode() + data(digits)

    return body


def _floats(digits: Digits) -> bytes:
    return np.array(digits.rows[0], "<f4").tobytes()


def _instances(rows: int = 2) -> Callable[[Digits], Any]:
    return lambda digits: {"instances": digits.rows[:rows]}


def _with(value: Any) -> Callable[[Digits], Any]:
    """One instance whose last value is another."""
    return lambda digits: {"instances": [[*digits.rows[0][:-1], value]]}


def _csv(digits: Digits) -> bytes:
    return "\n".join(",".join(map(str, row)) for row in digits.rows[:2]).encode()


def _const(value: Any) -> Callable[[Digits], Any]:
    return lambda _digits: value


#: Bodies that no contract with instances takes, by what is wrong.
BAD_INSTANCES: dict[str, Callable[[Digits], Any]] = {
    "no JSON": _const(b"{"),
    "no UTF-8": _const(b'{"instances": "\xff"}'),
    "empty": _const(b""),
    "null": _const(b"null"),
    "a number": _const(b"1"),
    "nested beyond all": _const(b"[" * 100_000),
    "nested deep": _const(b'{"instances": ' + b"[" * 900 + b"]" * 900 + b"}"),
    "no instances": _const({"instances": []}),
    "an object": _const({"instances": {}}),
    "a short row": lambda digits: {"instances": [digits.rows[0][:-1]]},
    "ragged rows": lambda digits: {"instances": [digits.rows[0], digits.rows[1][:-1]]},
    "a text": _with("7"),
    "null inside": _with(None),
    "true inside": _with(True),
    "too large for a float": lambda digits: json.dumps(_with(0)(digits)).replace(", 0]", ", 1e39]").encode(),
    "NaN": lambda digits: json.dumps(_with(0)(digits)).replace(", 0]", ", NaN]").encode(),
    "an axis too many": lambda digits: {"instances": [[digits.rows[0]]]},
    "an unknown input": lambda digits: {"instances": [{"pixels": digits.rows[0]}]},
    "an object and a row": lambda digits: {"instances": [{digits.input: digits.rows[0]}, digits.rows[0]]},
    "too many rows": lambda digits: {"instances": [digits.rows[0]] * 1025},
}

_JSON = {"content-type": "application/json"}


def _bad(contract: str, method: str, path: str, bodies: Mapping[str, Callable[[Digits], Any]]) -> list[Case]:
    return [Case(f"{contract}: {name}", contract, method, path, 400, body, _JSON) for name, body in bodies.items()]


def sagemaker() -> list[Case]:
    name, path = contracts.SAGEMAKER, "/invocations"

    def case(
        title: str, status: int, body: Callable[[Digits], Any], check: Check | None = None, **headers: str
    ) -> Case:
        return Case(
            f"sagemaker: {title}",
            name,
            "POST",
            path,
            status,
            body,
            {k.replace("_", "-"): v for k, v in headers.items()},
            check,
        )

    csv, npy = "text/csv", "application/x-npy"
    return [
        Case("sagemaker: ping", name, "GET", "/ping", 200),
        case("instances", 200, _instances(), predictions, content_type="application/json"),
        case("bare rows", 200, lambda digits: digits.rows[:2], bare_predictions, content_type="application/json"),
        case("columns", 200, lambda digits: {"inputs": {digits.input: digits.rows[:2]}}, predictions),
        case("no content type", 200, _instances(), predictions),
        case("charset", 200, _instances(), predictions, content_type="application/json; charset=utf-8"),
        case("csv", 200, _csv, csv_rows, content_type=csv),
        case("csv to json", 200, _csv, predictions, content_type=csv, accept="application/json"),
        case("json to csv", 200, _instances(), csv_rows, content_type="application/json", accept=csv),
        case("npy", 200, lambda d: _npy(np.array(d.rows[:2], "f4")), npy_labels, content_type=npy),
        case("npy of doubles", 200, lambda d: _npy(np.array(d.rows[:2])), npy_labels, content_type=npy),
        case(
            "npy, other output",
            200,
            lambda d: _npy(np.array(d.rows[:2], "f4")),
            npy_probabilities,
            content_type=npy,
            accept="application/x-npy; output=probabilities",
        ),
        case("npy of objects is a pickle", 400, lambda d: _npy(np.array([{}]), allow_pickle=True), content_type=npy),
        case("npy cut short", 400, lambda d: _npy(np.array(d.rows[:2], "f4"))[:-1], content_type=npy),
        case("npy of text", 400, lambda d: _npy(np.array([["a"] * 64])), content_type=npy),
        case("npy of another shape", 400, lambda d: _npy(np.zeros((2, 63), "f4")), content_type=npy),
        case("npy with nan", 400, lambda d: _npy(np.full((1, 64), np.nan, "f4")), content_type=npy),
        case("no npy", 400, _const(b"\x93NUMPY"), content_type=npy),
        case("csv header", 400, lambda d: b"a,b\n1,2", content_type=csv),
        case("csv ragged", 400, lambda d: b"1,2\n1", content_type=csv),
        case("csv empty", 400, _const(b"\n\n"), content_type=csv),
        case("csv no utf-8", 400, _const(b"\xff"), content_type=csv),
        case("unknown content type", 415, _const(b"x"), content_type="application/x-image"),
        case("unknown accept", 406, _instances(), content_type="application/json", accept="image/png"),
        case(
            "unknown output", 406, _instances(), content_type="application/json", accept="application/x-npy; output=x"
        ),
        case("bad content encoding", 415, _instances(), content_encoding="br"),
        case("broken gzip", 400, _instances(), content_encoding="gzip"),
        case(
            "gzip",
            200,
            lambda d: gzip.compress(json.dumps(_instances()(d)).encode()),
            predictions,
            content_encoding="gzip",
        ),
        *_bad(name, "POST", path, BAD_INSTANCES),
        Case("sagemaker: GET", name, "GET", path, 405),
    ]


def azure_ml() -> list[Case]:
    name, path = contracts.AZURE_ML, "/score"
    renamed = {
        title: (lambda digits, body=body: _rename(body(digits)))
        for title, body in BAD_INSTANCES.items()
        if title != "null"
    }

    def case(title: str, status: int, body: Callable[[Digits], Any], check: Check | None = None) -> Case:
        return Case(f"azure-ml: {title}", name, "POST", path, status, body, _JSON, check)

    return [
        Case("azure-ml: live", name, "GET", "/livez", 200),
        Case("azure-ml: ready", name, "GET", "/readyz", 200),
        case("data", 200, lambda d: {"data": d.rows[:2]}, bare_predictions),
        case("input_data", 200, lambda d: {"input_data": d.rows[:2]}, bare_predictions),
        case(
            "split form",
            200,
            lambda d: {"input_data": {"columns": list(range(64)), "index": [0, 1], "data": d.rows[:2]}},
            bare_predictions,
        ),
        case("both", 400, lambda d: {"data": d.rows[:2], "input_data": d.rows[:2]}),
        *_bad(name, "POST", path, renamed),
        Case("azure-ml: PUT", name, "PUT", path, 405),
    ]


def _rename(body: Any) -> Any:
    if isinstance(body, bytes):
        return body.replace(b"instances", b"data")
    return {"data": body["instances"]}


def tensorflow_serving() -> list[Case]:
    name, path = contracts.TENSORFLOW_SERVING, "/v1/models/digits"

    def post(title: str, status: int, verb: str, body: Callable[[Digits], Any], check: Check | None = None) -> Case:
        return Case(f"tfs: {title}", name, "POST", path + verb, status, body, _JSON, check)

    version = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    status = _json_of({"model_version_status": [version]})
    examples = {"examples": [{}]}
    return [
        *(
            Case(f"tfs: status {at}", name, "GET", path + at, 200, check=status)
            for at in ("", "/versions/1", "/labels/stable")
        ),
        Case("tfs: status of no version", name, "GET", f"{path}/versions/9", 404),
        Case("tfs: status of no model", name, "GET", "/v1/models/other", 404),
        Case("tfs: metadata", name, "GET", f"{path}/metadata", 200, check=_tfs_metadata),
        Case("tfs: metadata of a version", name, "GET", f"{path}/versions/1/metadata", 200, check=_tfs_metadata),
        Case("tfs: metadata of a label", name, "GET", f"{path}/labels/stable/metadata", 200, check=_tfs_metadata),
        post("rows", 200, ":predict", _instances(), predictions),
        post("rows of a version", 200, "/versions/1:predict", _instances(), predictions),
        post("rows of a label", 200, "/labels/stable:predict", _instances(), predictions),
        post(
            "named rows", 200, ":predict", lambda d: {"instances": [{d.input: row} for row in d.rows[:2]]}, predictions
        ),
        post("columns", 200, ":predict", lambda d: {"inputs": d.rows[:2]}, columns),
        post("named columns", 200, ":predict", lambda d: {"inputs": {d.input: d.rows[:2]}}, columns),
        post(
            "signature",
            200,
            ":predict",
            lambda d: {"signature_name": "serving_default", **_instances()(d)},
            predictions,
        ),
        post("another signature", 400, ":predict", lambda d: {"signature_name": "x", **_instances()(d)}),
        post("rows and columns", 400, ":predict", lambda d: {"inputs": d.rows, "instances": d.rows}),
        post("no such version", 404, "/versions/2:predict", _instances()),
        post("no such label", 404, "/labels/canary:predict", _instances()),
        post("no such verb", 404, ":explain", _instances()),
        post("classify", 200, ":classify", lambda d: {"examples": [{d.input: d.rows[0]}]}, classes),
        *(
            post(f"classify {at}", 200, f"{at}:classify", lambda d: {"examples": [{d.input: d.rows[0]}]}, classes)
            for at in ("/versions/1", "/labels/stable")
        ),
        post("classify, shared", 200, ":classify", lambda d: examples | {"context": {d.input: d.rows[0]}}, classes),
        post("classify nothing", 400, ":classify", _const(examples)),
        post("classify rows", 400, ":classify", lambda d: {"examples": d.rows}),
        Case("tfs: predict on no model", name, "POST", "/v1/models/x:predict", 404, _instances(), _JSON),
        *_bad(name, "POST", f"{path}:predict", BAD_INSTANCES),
    ]


def _tfs_metadata(response: httpx.Response, digits: Digits) -> None:
    body = response.json()
    assert body["model_spec"] == {"name": "digits", "signature_name": "", "version": "1"}
    signature = body["metadata"]["signature_def"]["signature_def"]["serving_default"]
    dims = [dim["size"] for dim in signature["inputs"][digits.input]["tensor_shape"]["dim"]]
    assert dims == ["-1", "64"]
    assert signature["outputs"]["label"]["dtype"] == "DT_INT64"


def torchserve() -> list[Case]:
    name, path = contracts.TORCHSERVE, "/predictions/digits"

    def post(
        title: str, status: int, body: Callable[[Digits], Any], check: Check | None = None, at: str = path
    ) -> Case:
        return Case(f"torchserve: {title}", name, "POST", at, status, body, _JSON, check)

    bad = {title: body for title, body in BAD_INSTANCES.items() if title not in ("a number", "null")}
    return [
        Case("torchserve: ping", name, "GET", "/ping", 200, check=_json_of({"status": "Healthy"})),
        post("row", 200, lambda d: d.rows[0], one_prediction),
        post("data", 200, lambda d: {"data": d.rows[0]}, one_prediction),
        post("body", 200, lambda d: {"body": d.rows[0]}, one_prediction),
        post("envelope", 200, _instances(), predictions),
        post("version", 200, lambda d: d.rows[0], one_prediction, at=f"{path}/1"),
        Case("torchserve: PUT", name, "PUT", path, 200, lambda d: d.rows[0], _JSON, one_prediction),
        post("no such model", 404, lambda d: d.rows[0], at="/predictions/other"),
        post("no such version", 404, lambda d: d.rows[0], at=f"{path}/2"),
        Case("torchserve: PUT to a version", name, "PUT", f"{path}/1", 200, lambda d: d.rows[0], _JSON, one_prediction),
        Case("torchserve: DELETE", name, "DELETE", path, 405),
        *_bad(name, "POST", path, bad),
    ]


def open_inference() -> list[Case]:
    name, path = contracts.OIP, "/v2/models/digits"

    def post(
        title: str, status: int, body: Callable[[Digits], Any], check: Check | None = None, at: str = path
    ) -> Case:
        return Case(f"oip: {title}", name, "POST", f"{at}/infer", status, body, _JSON, check)

    def binary(
        title: str,
        status: int,
        body: Callable[[Digits], bytes],
        head: int | str | None = None,
        check: Check | None = None,
    ) -> Case:
        # Without a length of its own the header is where the JSON ends.
        return _BinaryCase(
            f"oip binary: {title}", name, "POST", f"{path}/infer", status, body, {"x-head": str(head or "")}, check
        )

    one = {"name": "label"}
    return [
        Case("oip: live", name, "GET", "/v2/health/live", 200, check=_json_of({"live": True})),
        Case("oip: ready", name, "GET", "/v2/health/ready", 200, check=_json_of({"ready": True})),
        Case("oip: server", name, "GET", "/v2", 200, check=_json_of({"extensions": ["binary_tensor_data"]})),
        Case("oip: model", name, "GET", path, 200, check=_oip_model),
        Case("oip: model version", name, "GET", f"{path}/versions/1", 200, check=_oip_model),
        Case("oip: model ready", name, "GET", f"{path}/ready", 200),
        Case("oip: version ready", name, "GET", f"{path}/versions/1/ready", 200),
        Case("oip: no such model", name, "GET", "/v2/models/x", 404),
        Case("oip: no such version", name, "GET", f"{path}/versions/2/ready", 404),
        post("flat", 200, _infer(2), tensors),
        post("nested", 200, lambda d: {"inputs": [_tensor(d, 2, data=d.rows[:2])]}, tensors),
        post("version", 200, _infer(2), tensors, at=f"{path}/versions/1"),
        post("id", 200, lambda d: {"id": "abc", **_infer()(d)}, _json_of({"id": "abc"})),
        post("one output", 200, lambda d: {**_infer()(d), "outputs": [one]}, _one_output),
        post("no such version", 404, _infer(), at=f"{path}/versions/9"),
        post("no such model", 404, _infer(), at="/v2/models/x"),
        post("no such output", 400, lambda d: {**_infer()(d), "outputs": [{"name": "x"}]}),
        post("an output twice", 400, lambda d: {**_infer()(d), "outputs": [one, one]}),
        post(
            "classification", 400, lambda d: {**_infer()(d), "outputs": [one | {"parameters": {"classification": 2}}]}
        ),
        post("no inputs", 400, _const({})),
        post("empty inputs", 400, _const({"inputs": []})),
        post("inputs no array", 400, _const({"inputs": {}})),
        post("no such input", 400, _infer(name="x")),
        post("input twice", 400, lambda d: {"inputs": [_tensor(d), _tensor(d)]}),
        post("another datatype", 400, _infer(datatype="FP64")),
        post("no datatype", 400, _infer(datatype=None)),
        post("another shape", 400, _infer(shape=[1, 63])),
        post("a shape that is too large", 400, _infer(shape=[2**31 - 1, 2**31 - 1])),
        post("a negative size", 400, _infer(shape=[-1, 64])),
        post("a shape of ones", 400, _infer(shape=[1] * 1000)),
        post("no shape", 400, _infer(shape=None)),
        post("no data", 400, _infer(data=None)),
        post("ragged data", 400, _infer(data=[[1.0], [1.0, 2.0]], shape=[2, 64])),
        post("text", 400, _infer(data=["1"] * 64)),
        post("no rows", 400, _infer(data=[], shape=[0, 64])),
        post("too many rows", 400, _infer(data=[0.0] * 64 * 1025, shape=[1025, 64])),
        post("an id that is no text", 400, lambda d: {"id": 1, **_infer()(d)}),
        post("no JSON", 400, _const(b"{")),
        post("nested deep", 400, _infer(data=json.loads("[" * 500 + "]" * 500))),
        binary("in", 200, _binary(_floats), check=tensors),
        binary("in and out", 200, _binary(_floats, parameters={"binary_data_output": True}), check=binary_outputs),
        binary("too few bytes", 400, _binary(lambda d: _floats(d)[:-1])),
        binary("too many bytes", 400, _binary(lambda d: _floats(d) + b"x")),
        binary("size that does not fit", 400, _binary(lambda d: _floats(d) + b"x" * 4, size=260)),
        binary("negative size", 400, _binary(_floats, size=-1)),
        binary("nan", 400, _binary(lambda d: np.full(64, np.nan, "<f4").tobytes())),
        binary("header beyond the body", 400, _binary(_floats), head=10_000_000),
        binary("header that is no number", 400, _binary(_floats), head="x"),
        binary("header inside the JSON", 400, _binary(_floats), head=5),
    ]


class _BinaryCase(Case):
    def send(self, client: httpx.Client, digits: Digits) -> httpx.Response:
        body = self.body(digits)
        head = self.headers["x-head"] or str(json.JSONDecoder().raw_decode(body.decode("latin-1"))[1])
        return client.request(self.method, self.path, content=body, headers={"inference-header-content-length": head})


def _oip_model(response: httpx.Response, digits: Digits) -> None:
    body = response.json()
    assert body["name"] == "digits"
    assert body["versions"] == ["1"]
    assert body["inputs"] == [{"name": digits.input, "datatype": "FP32", "shape": [-1, 64]}]
    assert body["outputs"][0] == {"name": "label", "datatype": "INT64", "shape": [-1]}


def _one_output(response: httpx.Response, _digits: Digits) -> None:
    assert [output["name"] for output in response.json()["outputs"]] == ["label"]


def vertex(predict: str, health: str) -> list[Case]:
    name = contracts.VERTEX

    def post(title: str, status: int, body: Callable[[Digits], Any], check: Check | None = None) -> Case:
        return Case(f"vertex: {title}", name, "POST", predict, status, body, _JSON, check)

    def parameters(value: Any) -> Callable[[Digits], Any]:
        return lambda digits: {**_instances()(digits), "parameters": value}

    return [
        Case("vertex: health", name, "GET", health, 200),
        post("instances", 200, _instances(), predictions),
        post("no parameters", 200, parameters(None), predictions),
        post("empty parameters", 200, parameters({}), predictions),
        post("one output", 200, parameters({"outputs": ["label"]}), _vertex_labels),
        post("unknown parameter", 400, parameters({"x": 1})),
        post("unknown output", 400, parameters({"outputs": ["x"]})),
        post("parameters no object", 400, parameters([])),
        *_bad(name, "POST", predict, BAD_INSTANCES),
    ]


def _vertex_labels(response: httpx.Response, digits: Digits) -> None:
    assert response.json() == {"predictions": digits.labels[:2]}


def everywhere() -> list[Case]:
    """What the server answers whatever the platform."""
    return [
        *sagemaker(),
        *azure_ml(),
        *tensorflow_serving(),
        *torchserve(),
        *open_inference(),
        Case("container: live", contracts.CONTAINER, "GET", "/livez", 200),
        Case("container: ready", contracts.CONTAINER, "GET", "/readyz", 200),
        Case("container: metrics", contracts.CONTAINER, "GET", "/metrics", 200),
        Case("container: HEAD", contracts.CONTAINER, "HEAD", "/readyz", 200),
        Case("container: no such route", contracts.CONTAINER, "GET", "/nowhere", 404),
        Case("human: docs", contracts.HUMAN, "GET", "/docs", 200),
        Case("human: OpenAPI", contracts.HUMAN, "GET", "/openapi.json", 200),
        Case("human: alerts", contracts.HUMAN, "GET", contracts.ALERTS_PATH, 200),
        Case("human: page", contracts.HUMAN, "GET", contracts.PAGE_PATH, 200),
        *(
            Case(f"human: {name} of the page", contracts.HUMAN, "GET", f"/page/{name}", 200)
            for name in contracts.PAGE_FILES
        ),
        Case("admin is off", contracts.CONTAINER, "GET", "/admin/state", 404),
    ]
