"""Clients that nobody here wrote, against the real server: NVIDIA's tritonclient and KServe's REST client.

They run in an environment of their own, once each, and what they got is looked at here. What this does not prove: that
other versions of them ask in the same way; the versions are in tests/environments/clients.txt.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.real_parts import need_environment
from tests.serving_image.conftest import Digits
from tests.serving_image.server_process import ServerProcess

Answers = dict[str, dict[str, Any]]
ASK = Path(__file__).parent / "foreign" / "ask.py"
ROWS = 3


@pytest.fixture(scope="module")
def said(server: ServerProcess, digits: Digits) -> Answers:
    python = need_environment("clients", "make test-environments")
    question = json.dumps({"name": digits.input, "rows": digits.rows[:ROWS]})
    ran = subprocess.run(
        [str(python), str(ASK), server.url], input=question, capture_output=True, text=True, timeout=240, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return json.loads(ran.stdout.splitlines()[-1])


def _right(answer: dict[str, Any], digits: Digits) -> None:
    assert answer.keys() == {"label", "probabilities"}
    assert np.ravel(answer["label"]).tolist() == digits.labels[:ROWS]
    probabilities = np.reshape(answer["probabilities"], (ROWS, 10))
    np.testing.assert_allclose(probabilities, digits.probabilities[:ROWS], atol=1e-4)


BOTH_WAYS = [f"infer binary {way_in} {way_out}" for way_in in (False, True) for way_out in (False, True)]


@pytest.mark.parametrize(
    "call",
    [
        *BOTH_WAYS,
        "infer of a version",
        "infer gzip",
        "infer deflate",
        "infer all outputs",
        "infer async",
    ],
)
def test_tritonclient_predicts(call: str, said: Answers, digits: Digits) -> None:
    _right(said["triton"][call], digits)


def test_tritonclient_asks_about_server_and_model(said: Answers, digits: Digits) -> None:
    found = said["triton"]
    assert [found[key] for key in ("live", "ready", "model ready", "version ready", "other model ready")] == [
        True,
        True,
        True,
        True,
        False,
    ]
    assert found["server"]["extensions"] == ["binary_tensor_data"]
    assert found["model"] == found["model version"]
    assert found["model"]["inputs"] == [{"name": digits.input, "datatype": "FP32", "shape": [-1, 64]}]
    assert found["id"] == "mine"
    assert np.ravel(found["infer many gzip"]).tolist() == digits.labels[:1] * 500


def test_tritonclient_is_told_what_was_wrong(said: Answers) -> None:
    assert said["triton"]["no such version"]["status"] == "404"
    assert said["triton"]["wrong shape"]["status"] == "400"
    assert "64" in said["triton"]["wrong shape"]["message"]


@pytest.mark.parametrize("call", BOTH_WAYS)
def test_kserve_client_predicts(call: str, said: Answers, digits: Digits) -> None:
    _right(said["kserve"][call], digits)


def test_kserve_client_asks_about_server_and_model(said: Answers) -> None:
    keys = ("live", "ready", "model ready", "other model ready")
    assert [said["kserve"][key] for key in keys] == [True, True, True, False]


def test_kserve_client_speaks_the_first_protocol(said: Answers, digits: Digits) -> None:
    assert [row["label"] for row in said["kserve"]["v1"]["predictions"]] == digits.labels[:ROWS]


def test_kserve_client_is_told_what_was_wrong(said: Answers) -> None:
    assert "400" in said["kserve"]["bad request"]
    assert "inputs" in said["kserve"]["bad request"]
