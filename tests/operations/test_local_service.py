"""What a service description asks of the local process beside its release, as a user runs it, on both engines.

Real releases, a real server process, real requests. One tree per engine, changed by plain `up`s.
What this does not prove: that files of another day are begun at midnight (tests/serving_image/test_log_files.py does).
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.operations.checkout import Checkout

ENGINES = ["embedded", pytest.param("cli", marks=pytest.mark.engine)]
LONG_AGO = time.time() - 3 * 86_400


@pytest.fixture(params=ENGINES, scope="module")
def tree(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Checkout]:
    if request.param == "cli" and shutil.which("pulumi") is None:
        pytest.skip("the Pulumi CLI is not on PATH")
    made = Checkout.make(tmp_path_factory.mktemp("checkout") / "tree", request.param)
    shutil.copytree(models, made.root / "models", symlinks=True)
    yield made
    assert made.run("down").returncode == 0
    assert not list((made.root / ".local" / "data").glob("*/digits")), "what a service kept goes with it"


def up(tree: Checkout, **fields: Any) -> str:
    """`up` of a description with these fields beside release and place."""
    asked = {"name": "digits", "release": "digits@1", "deploy_to": tree.service()["deploy_to"], **fields}
    tree.describe(asked)
    result = tree.run("up")
    assert result.returncode == 0, result.stdout
    return result.stdout


def url(tree: Checkout, path: str) -> str:
    return f"http://127.0.0.1:{tree.service()['deploy_to'][0]['port']}{path}"


def exports(tree: Checkout) -> dict[str, Any]:
    return json.loads(tree.run("outputs").stdout)["local-process"]


def row(tree: Checkout) -> list[float]:
    samples = json.loads((tree.root / "models" / "digits" / "v1" / "samples.json").read_text())
    return next(iter(samples["samples"][0]["inputs"].values()))


def predict(tree: Checkout, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(url(tree, "/invocations"), json=[row(tree)], headers=named, timeout=60)


def versions(tree: Checkout, count: int, **headers: str) -> list[str]:
    with httpx.Client(headers={name.replace("_", "-"): value for name, value in headers.items()}, timeout=60) as client:
        body = [row(tree)]
        return [client.post(url(tree, "/invocations"), json=body).headers["x-model-version"] for _ in range(count)]


def age(file: Path) -> Path:
    """Write a file that was last touched three days ago."""
    file.write_text("{}\n")
    os.utime(file, (LONG_AGO, LONG_AGO))
    return file


def wait_for(condition: Any) -> None:
    end = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_token(tree: Checkout) -> None:
    said = up(tree, access={"auth": "token"})
    assert "which is right" in said
    curl = next(line for line in said.splitlines() if line.startswith("curl "))
    answer = json.loads(subprocess.run(["/bin/sh", "-c", curl], check=True, capture_output=True, text=True).stdout)
    assert answer["model_name"] == "digits"

    file = Path(exports(tree)["invoke"]["token_file"])
    token = file.read_text().strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for place in (said, tree.state(), tree.run("outputs").stdout):
        assert token not in place
    assert predict(tree, authorization=f"Bearer {token}").status_code == 200
    for wrong in ({}, {"authorization": "Basic x"}, {"authorization": f"Bearer {token}x"}):
        refused = predict(tree, **wrong)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
    assert httpx.get(url(tree, "/metrics"), timeout=60).status_code == 401
    assert httpx.get(url(tree, "/readyz"), timeout=60).status_code == 200


def test_a_token_that_somebody_changed_is_made_anew_and_no_other_is(tree: Checkout) -> None:
    up(tree, access={"auth": "token"})
    file = Path(exports(tree)["invoke"]["token_file"])
    token = file.read_text().strip()
    up(tree, access={"auth": "token"}, logging={"level": "debug"})
    assert file.read_text().strip() == token, "an `up` keeps the token"

    file.write_text("somebody-wrote-another-token-here\n")
    assert "which is right" in up(tree, access={"auth": "token"})
    made_anew = Path(exports(tree)["invoke"]["token_file"]).read_text().strip()
    assert made_anew not in (token, "somebody-wrote-another-token-here")
    assert predict(tree, authorization=f"Bearer {token}").status_code == 401
    assert len(list(file.parent.glob("token-*"))) == 1


def test_canary(tree: Checkout) -> None:
    up(tree, canary={"release": "digits@2", "percent": 40})
    answered = versions(tree, 300)
    # Of 300 at 40 %, 120 ± 8.5: outside of 60 to 180 once in 10^11 runs.
    assert 60 < answered.count("2") < 180
    metrics = httpx.get(url(tree, "/metrics"), timeout=60).text
    for release in ("digits@1", "digits@2"):
        assert f'release="{release}"' in metrics
    for key in ("anna", "bert", "carl"):
        assert len(set(versions(tree, 10, x_sticky_key=key))) == 1
    assert exports(tree)["canary"] == "digits@2"

    up(tree, canary={"release": "digits@2", "percent": 100})
    assert set(versions(tree, 20)) == {"2"}

    up(tree, release="digits@2")
    assert set(versions(tree, 5)) == {"2"}
    assert len(list((tree.root / ".local" / "store").rglob("model.onnx"))) == 1
    assert not list((tree.root / ".local").glob("canary-store/**/model.onnx"))


def test_a_canary_that_is_the_release(tree: Checkout) -> None:
    before = tree.made()
    tree.edit(release="digits@2", canary={"release": "digits@latest", "percent": 5})
    result = tree.run("up")
    assert result.returncode == 1
    assert "service.canary.release is 'digits@latest'" in result.stdout
    assert tree.made() == before


def test_capture_and_logging(tree: Checkout) -> None:
    days = {"retention_days": 2}
    up(tree, capture={"percent": 100, **days}, logging=days)
    found = exports(tree)
    log, folder = Path(found["log_file"]), Path(found["capture_folder"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert '"ready: digits@1' in log.read_text()
    predict(tree, x_request_id="caught-1")

    def caught() -> list[dict[str, Any]]:
        records = [json.loads(line) for file in folder.glob("capture-*") for line in file.read_text().splitlines()]
        return [record for record in records if record.get("request_id") == "caught-1"]

    wait_for(caught)
    (record,) = caught()
    assert json.loads(record["request"]["text"]) == [row(tree)]
    assert record["release"] == "digits@1"

    old = [age(folder / "capture-20200101T000000Z-1-1.jsonl"), age(log.parent / "server-2020-01-01.log")]
    foreign = age(folder / "notes.txt")
    before = log.read_text()
    up(tree, capture={"percent": 100, **days}, logging={"level": "error", **days})
    assert not any(file.exists() for file in old)
    assert foreign.exists()
    assert caught()
    assert log.read_text().startswith(before), "a restart goes on with the day's file"
    assert "ready: " not in log.read_text()[len(before) :]

    (tree.root / "log_config.json").write_text('{"requests": "all"}')
    up(tree)
    assert not folder.exists()
    predict(tree, x_request_id="logged-1")
    wait_for(lambda: '"request_id": "logged-1"' in log.read_text())


def test_a_bad_configuration_file_keeps_the_old_server(tree: Checkout) -> None:
    up(tree)
    file = tree.root / "metrics_config.yaml"
    good = file.read_text()
    file.write_text("drift: {min_rows: 0}")
    result = tree.run("up")
    file.write_text(good)
    assert result.returncode == 1
    assert "metrics_config.yaml: drift.min_rows is 0; allowed: a whole number from 1" in result.stdout
    assert "the old server was started again" in result.stdout
    assert predict(tree).status_code == 200


def test_what_was_kept_outlives_a_protected_service(tree: Checkout) -> None:
    up(tree, protect=True, capture={"percent": 10}, access={"auth": "token"})
    found = exports(tree)
    assert tree.run("down").returncode == 0
    assert Path(found["log_file"]).exists()
    assert Path(found["capture_folder"]).exists()
    assert not Path(found["invoke"]["token_file"]).exists()
    up(tree, capture={"percent": 10})  # the folders are the service's again
