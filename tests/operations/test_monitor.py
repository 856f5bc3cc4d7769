"""Prometheus and Alertmanager beside the local stack, for real: a server under load, errors, an alert, its end.

The windows are shortened (a minute and ten seconds in place of an hour and five minutes) so that the end can be waited
for; the rules come from the same generator. Does not prove the shipped windows: that they fire and clear in time is
held against the reference in tests/spec/test_prometheus_rules.py.
"""

from __future__ import annotations

import http.server
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from operations.errors import OperationError
from operations.monitor import Alert, Monitor, monitoring
from spec.service import ServiceSpec, load_service
from spec.slo import BurnRule
from tests.operations import fragile_model
from tests.operations.checkout import Checkout
from tests.ports import free_port
from tests.real_parts import need

INTERVAL = 1
#: Seconds that a condition is waited for; generous, as a test is not a measurement.
PATIENCE = 120.0
SHORT = (BurnRule("page", 14.4, 60, 10),)
ALARM = "AvailabilityBurnPage1m"


@dataclass
class Receiver:
    """A webhook of the test's own. notifications: what Alertmanager posted."""

    url: str
    notifications: list[dict[str, Any]] = field(default_factory=list)

    def heard(self, status: str, alarm: str) -> bool:
        alerts = [alert for notification in list(self.notifications) for alert in notification["alerts"]]
        return any(alert["status"] == status and alert["labels"]["alertname"] == alarm for alert in alerts)


@pytest.fixture(scope="module")
def programs() -> None:
    need("prometheus", "Debian: prometheus")
    if shutil.which("alertmanager") is None:
        need("prometheus-alertmanager", "Debian: prometheus-alertmanager")


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.notifications.append(json.loads(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}/hook")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield receiver
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, programs: None, receiver: Receiver) -> Iterator[Checkout]:
    """The local stack, up, serving a model that fails when asked to."""
    made = Checkout.make(tmp_path_factory.mktemp("monitored") / "tree", "embedded")
    fragile_model.release(made.root / "models")
    made.edit(
        name="fragile",
        release="fragile@1",
        slo={"availability_percent": 99.9},
        notify={"webhooks": [receiver.url]},
    )
    result = made.run("up")
    assert result.returncode == 0, result.stdout
    yield made
    assert made.run("down").returncode == 0


@pytest.fixture(scope="module")
def url(checkout: Checkout) -> str:
    return json.loads(checkout.run("outputs").stdout)["local-process"]["url"]


@pytest.fixture(scope="module")
def service(checkout: Checkout) -> ServiceSpec:
    return load_service(checkout.service(), stack="dev")


class Load:
    """Requests at a steady pace from a thread, a share of them such that the model fails."""

    def __init__(self, url: str, *, per_second: int) -> None:
        self.bad_share = 0.0
        self.answers: dict[int, int] = {}
        self.last_failure = 0.0
        self._url, self._pause = f"{url}/v2/models/fragile/infer", 1 / per_second
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        choose = random.Random(7)
        with httpx.Client(timeout=60) as client:
            while not self._end.wait(self._pause):
                value = fragile_model.BAD if choose.random() < self.bad_share else fragile_model.GOOD
                tensor = {"name": "data", "shape": [1, 1], "datatype": "FP32", "data": [value]}
                status = client.post(self._url, json={"inputs": [tensor]}).status_code
                self.answers[status] = self.answers.get(status, 0) + 1
                if status != 200:
                    self.last_failure = time.monotonic()


def wait_for(what: Callable[[], bool]) -> None:
    """Until it is so."""
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, f"not so after {PATIENCE} s"
        time.sleep(0.25)


def fired(monitor: Monitor, name: str) -> list[Alert]:
    return [alert for alert in monitor.alerts() if alert.name == name]


def shown(url: str) -> dict[str, Any]:
    """What the server's page shows."""
    return httpx.get(f"{url}/alerts", timeout=60).raise_for_status().json()


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.proof("Prometheus", "Alertmanager", level="runtime")
def test_an_alert_fires_under_errors_and_clears_after(
    checkout: Checkout, url: str, service: ServiceSpec, receiver: Receiver
) -> None:
    with (
        monitoring(
            checkout.root / ".local" / "monitor" / "dev",
            service,
            {"fragile": url},
            dashboard_config=checkout.root / "dashboard_config.json",
            prometheus_port=free_port(),
            alertmanager_port=free_port(),
            rules=SHORT,
            interval_seconds=INTERVAL,
        ) as monitor,
        Load(url, per_second=40) as load,
    ):
        time.sleep(8)
        assert monitor.alerts() == [], "nothing fires under load without errors"
        assert shown(url) == {"state": "ok", "alerts": []}

        load.bad_share = 0.3
        wait_for(lambda: bool(fired(monitor, ALARM)))
        (alert,) = fired(monitor, ALARM)
        assert (alert.severity, alert.service) == ("page", "fragile")
        assert alert.runbook == "docs/runbook.md#availability-burn"
        wait_for(lambda: receiver.heard("firing", ALARM))
        wait_for(lambda: ALARM in [entry["name"] for entry in shown(url)["alerts"]])

        load.bad_share = 0.0
        wait_for(lambda: not fired(monitor, ALARM))
        # The short window must be clean; then one evaluation, and the word to Alertmanager.
        assert time.monotonic() - load.last_failure >= SHORT[0].short_seconds - 2 * INTERVAL
        wait_for(lambda: receiver.heard("resolved", ALARM))
        wait_for(lambda: shown(url) == {"state": "ok", "alerts": []})
    assert set(load.answers) == {200, 500}
    wait_for(lambda: shown(url) == {"state": "off"})


@pytest.mark.slow
def test_the_command_watches_until_it_is_ended_and_leaves_nothing(checkout: Checkout, url: str) -> None:
    prometheus, alertmanager = free_port(), free_port()
    ports = [f"--prometheus-port={prometheus}", f"--alertmanager-port={alertmanager}"]
    env = {**os.environ, "CLOUD_ML_ENGINE": "embedded"}
    command = [sys.executable, "-m", "operations", "monitor", *ports]
    with subprocess.Popen(command, cwd=checkout.root, env=env, stdout=subprocess.PIPE, text=True) as process:
        children: list[psutil.Process] = []
        try:

            def scraped() -> bool:
                try:
                    answer = httpx.get(f"http://127.0.0.1:{prometheus}/api/v1/targets", timeout=60).json()
                except httpx.HTTPError:
                    return False
                return [target["health"] for target in answer["data"]["activeTargets"]] == ["up"]

            wait_for(scraped)
            rules = httpx.get(f"http://127.0.0.1:{prometheus}/api/v1/rules", timeout=60).json()["data"]["groups"]
            names = {rule["name"] for group in rules for rule in group["rules"] if rule["type"] == "alerting"}
            assert {
                "AvailabilityBurnPage1h",
                "AvailabilityBurnPage6h",
                "AvailabilityBurnTicket3d",
                "Unhealthy",
            } <= names
            connected = httpx.get(f"http://127.0.0.1:{prometheus}/api/v1/alertmanagers", timeout=60).json()["data"]
            assert [manager["url"] for manager in connected["activeAlertmanagers"]] == [
                f"http://127.0.0.1:{alertmanager}/api/v2/alerts"
            ]
            children = psutil.Process(process.pid).children()
            assert len(children) == 2
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
        assert process.stdout is not None
        assert f"http://127.0.0.1:{prometheus}" in process.stdout.read()
    assert not any(child.is_running() for child in children)
    folder = checkout.root / ".local" / "monitor" / "dev"
    assert stat.S_IMODE((folder / "alertmanager.yml").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert json.loads((folder / "dashboard.json").read_text())["title"] == "Model service fragile"
    assert yaml.safe_load((folder / "prometheus.yml").read_text())["scrape_configs"][0]["static_configs"] == [
        {"targets": [url.removeprefix("http://")], "labels": {"service": "fragile"}}
    ]


LOCAL: dict[str, Any] = {"name": "digits", "release": "digits@latest", "deploy_to": [{"cloud": "local"}]}


def start(folder: Path, **options: Any) -> None:
    spec = load_service(LOCAL, stack="dev")
    given = {"dashboard_config": folder / "dashboard_config.json", "prometheus_port": free_port(), **options}
    with monitoring(folder / "monitor", spec, {"digits": "http://127.0.0.1:1"}, alertmanager_port=free_port(), **given):
        raise AssertionError("it started")


def test_a_machine_without_prometheus_is_told_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OperationError, match=r"prometheus is not installed\. On Debian: apt-get install prometheus"):
        start(tmp_path)


def test_a_port_that_is_taken_is_named_with_its_owner(tmp_path: Path, programs: None) -> None:
    with (
        http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as other,
        pytest.raises(OperationError) as caught,
    ):
        start(tmp_path, prometheus_port=other.server_port)
    message = str(caught.value)
    assert f"port {other.server_port} for prometheus is taken by" in message
    assert str(os.getpid()) in message
    assert "--prometheus-port" in message
    assert not (tmp_path / "monitor").exists()


def test_a_bad_dashboard_config_stops_it_before_anything_starts(tmp_path: Path, programs: None) -> None:
    (tmp_path / "dashboard_config.json").write_text('{"panels": ["trafic"]}')
    with pytest.raises(
        OperationError, match=r"dashboard_config\.json\.panels\[0\] is 'trafic'; .* Did you mean traffic"
    ):
        start(tmp_path)
    assert not (tmp_path / "monitor").exists()


def test_a_stack_that_is_not_up_is_said(tmp_path: Path) -> None:
    result = Checkout.make(tmp_path / "tree", "embedded").run("monitor")
    assert result.returncode == 1
    assert "stack 'dev' is not up: run `make up STACK=dev` first" in result.stdout
