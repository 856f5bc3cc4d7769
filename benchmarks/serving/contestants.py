"""How each server is started and asked. Nothing is tuned but what the peers' own documents turn on."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.serving import work as works
from benchmarks.serving.work import Body, Work

ROOT = Path(__file__).resolve().parent.parent.parent
PEERS = ROOT / "benchmarks" / "peers"
MODEL_PATH = "/v2/models/digits/infer"


@dataclass(frozen=True)
class Contestant:
    """One server.

    python: its interpreter. command: from (work, port) to arguments. env: likewise, variables of its own. path, ready:
    of the prediction and of the first 200. body: rows to a request. label: answer to the predicted class.
    head: length of the JSON head of a binary body, from a body; 0 for JSON.
    """

    name: str
    python: Path
    command: Callable[[Work, int], list[str]]
    path: str
    ready: str
    body: Callable[[Work], Body]
    label: Callable[[Any], int]
    env: Callable[[Work, int], Mapping[str, str]] = field(default=lambda _work, _port: {})
    content_type: str = "application/json"
    head: Callable[[bytes], int] = field(default=lambda _body: 0)

    @property
    def installed(self) -> bool:
        return self.python.exists()


def _peer(name: str) -> Path:
    return ROOT / f".venv-bench-{name}" / "bin" / "python"


def _script(file: str) -> Callable[[Work, int], list[str]]:
    return lambda _work, _port: [str(PEERS / file)]


def _ours_env(work: Work, port: int) -> Mapping[str, str]:
    python_path = f"{ROOT}:{ROOT / 'serving_image'}"
    return {"MODEL_URI": str(work.release), "MODEL_NAME": "digits", "PORT": str(port), "PYTHONPATH": python_path}


def _plain_label(answer: Any) -> int:
    return answer["predictions"][0]


def _tensor_label(answer: Any) -> int:
    """The class, from a label or from scores."""
    for output in answer["outputs"]:
        if output["datatype"] == "INT64":
            return output["data"][0]
    data = answer["outputs"][0]["data"]
    return data.index(max(data))


def _input(work: Work) -> str:
    return json.loads((work.release / "model_metadata.json").read_text())["inputs"][0]["name"]


def _scores(work: Work) -> str:
    return json.loads((work.release / "model_metadata.json").read_text())["outputs"][-1]["name"]


def _mlserver(batching: bool) -> Callable[[Work, int], list[str]]:
    def command(work: Work, port: int) -> list[str]:
        folder = work.folder / f"mlserver-{'batching' if batching else 'plain'}"
        folder.mkdir(exist_ok=True)
        settings: dict[str, Any] = {"name": "digits", "parallel_workers": 0}
        if work.name == "rf":
            settings |= {"implementation": "mlserver_sklearn.SKLearnModel"}
            settings |= {"parameters": {"uri": str(work.folder / "model.joblib")}}
        else:
            settings |= {"implementation": "runtime.Digits"}
        if batching:
            settings |= {"max_batch_size": 64, "max_batch_time": 0.005}
        (folder / "model-settings.json").write_text(json.dumps(settings))
        server = {
            "http_port": port,
            "grpc_port": port + 1,
            "metrics_port": port + 2,
            "parallel_workers": 0,
            "debug": False,
        }
        (folder / "settings.json").write_text(json.dumps(server))
        return ["-m", "mlserver.cli.main", "start", str(folder)]

    return command


CONTESTANTS: tuple[Contestant, ...] = (
    Contestant(
        "ours", Path(sys.executable), lambda _w, _p: ["-m", "model_server"], MODEL_PATH, "/readyz",
        lambda work: works.open_inference(_input(work)), _tensor_label, _ours_env,
    ),
    Contestant(
        "ours, binary", Path(sys.executable), lambda _w, _p: ["-m", "model_server"], MODEL_PATH, "/readyz",
        lambda work: works.open_inference_binary(_input(work), _scores(work)), _tensor_label, _ours_env,
        "application/octet-stream", lambda body: body.index(b"}]}") + 3,
    ),
    Contestant(
        "FastAPI, 1 worker", _peer("fastapi"), _script("fastapi/serve.py"), "/predict", "/health",
        lambda _work: works.instances, _plain_label,
    ),
    Contestant(
        "FastAPI, 2 workers", _peer("fastapi"), _script("fastapi/serve.py"), "/predict", "/health",
        lambda _work: works.instances, _plain_label, lambda _w, _p: {"WORKERS": "2"},
    ),
    Contestant(
        "Flask + gunicorn, 2 workers", _peer("flask"),
        lambda _w, port: [
            "-m", "gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}", "--chdir", str(PEERS / "flask"), "serve:app",
        ],
        "/predict", "/health", lambda _work: works.instances, _plain_label,
    ),
    Contestant(
        "LitServe", _peer("litserve"), _script("litserve/serve.py"), "/predict", "/health",
        lambda _work: works.instances, _plain_label,
    ),
    Contestant(
        "BentoML", _peer("bentoml"),
        lambda _w, port: [
            "-m", "bentoml", "serve", "service:Digits", "--working-dir", str(PEERS / "bentoml"), "--port", str(port),
        ],
        "/predict", "/readyz", lambda _work: works.instances, _plain_label,
        lambda work, _p: {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(work.folder / "bentoml")},
    ),
    Contestant(
        "KServe", _peer("kserve"), _script("kserve/serve.py"), MODEL_PATH, "/v2/models/digits/ready",
        lambda work: works.open_inference(_input(work)), _tensor_label,
    ),
    Contestant(
        "MLServer", _peer("mlserver"), _mlserver(batching=False), MODEL_PATH, "/v2/models/digits/ready",
        lambda work: works.open_inference(_input(work)), _tensor_label,
        lambda _w, _p: {"PYTHONPATH": str(PEERS / "mlserver")},
    ),
    Contestant(
        "MLServer, batching", _peer("mlserver"), _mlserver(batching=True), MODEL_PATH, "/v2/models/digits/ready",
        lambda work: works.open_inference(_input(work)), _tensor_label,
        lambda _w, _p: {"PYTHONPATH": str(PEERS / "mlserver")},
    ),
    Contestant(
        "pytriton", _peer("pytriton"), _script("pytriton/serve.py"), MODEL_PATH, "/v2/models/digits/ready",
        lambda _work: works.open_inference("input"), _tensor_label,
        lambda _w, _p: {"PATH": f"{_peer('pytriton').parent}{os.pathsep}{os.environ['PATH']}"},
    ),
)  # fmt: skip
