"""The image as AWS Lambda runs a container: its command `lambda`, a read-only root, a user that the platform chooses.

AWS's runtime client in the image talks to a Runtime API server written from AWS's documentation, on the loopback
address as in Lambda's sandbox. What this does not prove: the sandbox, its limits and time-outs, and that Lambda takes
the image.
"""

from __future__ import annotations

import contextlib
import json
import time

import pytest

from components.image.built import BuiltImage
from tests.containers import Engine
from tests.serving_image.conftest import Digits
from tests.serving_image.functions.runtime_api import runtime_api
from tests.serving_image.functions.test_aws_lambda import request

#: The first test waits until the image is built.
pytestmark = pytest.mark.timeout(1200)


@pytest.mark.proof("AWS Lambda", level="runtime")
def test_the_command_lambda(engine: Engine, server_image: BuiltImage, digits: Digits) -> None:
    from docker.types import Mount

    with runtime_api() as api, contextlib.ExitStack() as stack:
        container = engine.client.containers.run(
            server_image.id,
            ["lambda"],
            detach=True,
            environment={"AWS_LAMBDA_RUNTIME_API": api.address, "MODEL_URI": "/m"},
            mounts=[Mount("/m", str(digits.path), "bind", read_only=True)],
            network_mode="host",
            user="993:990",
            read_only=True,
            tmpfs={"/tmp": "rw,nosuid,nodev,noexec,size=512m,mode=1777"},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit=512 << 20,
            memswap_limit=512 << 20,
        )
        stack.callback(container.remove, force=True, v=True)
        end = time.monotonic() + 90
        while not api.started.wait(0.1):
            container.reload()
            assert container.status == "running", container.logs().decode()
            assert time.monotonic() < end, container.logs().decode()
        body = json.dumps({"instances": digits.rows[:2]}).encode()
        for version in ("1.0", "2.0"):
            answer = api.invoke(request("/invocations", body, version=version, **{"content-type": "application/json"}))
            assert answer["statusCode"] == 200
            assert [entry["label"] for entry in json.loads(answer["body"])["predictions"]] == digits.labels[:2]
        assert api.init_errors == []
        assert [entry["Path"] for entry in container.diff() or [] if entry["Path"] not in ("/m", "/tmp")] == []


def test_without_a_runtime_api_it_says_so(engine: Engine, server_image: BuiltImage) -> None:
    container = engine.client.containers.run(server_image.id, ["lambda"], detach=True)
    try:
        assert container.wait(timeout=60)["StatusCode"] == 78
        assert "runs only where AWS Lambda has set AWS_LAMBDA_RUNTIME_API" in container.logs().decode()
    finally:
        container.remove(force=True)
