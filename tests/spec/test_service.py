"""Every rule of the service description with a good and a bad example, and errors that say where and what to do."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from spec.errors import SpecError
from spec.fields import Scaling
from spec.places import DeployTo
from spec.service import ServiceSpec, json_schema, load_service
from spec.targets import TARGETS
from spec.validation import section_type
from tests.spec.descriptions import AWS, at, local
from tests.spec.rules import RULES


def problems(config: Any, stack: str = "dev") -> list[tuple[str, str, str, str]]:
    with pytest.raises(SpecError) as caught:
        load_service(config, stack=stack)
    return [(p.field, p.value, p.allowed, p.fix) for p in caught.value.problems]


def test_defaults_are_secure_and_cheap() -> None:
    spec = load_service(at(AWS), stack="production")
    assert spec.protect is True
    assert spec.access.visibility == "private"
    assert spec.access.auth_on("aws") == "cloud_iam"
    assert spec.encryption.customer_managed_key is True
    assert spec.logging.retention_days == 30
    assert (spec.scaling.min, spec.scaling.max, spec.resources.cpu, spec.resources.memory_gib) == (1, 1, 1.0, 2.0)
    assert spec.capture is None
    assert spec.runtime == "onnx"


def test_local_is_open_on_the_loopback_address_only() -> None:
    access = load_service(local(), stack="dev").access
    assert (access.visibility, access.auth_on("local")) == ("private", "none")
    assert load_service(local(access={"auth": "token"}), stack="dev").access.auth_on("local") == "token"


@pytest.mark.parametrize(
    ("stack", "asked", "protect"),
    [("dev", {}, False), ("dev", {"protect": True}, True), ("prod", {}, True), ("prod", {"protect": False}, False)],
)
def test_protect_follows_the_stack_unless_asked_for(stack: str, asked: dict[str, bool], protect: bool) -> None:
    spec = load_service(local(**asked), stack=stack)
    assert spec.protect is protect
    assert ("protect" in spec.model_fields_set) is bool(asked)


@pytest.mark.parametrize(
    ("cloud", "target"), [("local", "process"), ("aws", "sagemaker"), ("azure", "ml"), ("gcp", "vertex")]
)
def test_each_cloud_has_a_default_target(cloud: str, target: str) -> None:
    region = {
        "local": {},
        "aws": {"region": "us-east-1"},
        "azure": {"region": "westeurope"},
        "gcp": {"region": "us-central1"},
    }
    spec = load_service(at({"cloud": cloud, **region[cloud]}), stack="dev")
    assert spec.deploy_to[0].target == target


def test_every_target_belongs_to_one_cloud() -> None:
    assert len({target for targets in TARGETS.values() for target in targets}) == sum(map(len, TARGETS.values()))


def test_places_have_names_of_their_own() -> None:
    config = local(
        deploy_to=[{**AWS, "target": "lambda"}, {"cloud": "azure", "target": "container_apps", "region": "westeurope"}]
    )
    assert [where.name for where in load_service(config, stack="dev").deploy_to] == [
        "aws-lambda-eu-central-1",
        "azure-container-apps-westeurope",
    ]


@pytest.mark.parametrize(
    ("good", "bad", "field", "value", "allowed", "fix"), RULES, ids=[f"{rule[2]}-{i}" for i, rule in enumerate(RULES)]
)
def test_rule(good: dict[str, Any], bad: dict[str, Any], field: str, value: str, allowed: str, fix: str) -> None:
    load_service(good, stack="dev")
    (found,) = problems(bad)
    assert found[0] == field
    assert value in found[1]
    assert allowed in found[2]
    assert fix in found[3]


def test_the_message_has_a_line_per_problem_with_all_four_parts() -> None:
    with pytest.raises(SpecError) as caught:
        load_service(local(nmae="x", deploy_to=[{"cloud": "lokal", "port": "80"}]), stack="dev")
    assert str(caught.value).splitlines() == [
        "the service description has 3 problems:",
        "  - service.deploy_to[0].cloud is 'lokal'; allowed: aws, azure, gcp or local. Did you mean local?",
        "  - service.deploy_to[0].port is '80'; allowed: a whole number (TCP port on the loopback address; "
        "cloud local only). Change port.",
        f"  - service.nmae is not a field; allowed: {', '.join(list(ServiceSpec.model_fields)[:-1])} or runtime. "
        "Did you mean name?",
    ]


def test_missing_fields_are_named_with_what_belongs_there() -> None:
    found = problems({"name": "digits"})
    assert [(p[0], p[1]) for p in found] == [("service.release", "missing"), ("service.deploy_to", "missing")]
    assert found[1][3] == "Add deploy_to: beneath service."


@pytest.mark.parametrize("config", [[], "digits", None, 3])
def test_a_description_that_is_no_mapping(config: Any) -> None:
    assert problems(config)[0][0] == "service"


@pytest.mark.parametrize(
    "value",
    [{"port": "8080"}, {"port": True}, {"port": 8080.5}, {"instance_type": 3}, {"network": []}],
    ids=str,
)
def test_types_are_not_guessed(value: dict[str, Any]) -> None:
    assert problems(at({"cloud": "local", **value}))[0][0] == f"service.deploy_to[0].{next(iter(value))}"


@pytest.mark.parametrize("secret", ["http://chat.example/T0KEN", "chat.example/T0KEN", ["T0KEN"]])
def test_a_webhook_never_stands_in_an_error_or_a_repr(secret: Any) -> None:
    assert "T0KEN" not in str(problems(local(notify={"webhooks": [secret]})))
    assert "T0KEN" not in repr(load_service(local(notify={"webhooks": ["https://chat.example/T0KEN"]}), stack="dev"))


def sections(model: type[BaseModel] = ServiceSpec) -> list[type[BaseModel]]:
    nested = filter(None, (section_type(info.annotation) for info in model.model_fields.values()))
    return [model, *(found for section in nested for found in sections(section))]


def test_every_field_is_described_and_every_section_closed_and_frozen() -> None:
    for section in sections():
        assert section.model_config.get("extra") == "forbid", section
        assert section.model_config.get("frozen") is True, section
        for name, info in section.model_fields.items():
            assert (info.description or "").endswith("."), f"{section.__name__}.{name}"
    spec = load_service(local(), stack="dev")
    with pytest.raises(ValidationError):
        spec.name = "other"  # pyright: ignore[reportAttributeAccessIssue]


def test_units_stand_in_descriptions() -> None:
    units = {
        "percent": "percent",
        "_ms": "milliseconds",
        "_gib": "GiB",
        "_days": "[Dd]ays",
        "_minutes": "minutes",
        "_usd": "dollars",
    }
    for section in sections():
        for name, info in section.model_fields.items():
            for suffix, unit in units.items():
                if name.endswith(suffix):
                    assert re.search(unit, info.description or ""), f"{section.__name__}.{name}"


def test_json_schema_knows_every_section() -> None:
    schema = json_schema()
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(ServiceSpec.model_fields)
    assert "port" in schema["$defs"]["DeployTo"]["properties"]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
NAMES = ["cloud", "target", "percent", "release", "min", "max", "webhooks", "availability_percent", "y"]
NONSENSE = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
@given(st.dictionaries(st.sampled_from([*ServiceSpec.model_fields, "x"]), NONSENSE, max_size=3))
def test_any_nonsense_gets_a_spec_error_and_nothing_else(config: dict[str, Any]) -> None:
    try:
        load_service(local(**config), stack="dev")
    except SpecError as error:
        found = error.problems
    else:
        return
    assert found
    assert all(p.field.startswith("service") and p.allowed and p.fix for p in found)


@settings(deadline=None)
@given(st.booleans(), st.none() | st.integers(0, 12), st.none() | st.integers(1, 12))
def test_scaling_bounds_are_ordered_whatever_is_left_out(zero: bool, low: int | None, high: int | None) -> None:
    given = {"scale_to_zero": zero} | ({} if low is None else {"min": low}) | ({} if high is None else {"max": high})
    try:
        scaling = Scaling.model_validate(given)
    except ValidationError:
        assert low is not None  # leaving out is always good, but for what a set bound contradicts
        return
    assert 0 <= scaling.min <= scaling.max
    assert (scaling.min == 0) == zero


@given(
    st.sampled_from([(cloud, target) for cloud, targets in TARGETS.items() for target in targets]),
    st.sampled_from(list(TARGETS)),
)
def test_a_target_is_accepted_on_its_own_cloud_only(pair: tuple[str, str], cloud: str) -> None:
    region = {"aws": "us-east-1", "azure": "westeurope", "gcp": "us-central1", "local": None}[cloud]
    try:
        where = DeployTo.model_validate({"cloud": cloud, "target": pair[1], "region": region})
    except ValidationError:
        assert pair[0] != cloud
    else:
        assert pair[0] == cloud
        assert where.name.startswith(cloud)
