"""Prometheus and Alertmanager beside the local stack, as Debian packages them, until somebody ends them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import yaml
from rich.console import Console
from rich.status import Status

from components.local import processes
from operations import monitor_files as files
from operations.errors import OperationError
from operations.workspace import Workspace
from spec.errors import FieldError, SpecError
from spec.panels import CONFIG_FILE, load_dashboard_config
from spec.prometheus import ALERTMANAGER_URL_FILE, INTERVAL_SECONDS
from spec.service import ServiceSpec
from spec.slo import BURN_RULES, BurnRule

LOOPBACK = "127.0.0.1"
PROMETHEUS_PORT = 9090
ALERTMANAGER_PORT = 9093

#: Names of the programs: Debian's package calls the second one by a longer name than its makers do.
PROMETHEUS = ("prometheus",)
ALERTMANAGER = ("prometheus-alertmanager", "alertmanager")
HOW_TO_GET = (
    "On Debian: apt-get install prometheus prometheus-alertmanager (and, to keep the packages' own services from "
    "starting: systemctl disable --now prometheus prometheus-alertmanager)"
)

READY_SECONDS = 30.0
STOP_SECONDS = 10.0
LOOK_SECONDS = 2.0


@dataclass(frozen=True)
class Alert:
    """An alert that fires now."""

    name: str
    severity: str
    service: str
    summary: str
    runbook: str
    since: str


@dataclass(frozen=True)
class Monitor:
    """Both programs, running. folder: their settings, data and logs."""

    prometheus: str
    alertmanager: str
    folder: Path
    programs: Mapping[str, subprocess.Popen[bytes]]

    def alerts(self) -> list[Alert]:
        """What fires in Alertmanager now. Raises OperationError where a program has ended."""
        for name, program in self.programs.items():
            if program.poll() is not None:
                raise OperationError(f"{name} ended with status {program.returncode}{_end_of_log(self.folder, name)}")
        try:
            found = httpx.get(f"{self.alertmanager}/api/v2/alerts", timeout=5).raise_for_status().json()
        except httpx.HTTPError as error:
            raise OperationError(f"Alertmanager at {self.alertmanager} does not answer: {error}") from None
        return [
            Alert(
                name=alert["labels"]["alertname"],
                severity=alert["labels"].get("severity", ""),
                service=alert["labels"].get("service", ""),
                summary=alert["annotations"].get("summary", ""),
                runbook=alert["annotations"].get("runbook_url", ""),
                since=alert["startsAt"],
            )
            for alert in found
        ]


@contextmanager
def monitoring(
    folder: Path,
    spec: ServiceSpec,
    urls: Mapping[str, str],
    *,
    dashboard_config: Path,
    prometheus_port: int = PROMETHEUS_PORT,
    alertmanager_port: int = ALERTMANAGER_PORT,
    rules: tuple[BurnRule, ...] = BURN_RULES,
    interval_seconds: int = INTERVAL_SECONDS,
    token_file: str | None = None,
) -> Iterator[Monitor]:
    """Run both programs on the loopback address; they are ready inside, and gone afterwards.

    urls: base address of each service, by its name. token_file: holds the token that they ask for, if they do. rules
    and interval_seconds: others than the shipped ones are for tests. Raises OperationError before anything is started
    where a program is missing, a port is taken or a file of the user's is wrong.
    """
    programs = {"prometheus": _find(PROMETHEUS), "alertmanager": _find(ALERTMANAGER)}
    ports = {"prometheus": prometheus_port, "alertmanager": alertmanager_port}
    for name, port in ports.items():
        owner = processes.port_taken_by(LOOPBACK, port, ours=folder)
        if owner is not None:
            raise OperationError(
                f"port {port} for {name} is taken by {owner}; allowed is a free port: stop that process, or choose "
                f"another port with --{name}-port"
            )
    try:
        config = load_dashboard_config(dashboard_config)
        written = {
            "prometheus.yml": files.scrape_config(
                urls,
                f"{LOOPBACK}:{alertmanager_port}",
                interval_seconds=interval_seconds,
                token_file=token_file,
            ),
            f"rules-{spec.name}.yml": files.rules_of(spec, rules=rules, interval_seconds=interval_seconds),
            "alertmanager.yml": files.alertmanager_config(spec, group_wait_seconds=min(10, interval_seconds)),
            "dashboard.json": files.dashboard_of(spec, config),
        }
    except (SpecError, FieldError) as error:
        raise OperationError(str(error)) from None
    _write(folder, written)
    window_days = spec.slo.window_days if spec.slo else 1
    commands = {
        "alertmanager": [
            programs["alertmanager"],
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address={LOOPBACK}:{alertmanager_port}",
            "--cluster.listen-address=",  # one of them: no gossip, no further port
        ],
        "prometheus": [
            programs["prometheus"],
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            # The budget is counted over the whole window, so as much must be kept.
            f"--storage.tsdb.retention.time={window_days + 1}d",
            f"--web.listen-address={LOOPBACK}:{prometheus_port}",
        ],
    }
    # From it the server knows whom to ask for the alerts on its page.
    announced = folder / ALERTMANAGER_URL_FILE
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            running[name] = _start(name, command, folder, f"http://{LOOPBACK}:{ports[name]}/-/ready")
        alertmanager = f"http://{LOOPBACK}:{alertmanager_port}"
        announced.write_text(alertmanager)
        yield Monitor(f"http://{LOOPBACK}:{prometheus_port}", alertmanager, folder, dict(running))
    finally:
        announced.unlink(missing_ok=True)
        for program in reversed(running.values()):
            program.terminate()
        for program in running.values():
            try:
                program.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()


def watch(
    workspace: Workspace,
    stack: str,
    spec: ServiceSpec,
    exports: Mapping[str, Any],
    *,
    prometheus_port: int = PROMETHEUS_PORT,
    alertmanager_port: int = ALERTMANAGER_PORT,
) -> None:
    """Monitor the local service of a stack and print what fires and what clears, until Ctrl-C."""
    local = [where.name for where in spec.deploy_to if where.cloud == "local"]
    if not local:
        raise OperationError(
            f"stack {stack!r} has no place on cloud local; a cloud's own monitoring watches the others"
        )
    missing = [name for name in local if name not in exports]
    if missing:
        raise OperationError(f"stack {stack!r} is not up: run `make up STACK={stack}` first")
    # Ended from outside, both programs have to end as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(soft_wrap=True, highlight=False)
    folder = workspace.local / "monitor" / stack
    with monitoring(
        folder,
        spec,
        {spec.name: str(exports[local[0]]["url"])},
        dashboard_config=workspace.root / CONFIG_FILE,
        prometheus_port=prometheus_port,
        alertmanager_port=alertmanager_port,
        token_file=exports[local[0]]["invoke"].get("token_file"),
    ) as monitor:
        console.print(f"Prometheus    {monitor.prometheus}\nAlertmanager  {monitor.alertmanager}")
        console.print(f"Grafana       import {folder / 'dashboard.json'} where a Grafana reads this Prometheus")
        if spec.slo is None:
            console.print("no slo in the service description: only the standing alarms are watched", style="yellow")
        try:
            with console.status("nothing fires; Ctrl-C ends both") as status:
                _print_changes(console, status, monitor)
        except KeyboardInterrupt:
            console.print("stopped")


def _print_changes(console: Console, status: Status, monitor: Monitor) -> None:
    before: dict[tuple[str, str], Alert] = {}
    while True:
        now = {(alert.service, alert.name): alert for alert in monitor.alerts()}
        clock = datetime.now().strftime("%H:%M:%S")  # for the person in front of it
        for key in now.keys() - before.keys():
            alert = now[key]
            console.print(f"{clock} [red]fires[/red]  {alert.name} ({alert.severity}) {alert.summary}; {alert.runbook}")
        for key in before.keys() - now.keys():
            console.print(f"{clock} [green]clears[/green] {before[key].name} ({before[key].severity})")
        if now.keys() != before.keys():
            firing = f"{len(now)} firing" if now else "nothing fires"
            status.update(f"{firing}; Ctrl-C ends both")
        before = now
        time.sleep(LOOK_SECONDS)


def _find(names: tuple[str, ...]) -> str:
    for name in names:
        if found := shutil.which(name):
            return found
    raise OperationError(f"{names[0]} is not installed. {HOW_TO_GET}")


def _write(folder: Path, written: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for name, content in written.items():
        text = json.dumps(content, indent=2) if name.endswith(".json") else yaml.safe_dump(content, sort_keys=False)
        # A webhook's address may hold a token: readable by its owner only, from its first byte on.
        with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)


def _start(name: str, command: list[str], folder: Path, ready_url: str) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.log").open("wb") as log:
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and program.poll() is None:
        try:
            if httpx.get(ready_url, timeout=2).status_code == httpx.codes.OK:
                return program
        except httpx.HTTPError:
            pass  # not listening yet
        time.sleep(0.1)
    state = "was not ready in time" if program.poll() is None else f"ended with status {program.returncode}"
    program.kill()
    program.wait()
    raise OperationError(f"{name} {state}{_end_of_log(folder, name)}")


def _end_of_log(folder: Path, name: str) -> str:
    log = folder / f"{name}.log"
    lines = log.read_text(errors="replace").splitlines()[-5:]
    return "; its log " + str(log) + " ends:\n  " + "\n  ".join(lines)
