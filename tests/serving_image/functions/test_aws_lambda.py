"""The package for AWS Lambda under AWS's own runtime client, with events as AWS documents them.

The client talks to a Runtime API server written from AWS's documentation. What this does not prove: the sandbox, the
limit of 6 MB on a request, time-outs, permissions, and that a function URL sends exactly these events.
"""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.serving_image.conftest import Digits
from tests.serving_image.functions.conftest import environment, files, put
from tests.serving_image.functions.runtime_api import RuntimeApi, runtime_api
from tests.stores import BUCKET, STORES

#: The first test waits until the packages are built.
pytestmark = pytest.mark.timeout(1200)

HANDLER = "functions.aws_lambda.handler.handle"


@contextlib.contextmanager
def function(package: Path, digits: Digits, log: Path, **variables: str) -> Iterator[RuntimeApi]:
    """The function, waiting for events. Only the package is there, and Python's own library."""
    python = sys._base_executable  # pyright: ignore[reportAttributeAccessIssue] # the one without our packages
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the package is for Python 3.11")
    with runtime_api() as api, log.open("wb") as output:
        env = environment(digits, package, AWS_LAMBDA_RUNTIME_API=api.address, **variables)
        process = subprocess.Popen(
            [python, "-m", "awslambdaric", HANDLER], env=env, cwd="/", stdout=output, stderr=output
        )
        try:
            end = time.monotonic() + 60
            while not api.started.is_set() and process.poll() is None:
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.02)
            yield api
        finally:
            process.kill()
            process.wait()


def request(path: str, body: bytes = b"", *, method: str = "POST", version: str = "2.0", **headers: str) -> Any:
    """An event. https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html and, for version 1.0,
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    try:
        text, encoded = body.decode(), False
    except UnicodeDecodeError:
        text, encoded = base64.b64encode(body).decode(), True
    common = {"headers": {"host": "x.lambda-url.eu-central-1.on.aws", **headers}, "body": text}
    common["isBase64Encoded"] = encoded
    if version == "1.0":
        return {
            **common,
            "version": "1.0",
            "resource": path,
            "path": path,
            "httpMethod": method,
            "multiValueHeaders": {name: [value] for name, value in common["headers"].items()},
            "queryStringParameters": None,
            "multiValueQueryStringParameters": None,
            "requestContext": {
                "resourcePath": path, "httpMethod": method, "path": path, "identity": {"sourceIp": "192.0.2.1"},
            },
        }  # fmt: skip
    return {
        **common,
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "requestContext": {
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "domainName": "x.lambda-url.eu-central-1.on.aws",
            "stage": "$default",
        },
    }


def dropped(key: str) -> Any:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html"""
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": BUCKET}, "object": {"key": key}},
    }
    return {"Records": [record]}


@pytest.mark.proof("AWS Lambda", level="runtime")
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_requests(version: str, unpacked: dict[str, Path], digits: Digits, tmp_path: Path) -> None:
    with function(unpacked["lambda"], digits, tmp_path / "log") as api:
        body = json.dumps({"instances": digits.rows[:2]}).encode()
        for _ in range(2):  # nothing starts anew on a second call
            answer = api.invoke(request("/invocations", body, version=version, **{"content-type": "application/json"}))
            assert answer["statusCode"] == 200
            found = json.loads(answer["body"])["predictions"]
            assert [entry["label"] for entry in found] == digits.labels[:2]

        # Binary both ways.
        numbers = np.array(digits.rows[0], "<f4").tobytes()
        head = json.dumps(
            {
                "inputs": [
                    {"name": digits.input, "shape": [1, 64], "datatype": "FP32",
                     "parameters": {"binary_data_size": len(numbers)}},
                ],
                "outputs": [{"name": "probabilities", "parameters": {"binary_data": True}}],
            }
        ).encode()  # fmt: skip
        headers = {"inference-header-content-length": str(len(head)), "content-type": "application/octet-stream"}
        answer = api.invoke(request("/v2/models/digits/infer", head + numbers, version=version, **headers))
        assert answer["statusCode"] == 200
        assert answer["isBase64Encoded"]
        content = base64.b64decode(answer["body"])
        sent = {name.lower(): value for name, value in answer.get("headers", {}).items()}
        sent |= {name.lower(): value[0] for name, value in answer.get("multiValueHeaders", {}).items()}
        tail = content[int(sent["inference-header-content-length"]) :]
        np.testing.assert_allclose(np.frombuffer(tail, "<f4"), digits.probabilities[0], atol=1e-4)

        for path, status in ("/readyz", 200), ("/nowhere", 404):
            assert api.invoke(request(path, method="GET", version=version))["statusCode"] == status
        bad = api.invoke(request("/invocations", b"{", version=version, **{"content-type": "application/json"}))
        assert bad["statusCode"] == 400
        refused = api.fail(dropped("incoming/rows.jsonl"))
        assert "FUNCTION_TRIGGERS has no bucket" in refused["errorMessage"]


@pytest.mark.proof("AWS Lambda", level="runtime")
def test_a_dropped_file_is_scored_once(unpacked: dict[str, Path], digits: Digits, tmp_path: Path) -> None:
    with STORES["s3"](tmp_path) as store:
        top = put(store, "incoming/a b.jsonl", digits)
        put(store, "incoming/bad.jsonl", digits, rows=0)
        variables = {"FUNCTION_TRIGGERS": "bucket", "SCORE_OUTPUT_URI": f"{top}/scored", **store.environment}
        with function(unpacked["lambda"], digits, tmp_path / "log", **variables) as api:
            (entry,) = api.invoke(dropped("incoming/a+b.jsonl"))["scored"]
            assert entry["output"].startswith(f"{top}/scored/incoming/a b.jsonl/")
            found = files(store, entry["output"])
            labels = [json.loads(line)["label"] for line in found["part-00000.jsonl"].splitlines()]
            assert labels == digits.labels[:4]
            (again,) = api.invoke(dropped("incoming/a+b.jsonl"))["scored"]
            assert again == entry
            assert files(store, entry["output"]) == found
            # What it wrote itself starts nothing, and what no scorer reads is said beside the results.
            (own,) = api.invoke(dropped("scored/incoming/x.jsonl"))["scored"]
            assert own["output"] is None
            (gone,) = api.invoke(dropped("incoming/gone.jsonl"))["scored"]
            assert "no input at" in files(store, gone["output"])["error.json"]
            assert "has no http" in api.fail(request("/readyz", method="GET"))["errorMessage"]


def test_a_release_that_is_not_there_ends_the_start(unpacked: dict[str, Path], digits: Digits, tmp_path: Path) -> None:
    with function(unpacked["lambda"], digits, tmp_path / "log", MODEL_URI="/nowhere") as api:
        (error,) = api.init_errors
        assert "no release at /nowhere" in error["errorMessage"]
