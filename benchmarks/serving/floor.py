"""The floor: what the machine gives when nothing is validated, counted or routed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import httpx

from benchmarks.serving.work import Work

_BARE = """
import sys, uvicorn
BODY = b'{"outputs":[]}'
async def app(scope, receive, send):
    while (await receive()).get("more_body"): pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"14")]})
    await send({"type": "http.response.body", "body": BODY})
options = {"loop": "uvloop", "http": "httptools", "lifespan": "off", "access_log": False, "log_level": "error"}
uvicorn.run(app, port=int(sys.argv[1]), **options)
"""


def measure(work: Work, seconds: float) -> dict[str, float]:
    """Requests per second of an ASGI application that answers a constant (c = 64), and of the model in this process."""
    return {"bare_http@64": _bare_http(work, seconds), "model_in_process": _model(work, seconds / 2)}


def _model(work: Work, seconds: float) -> float:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(work.folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    done = 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        row = done % len(work.rows)
        session.run(None, {name: work.rows[row : row + 1]})
        done += 1
    return done / seconds


def _bare_http(work: Work, seconds: float) -> float:
    from benchmarks.serving.contestants import CONTESTANTS
    from benchmarks.serving.measure import Server, free_port, write_bodies

    ours = CONTESTANTS[0]
    bodies = work.bodies(ours.body(work))
    file = work.folder / "floor-bodies"
    write_bodies(file, bodies)
    port = free_port()
    started = subprocess.Popen([sys.executable, "-c", _BARE, str(port)], cwd=Path(work.folder))
    try:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                httpx.get(f"http://127.0.0.1:{port}/", timeout=1, trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.05)
        import psutil

        return Server(ours, work, port, 0.0, psutil.Process(started.pid)).load(file, 0, 64, seconds).rate
    finally:
        started.terminate()
        started.wait(10)
