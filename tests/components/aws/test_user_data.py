"""What an instance of EC2 runs, run here: the very script, and its unit read by systemd.

The script runs in a Debian container, with stand-ins for what only an instance has: `dnf` (Amazon Linux's packages),
`systemctl` (no systemd in a container), `aws` (no account) and `docker` (only what it is asked). systemd itself reads
the unit.

Not shown: that Docker takes the unit's line and the server answers in it, that Amazon Linux's repository is reached
and its packages install, that ECR, S3, Secrets Manager and CloudWatch Logs let the instance's role in, and that systemd
starts the unit.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from components.aws.user_data import GRACE_SECONDS, MOST_BYTES, STOP_SECONDS, Machine, UserDataError, render
from spec import contracts
from tests.containers import Engine
from tests.real_parts import need

IMAGE = f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/digits@sha256:{'0' * 64}"
PLAIN = Machine(
    region="eu-central-1",
    image=IMAGE,
    release="s3://digits-releases/digits/v1/",
    log_group="/digits-prod/ec2",
    memory_mib=512,
)
FULL = replace(
    PLAIN,
    canary="s3://digits-releases/digits/v2/",
    token_secret="arn:aws:secretsmanager:eu-central-1:123456789012:secret:digits-AbCdEf",
    settings={contracts.LOG_LEVEL: "info", contracts.CANARY_PERCENT: "10"},
)
FILES = re.compile(r"cat > (?P<path>\S+) <<'END'\n(?P<text>.*?\n)END\n", re.DOTALL)
UNIT = "/etc/systemd/system/model-server.service"
PREPARE = "/usr/local/sbin/model-server-prepare"
READY_SECONDS = 120.0


def files(machine: Machine) -> dict[str, str]:
    """What the script writes, by path."""
    return {found["path"]: found["text"] for found in FILES.finditer(render(machine))}


def run_line(machine: Machine) -> list[str]:
    """The words of the unit's ExecStart, as systemd splits them."""
    unit = files(machine)[UNIT].replace("\\\n", " ")
    (line,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    return shlex.split(line)


class TestText:
    def test_settings(self) -> None:
        assert files(PLAIN)["/etc/model-server/settings"].splitlines() == [
            "AWS_REGION=eu-central-1",
            f"GRACE_SECONDS={GRACE_SECONDS}",
            "MODEL_URI=file:///release",
            "PORT=8080",
        ]
        full = files(FULL)["/etc/model-server/settings"].splitlines()
        assert {"CANARY_URI=file:///canary", "CANARY_PERCENT=10", "AUTH_TOKEN_FILE=/run/token"} <= set(full)

    def test_the_container_may_do_little(self) -> None:
        line = " ".join(run_line(PLAIN))
        for option in ("--read-only", "--user 10001:10001", "--cap-drop ALL", "--memory 512m", "--memory-swap 512m"):
            assert option in line
        assert "no-new-privileges" in line
        assert line.endswith(IMAGE)
        assert "--privileged" not in line
        assert "docker.sock" not in line
        assert "--network" not in line  # with the host's network it would reach the instance's credentials

    def test_the_server_has_time_to_finish(self) -> None:
        """The server's own grace ends first, then Docker's, then systemd's."""
        (stop,) = re.findall(r"docker stop --time (\d+)", files(PLAIN)[UNIT])
        assert GRACE_SECONDS < int(stop) < STOP_SECONDS

    def test_it_fits(self) -> None:
        assert len(render(FULL).encode()) < MOST_BYTES / 2
        many = {f"SETTING_{index}": "x" * 200 for index in range(80)}
        with pytest.raises(UserDataError, match=r"user data has \d+ bytes; allowed: at most 16384"):
            render(replace(PLAIN, settings=many))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"image": "docker.io/library/server@sha256:" + "0" * 64}, "one in Amazon ECR by digest"),
            ({"image": IMAGE.partition("@")[0] + ":latest"}, "by digest"),
            ({"release": "file:///models/digits/v1/"}, "a folder in S3"),
            ({"release": "s3://bucket/$(reboot)/"}, "a folder in S3"),
            ({"canary": "s3://bucket/digits/v2"}, "the canary is at"),
            ({"log_group": "group\nEND\nreboot"}, "log_group is"),
            ({"token_secret": "a b"}, "token_secret is"),
            ({"settings": {"LOG_LEVEL": "in fo"}}, "LOG_LEVEL is"),
            ({"settings": {"log-level": "info"}}, "no name of a variable"),
            ({"settings": {"MODEL_URI": "file:///x"}}, "MODEL_URI is fixed on ec2"),
        ],
    )
    def test_nothing_gets_in_that_is_read_as_something_else(self, change: dict[str, object], message: str) -> None:
        with pytest.raises(UserDataError, match=re.escape(message)):
            render(replace(PLAIN, **change))


class TestTools:
    """What others' programs say about the text."""

    @pytest.mark.parametrize("machine", [PLAIN, FULL], ids=["plain", "full"])
    def test_the_shells_linter_finds_nothing(self, machine: Machine, tmp_path: Path) -> None:
        shellcheck = need("shellcheck", "apt-get install shellcheck")
        for name, text in (("user-data", render(machine)), ("prepare", files(machine)[PREPARE])):
            script = tmp_path / name
            script.write_text(text)
            found = subprocess.run([shellcheck, script], capture_output=True, text=True, check=False)
            assert found.stdout + found.stderr == ""

    @pytest.mark.parametrize("machine", [PLAIN, FULL], ids=["plain", "full"])
    def test_systemd_reads_the_unit(self, machine: Machine, tmp_path: Path) -> None:
        root = _root(tmp_path, files(machine)[UNIT])
        found = _verify(root)
        assert (found.returncode, found.stdout + found.stderr) == (0, "")

    @pytest.mark.parametrize(
        ("right", "wrong"),
        [
            ("Type=exec", "Type=exce"),
            ("TimeoutStartSec=", "TimeoutStart="),
            ("ExecStart=/usr/bin/docker", "ExecStart=docker/run"),
            ("Restart=always", "Restart=allways"),
        ],
    )
    def test_systemd_would_find_a_mistake(self, right: str, wrong: str, tmp_path: Path) -> None:
        text = files(PLAIN)[UNIT]
        assert right in text
        found = _verify(_root(tmp_path, text.replace(right, wrong)))
        assert found.stdout + found.stderr != ""


def _root(folder: Path, unit: str) -> Path:
    """A root with the unit and what it names."""
    root = folder / "root"
    for path, text in {
        UNIT: unit,
        "/etc/systemd/system/docker.service": "[Unit]\nDescription=d\n[Service]\nExecStart=/usr/bin/docker\n",
        "/usr/bin/docker": "#!/bin/sh\n",
        PREPARE: "#!/bin/sh\n",
    }.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755 if path.startswith("/usr") else 0o644)
    for target in ("network-online", "basic", "sysinit", "shutdown", "system", "multi-user"):
        kind = "slice" if target == "system" else "target"
        (root / "etc/systemd/system" / f"{target}.{kind}").write_text("[Unit]\nDescription=t\n")
    return root


def _verify(root: Path) -> subprocess.CompletedProcess[str]:
    analyze = need("systemd-analyze", "apt-get install systemd")
    command = [analyze, "verify", "--man=no", f"--root={root}", "model-server.service"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


#: Stand-ins for what only an instance has: each writes down how it was called.
STAND_INS = {
    "dnf": 'echo "dnf $*" >> /out/calls; [ "$(grep -c ^dnf /out/calls)" -gt 1 ]',  # the first time it fails
    "systemctl": 'echo "systemctl $*" >> /out/calls',
    "docker": (
        'echo "docker $*" >> /out/calls\n'
        'case "$1" in image) [ -e /out/pulled ] ;; login) cat > /out/password ;; pull) touch /out/pulled ;; esac'
    ),
    "aws": (
        'echo "aws $*" >> /out/calls\n'
        'case "$1 $2" in\n'
        '"ecr get-login-password") echo of-the-registry ;;\n'
        '"secretsmanager get-secret-value") echo of-the-callers ;;\n'
        '"s3 cp") to="${!#}"; from="${*: -2:1}"; mkdir -p "$to"; cp -r "/bucket/${from#s3://}." "$to" ;;\n'
        "esac"
    ),
}
DRIVER = f"""set -eu
mkdir -p /var/lib/cloud/data && echo i-0a1b2c3d4e5f60718 > /var/lib/cloud/data/instance-id
for one in /stand-ins/*; do install -m 0755 "$one" /usr/local/bin/; done
bash /user-data
{PREPARE}
{PREPARE}
cp -r /etc/model-server /var/lib/model-server /run/model-server /out/
stat -c '%a %u %n' /run/model-server/token > /out/modes
find /run/model-server >> /out/modes
chmod -R a+rwX /out
"""


class TestRun:
    def test_the_script_runs_in_a_container(self, engine: Engine, base: str, tmp_path: Path) -> None:
        """Twice prepared, as after a restart: fetched once."""
        (tmp_path / "stand-ins").mkdir()
        for name, text in STAND_INS.items():
            (tmp_path / "stand-ins" / name).write_text(f"#!/bin/bash\n{text}\n")
        for version in ("v1", "v2"):
            folder = tmp_path / "bucket" / "digits-releases" / "digits" / version
            folder.mkdir(parents=True)
            (folder / "model.onnx").write_text(version)
        (tmp_path / "user-data").write_text(render(FULL))
        (tmp_path / "driver").write_text(DRIVER)
        (tmp_path / "out").mkdir()
        mounts = [("user-data", ":ro"), ("driver", ":ro"), ("stand-ins", ":ro"), ("bucket", ":ro"), ("out", "")]
        volumes = [word for name, mode in mounts for word in ("--volume", f"{tmp_path / name}:/{name}{mode}")]
        engine.docker("run", "--rm", "--network", "none", *volumes, base, "bash", "/driver")
        out = tmp_path / "out"
        calls = (out / "calls").read_text().splitlines()
        assert calls[:6] == [
            *["dnf --assumeyes --quiet install docker"] * 2,
            "systemctl daemon-reload",
            "systemctl enable --now docker.service",
            "systemctl enable model-server.service",
            "systemctl start --no-block model-server.service",
        ]
        assert calls.count(f"docker pull --quiet {IMAGE}") == 1
        assert "docker login --username AWS --password-stdin 123456789012.dkr.ecr.eu-central-1.amazonaws.com" in calls
        assert (out / "password").read_text() == "of-the-registry\n"
        fetched = [call for call in calls if call.startswith("aws s3 cp")]
        assert len(fetched) == 2
        assert (out / "model-server" / "release" / "model.onnx").read_text() == "v1"
        assert (out / "model-server" / "canary" / "model.onnx").read_text() == "v2"
        assert (out / "model-server" / "instance").read_text() == "INSTANCE=i-0a1b2c3d4e5f60718\n"
        modes = (out / "modes").read_text().splitlines()
        assert modes[0] == "600 10001 /run/model-server/token"
        assert modes[1:] == ["/run/model-server", "/run/model-server/token"]  # nothing of the registry's password
        assert (out / "model-server" / "token").read_text() == "of-the-callers\n"
