"""What a user may get wrong for SageMaker is answered at preview: field, value, what is allowed, what to do.

Each time nothing was registered before. That AWS itself refuses these is known from its documents, not shown here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.session import Session
from pulumi_aws import Region

from components.aws.instances import SAGEMAKER
from spec.service import load_service
from stacks.aws_checks import ENDPOINT_LENGTH, ENDPOINT_NAME, RETENTION_DAYS, problems
from stacks.aws_sagemaker import ARM, INSTANCE_TYPE
from tests.components.aws.whole import refused

PLACE = {"cloud": "aws", "target": "sagemaker", "region": "eu-central-1"}
DIGEST = f"sha256:{'0' * 64}"
ROLE = "arn:aws:iam::123456789012:role"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            {"scaling": {"scale_to_zero": True}},
            ["scaling.scale_to_zero is true", "false on target sagemaker", "always has a replica"],
            id="scale-to-zero",
        ),
        pytest.param(
            {"access": {"visibility": "public", "auth": "none"}},
            ["access.auth is 'none'", "'cloud_iam' on target sagemaker"],
            id="public-without-auth",
        ),
        pytest.param(
            {"deploy_to": [{**PLACE, "region": "Frankfurt"}]},
            ["deploy_to[0].region is 'Frankfurt'", "such as eu-central-1"],
            id="region-in-no-form",
        ),
        pytest.param(
            {"deploy_to": [{**PLACE, "region": "eu-centrl-1"}]},
            ["deploy_to[0].region is 'eu-centrl-1'", "Did you mean eu-central-1?"],
            id="region-that-is-not-there",
        ),
        pytest.param(
            {"scaling": {"min": 5, "max": 2}}, ["scaling.min is 5", "at most max, which is 2"], id="min-above-max"
        ),
        pytest.param(
            {"resources": {"accelerator": "nvidia-t4"}}, ["resources.accelerator is 'nvidia-t4'"], id="accelerator"
        ),
        pytest.param(
            {"canary": {"release": "digits@7", "percent": 5}},
            ["canary.release is 'digits@7'", "digits@1, digits@2 or digits@latest", "train or fetch"],
            id="canary-that-does-not-exist",
        ),
        pytest.param(
            {"release": "digits@2", "canary": {"release": "digits@latest", "percent": 5}},
            ["canary.release is 'digits@latest', which is digits@2", "another release"],
            id="canary-of-the-same-release",
        ),
        pytest.param(
            {"release": "digits@9"}, ["release is 'digits@9'", "does not exist"], id="release-that-does-not-exist"
        ),
        pytest.param(
            {"image": {"ref": f"12345678901.dkr.ecr.eu-central-1.amazonaws.com/server@{DIGEST}"}},
            [
                "image.ref is '12345678901.dkr.ecr",
                "an image in Amazon ECR like 123456789012.dkr.ecr.",
                "Correct the name",
            ],
            id="image-of-no-account",
        ),
        pytest.param(
            {"image": {"ref": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/server:1"}},
            ["image.ref is '123456789012.dkr.ecr", "@sha256:"],
            id="image-by-tag",
        ),
        pytest.param(
            {"image": {"ref": f"ghcr.io/me/server@{DIGEST}", "build": True}},
            ["image.build is true", "false or nothing beside ref"],
            id="image-both-ways",
        ),
        pytest.param(
            {"access": {"principals": ["*"]}},
            ["access.principals[0] is '*'", "the ARN of a role or user"],
            id="everybody-as-principal",
        ),
        pytest.param(
            {"access": {"principals": [f"{ROLE}/a/caller", f"{ROLE}/b/caller"]}},
            [f"access.principals[1] is '{ROLE}/b/caller'", f"{ROLE}/a/caller is the same"],
            id="a-principal-twice",
        ),
        pytest.param(
            {"scaling": {"min": 1, "max": 2}},
            ["rollout.strategy is 'canary' with scaling.min 1", "at least 2", "Raise scaling.min"],
            id="steps-of-one-instance",
        ),
        pytest.param(
            {"rollout": {"strategy": "linear", "step_percent": 5}},
            ["rollout.step_percent is 5", "10 to 50 with strategy linear"],
            id="steps-too-small",
        ),
        pytest.param(
            {"deploy_to": [PLACE, PLACE]}, ["deploy_to[1] is", "deploy_to[0] is the same place"], id="one-place-twice"
        ),
        pytest.param(
            {"deploy_to": [{**PLACE, "instance_type": "m5.large"}]},
            ["deploy_to[0].instance_type is 'm5.large'", "such as ml.m5.large"],
            id="type-of-ec2",
        ),
        pytest.param(
            {"deploy_to": [{**PLACE, "instance_type": "ml.c7g.large"}]},
            ["'ml.c7g.large'", "x86", "linux/amd64"],
            id="arm",
        ),
        pytest.param(
            {"deploy_to": [{**PLACE, "instance_type": "ml.m5.large"}], "resources": {"memory_gib": 16}},
            ["'ml.m5.large', which has 2 CPUs and 8 GiB", "memory_gib 16"],
            id="type-too-small",
        ),
        pytest.param(
            {"resources": {"cpu": 100}}, ["resources is cpu 100", "at most 96 and 768"], id="larger-than-any-type"
        ),
        pytest.param(
            {"logging": {"retention_days": 10}}, ["logging.retention_days is 10", "Set 14"], id="days-of-no-log-group"
        ),
        pytest.param(
            {"scaling": {"min": 2, "max": 3, "schedule": [{"cron": "0 7 1 * 1", "min": 2, "max": 3}]}},
            ["scaling.schedule[0].cron is '0 7 1 * 1'", "Write two entries"],
            id="both-kinds-of-day",
        ),
        pytest.param(
            {"scaling": {"min": 2, "max": 3, "schedule": [{"cron": "0 7 * * 1", "min": 0, "max": 3}]}},
            ["scaling.schedule[0].min is 0", "1 or more"],
            id="schedule-to-zero",
        ),
        pytest.param({"tags": {"service": "mine"}}, ["tags.service is 'mine'", "set for every service"], id="own-tags"),
        pytest.param(
            {"notify": {"webhooks": ["http://localhost:9/token-xyz"]}},
            ["notify.webhooks[0]", "cannot reach this machine"],
            id="webhook-of-this-machine",
        ),
    ],
)
def test_misuse(change: dict[str, Any], said: list[str], service: dict[str, Any], tree: Path) -> None:
    text = refused({**service, **change}, tree)
    for part in said:
        assert part in text
    assert "allowed" in text
    assert "token-xyz" not in text  # a webhook may hold a secret


@pytest.mark.parametrize("stack", ["a" * 57, "team.prod", "prod_", "a--" + "b" * 54])
def test_a_stack_whose_name_makes_no_endpoint_name(stack: str, service: dict[str, Any], tree: Path) -> None:
    text = refused(service, tree, stack=stack)
    assert f"the stack's name is '{stack}'" in text
    assert "at most 56 characters" in text


def test_the_longest_stack_name_is_allowed(service: dict[str, Any]) -> None:
    spec = load_service(service, stack="a" * 56)
    assert problems(spec, spec.deploy_to, "a" * 56) == []


def test_all_problems_are_said_at_once(service: dict[str, Any], tree: Path) -> None:
    service |= {
        "image": {"ref": f"x.dkr.ecr.y/server@{DIGEST}"},
        "logging": {"retention_days": 2},
        "canary": {"release": "digits@7", "percent": 5},
    }
    text = refused(service | {"tags": {"stack": "x"}}, tree)
    fields = ("tags.stack", "image.ref", "logging.retention_days", "canary.release")
    assert [text.count(f"service.{field} is") for field in fields] == [1] * 4


def test_two_networks_in_one_region(service: dict[str, Any]) -> None:
    network = {"vpc_id": "vpc-1", "subnet_ids": ["subnet-1"]}
    places = [{**PLACE, "network": network}, {**PLACE, "target": "ecs", "network": {**network, "vpc_id": "vpc-2"}}]
    spec = load_service({**service, "deploy_to": places}, stack="aws")
    (found,) = problems(spec, spec.deploy_to, "aws")
    assert str(found).startswith("service.deploy_to[1].network is 'vpc-2'; allowed: the network of deploy_to[0]")


class TestAgainstBotocore:
    """What the checks hold for AWS's own words, held against the models that AWS publishes with botocore."""

    def test_no_region_of_sagemakers_is_refused(self) -> None:
        session = Session()
        partitions = session.get_available_partitions()
        regions = {name for partition in partitions for name in session.get_available_regions("sagemaker", partition)}
        assert len(regions) > 20
        assert regions <= {region.value for region in Region}

    def test_every_instance_type_has_the_form(self) -> None:
        model = ServiceModel(Loader().load_service_model("sagemaker", "service-2"), "sagemaker")
        found = {name: INSTANCE_TYPE.fullmatch(name) for name in model.shape_for("ProductionVariantInstanceType").enum}
        assert [name for name, match in found.items() if match is None] == []
        arm = {match["family"] for match in found.values() if match and ARM.fullmatch(match["family"])}
        assert {"m6g", "c7g", "r8g"} <= arm
        assert not arm & {"g4dn", "g5", "m5", "c6i", "p4d"}
        assert not any(ARM.fullmatch(match["family"]) for one in SAGEMAKER if (match := found[one.name]))

    def test_names_of_endpoints(self) -> None:
        shape = ServiceModel(Loader().load_service_model("sagemaker", "service-2"), "sagemaker").shape_for(
            "EndpointName"
        )
        assert shape.metadata["max"] == ENDPOINT_LENGTH
        assert ENDPOINT_NAME.pattern.rstrip("*") in shape.metadata["pattern"]

    def test_days_of_log_groups(self) -> None:
        days = ServiceModel(Loader().load_service_model("logs", "service-2"), "logs").shape_for("Days").documentation
        assert ", ".join(map(str, RETENTION_DAYS[:-1])) + f", and {RETENTION_DAYS[-1]}" in days
