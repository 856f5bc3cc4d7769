"""The servers whose contracts ours speaks, asked the same: SageMaker's Multi Model Server with its inference toolkit,
TorchServe, and Azure ML's inference server.

Each request of a table goes to both; where ours answers another status, the table says why. What this does not prove:
what a platform's own front makes of a status. TensorFlow Serving is in no package registry: its contract is held
against its documentation alone, in conformance.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.ports import free_port
from tests.real_parts import need, need_environment
from tests.serving_image.conftest import Digits
from tests.serving_image.server_process import ServerProcess

FOREIGN = Path(__file__).parent / "foreign"
TOOLKIT = (
    "the toolkit leaves checks to the user's code, whose exception is a 500; ours never blames itself for a client"
)
SCRIPT = "an exception of the user's script is a 500; ours never blames itself for what a client sent"
HANDLER = "an exception of the user's handler is a 503; ours never blames itself for what a client sent"
ANY_METHOD = "the reference takes any method here; ours names the right one"


@dataclass(frozen=True)
class Asked:
    """One request. status: of ours; theirs: of the reference where it differs, and then why."""

    name: str
    status: int
    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    theirs: int = 0
    why: str = ""

    def send(self, url: str, digits: Digits) -> httpx.Response:
        body: Any = self.body(digits) if callable(self.body) else self.body
        return httpx.request(self.method, url + self.path, content=body, headers=self.headers, timeout=60)

    def agree(self, ours: httpx.Response, reference: httpx.Response) -> None:
        assert ours.status_code == self.status, ours.text
        assert reference.status_code == (self.theirs or self.status), reference.text[:500]
        assert bool(self.theirs) == bool(self.why)


JSON, CSV = {"content-type": "application/json"}, {"content-type": "text/csv", "accept": "text/csv"}


def _rows(digits: Digits) -> bytes:
    return json.dumps(digits.rows[:2]).encode()


def _row(digits: Digits) -> bytes:
    return json.dumps(digits.rows[0]).encode()


def _data(digits: Digits) -> bytes:
    return json.dumps({"data": digits.rows[:2]}).encode()


def _csv(digits: Digits) -> bytes:
    return "\n".join(",".join(map(str, row)) for row in digits.rows[:2]).encode()


INVOKE = "/invocations"
SAGEMAKER = [
    Asked("ping", 200, "GET", "/ping"),
    Asked("json", 200, "POST", INVOKE, _rows, JSON),
    Asked("csv", 200, "POST", INVOKE, _csv, CSV),
    Asked("no such route", 404, "GET", "/nowhere"),
    Asked("another model", 404, "POST", "/predictions/other", _rows, JSON),
    Asked("no JSON", 400, "POST", INVOKE, b"{", JSON, 500, TOOLKIT),
    Asked("a short row", 400, "POST", INVOKE, b"[[1, 2]]", JSON, 500, TOOLKIT),
    Asked("unknown content type", 415, "POST", INVOKE, b"x", {"content-type": "text/x"}, 500, TOOLKIT),
    Asked("unknown accept", 406, "POST", INVOKE, _csv, {**CSV, "accept": "image/png"}, 500, TOOLKIT),
    Asked("DELETE", 405, "DELETE", INVOKE, None, {}, 500, ANY_METHOD),
]
SCORE = "/score"
AZURE = [
    Asked("root", 200, "GET", "/"),
    Asked("rows", 200, "POST", SCORE, _data, JSON),
    Asked("no such route", 404, "GET", "/nowhere"),
    Asked("PUT", 405, "PUT", SCORE, b"x"),
    Asked("DELETE", 405, "DELETE", SCORE),
    Asked("no JSON", 400, "POST", SCORE, b"{", JSON, 500, SCRIPT),
    Asked("a short row", 400, "POST", SCORE, b'{"data": [[1, 2]]}', JSON, 500, SCRIPT),
]
PREDICT = "/predictions/digits"
TORCHSERVE = [
    Asked("ping", 200, "GET", "/ping"),
    Asked("row", 200, "POST", PREDICT, _row, JSON),
    Asked("row, PUT", 200, "PUT", PREDICT, _row, JSON),
    Asked("version", 200, "POST", f"{PREDICT}/1", _row, JSON),
    Asked("another model", 404, "POST", "/predictions/other", _row, JSON),
    Asked("another version", 404, "POST", f"{PREDICT}/9", _row, JSON),
    Asked("no such route", 404, "GET", "/nowhere"),
    Asked("a short row", 400, "POST", PREDICT, b"[1, 2]", JSON, 503, HANDLER),
    Asked("no numbers", 400, "POST", PREDICT, b'["a"]', JSON, 503, HANDLER),
]


@contextlib.contextmanager
def reference(command: Sequence[str | Path], env: dict[str, str], folder: Path, asked: Asked, digits: Digits) -> Any:
    """A server with its workers, once its first prediction is there; all of it ends with the block.

    A `PORT` in the command stands for the port; who wants a file of settings finds `config.properties` in the folder.
    """
    port, management, *others = (free_port() for _ in range(5))  # Multi Model Server takes none from 49152 on
    (folder / "config.properties").write_text(
        f"inference_address=http://127.0.0.1:{port}\n"
        f"management_address=http://127.0.0.1:{management}\n"
        "default_workers_per_model=1\ndecode_input_request=false\n"
        "default_service_handler=sagemaker_inference.default_handler_service:handle\n"
        f"metrics_address=http://127.0.0.1:{others[0]}\n"
        f"grpc_inference_port={others[1]}\ngrpc_management_port={others[2]}\n"
    )
    own = {"LOG_LOCATION": str(folder / "logs"), "METRICS_LOCATION": str(folder / "logs"), "TMPDIR": str(folder)}
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ["PATH"]])  # it starts `python` as worker
    log = folder / "server.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [str(port) if word == "PORT" else str(word) for word in command],
            cwd=folder,
            env={**own, "TEMP": str(folder), "PATH": path, "HOME": str(folder), **env},
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 200
        while True:
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < end, log.read_text()[-3000:]
            with contextlib.suppress(httpx.HTTPError):
                if asked.send(url, digits).is_success:
                    break
            time.sleep(0.5)
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def multi_model_server(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    need("java", "apt-get install default-jre-headless")
    python = need_environment("sagemaker", "make test-environments")
    folder = tmp_path_factory.mktemp("mms")
    code = folder / "base" / "model" / "code"
    code.mkdir(parents=True)
    shutil.copy(digits.path / "model.onnx", code.parent)
    shutil.copy(FOREIGN / "sagemaker_inference_code.py", code / "inference.py")
    env = {"SAGEMAKER_BASE_DIR": str(folder / "base"), "SAGEMAKER_PROGRAM": "inference.py", "PYTHONPATH": str(code)}
    command = [python.parent / "multi-model-server", "--start", "--foreground", "--model-store", "/"]
    command += ["--mms-config", folder / "config.properties", "--models", f"model={code.parent}"]
    with reference(command, env, folder, SAGEMAKER[1], digits) as url:
        yield url


@pytest.fixture(scope="module")
def torchserve(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    need("java", "apt-get install default-jre-headless")
    python = need_environment("torch", "make env-torch")
    folder = tmp_path_factory.mktemp("torchserve")
    archiver = [python.parent / "torch-model-archiver", "--model-name", "digits", "--version", "1"]
    archiver += ["--handler", FOREIGN / "torchserve_handler.py", "--extra-files", digits.path / "model.onnx"]
    subprocess.run([*map(str, archiver), "--export-path", str(folder)], check=True, capture_output=True, cwd=folder)
    command = [python.parent / "torchserve", "--start", "--foreground", "--ncs", "--disable-token-auth"]
    command += ["--model-store", folder, "--models", "digits=digits.mar", "--ts-config", folder / "config.properties"]
    with reference(command, {}, folder, TORCHSERVE[1], digits) as url:
        yield url


@pytest.fixture(scope="module")
def azmlinfsrv(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    python = need_environment("azmlinfsrv", "make test-environments")
    folder = tmp_path_factory.mktemp("azmlinfsrv")
    command = [python.parent / "azmlinfsrv", "--entry_script", FOREIGN / "azure_score.py", "--port", "PORT"]
    with reference(command, {"AZUREML_MODEL_DIR": str(digits.path)}, folder, AZURE[1], digits) as url:
        yield url


@pytest.mark.parametrize("asked", AZURE, ids=lambda asked: asked.name)
def test_azures_own_server(asked: Asked, server: ServerProcess, azmlinfsrv: str, digits: Digits) -> None:
    ours, theirs = asked.send(server.url, digits), asked.send(azmlinfsrv, digits)
    asked.agree(ours, theirs)
    if asked.status >= 400 and asked.path == SCORE:
        assert ours.json().keys() == theirs.json().keys() == {"message"}


@pytest.mark.parametrize("asked", SAGEMAKER, ids=lambda asked: asked.name)
def test_sagemakers_own_server(asked: Asked, server: ServerProcess, multi_model_server: str, digits: Digits) -> None:
    asked.agree(asked.send(server.url, digits), asked.send(multi_model_server, digits))


@pytest.mark.parametrize("asked", TORCHSERVE, ids=lambda asked: asked.name)
def test_torchserve(asked: Asked, server: ServerProcess, torchserve: str, digits: Digits) -> None:
    asked.agree(asked.send(server.url, digits), asked.send(torchserve, digits))
