"""How the server starts, refuses to start, and stops: exit codes and what it says."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import time
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from model_server.errors import Exit

from tests.ports import free_port
from tests.serving_image import releases
from tests.serving_image.conftest import Digits
from tests.serving_image.server_process import READY_SECONDS, ServerProcess, run_to_exit, running

#: Variable, a bad value, and words that the error must hold beside both.
BAD_VALUES = [
    ("PORT", "0", "a whole number from 1 to 65535"),
    ("PORT", "http", "a whole number from 1 to 65535"),
    ("PORT", "8080.0", "a whole number"),
    ("HOST", "not an address", "an address"),
    ("HOST", "256.256.256.256", "an address of this machine"),
    ("WORKERS", "0", "1 to 64"),
    ("LOG_LEVEL", "loud", "debug, info, warning, error"),
    ("LOG_CONFIG", "/nowhere/log_config.json", "a file that exists"),
    ("METRICS_CONFIG", "/nowhere/metrics_config.yaml", "a file that exists"),
    ("MODEL_NAME", "a/b", "letters, digits"),
    ("MODEL_URI", "ftp://x/y", "file://, s3://, gs:// or az://"),
    ("MODEL_URI", "file://otherhost/x", "three slashes"),
    ("CANARY_PERCENT", "10", "CANARY_URI"),
    ("CANARY_STICKY_HEADER", "x-user", "CANARY_URI"),
    ("CAPTURE_PERCENT", "101", "a number from 0 to 100"),
    ("CAPTURE_PERCENT", "nan", "a number from 0 to 100"),
    ("CAPTURE_PERCENT", "5", "CAPTURE_URI"),
    ("CAPTURE_MAX_MIB", "-1", "a whole number from 1"),
    ("AUTH_TOKEN_FILE", "/nowhere/token", "a file that exists"),
    ("ADMIN", "yes", "on, off"),
    ("ADMIN", "on", "AUTH_TOKEN_FILE"),
    ("MAX_BODY_MIB", "0", "1 to 1024"),
    ("MAX_BATCH", "0", "1 to 100000"),
    ("MAX_QUEUE", "x", "a whole number"),
    ("MAX_WAIT_MS", "-1", "a number from 0"),
    ("MAX_CONNECTIONS", "0", "a whole number from 1"),
    ("REQUEST_TIMEOUT_SECONDS", "0", "a number from 0.001"),
    ("DRAIN_SECONDS", "-1", "a number from 0"),
    ("GRACE_SECONDS", "soon", "a number from 0"),
    ("EMF_NAMESPACE", "a b", "letters, digits"),
    ("AIP_HTTP_PORT", "1", "the same port in both"),
    ("AIP_PREDICT_ROUTE", "predict", "begins with '/'"),
    ("AIP_HEALTH_ROUTE", "/health?x=1", "without a query"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
]


@pytest.mark.parametrize(
    ("name", "value", "words"), BAD_VALUES, ids=[f"{name}={value}" for name, value, _ in BAD_VALUES]
)
def test_a_bad_variable_is_named(name: str, value: str, words: str, digits: Digits, tmp_path: Path) -> None:
    env = {"MODEL_URI": str(digits.path), "PORT": str(free_port()), name: value}
    if name.startswith("OTEL"):
        env["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:1"
    code, output = run_to_exit(env, tmp_path)
    assert code == Exit.BAD_SETTING, output
    assert value in output
    assert words in output
    assert name in output or name == "MODEL_URI"
    assert "Traceback" not in output


def test_no_release_named(tmp_path: Path) -> None:
    code, output = run_to_exit({}, tmp_path)
    assert code == Exit.BAD_SETTING
    assert "MODEL_URI is not set" in output


def test_missing_release(tmp_path: Path) -> None:
    code, output = run_to_exit({"MODEL_URI": str(tmp_path / "models" / "digits" / "v9")}, tmp_path)
    assert code == Exit.NO_RELEASE
    assert "does not exist" in output
    assert "name the folder of one version" in output


def test_a_folder_with_several_releases(digits: Digits, digits_again: Digits, tmp_path: Path) -> None:
    assert digits_again.path.parent == digits.path.parent
    code, output = run_to_exit({"MODEL_URI": str(digits.path.parent)}, tmp_path)
    assert code == Exit.NO_RELEASE
    assert "releases" in output


@pytest.mark.parametrize("file", ["model.onnx", "samples.json", "statistics.json"])
def test_a_flipped_byte_is_refused(file: str, digits: Digits, tmp_path: Path) -> None:
    release = tmp_path / "v1"
    shutil.copytree(digits.path, release)
    content = bytearray((release / file).read_bytes())
    content[len(content) // 2] ^= 1
    (release / file).write_bytes(content)
    code, output = run_to_exit({"MODEL_URI": str(release)}, tmp_path)
    assert code == Exit.TAMPERED
    assert file in output
    assert "sha256" in output


def test_a_wrong_warm_prediction_is_refused(tmp_path: Path) -> None:
    """Every hash is right, yet the graph does not answer as its samples say."""
    graph, sample = releases.doubling_model()
    wrong = {"y": np.zeros((2, 3), dtype=np.float32)}
    path = releases.write_release(tmp_path, "wrong", graph, sample, answers=wrong)
    code, output = run_to_exit({"MODEL_URI": str(path)}, tmp_path)
    assert code == Exit.TAMPERED
    assert "the warm prediction is wrong" in output


def test_a_taken_port_is_said(digits: Digits, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, output = run_to_exit({"MODEL_URI": str(digits.path), "PORT": str(port)}, tmp_path)
    assert code == Exit.PORT_TAKEN
    assert f"port {port}" in output
    assert "PORT" in output


def test_a_token_file_without_a_token(digits: Digits, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("short\n")
    code, output = run_to_exit({"MODEL_URI": str(digits.path), "AUTH_TOKEN_FILE": str(token)}, tmp_path)
    assert code == Exit.BAD_SETTING
    assert "16 or more" in output
    assert "short" not in output.replace("shorter", "")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("log_config.json", '{"level": "loud"}', "level"),
        ("log_config.json", '{"colour": "red"}', "colour is no field"),
        ("log_config.json", '{"requests": true}', "requests"),
        ("log_config.json", "[1]", "a mapping"),
        ("log_config.json", "{", "cannot be read"),
        ("metrics_config.yaml", "drift: {min_rows: 0}", "drift.min_rows is 0"),
        ("metrics_config.yaml", "drift: {enabled: 1}", "drift.enabled"),
        ("metrics_config.yaml", "latency_buckets_seconds: [1, 0.5]", "rising"),
        ("metrics_config.yaml", "emf: {interval_seconds: 0}", "emf.interval_seconds is 0"),
        ("metrics_config.yaml", "emf: {}", "emf.namespace"),
        ("metrics_config.yaml", "x: 1", "x is no field"),
        ("metrics_config.yaml", "a: [", "cannot be read"),
    ],
)
def test_a_bad_configuration_file(name: str, text: str, words: str, digits: Digits, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    variable = "LOG_CONFIG" if name.startswith("log") else "METRICS_CONFIG"
    code, output = run_to_exit({"MODEL_URI": str(digits.path), variable: str(tmp_path / name)}, tmp_path)
    assert code == Exit.BAD_SETTING, output
    assert words in output.replace('\\"', '"')
    assert name in output


def test_live_before_ready_and_unready_before_the_end(digits: Digits, tmp_path: Path) -> None:
    """SIGTERM: not ready at once, still answering for the drain period, then exit code 0."""
    env = {"MODEL_URI": str(digits.path), "DRAIN_SECONDS": "5"}
    server = ServerProcess(env, log=tmp_path / "server.log")
    server.wait_for("/livez")
    server.wait_until_ready()
    server.process.send_signal(signal.SIGTERM)
    server.wait_for("/readyz", 503)
    answer = server.client.post("/invocations", json=digits.rows[:1])
    assert answer.status_code == 200
    assert answer.headers["connection"] == "close"
    assert server.stop() == 0


def test_ctrl_c_ends_cleanly(digits: Digits, tmp_path: Path) -> None:
    server = ServerProcess({"MODEL_URI": str(digits.path)}, log=tmp_path / "server.log")
    server.wait_until_ready()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(90) == 0


def test_a_wish_to_reload_ends_no_process_that_still_starts(digits: Digits, tmp_path: Path) -> None:
    """SIGHUP, which ends a process that has no handler for it yet."""
    server = ServerProcess({"MODEL_URI": str(digits.path), "WORKERS": "2"}, log=tmp_path / "server.log")
    try:
        supervisor, end = psutil.Process(server.process.pid), time.monotonic() + READY_SECONDS
        while server.output().count("ready: ") < 2:
            assert time.monotonic() < end, server.output()
            if len(supervisor.children()) == 2:
                server.process.send_signal(signal.SIGHUP)
            time.sleep(0.02)
        assert "ended with" not in server.output()
    finally:
        server.stop()


def test_the_name_that_clients_use(digits: Digits, tmp_path: Path) -> None:
    with running({"MODEL_URI": digits.path.as_uri(), "MODEL_NAME": "Numbers.v2"}, tmp_path) as server:
        assert server.client.get("/v2/models/Numbers.v2").json()["name"] == "Numbers.v2"
        assert server.client.get("/v2/models/digits").status_code == 404


@pytest.mark.proof("FastAPI", level="runtime")
def test_the_human_routes_need_nothing_from_outside(server: ServerProcess) -> None:
    page = server.client.get("/docs")
    assert "http://" not in page.text.replace(server.url, "")
    assert "https://" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    openapi = server.client.get("/openapi.json").json()
    assert "/v2/models/{model}/infer" in openapi["paths"]
    assert not any(path.startswith("<") for path in openapi["paths"])


def test_logs_are_json_and_carry_the_trace(digits: Digits, tmp_path: Path) -> None:
    config = tmp_path / "log_config.json"
    config.write_text(json.dumps({"requests": "all", "format": "json"}))
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"x-request-id": "abc-1", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    with running({"MODEL_URI": str(digits.path), "LOG_CONFIG": str(config)}, tmp_path) as server:
        answer = server.client.post("/invocations", json=digits.rows[:2], headers=headers)
        assert answer.headers["x-request-id"] == "abc-1"
        made = server.client.post("/invocations", json=digits.rows[:2]).headers["x-request-id"]
        forged = server.client.post("/invocations", json=digits.rows[:2], headers={"x-request-id": "a b"})
        assert forged.headers["x-request-id"] != "a b"
        output = server.output()
    lines = [json.loads(line) for line in output.splitlines()]
    mine = next(line for line in lines if line.get("request_id") == "abc-1")
    assert mine["trace_id"] == trace
    assert (mine["contract"], mine["release"], mine["status"], mine["rows"]) == ("sagemaker", "digits@1", 200, 2)
    assert any(line.get("request_id") == made and "trace_id" not in line for line in lines)


def test_no_answer_tells_what_runs_it(server: ServerProcess) -> None:
    answer = httpx.post(f"{server.url}/invocations", content=b"{", trust_env=False)
    assert "server" not in answer.headers
    assert "Traceback" not in answer.text
