"""`python -m operations verify`: a right service passes by every contract; a wrong release and a wrong answer do not.

Real servers over HTTP and the real command. What this does not prove: that a cloud's own front door passes the
requests on; the signature for AWS is held against a fixed one of botocore's own making, not against AWS.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from operations.errors import OperationError
from operations.verification import signing
from operations.verification.asking import DIALECTS
from operations.verification.compare import difference
from operations.verification.verify import urls
from spec import contracts
from spec import release as releases
from tests.ports import free_port
from tests.serving_image.server_process import ROOT, ServerProcess, running

PREDICT_ROUTE = "/v1/endpoints/9/deployedModels/7:predict"


@pytest.fixture(scope="module")
def served(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """digits@1, by every contract."""
    port = str(free_port())
    env = {
        contracts.MODEL_URI: str(models / "digits" / "v1"),
        contracts.AIP_HTTP_PORT: port,
        contracts.AIP_HEALTH_ROUTE: "/health",
        contracts.AIP_PREDICT_ROUTE: PREDICT_ROUTE,
    }
    with running(env, tmp_path_factory.mktemp("served"), port=int(port)) as server:
        yield server


def verify(url: str, models: Path, *more: str, env: Mapping[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """Exit status and report of the command as a user runs it; errors of use as `{"error": …}`."""
    result = subprocess.run(
        [sys.executable, "-m", "operations", "verify", url, "--models", str(models), "--format", "json", *more],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return result.returncode, json.loads(result.stdout) if result.stdout else {"error": result.stderr}


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["verdict"] for one in report["findings"]}


@pytest.mark.parametrize("contract", DIALECTS)
def test_a_right_service_passes_by_each_contract(contract: str, served: ServerProcess, models: Path) -> None:
    url = served.url + (PREDICT_ROUTE if contract == contracts.VERTEX else "")
    code, report = verify(url, models, "--release", "digits@1", "--contract", contract)
    assert code == 0, report
    known = "not looked at" if contract == contracts.VERTEX else "passed"
    assert verdicts(report) == {"ready": "passed", "digest": known, "release": "passed", "answers": "passed"}
    (answers,) = (one for one in report["findings"] if one["name"] == "answers")
    count = len(json.loads((models / "digits" / "v1" / "samples.json").read_text())["samples"])
    assert count >= 5
    assert answers["says"] == f"{count} of {count} samples compared, all right"
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p99"]


def test_another_release_is_caught(served: ServerProcess, models: Path) -> None:
    code, report = verify(served.url, models, "--release", "digits@2")
    assert code == 1
    found = verdicts(report)
    assert (found["digest"], found["release"]) == ("failed", "failed")
    assert "allowed: 2: deploy it" in str(report)


def test_a_canary_may_answer_too(served: ServerProcess, models: Path) -> None:
    """Its answers are not the release's: with nothing but the canary's, there is nothing to go by."""
    code, report = verify(served.url, models, "--release", "digits@2", "--canary", "digits@1")
    assert code == 1
    assert verdicts(report)["release"] == "passed"
    assert verdicts(report)["answers"] == "failed"


def test_a_wrong_answer_is_caught(served: ServerProcess, models: Path, tmp_path: Path) -> None:
    """A release that says it is the same version, and whose samples say something else."""
    shutil.copytree(models / "digits" / "v1", tmp_path / "digits" / "v1")
    folder = tmp_path / "digits" / "v1"
    samples = json.loads((folder / "samples.json").read_text())
    samples["samples"][3]["outputs"]["label"] += 1
    samples["samples"][4]["outputs"]["probabilities"][2] += 0.01
    (folder / "samples.json").write_text(json.dumps(samples))
    metadata = json.loads((folder / "model_metadata.json").read_text())
    metadata["files"]["samples.json"] = releases.file_digest(folder / "samples.json")
    (folder / "model_metadata.json").write_text(json.dumps(metadata))
    code, report = verify(served.url, tmp_path, "--release", "digits@1", "--contract", contracts.SAGEMAKER)
    assert code == 1
    assert verdicts(report)["answers"] == "failed"
    (says,) = (one["says"] for one in report["findings"] if one["name"] == "answers")
    assert says.startswith("2 of ")
    assert "sample 3: output label is " in says
    assert "sample 4: output probabilities[2] is " in says


def test_a_latency_that_is_too_long_fails(served: ServerProcess, models: Path) -> None:
    code, report = verify(served.url, models, "--release", "digits@1", "--max-p99-ms", "0")
    assert code == 1
    assert verdicts(report)["latency"] == "failed"
    assert verdicts(report)["answers"] == "passed"


def test_nobody_there(models: Path) -> None:
    code, report = verify(f"http://127.0.0.1:{free_port()}", models, "--wait", "0.5")
    assert code == 1
    assert verdicts(report) == {"ready": "failed"}
    assert "no answer within 0.5 s" in str(report)


def test_a_service_that_asks_for_a_token(models: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("the-word-of-this-day-and-night")
    file.chmod(0o600)
    env = {contracts.MODEL_URI: str(models / "digits" / "v1"), contracts.AUTH_TOKEN_FILE: str(file)}
    with running(env, tmp_path) as server:
        asked = (server.url, models, "--release", "digits@1")
        code, report = verify(*asked)
        assert code == 1
        assert "401" in str(report)
        code, report = verify(*asked, "--token-variable", "WORD", env={"WORD": "the-word-of-this-day-and-night"})
        assert (code, set(verdicts(report).values())) == (0, {"passed"}), report


@pytest.mark.parametrize(
    ("url", "more", "said"),
    [
        ("ftp://host", [], "URL is 'ftp://host'"),
        ("http://host?x=1", [], "URL is 'http://host?x=1'"),
        ("http://host", ["--contract", "vertex-ai"], "the platform chooses the path"),
        ("http://host", ["--contract", "soap"], "--contract is 'soap'; allowed are open-inference-protocol"),
        ("http://host", ["--release", "digits@9"], "release digits@9 does not exist"),
        ("http://host", ["--token-variable", "NO_SUCH"], "that variable is empty"),
        ("http://host", ["--token-variable", "A", "--aws-service", "lambda"], "allowed is one of them"),
        ("http://host", ["--aws-service", "lambda"], "allowed together only"),
        ("http://host", ["--format", "xml"], "allowed are tree, json, markdown"),
    ],
)
def test_misuse(url: str, more: list[str], said: str, models: Path) -> None:
    code, report = verify(url, models, *more)
    assert code == 1
    assert said in report["error"].replace("\n", " ")
    assert "Traceback" not in report["error"]


def test_urls_of_platforms() -> None:
    sagemaker = "https://runtime.sagemaker.eu-central-1.amazonaws.com/endpoints/digits-prod/invocations"
    assert urls(sagemaker, DIALECTS[contracts.SAGEMAKER], "digits") == (None, sagemaker)
    oip = DIALECTS[contracts.OIP]
    assert urls("https://h/", oip, "digits") == ("https://h", "https://h/v2/models/digits/infer")
    assert urls("https://h/v2/models/digits/infer", oip, "digits")[0] == "https://h"
    with pytest.raises(OperationError, match="allowed is http"):
        urls("h", oip, "digits")


def test_a_signed_request_is_botocores_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The header that botocore makes for the same request at the same time."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200)

    url = "https://runtime.sagemaker.eu-central-1.amazonaws.com/endpoints/e/invocations"
    auth = signing.signed("sagemaker", "eu-central-1")
    with httpx.Client(auth=auth, transport=httpx.MockTransport(answer)) as client:
        client.post(url, json={"instances": [[1]]})
    (request,) = sent
    again = AWSRequest(
        "POST",
        url,
        headers={"content-type": "application/json", "host": request.headers["host"]},
        data=request.content,
    )
    signer = SigV4Auth(Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI"), "sagemaker", "eu-central-1")
    again.context["timestamp"] = request.headers["x-amz-date"]
    again.headers["X-Amz-Date"] = request.headers["x-amz-date"]
    signature = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
    assert f"Signature={signature}" in request.headers["authorization"]


def test_what_counts_as_the_same() -> None:
    assert difference({"y": [1.0, 2.0]}, {"y": [[1.0000001, 2.0]]}, 1e-5) is None
    assert difference({"y": 1}, {"y": 1.5}, 1.0) == "output y is 1.5, the sample says 1"
    assert difference({"y": 1.0}, {"y": float("nan")}, 1.0) is not None
    assert difference({"y": [1.0]}, {"y": [1.0, 1.0]}, 1.0) == "output y has 2 values, the sample has 1"
    assert difference({"y": "a"}, {}, 1.0) == "output y is missing"
