"""The package for Azure Functions under Microsoft's own programming model (`azure-functions`).

The functions are found and called as the worker does it: indexed once, then called with Microsoft's own request and
blob objects. What this does not prove: the host, which cannot be had here, the worker's own process, and triggers that
really fire.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.serving_image.conftest import Digits
from tests.serving_image.functions.conftest import environment, files, put
from tests.stores import AZURE_ACCOUNT, STORES

#: The first test waits until the packages are built.
pytestmark = pytest.mark.timeout(1200)

#: Plays the worker: reads calls from standard input, prints what came out.
WORKER = """
import asyncio, base64, io, json, sys
import azure.functions as func
from azure.functions.blob import InputStream
import function_app

found = {f.get_function_name(): f for f in function_app.app.get_functions()}
out = {"bindings": {name: [b.get_dict_repr() for b in f.get_bindings()] for name, f in found.items()}, "answers": []}

async def call(one):
    if one["function"] == "score":
        blob = InputStream(name=one["name"], uri="", data=b"")
        return found["score"].get_user_function()(blob)
    request = func.HttpRequest(
        method=one["method"], url="https://digits.azurewebsites.net" + one["path"], headers=one["headers"],
        route_params={"route": one["path"].lstrip("/")}, body=base64.b64decode(one["body"]),
    )
    answer = await found["predict"].get_user_function()(request, None)
    return {"status": answer.status_code, "headers": dict(answer.headers),
            "body": base64.b64encode(answer.get_body()).decode()}

async def main():
    for one in json.load(sys.stdin):
        out["answers"].append(await call(one))

asyncio.run(main())
print(json.dumps(out, default=str))
"""


def work(package: Path, digits: Digits, calls: list[dict[str, Any]], **variables: str) -> dict[str, Any]:
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the package is for Python 3.11")
    python = sys._base_executable  # pyright: ignore[reportAttributeAccessIssue] # the one without our packages
    env = environment(digits, package, package / ".python_packages" / "lib" / "site-packages", **variables)
    done = subprocess.run(
        [python, "-c", WORKER], input=json.dumps(calls), env=env, cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def http(path: str, body: bytes, method: str = "POST", **headers: str) -> dict[str, Any]:
    import base64

    return {
        "function": "predict", "method": method, "path": path, "headers": headers,
        "body": base64.b64encode(body).decode(),
    }  # fmt: skip


@pytest.mark.proof("Azure Functions", level="runtime")
def test_requests(unpacked: dict[str, Path], digits: Digits) -> None:
    import base64

    body = json.dumps({"instances": digits.rows[:2]}).encode()
    calls = [
        http("/invocations", body, **{"content-type": "application/json"}),
        http("/invocations", body, **{"content-type": "application/json", "accept-encoding": "gzip"}),
        http("/readyz", b"", "GET"),
        http("/nowhere", b"", "GET"),
    ]
    found = work(unpacked["functions"], digits, calls)
    assert [answer["status"] for answer in found["answers"]] == [200, 200, 200, 404]
    predictions = json.loads(base64.b64decode(found["answers"][0]["body"]))["predictions"]
    assert [entry["label"] for entry in predictions] == digits.labels[:2]
    assert list(found["bindings"]) == ["predict"]
    trigger = next(binding for binding in found["bindings"]["predict"] if binding["type"] == "httpTrigger")
    assert trigger["route"] == "/{*route}"


@pytest.mark.proof("Azure Functions", level="runtime")
def test_a_dropped_file_is_scored(unpacked: dict[str, Path], digits: Digits, tmp_path: Path) -> None:
    with STORES["az"](tmp_path) as store:
        top = put(store, "incoming/rows.jsonl", digits)
        container = top.rsplit("/", 1)[-1]
        variables = {
            "FUNCTION_TRIGGERS": "http,bucket",
            "SCORE_OUTPUT_URI": f"{top}/scored",
            "SCORE_INPUT_PATH": f"{container}/incoming",
            "SCORE_STORAGE__blobServiceUri": f"https://{AZURE_ACCOUNT}.blob.core.windows.net",
            **store.environment,
        }
        calls = [{"function": "score", "name": f"{container}/incoming/rows.jsonl"}]
        found = work(unpacked["functions"], digits, calls, **variables)
        assert set(found["bindings"]) == {"predict", "score"}
        trigger = found["bindings"]["score"][0]
        assert trigger["path"] == "%SCORE_INPUT_PATH%/{name}"
        assert trigger["source"] == "EventGrid"
        assert trigger["connection"] == "SCORE_STORAGE"
        scored = files(store, f"{top}/scored")
        part = next(text for key, text in scored.items() if key.endswith("part-00000.jsonl"))
        assert [json.loads(line)["label"] for line in part.splitlines()] == digits.labels[:4]


def test_host_file(unpacked: dict[str, Path]) -> None:
    host = json.loads((unpacked["functions"] / "host.json").read_text())
    assert host["version"] == "2.0"
    assert host["functionTimeout"] == "00:00:30"
    assert host["extensions"]["http"]["routePrefix"] == ""
