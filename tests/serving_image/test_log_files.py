"""Logs in a folder and files that age: what the server keeps on a machine where nothing else looks after it."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from pathlib import Path

import pytest
from model_server import log_files, logs, metrics_config, retention
from model_server.errors import Exit
from model_server.settings import LOG_LEVELS

from tests.serving_image.conftest import Digits
from tests.serving_image.server_process import run_to_exit, running

DAY = 86_400


def _record(created: float, message: str) -> logging.LogRecord:
    record = logging.LogRecord("model_server", logging.INFO, __file__, 1, message, None, None)
    record.created = created
    return record


def test_a_new_day_is_a_new_file_and_the_link_follows(tmp_path: Path) -> None:
    handler = log_files.DailyFiles(tmp_path)
    today = time.time()
    tomorrow = today + DAY
    handler.emit(_record(today, "today"))
    handler.emit(_record(tomorrow, "tomorrow"))
    handler.emit(_record(today, "late"))  # another thread's line of the day before
    names = sorted(file.name for file in tmp_path.glob(log_files.PATTERN))
    assert names == [time.strftime(log_files.NAME, time.gmtime(at)) for at in (today, tomorrow)]
    assert (tmp_path / "server.log").read_text() == "tomorrow\nlate\n"
    assert (tmp_path / names[0]).stat().st_mode & 0o777 == 0o600


def test_only_files_of_the_pattern_and_of_that_age_are_deleted(tmp_path: Path) -> None:
    ages = {"server-2026-01-01.log": 8, "server-2026-01-05.log": 6, "server.log": 8, "notes.txt": 8}
    for name, days in ages.items():
        (tmp_path / name).write_text(name)
        long_ago = time.time() - days * DAY
        os.utime(tmp_path / name, (long_ago, long_ago))
    assert retention.sweep(tmp_path, log_files.PATTERN, 7) == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["notes.txt", "server-2026-01-05.log", "server.log"]


def test_several_processes_write_whole_lines_into_one_folder(digits: Digits, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    (tmp_path / "log.json").write_text('{"requests": "all"}')
    env = {"MODEL_URI": str(digits.path), "LOG_FOLDER": str(folder), "WORKERS": "2"}
    with running({**env, "LOG_CONFIG": str(tmp_path / "log.json")}, tmp_path) as server:
        log, end = folder / "server.log", time.monotonic() + 90
        while log.read_text().count("ready: ") < 2:
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        for number in range(40):  # a connection each, so that both processes get some
            server.client.post(
                "/invocations", json=digits.rows[:1], headers={"x-request-id": f"r-{number}", "connection": "close"}
            )
        assert server.output() == "", "standard error keeps only what ends the server"
    lines = [json.loads(line) for line in (folder / "server.log").read_text().splitlines()]
    assert {line["request_id"] for line in lines if "request_id" in line} == {f"r-{n}" for n in range(40)}
    assert sum("ready: " in line["message"] for line in lines) == 2


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"LOG_FOLDER": "logs"}, "LOG_FOLDER is 'logs'; allowed: the absolute path"),
        ({"LOG_FOLDER": "/proc/no/such"}, "LOG_FOLDER is '/proc/no/such', where no log can be written"),
        ({"LOG_RETENTION_DAYS": "3"}, "LOG_RETENTION_DAYS is '3', but LOG_FOLDER is not set"),
        ({"LOG_FOLDER": "/tmp", "LOG_RETENTION_DAYS": "0"}, "LOG_RETENTION_DAYS is '0'; allowed: a whole number"),
        ({"CAPTURE_RETENTION_DAYS": "3"}, "CAPTURE_RETENTION_DAYS is '3', but CAPTURE_URI is not set"),
        (
            {"CAPTURE_RETENTION_DAYS": "3", "CAPTURE_PERCENT": "1", "CAPTURE_URI": "s3://b/c"},
            "CAPTURE_RETENTION_DAYS is '3', but CAPTURE_URI is 's3://b/c', an object store",
        ),
    ],
)
def test_bad_settings_are_named(variables: dict[str, str], words: str, digits: Digits, tmp_path: Path) -> None:
    code, output = run_to_exit({"MODEL_URI": str(digits.path), **variables}, tmp_path)
    assert code == Exit.BAD_SETTING, output
    assert words in output


def test_the_files_of_the_tree_hold_the_defaults(root: Path) -> None:
    assert logs.read(root / "log_config.json", None) == logs.LogConfig("info", "json", "errors")
    assert metrics_config.read(root / "metrics_config.yaml", None) == metrics_config.MetricsConfig()


def test_the_examples_of_the_page_are_accepted_and_its_fields_are_all(root: Path, tmp_path: Path) -> None:
    page = (root / "docs" / "server_config.md").read_text()
    (as_json,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    (as_yaml,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "log_config.json").write_text(as_json)
    (tmp_path / "metrics_config.yaml").write_text(as_yaml)
    assert logs.read(tmp_path / "log_config.json", None) == logs.LogConfig("warning", "json", "all")
    found = metrics_config.read(tmp_path / "metrics_config.yaml", None)
    assert found.latency_buckets == (0.001, 0.01, 0.1, 1.0)
    assert found.drift.min_rows == 500
    assert found.emf == metrics_config.EmfConfig("Digits", 30.0)
    for words in (LOG_LEVELS, logs.FORMATS, logs.REQUESTS):
        assert ", ".join(f"`{word}`" for word in words) in page


def test_both_files_are_seen_in_metrics_and_log(digits: Digits, tmp_path: Path) -> None:
    (tmp_path / "log_config.json").write_text('{"level": "debug", "format": "text", "requests": "all"}')
    (tmp_path / "metrics_config.yaml").write_text(
        "latency_buckets_seconds: [0.2, 7]\ndrift: {enabled: false}\nemf: {namespace: Digits, interval_seconds: 1}"
    )
    env = {"LOG_CONFIG": str(tmp_path / "log_config.json"), "METRICS_CONFIG": str(tmp_path / "metrics_config.yaml")}
    with running({"MODEL_URI": str(digits.path), **env}, tmp_path) as server:
        server.client.post("/invocations", json=digits.rows[:1])
        text = server.client.get("/metrics").text
        assert set(re.findall(r'model_request_seconds_bucket\{[^}]*le="([^"]+)"', text)) == {"0.2", "7.0", "+Inf"}
        assert "model_input_drift_psi{" not in text
        end = time.monotonic() + 90
        while '"CloudWatchMetrics"' not in server.output():
            assert time.monotonic() < end
            time.sleep(0.1)
        assert re.search(r"^\S+ \S+ INFO request request_id=.* status=200 ", server.output(), re.MULTILINE), (
            "plain text"
        )
