"""The package for Google Cloud Functions under Google's own `functions-framework`, as its buildpack starts it.

What this does not prove: the platform's build from `requirements.txt`, Eventarc's delivery, and limits of the platform.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.ports import free_port
from tests.serving_image import conformance
from tests.serving_image.conftest import Digits
from tests.serving_image.functions.conftest import environment
from tests.stores import BUCKET, STORES

#: The first test waits until the packages are built.
pytestmark = pytest.mark.timeout(1200)


@contextlib.contextmanager
def function(package: Path, digits: Digits, target: str, kind: str, log: Path, **variables: str) -> Iterator[str]:
    """Address of the framework's server with one of the functions."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "functions_framework", "--source", str(package / "main.py"), "--target", target),
        *("--signature-type", kind, "--host", "127.0.0.1", "--port", str(port)),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment(digits, package, **variables), cwd=package, stdout=output, stderr=output
        )
        url = f"http://127.0.0.1:{port}"
        try:
            end = time.monotonic() + 60
            while True:
                with contextlib.suppress(httpx.TransportError):
                    httpx.get(url, trust_env=False)
                    break
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.05)
            yield url
        finally:
            process.terminate()
            process.wait()


@pytest.mark.proof("Cloud Functions", level="runtime")
def test_the_conformance_table(unpacked: dict[str, Path], digits: Digits, tmp_path: Path) -> None:
    with function(unpacked["cloud_functions"], digits, "predict", "http", tmp_path / "log") as url:
        failures = []
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            for case in conformance.everywhere():
                if case.path == "/favicon.ico" or case.method == "HEAD":
                    continue
                try:
                    conformance.check(case, client, digits)
                except AssertionError as error:
                    failures.append(f"{case.name}: {error}")
        assert not failures, "\n".join(failures) + (tmp_path / "log").read_text()[-2000:]


@pytest.mark.proof("Cloud Functions", level="runtime")
def test_a_dropped_file_is_scored(unpacked: dict[str, Path], digits: Digits, tmp_path: Path) -> None:
    """The results go to a folder: the emulator refuses the API that the client library writes with."""
    with STORES["gs"](tmp_path) as store:
        put_json(store.environment["STORAGE_EMULATOR_HOST"], digits)
        variables = {
            "FUNCTION_TRIGGERS": "bucket",
            "SCORE_OUTPUT_URI": f"{tmp_path.as_uri()}/scored",
            **store.environment,
        }
        package = unpacked["cloud_functions"]
        with function(package, digits, "score", "cloudevent", tmp_path / "log", **variables) as url:
            headers = {
                "ce-id": "1",
                "ce-specversion": "1.0",
                "ce-type": "google.cloud.storage.object.v1.finalized",
                "ce-source": f"//storage.googleapis.com/projects/_/buckets/{BUCKET}",
                "ce-subject": "objects/incoming/rows.jsonl",
            }
            data = {"bucket": BUCKET, "name": "incoming/rows.jsonl"}
            answer = httpx.post(url, json=data, headers=headers, timeout=60, trust_env=False)
            assert answer.status_code == 200, (tmp_path / "log").read_text()
    (part,) = (tmp_path / "scored").rglob("part-00000.jsonl")
    assert [json.loads(line)["label"] for line in part.read_text().splitlines()] == digits.labels[:4]


def put_json(host: str, digits: Digits) -> None:
    """Drop the file by the JSON API: https://cloud.google.com/storage/docs/json_api/v1/objects/insert"""
    text = "".join(f"{json.dumps(row)}\n" for row in digits.rows[:4])
    url = f"{host}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=incoming/rows.jsonl"
    httpx.post(url, content=text.encode(), trust_env=False).raise_for_status()
