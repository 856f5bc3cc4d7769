"""The image deployed by the vendors' own SDKs on this machine: SageMaker's local session and Vertex AI's LocalModel.

They choose command, variables, mounts, health check and requests as the vendor wrote them. What this does not prove:
the hosted platforms, their limits, how they fetch a release (here both mount a folder of this machine), routing,
identities, or that a hosted endpoint's front passes the same headers. Azure ML's own server is a reference in
test_reference_servers.py; its SDK's local endpoints are not run.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from components.image.built import BuiltImage
from tests.containers import Engine
from tests.ports import free_port
from tests.real_parts import need, need_environment
from tests.serving_image.conftest import Digits

#: The first test waits until the image is built.
pytestmark = pytest.mark.timeout(1200)

FOREIGN = Path(__file__).parents[1] / "foreign"


def ask(python: Path, script: str, arguments: Sequence[str], digits: Digits, env: Mapping[str, str]) -> dict[str, Any]:
    """What the script printed after it was given two rows."""
    done = subprocess.run(
        [python, FOREIGN / script, *arguments],
        input=json.dumps({"instances": digits.rows[:2]}),
        env={"PATH": os.environ["PATH"], "HOME": "/nowhere", "NO_PROXY": "*", **env},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.proof("SageMaker", level="runtime")
def test_sagemaker_sdk_deploys_and_invokes(
    engine: Engine, server_image: BuiltImage, digits: Digits, tmp_path: Path
) -> None:
    python = need_environment("sagemaker-local", "make test-environments")
    need("docker-compose", "apt-get install docker-compose")
    folder = tmp_path / "containers"
    folder.mkdir()
    settings = tmp_path / "config.yaml"
    settings.write_text(
        json.dumps({"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}})
    )
    env = {
        **engine.environment,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(settings),
        "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": str(settings),
    }
    # A folder: an archive would be left beside what it held, and the server refuses a file that is not the release's.
    arguments = [server_image.name, digits.path.as_uri(), str(folder), str(free_port())]
    try:
        said = ask(python, "sagemaker_local.py", arguments, digits, env)
    finally:  # the SDK leaves its network, and on an error its container
        for file in folder.rglob("docker-compose.yaml"):
            subprocess.run(
                ["docker-compose", "-f", str(file), "down"], env={**os.environ, **env}, check=False, capture_output=True
            )
    assert said["status"] == "InService"
    assert [entry["label"] for entry in said["json"]["predictions"]] == digits.labels[:2]
    assert [float(line.split(",")[0]) for line in said["csv"].splitlines()] == digits.labels[:2]


@pytest.mark.proof("Vertex AI", level="runtime")
def test_vertex_ai_sdk_deploys_and_predicts(engine: Engine, server_image: BuiltImage, digits: Digits) -> None:
    python = need_environment("vertex-local", "make test-environments")
    env = {**engine.environment, "GOOGLE_CLOUD_PROJECT": "digits", "NO_GCE_CHECK": "true"}
    said = ask(python, "vertex_local.py", [server_image.name, str(digits.path)], digits, env)
    assert (said["health"], said["status"]) == (200, 200)
    assert [entry["label"] for entry in said["answer"]["predictions"]] == digits.labels[:2]
