"""The capability table: complete, enforced for what users ask for, and what the documentation says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spec.capabilities import COLUMNS, Column, Mapped, NotBuilt, Rejected, check_capabilities, markdown, rows
from spec.errors import SpecError
from spec.service import ServiceSpec, load_service
from spec.targets import TARGETS
from tests.spec.descriptions import DIGEST, REGION, at, local

BUILT = {key: column for key, column in COLUMNS.items() if isinstance(column, Column)}
WAITING = [key for key, column in COLUMNS.items() if isinstance(column, NotBuilt)]

# For every field: a description that sets it, as few others as can be, and the value it then has.
SCHEDULE = {"cron": "0 7 * * *", "timezone": "UTC", "min": 1, "max": 2}
SETTINGS: dict[str, dict[str, Any]] = {
    "name": {"name": "digits"},
    "release": {"release": "digits@2"},
    "tags": {"tags": {"team": "ml"}},
    "protect": {"protect": True},
    "deploy_to[].cloud": {},
    "deploy_to[].target": {},
    "deploy_to[].region": {"deploy_to": {"region": "eu-central-1"}},
    "deploy_to[].port": {"deploy_to": {"port": 9000}},
    "deploy_to[].instance_type": {"deploy_to": {"instance_type": "small"}},
    "deploy_to[].network.vpc_id": {"deploy_to": {"network": {"vpc_id": "v", "subnet_ids": ["s"]}}},
    "deploy_to[].network.subnet_ids": {"deploy_to": {"network": {"vpc_id": "v", "subnet_ids": ["s"]}}},
    "deploy_to[].cluster.gateway_api": {"deploy_to": {"cluster": {"gateway_api": True}}},
    "deploy_to[].cluster.prometheus_operator": {"deploy_to": {"cluster": {"prometheus_operator": True}}},
    "deploy_to[].cluster.keda": {"deploy_to": {"cluster": {"keda": True}}},
    "deploy_to[].cluster.cert_manager": {"deploy_to": {"cluster": {"cert_manager": True}}},
    **{
        f"deploy_to[].cluster.{field}": {"deploy_to": {"cluster": {field: value, **needs}}}
        for field, value, needs in (
            ("kubeconfig", "~/.kube/config", {}),
            ("context", "prod", {}),
            ("models", "s3://bucket/models", {}),
            ("store_secret", "store", {}),
            ("store_endpoint", "https://minio.store.svc:9000", {}),
            ("custom_metrics", True, {}),
            ("monitoring_namespace", "watch", {"prometheus_operator": True}),
            ("gateway_class", "istio", {"gateway_api": True}),
            ("ingress_class", "nginx", {}),
            ("ingress_namespace", "ingress-nginx", {}),
            ("issuer", "letsencrypt", {"cert_manager": True}),
            ("tls_secret", "tls", {}),
        )
    },
    "deploy_to[].cluster.quota.cpu": {"deploy_to": {"cluster": {"quota": {"cpu": 4, "memory_gib": 8}}}},
    "deploy_to[].cluster.quota.memory_gib": {"deploy_to": {"cluster": {"quota": {"cpu": 4, "memory_gib": 8}}}},
    "canary.release": {"canary": {"release": "digits@1", "percent": 5}},
    "canary.percent": {"canary": {"release": "digits@1", "percent": 5}},
    "image.build": {"image": {"build": True}},
    "image.ref": {"image": {"ref": f"r.example/m@{DIGEST}"}},
    "image.runtime_ref": {"image": {"runtime_ref": f"r.example/s@{DIGEST}"}, "runtime": "torchserve"},
    "resources.cpu": {"resources": {"cpu": 2}},
    "resources.memory_gib": {"resources": {"memory_gib": 4}},
    "resources.accelerator": {"resources": {"accelerator": "t4"}},
    "scaling.scale_to_zero": {"scaling": {"scale_to_zero": True}},
    "scaling.min": {"scaling": {"min": 2}},
    "scaling.max": {"scaling": {"max": 3}},
    "scaling.metric": {"scaling": {"metric": "cpu"}},
    "scaling.target": {"scaling": {"target": 7}},
    **{f"scaling.schedule[].{field}": {"scaling": {"schedule": [SCHEDULE]}} for field in SCHEDULE},
    "rollout.strategy": {"rollout": {"strategy": "linear"}},
    "rollout.step_percent": {"rollout": {"strategy": "linear", "step_percent": 20}},
    "rollout.bake_minutes": {"rollout": {"strategy": "linear", "bake_minutes": 20}},
    "rollout.rollback_on_alarm": {"rollout": {"rollback_on_alarm": True}, "slo": {"availability_percent": 99}},
    "slo.availability_percent": {"slo": {"availability_percent": 99}},
    "slo.latency_ms": {"slo": {"availability_percent": 99, "latency_ms": 50}},
    "slo.latency_percentile": {"slo": {"availability_percent": 99, "latency_ms": 50, "latency_percentile": 95}},
    "slo.window_days": {"slo": {"availability_percent": 99, "window_days": 28}},
    "access.visibility": {"access": {"visibility": "public"}},
    "access.auth": {"access": {"auth": "cloud_iam"}},
    "access.principals": {"access": {"principals": ["someone"]}},
    "access.domain": {"access": {"domain": "m.example.org"}},
    "capture.percent": {"capture": {"percent": 5}},
    "capture.retention_days": {"capture": {"percent": 5, "retention_days": 7}},
    "logging.level": {"logging": {"level": "debug"}},
    "logging.retention_days": {"logging": {"retention_days": 7}},
    "encryption.customer_managed_key": {"encryption": {"customer_managed_key": True}},
    "notify.emails": {"notify": {"emails": ["a@example.org"]}},
    "notify.webhooks": {"notify": {"webhooks": ["https://example.org"]}},
    "budget.monthly_usd": {"budget": {"monthly_usd": 5}, "notify": {"emails": ["a@example.org"]}},
    "runtime": {"runtime": "torchserve"},
}


def describe(cloud: str, target: str, row: str) -> dict[str, Any]:
    setting = dict(SETTINGS[row])
    place = {"cloud": cloud, "target": target, **REGION[cloud], **setting.pop("deploy_to", {})}
    return at(place, **setting)


def value_at(spec: ServiceSpec, row: str) -> Any:
    value: Any = spec
    for part in row.split("."):
        value = getattr(value, part.removesuffix("[]"))
        value = value[0] if part.endswith("[]") else value
    return value


def rejected(spec: ServiceSpec) -> dict[str, str]:
    try:
        check_capabilities(spec)
    except SpecError as error:
        return {p.field.removeprefix("service.").replace("[0]", "[]"): str(p) for p in error.problems}
    return {}


def test_every_target_of_every_cloud_has_a_column() -> None:
    assert set(COLUMNS) == {(cloud, target) for cloud, targets in TARGETS.items() for target in targets}


def test_the_settings_of_this_test_cover_every_field() -> None:
    assert set(SETTINGS) == set(rows())


@pytest.mark.parametrize("row", list(rows()))
@pytest.mark.parametrize(("cloud", "target"), list(BUILT))
def test_every_field_on_every_target_is_honoured_or_rejected_with_the_reason(cloud: Any, target: Any, row: str) -> None:
    cell = BUILT[cloud, target].cell(row)
    assert cell is not None, f"{row} has no cell on {target}"
    try:
        spec = load_service(describe(cloud, target, row), stack="dev")
    except SpecError as error:  # the description itself forbids it there, such as a port on a cloud
        (problem,) = error.problems
        assert problem.field.startswith("service.deploy_to[0]")
        assert isinstance(cell, Rejected), f"{row} can never be set on {target}, yet the table says it is mapped"
        return
    found = rejected(spec)
    if isinstance(cell, Rejected):
        assert cell.reason in found[row]
        assert target in found[row]
    elif cell.only is not None and value_at(spec, row) not in cell.only:
        assert cell.otherwise in found[row]
    else:
        assert row not in found


@pytest.mark.parametrize(("cloud", "target"), list(BUILT))
def test_every_cell_says_something_and_matches_a_field(cloud: Any, target: Any) -> None:
    for key, cell in BUILT[cloud, target].cells.items():
        assert any(row == key or row.startswith((f"{key}.", f"{key}[")) for row in rows()), f"{key} is no field"
        text = cell.reason if isinstance(cell, Rejected) else cell.how
        assert text.strip()
        if isinstance(cell, Mapped):
            assert (cell.only is None) == (cell.otherwise == ""), key


@pytest.mark.parametrize("stack", ["dev", "prod"])
@pytest.mark.parametrize(("cloud", "target"), list(BUILT))
def test_defaults_are_never_an_error(cloud: Any, target: Any, stack: str) -> None:
    check_capabilities(load_service(at({"cloud": cloud, "target": target, **REGION[cloud]}), stack=stack))


@pytest.mark.parametrize(("cloud", "target"), WAITING)
def test_a_target_that_is_not_built_is_an_error_that_says_so(cloud: str, target: str) -> None:
    found = rejected(load_service(at({"cloud": cloud, "target": target, **REGION[cloud]}), stack="dev"))
    message = found["deploy_to[].target"]
    assert "not built yet" in message
    assert "process on local" in message


def test_values_that_change_nothing_may_be_written_out() -> None:
    config = local(
        protect=False,
        scaling={"min": 1, "max": 1, "scale_to_zero": False},
        rollout={"strategy": "all_at_once", "rollback_on_alarm": False},
        access={"visibility": "private", "auth": "none", "principals": []},
        encryption={"customer_managed_key": False},
        runtime="onnx",
        tags={},
        slo=None,
    )
    check_capabilities(load_service(config, stack="dev"))


def test_a_field_of_one_place_is_held_against_that_place_only() -> None:
    places = [{"cloud": "aws", "region": "us-east-1", "instance_type": "ml.m5.large"}, {"cloud": "local"}]
    found = rejected(load_service(local(deploy_to=places), stack="dev"))
    assert not any("instance_type" in field for field in found)


def test_the_documentation_is_the_table(root: Path) -> None:
    written = (root / "docs" / "capabilities.md").read_text(encoding="utf-8")
    assert written == markdown(), "run `.venv/bin/python -m spec.capabilities > docs/capabilities.md`"
