"""The model service as a server process on this machine.

Owns one detached server process, its log, what it captures and its token. Does not own the releases it serves (see
`store`).
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi import dynamic

from components.local import processes
from components.local.folders import ConfigFiles, Folder, TokenFile
from spec import contracts

#: The server answers on this machine only; who wants more puts a proxy with TLS before it, or takes a cloud target.
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class ModelServiceArgs:
    """What to serve and how.

    model_uri: where the server finds the release (`file://…`, one version's folder).
    model: name under which clients ask for it.
    port: TCP port on the loopback address.
    run_folder: where the pid of the service is kept; one folder per port is made in it.
    data_folder: where logs, captured requests and the token are kept; the service's own.
    root: the working tree: the server's code is `serving_image/` in it.
    canary_uri, canary_percent: a second release, and the share of requests that it answers.
    capture_percent, capture_retention_days: share of requests that is kept, and for how long; None keeps none.
    log_level: None leaves it to the log's configuration file. log_retention_days: how long log files are kept.
    token: whether callers must show a token, which is made here.
    log_config, metrics_config: configuration files of the server, where there are any; it gets copies.
    keep_data: logs and captured requests stay when the service is removed.
    settings: further environment variables of the server.
    """

    model_uri: pulumi.Input[str]
    model: str
    port: int
    run_folder: Path
    data_folder: Path
    root: Path
    canary_uri: pulumi.Input[str] | None = None
    canary_percent: int = 0
    capture_percent: int | None = None
    capture_retention_days: int = 30
    log_level: str | None = None
    log_retention_days: int = 30
    token: bool = False
    log_config: Path | None = None
    metrics_config: Path | None = None
    keep_data: bool = False
    settings: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)


class ModelService(pulumi.ComponentResource):
    """A server process that is ready when this resource is created.

    url: base address of the server.
    invoke: how to call it: method, url, headers, and where a token is asked for `token_file`, the file that holds it.
    token: what callers send as `Authorization: Bearer …`, a secret; None where none is asked for.
    grants: what it needs from an identity; nothing on this machine.
    pid, log_file: for people and for monitoring. capture_folder: None where nothing is captured.
    """

    url: pulumi.Output[str]
    invoke: pulumi.Output[dict[str, Any]]
    grants: Sequence[Any] = ()
    pid: pulumi.Output[int]
    log_file: pulumi.Output[str]
    token: pulumi.Output[str] | None = None
    capture_folder: pulumi.Output[str] | None = None

    def __init__(self, name: str, args: ModelServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:local:ModelService", name, {}, opts)
        self.process = ServerProcess(
            f"{name}-process",
            command=[sys.executable, "-m", "model_server"],
            settings={
                **args.settings,
                **self._settings(name, args),
                contracts.MODEL_URI: args.model_uri,
                contracts.MODEL_NAME: args.model,
                contracts.HOST: LOOPBACK,
                contracts.PORT: str(args.port),
                "PYTHONPATH": f"{args.root}:{args.root / 'serving_image'}",
            },
            port=args.port,
            code=code_digest(args.root),
            run_folder=str(run_folder(args.run_folder, name, args.port)),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.url = self.process.url
        self.pid = self.process.pid
        self.log_file = self.logs.path.apply(lambda folder: f"{folder}/{contracts.LOG_LINK}")
        # The token itself stays out: an export that holds a secret is a secret as a whole.
        self.invoke = pulumi.Output.all(self.url, self.token_file.file if self.token_file else None).apply(
            lambda found: {
                "method": "POST",
                "url": f"{found[0]}/v2/models/{args.model}/infer",
                "headers": {"content-type": "application/json"},
                **({"token_file": found[1]} if found[1] else {}),
            }
        )
        self.register_outputs({"url": self.url, "invoke": self.invoke, "pid": self.pid, "log_file": self.log_file})

    def _settings(self, name: str, args: ModelServiceArgs) -> dict[str, pulumi.Input[str]]:
        """The server's environment for what was asked; makes the folders and the token that it names."""
        own = pulumi.ResourceOptions(parent=self)
        data = pulumi.ResourceOptions(parent=self, retain_on_delete=args.keep_data)
        self.logs = Folder(f"{name}-logs", path=str(args.data_folder / "logs"), opts=data)
        settings: dict[str, pulumi.Input[str]] = {
            contracts.LOG_FOLDER: self.logs.path,
            contracts.LOG_RETENTION_DAYS: str(args.log_retention_days),
        }
        if args.log_level is not None:
            settings[contracts.LOG_LEVEL] = args.log_level
        files = {contracts.LOG_CONFIG: args.log_config, contracts.METRICS_CONFIG: args.metrics_config}
        there = {variable: file for variable, file in files.items() if file is not None}
        if there:
            copies = ConfigFiles(
                f"{name}-config",
                folder=str(args.data_folder / "config"),
                files={file.name: file.read_text(errors="replace") for file in there.values()},
                opts=own,
            )
            for variable, file in there.items():
                settings[variable] = copies.path.apply(lambda path, file=file: f"{path}/{file.name}")
        if args.canary_uri is not None:
            settings[contracts.CANARY_URI] = args.canary_uri
            settings[contracts.CANARY_PERCENT] = str(args.canary_percent)
            settings[contracts.CANARY_STICKY_HEADER] = contracts.STICKY_HEADER
        if args.capture_percent is not None:
            capture = Folder(f"{name}-capture", path=str(args.data_folder / "capture"), opts=data)
            self.capture_folder = capture.path
            settings[contracts.CAPTURE_URI] = capture.path
            settings[contracts.CAPTURE_PERCENT] = str(args.capture_percent)
            settings[contracts.CAPTURE_RETENTION_DAYS] = str(args.capture_retention_days)
        self.token_file = TokenFile(f"{name}-token", folder=str(args.data_folder), opts=own) if args.token else None
        if self.token_file is not None:
            self.token = self.token_file.token
            settings[contracts.AUTH_TOKEN_FILE] = self.token_file.file
        return settings


def run_folder(folder: Path, name: str, port: int) -> Path:
    """Where the pid is kept: one folder per port, so that a replacement has a place beside what it replaces."""
    return folder / f"{name}-{port}"


def code_digest(root: Path) -> str:
    """One hash over the server's code, so that `up` after an edit serves the edited code."""
    digest = hashlib.sha256()
    server = root / "serving_image" / "model_server"
    for path in sorted([*server.rglob("*.py"), *server.rglob("*.html"), *(root / "spec").glob("*.py")]):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def port_problem(port: int, run_folder: Path) -> str | None:
    """Why the port cannot be used by the service of this run folder; None where it can."""
    owner = processes.port_taken_by(LOOPBACK, port, ours=run_folder)
    if owner is None:
        return None
    return (
        f"deploy_to[].port is {port}, and that port is taken by {owner}; allowed is a free port: "
        "stop that process, or set another port in the stack's file"
    )


class _ServerProcessProvider(dynamic.ResourceProvider):
    """Life of the server process.

    Another port is another process: the new one is ready before the old one ends. Anything else is a restart on the
    same port; where the new one does not get ready, the old one is started again and the update fails.
    """

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.CheckResult:
        reason = port_problem(int(news["port"]), Path(news["run_folder"]))
        return dynamic.CheckResult(news, [dynamic.CheckFailure("port", reason)] if reason else [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        replaces = [key for key in ("port", "run_folder") if olds.get(key) != news[key]]
        changed = any(olds.get(key) != news[key] for key in ("command", "settings", "code"))
        return dynamic.DiffResult(changes=changed or bool(replaces), replaces=replaces, delete_before_replace=False)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        return dynamic.CreateResult(props["run_folder"], self._start(props))

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        try:
            return dynamic.UpdateResult(self._start(news))
        except processes.ProcessError as error:
            try:
                self._start(olds)
            except processes.ProcessError as again:
                raise processes.ProcessError(f"{error}\nand the old server did not start again: {again}") from None
            raise processes.ProcessError(f"{error}\nthe old server was started again and goes on serving") from None

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        process = processes.find(Path(id_))
        if process is None:  # it died: the next `up` starts it anew
            return dynamic.ReadResult("", {})
        return dynamic.ReadResult(id_, {**props, "pid": process.pid})

    def delete(self, id_: str, _props: dict[str, Any]) -> None:
        processes.stop(Path(id_))

    def _start(self, props: dict[str, Any]) -> dict[str, Any]:
        url = f"http://{LOOPBACK}:{int(props['port'])}"
        folder = Path(props["run_folder"])
        process = processes.start(props["command"], props["settings"], folder, f"{url}{contracts.READY_PATH}")
        return {**props, "pid": process.pid, "url": url}


class ServerProcess(dynamic.Resource, module="local", name="ServerProcess"):
    """The server process as a resource of its own."""

    pid: pulumi.Output[int]
    url: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        command: Sequence[str],
        settings: Mapping[str, pulumi.Input[str]],
        port: int,
        code: str,
        run_folder: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "command": list(command),
            "settings": dict(settings),
            "port": port,
            "code": code,
            "run_folder": run_folder,
            "pid": None,
            "url": None,
        }
        super().__init__(_ServerProcessProvider(), name, props, opts)
