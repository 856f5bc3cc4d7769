"""What an instance of EC2 runs at its first start: Docker, and the server's container under systemd.

Text alone, without Pulumi, so that it can be run as it is in a test. The instance fetches image and releases with its
own role and hands the container nothing but files, so the container needs no credentials unless it keeps captures.
Docker comes from Amazon Linux's own repository, which lies in S3 and is reached through a gateway endpoint
(https://docs.aws.amazon.com/linux/al2023/ug/repository-access.html); the AWS CLI is part of the machine image.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from spec import contracts

#: Most bytes of user data, before base64
#: (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html).
MOST_BYTES = 16 << 10
#: Where releases are on the instance, and where the container sees them.
HOME = "/var/lib/model-server"
STABLE, CANARY = "/release", "/canary"
TOKEN = "/run/token"  # noqa: S105 # a file's path
#: User and group of the image.
USER = 10001
#: Seconds the server finishes what it has begun in, and until systemd ends it.
GRACE_SECONDS, STOP_SECONDS = 30, 45
#: Until image and release are fetched and the container runs.
START_SECONDS = 900

#: What may stand in a script, a unit and a file of variables alike without being read as anything but itself.
_PLAIN = re.compile(r"[A-Za-z0-9._/:@=+,-]+")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_IMAGE = re.compile(
    r"(?P<registry>\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?)/[a-z0-9._/-]+@sha256:[0-9a-f]{64}"
)


class UserDataError(ValueError):
    """A value cannot be written into user data; the text names it, what is allowed and what to do."""


@dataclass(frozen=True)
class Machine:
    """What an instance runs.

    region: of registry, buckets and logs. image: in Amazon ECR, by digest. release: `s3://bucket/digits/v1/`; canary:
    a second one, None for none. log_group: takes the server's log, a stream per instance. memory_mib: the container's
    limit. token_secret: ARN of the secret whose value callers must send; None where somebody else checks them.
    settings: further environment variables of the server, none of them secret: whoever may describe the launch
    template can read them.
    """

    region: str
    image: str
    release: str
    log_group: str
    memory_mib: int
    canary: str | None = None
    token_secret: str | None = None
    port: int = contracts.DEFAULT_PORT
    settings: Mapping[str, str] = field(default_factory=dict)


def render(machine: Machine) -> str:
    """The script. Raises UserDataError where a value is not what it has to be, or the script would be too long."""
    _check(machine)
    text = _SCRIPT
    for word, value in {
        "SETTINGS": _settings(machine),
        "PREPARE": _prepare(machine),
        "UNIT": _unit(machine),
    }.items():
        text = text.replace(f"@{word}@", value)
    if len(text.encode()) > MOST_BYTES:
        raise UserDataError(
            f"user data has {len(text.encode())} bytes; allowed: at most {MOST_BYTES}: give the server fewer settings"
        )
    return text


def encoded(machine: Machine) -> str:
    """The same in base64, as a launch template takes it."""
    return base64.b64encode(render(machine).encode()).decode()


def _check(machine: Machine) -> None:
    if not _IMAGE.fullmatch(machine.image):
        raise UserDataError(
            f"the image is {machine.image!r}; allowed on ec2: one in Amazon ECR by digest, such as 123456789012.dkr."
            "ecr.eu-central-1.amazonaws.com/server@sha256:…, since the instances have no way to the internet"
        )
    for what, uri in (("release", machine.release), ("canary", machine.canary)):
        if uri is not None and not (uri.startswith("s3://") and uri.endswith("/") and _PLAIN.fullmatch(uri)):
            raise UserDataError(f"the {what} is at {uri!r}; allowed: a folder in S3, such as s3://bucket/digits/v1/")
    values = {"region": machine.region, "log_group": machine.log_group, "token_secret": machine.token_secret or "-"}
    for name, value in [*values.items(), *machine.settings.items()]:
        if not _PLAIN.fullmatch(value):
            raise UserDataError(
                f"{name} is {value!r}; allowed in user data: letters, digits and . _ / : @ = + , -: write it with these"
            )
    for name in machine.settings:
        if not _VARIABLE.fullmatch(name):
            raise UserDataError(f"setting {name!r} is no name of a variable; allowed: capitals, digits and _")
        if name in _own(machine):
            raise UserDataError(f"setting {name} is fixed on ec2: leave it out")


def _own(machine: Machine) -> dict[str, str]:
    found = {
        contracts.MODEL_URI: f"file://{STABLE}",
        contracts.PORT: str(machine.port),
        contracts.GRACE_SECONDS: str(GRACE_SECONDS),
        "AWS_REGION": machine.region,
    }
    if machine.canary is not None:
        found[contracts.CANARY_URI] = f"file://{CANARY}"
    if machine.token_secret is not None:
        found[contracts.AUTH_TOKEN_FILE] = TOKEN
    return found


def _settings(machine: Machine) -> str:
    return "\n".join(f"{name}={value}" for name, value in sorted({**_own(machine), **machine.settings}.items()))


def _prepare(machine: Machine) -> str:
    lines = [
        f"fetch {machine.release} {HOME}{STABLE}",
        *([] if machine.canary is None else [f"fetch {machine.canary} {HOME}{CANARY}"]),
    ]
    if machine.token_secret is not None:
        lines += [
            "# In memory alone, and readable by the server's user alone.",
            "(umask 077 && aws secretsmanager get-secret-value --region "
            f"{machine.region} --secret-id {machine.token_secret} \\",
            "  --query SecretString --output text > /run/model-server/token)",
            f"chown {USER}:{USER} /run/model-server/token",
        ]
    words = {
        "REGION": machine.region,
        "IMAGE": machine.image,
        "REGISTRY": machine.image.partition("/")[0],
        "FETCH": "\n".join(lines),
    }
    text = _PREPARE
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text


def _unit(machine: Machine) -> str:
    mounts = [f"{HOME}{STABLE}:{STABLE}:ro"]
    mounts += [] if machine.canary is None else [f"{HOME}{CANARY}:{CANARY}:ro"]
    mounts += [] if machine.token_secret is None else [f"/run/model-server/token:{TOKEN}:ro"]
    options = [
        "--rm --name model-server --init",
        "--env-file /etc/model-server/settings",
        f"--publish {machine.port}:{machine.port}",
        *(f"--volume {mount}" for mount in mounts),
        # As little as the server needs: nothing to write but temporary files, which count as memory.
        f"--user {USER}:{USER} --read-only --tmpfs /tmp:rw,nosuid,nodev,noexec,size=64m",
        "--cap-drop ALL --security-opt no-new-privileges --pids-limit 512",
        f"--memory {machine.memory_mib}m --memory-swap {machine.memory_mib}m",
        # A log that cannot be sent is dropped, and never holds an answer up.
        "--log-driver awslogs --log-opt mode=non-blocking --log-opt max-buffer-size=4m",
        f"--log-opt awslogs-region={machine.region} --log-opt awslogs-group={machine.log_group}",
        "--log-opt awslogs-stream=${INSTANCE}",
    ]
    line = " \\\n  ".join(["/usr/bin/docker run", *options, machine.image])
    return (
        _UNIT.replace("@RUN@", line)
        .replace("@START@", str(START_SECONDS))
        .replace("@GRACE@", str(GRACE_SECONDS + 5))
        .replace("@STOP@", str(STOP_SECONDS))
    )


# The files are written from here-documents that the shell does not expand, so that each reads as it will lie there.
_SCRIPT = """#!/bin/bash
# The model server on this instance. Runs once, as root, at the first start.
set -euo pipefail

install -d -m 0755 /etc/model-server /var/lib/model-server
instance=$(cat /var/lib/cloud/data/instance-id)
echo "INSTANCE=$instance" > /etc/model-server/instance

cat > /etc/model-server/settings <<'END'
@SETTINGS@
END

cat > /usr/local/sbin/model-server-prepare <<'END'
@PREPARE@
END
chmod 0755 /usr/local/sbin/model-server-prepare

cat > /etc/systemd/system/model-server.service <<'END'
@UNIT@
END

# The repository may not answer at once while the network comes up.
for attempt in 1 2 3 4 5; do
  dnf --assumeyes --quiet install docker && break
  [ "$attempt" -lt 5 ] || exit 1
  sleep "$attempt"
done
systemctl daemon-reload
systemctl enable --now docker.service
# It is fetched and started in the background; the balancer says when the server is ready.
systemctl enable model-server.service
systemctl start --no-block model-server.service
"""

_PREPARE = """#!/bin/bash
# Fetches what the server needs with the instance's own role: image, releases, token.
set -euo pipefail

# The registry's password is kept in memory, and only while it is needed.
install -d -m 0755 /run/model-server
DOCKER_CONFIG=$(mktemp -d -p /run/model-server)
export DOCKER_CONFIG
trap 'rm -rf "$DOCKER_CONFIG"' EXIT

if ! docker image inspect @IMAGE@ > /dev/null 2>&1; then
  aws ecr get-login-password --region @REGION@ |
    docker login --username AWS --password-stdin @REGISTRY@
  docker pull --quiet @IMAGE@
fi

# fetch <URI> <folder>: the whole release or nothing; the server holds every file against its hash.
fetch() {
  [ ! -e "$2" ] || return 0
  rm -rf "$2.part"
  aws s3 cp --region @REGION@ --recursive --only-show-errors "$1" "$2.part"
  chmod -R u=rwX,go=rX "$2.part"
  mv "$2.part" "$2"
}

@FETCH@"""

_UNIT = """[Unit]
Description=Model server
Requires=docker.service
After=docker.service network-online.target
Wants=network-online.target
# Never given up: what is missing now may be there later, and the balancer decides about the instance.
StartLimitIntervalSec=0

[Service]
Type=exec
EnvironmentFile=/etc/model-server/instance
ExecStartPre=-/usr/bin/docker rm --force model-server
ExecStartPre=/usr/local/sbin/model-server-prepare
ExecStart=@RUN@
ExecStop=/usr/bin/docker stop --time @GRACE@ model-server
Restart=always
RestartSec=5
TimeoutStartSec=@START@
TimeoutStopSec=@STOP@

[Install]
WantedBy=multi-user.target"""
