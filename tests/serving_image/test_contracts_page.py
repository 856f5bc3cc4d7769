"""docs/contracts.md: it is the tables, its limits are the server's, its commands answer what it says."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from model_server import protocol
from model_server import settings as settings_module

from spec import contract_rules as rules
from spec import contracts
from spec.contracts_page import markdown
from tests.ports import free_port
from tests.real_parts import need
from tests.serving_image import releases
from tests.serving_image.server_process import ServerProcess, running

TOKEN = "a-token-for-the-examples"


def test_the_page_is_written_from_the_tables(root: Path) -> None:
    assert (root / "docs" / "contracts.md").read_text() == markdown(), "run `make docs`"


def test_its_limits_are_the_servers() -> None:
    settings = settings_module.read({"MODEL_URI": "/models/digits/v1"})
    found = {
        contracts.MAX_BODY_MIB: settings.max_body / 2**20,
        contracts.MAX_BATCH: settings.max_batch,
        contracts.MAX_QUEUE: settings.max_queue,
        contracts.REQUEST_TIMEOUT_SECONDS: settings.request_timeout,
        contracts.MAX_CONNECTIONS: settings.max_connections,
    }
    assert found == {limit.variable: limit.default for limit in rules.LIMITS if limit.variable}
    assert protocol.MAX_HEAD == rules.MAX_HEAD_KIB * 1024
    assert protocol.REQUEST_SECONDS == rules.ARRIVAL_SECONDS


@pytest.fixture(scope="module")
def example_releases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    models = tmp_path_factory.mktemp("examples")
    graph, sample = releases.doubling_model((4,))
    return tuple(releases.write_release(models, "example", graph, sample) for _ in range(2))  # pyright: ignore[reportReturnType]


@pytest.fixture(scope="module")
def plain(example_releases: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    port = free_port()
    env = {"AIP_HTTP_PORT": str(port), "AIP_HEALTH_ROUTE": "/health", "AIP_PREDICT_ROUTE": "/predict"}
    with running({"MODEL_URI": str(example_releases[0]), **env}, tmp_path_factory.mktemp("plain"), port=port) as server:
        yield server


@pytest.fixture(scope="module")
def administered(
    example_releases: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("administered")
    (folder / "token").write_text(TOKEN)
    stable, canary = map(str, example_releases)
    env = {"MODEL_URI": stable, "CANARY_URI": canary, "ADMIN": "on", "AUTH_TOKEN_FILE": str(folder / "token")}
    with running(env, folder) as server:
        yield server


def _holds(answer: Any, said: Any) -> bool:
    """Whether the answer has all that the page says; the administration's answer has measurements besides."""
    if isinstance(said, dict):
        return isinstance(answer, dict) and all(_holds(answer.get(key), value) for key, value in said.items())
    if isinstance(said, list):
        return len(answer) == len(said) and all(map(_holds, answer, said))
    return answer == said


def test_every_contract_has_an_example() -> None:
    assert {example.contract for example in rules.EXAMPLES} == {c.name for c in contracts.CONTRACTS} - {contracts.HUMAN}


@pytest.mark.parametrize("example", rules.EXAMPLES, ids=lambda example: example.contract)
def test_its_commands_answer_what_it_says(example: rules.Example, request: pytest.FixtureRequest) -> None:
    curl = need("curl", "apt-get install curl")
    server = request.getfixturevalue(
        "administered" if example.contract == contracts.ADMINISTRATION else "plain"
    )  # one of the two
    env = {"URL": server.url, "TOKEN": TOKEN, "PATH": str(curl.parent)}
    ran = subprocess.run(["/bin/sh", "-c", example.curl()], env=env, capture_output=True, text=True, check=True)
    assert example.curl() in markdown()
    if example.contract == contracts.ADMINISTRATION:
        assert _holds(json.loads(ran.stdout), json.loads(example.answer)), ran.stdout
    else:
        assert ran.stdout.strip() == example.answer
