"""Every contract's table of good and bad requests, against the real server in each platform's environment.

What this does not prove: that a platform sends exactly these requests. The clients that nobody here wrote are asked in
test_clients.py; the platforms' own code runs in the tests of the image.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from spec import contracts
from tests.ports import free_port
from tests.serving_image import conformance
from tests.serving_image.conformance import Case
from tests.serving_image.conftest import Digits
from tests.serving_image.server_process import ServerProcess, running


@pytest.mark.parametrize("case", conformance.everywhere(), ids=lambda case: case.name)
def test_every_contract_on_a_plain_machine(case: Case, server: ServerProcess, digits: Digits) -> None:
    conformance.check(case, server.client, digits)


@pytest.fixture(scope="module")
def vertex(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """As Vertex AI starts it: its own port, routes and storage variable."""
    port = free_port()
    env = {
        "AIP_HTTP_PORT": str(port),
        "AIP_HEALTH_ROUTE": "/v1/endpoints/1/deployedModels/2",
        "AIP_PREDICT_ROUTE": "/v1/endpoints/1/deployedModels/2:predict",
        "AIP_STORAGE_URI": digits.path.as_uri(),
    }
    with running(env, tmp_path_factory.mktemp("vertex"), port=port) as process:
        yield process


@pytest.mark.parametrize(
    "case",
    conformance.vertex("/v1/endpoints/1/deployedModels/2:predict", "/v1/endpoints/1/deployedModels/2"),
    ids=lambda case: case.name,
)
def test_vertex_on_its_own_routes(case: Case, vertex: ServerProcess, digits: Digits) -> None:
    conformance.check(case, vertex.client, digits)


@pytest.fixture(scope="module")
def shared_routes(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """As Vertex AI starts it where the user chose routes that other contracts have."""
    port = free_port()
    env = {
        "AIP_HTTP_PORT": str(port),
        "AIP_HEALTH_ROUTE": "/ping",
        "AIP_PREDICT_ROUTE": "/invocations",
        "AIP_STORAGE_URI": str(digits.path),
    }
    with running(env, tmp_path_factory.mktemp("shared"), port=port) as process:
        yield process


@pytest.mark.parametrize("case", conformance.vertex("/invocations", "/ping"), ids=lambda case: case.name)
def test_vertex_on_routes_of_other_contracts(case: Case, shared_routes: ServerProcess, digits: Digits) -> None:
    conformance.check(case, shared_routes.client, digits)


@pytest.fixture(scope="module")
def azure(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """As Azure ML starts it: the release lies two folders below the one it names."""
    folder = tmp_path_factory.mktemp("azure")
    shutil.copytree(digits.path, folder / "model" / "digits" / "1")
    with running({"AZUREML_MODEL_DIR": str(folder / "model")}, folder) as process:
        yield process


@pytest.mark.parametrize("case", conformance.azure_ml(), ids=lambda case: case.name)
def test_azure_ml_in_its_environment(case: Case, azure: ServerProcess, digits: Digits) -> None:
    conformance.check(case, azure.client, digits)


def test_every_route_of_the_table_is_asked() -> None:
    """A route that is added to the table without a request here fails this test."""
    asked = {
        (case.contract, case.method, case.path)
        for case in [*conformance.everywhere(), *conformance.vertex("<AIP_PREDICT_ROUTE>", "<AIP_HEALTH_ROUTE>")]
        if case.status == 200
    }
    names = {"{model}": "digits", "{version}": "1", "{label}": "stable"}
    missing = []
    for route in contracts.ROUTES:
        path = route.path
        for placeholder, name in names.items():
            path = path.replace(placeholder, name)
        if route.contract != contracts.ADMINISTRATION and (route.contract, route.method, path) not in asked:
            missing.append(f"{route.contract} {route.method} {route.path}")
    assert missing == []


def test_the_server_has_counted_every_contract(server: ServerProcess, digits: Digits, tmp_path: Path) -> None:
    before = server.metric("model_requests_total", contract="torchserve", code="200")
    server.client.post("/predictions/digits", json=digits.rows[0])
    assert server.metric("model_requests_total", contract="torchserve", code="200") == before + 1
    assert server.metric("model_release_info", model="digits", version="1") == 1
