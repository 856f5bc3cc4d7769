"""The containers of a task: the server, and what prepares its scratch folder. Pure, but for values known late.

Fargate mounts an empty volume as root's, and the server is not root
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-storage.html): a first container, which ends
before the server starts, opens the folder, and writes the token into a file, since the server's own environment is no
place for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from spec import contracts

SERVER, PREPARE = "server", "prepare"
#: What the server may write to: the release is fetched into it.
SCRATCH = "/tmp"  # noqa: S108 # in the container
TOKEN_FOLDER = "/token"  # noqa: S105 # a folder
TOKEN_FILE = f"{TOKEN_FOLDER}/token"
#: The image's own user; see serving_image/Dockerfile.
USER = 10001
#: Seconds that the server serves on once it is told to stop, for the balancer to notice; then for requests under way.
DRAIN_SECONDS, GRACE_SECONDS, MARGIN_SECONDS = 5, 30, 5
#: ECS kills a container after this; 120 is the most on Fargate.
STOP_SECONDS = DRAIN_SECONDS + GRACE_SECONDS + MARGIN_SECONDS

#: Run by the image's Python as root: 1777 is what /tmp has everywhere; only the server's group reads the token.
PREPARATION = f"""
import os
os.chmod({SCRATCH!r}, 0o1777)
token = os.environ.pop("TOKEN", None)
if token is not None:
    with open(os.open({TOKEN_FILE!r}, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o444), "w") as file:
        file.write(token)
""".strip()


def environment(
    given: Mapping[str, pulumi.Input[str]], *, token: bool, port: int = contracts.DEFAULT_PORT
) -> dict[str, pulumi.Input[str]]:
    """Variables of the server. given: the release's and the service's. token: whether callers must show one."""
    own: dict[str, pulumi.Input[str]] = {
        contracts.PORT: str(port),
        contracts.DRAIN_SECONDS: str(DRAIN_SECONDS),
        contracts.GRACE_SECONDS: str(GRACE_SECONDS),
    }
    if token:
        own[contracts.AUTH_TOKEN_FILE] = TOKEN_FILE
    return {**own, **given}


def containers(
    image: pulumi.Input[str],
    variables: Mapping[str, pulumi.Input[str]],
    log_group: pulumi.Input[str],
    region: str,
    *,
    token_arn: pulumi.Input[str] | None = None,
    port: int = contracts.DEFAULT_PORT,
) -> pulumi.Output[str]:
    """The container definitions, as JSON."""
    return pulumi.Output.json_dumps(
        [
            {
                **_common(PREPARE, image, log_group, region),
                "essential": False,
                "user": "0",
                "entryPoint": ["python3", "-c", PREPARATION],
                "mountPoints": _mounts(token_arn is not None, read_only=False),
                "secrets": [] if token_arn is None else [{"name": "TOKEN", "valueFrom": token_arn}],
            },
            {
                **_common(SERVER, image, log_group, region),
                "essential": True,
                "user": f"{USER}:{USER}",
                "dependsOn": [{"containerName": PREPARE, "condition": "SUCCESS"}],
                "environment": [{"name": name, "value": value} for name, value in sorted(variables.items())],
                "mountPoints": _mounts(token_arn is not None, read_only=True),
                "portMappings": [{"containerPort": port, "hostPort": port, "protocol": "tcp"}],
                "stopTimeout": STOP_SECONDS,
            },
        ]
    )


def volumes(*, token: bool) -> list[str]:
    """Names of the task's volumes; each lasts as long as the task."""
    return ["scratch", *(["token"] if token else [])]


def _mounts(token: bool, *, read_only: bool) -> list[dict[str, Any]]:
    """read_only: of the token's folder."""
    found: list[dict[str, Any]] = [{"sourceVolume": "scratch", "containerPath": SCRATCH, "readOnly": False}]
    if token:
        found.append({"sourceVolume": "token", "containerPath": TOKEN_FOLDER, "readOnly": read_only})
    return found


def _common(name: str, image: pulumi.Input[str], log_group: pulumi.Input[str], region: str) -> dict[str, Any]:
    return {
        "name": name,
        "image": image,
        "readonlyRootFilesystem": True,
        "privileged": False,
        # A process one that forwards signals and reaps; and no capability, of those that Docker gives.
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {"awslogs-group": log_group, "awslogs-region": region, "awslogs-stream-prefix": name},
        },
    }
