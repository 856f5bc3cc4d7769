"""A cluster from the command line: the files for `kubectl apply`, and what refuses to deploy without the CLI.

Whether a cluster takes the files is not shown here: they hold what the golden manifests are held against.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from components.kubernetes import validation
from operations.errors import OperationError
from operations.manifests import write
from operations.workspace import Workspace
from tests.operations.checkout import Checkout
from tests.training.small import write_small


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout.make(tmp_path / "tree", "embedded")
    write_small(made.root / "models", "digits")
    return made


def documents(file: Path) -> list[dict[str, object]]:
    return [one for one in yaml.safe_load_all(file.read_text()) if one is not None]


def test_the_files(checkout: Checkout) -> None:
    told = checkout.run("manifests")
    assert told.returncode == 0, told.stdout
    folder = Path("build") / "manifests"
    assert told.stdout.splitlines() == [
        f"kubectl apply --server-side -f {folder / 'resources.yaml'}",
        f"kubectl apply --server-side -f {folder / 'deployment.yaml'}",
    ]
    resources = documents(checkout.root / folder / "resources.yaml")
    deployment = documents(checkout.root / folder / "deployment.yaml")
    assert validation.problems([*resources, *deployment]) == []
    assert [one["kind"] for one in resources] == [
        "Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy", "NetworkPolicy", "NetworkPolicy",
        "ServiceAccount",
    ]  # fmt: skip
    assert [one["kind"] for one in deployment] == [
        "Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler", "Certificate", "Ingress",
        "PodMonitor", "PrometheusRule",
    ]  # fmt: skip
    # A file that is passed around holds no secret, and says how the one that is missing is made.
    text = (checkout.root / folder / "resources.yaml").read_text()
    assert "kubectl --namespace digits-kubernetes create secret generic digits-token" in text


def test_what_is_wrong_is_said_and_nothing_written(checkout: Checkout) -> None:
    file = checkout.root / "Pulumi.kubernetes.yaml"
    content = yaml.safe_load(file.read_text())
    service = content["config"]["cloud-ml-deployment:service"]
    service["resources"]["memory_gib"] = 0.05
    service["deploy_to"][0]["cluster"]["prometheus_operator"] = False
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(OperationError) as raised:
        write(Workspace(checkout.root), "kubernetes", checkout.root / "out")
    assert "service.resources.memory_gib is 0.05" in str(raised.value)
    assert "service.slo is set" in str(raised.value)
    assert not (checkout.root / "out").exists()


def test_a_stack_without_a_cluster(checkout: Checkout) -> None:
    told = checkout.run("manifests", "--stack", "dev")
    assert told.returncode == 1
    assert "STACK is 'dev', which deploys to local-process" in told.stdout
    assert "such as kubernetes" in told.stdout


@pytest.mark.parametrize("command", ["up", "preview"])
def test_the_embedded_engine_does_not_deploy_to_a_cluster(command: str, checkout: Checkout) -> None:
    told = checkout.run(command, "--stack", "kubernetes")
    assert told.returncode == 1
    assert "stack 'kubernetes' deploys to kubernetes, and that needs the Pulumi CLI" in told.stdout
    assert "make plan STACK=kubernetes" in told.stdout
    assert not checkout.state()
