"""Which resources a field may touch on SageMaker: written and reviewed by hand; see `test_touch.py`."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.components.aws.inventories import CALLER, NETWORK, PLACE, descriptions
from tests.components.aws.touch import ALARMS, EVERYTHING, Row, Table

BUCKET = {
    "Bucket", "BucketOwnershipControls", "BucketPublicAccessBlock", "BucketVersioning", "BucketLogging", "BucketPolicy",
    "BucketServerSideEncryptionConfiguration", "BucketLifecycleConfiguration",
}  # fmt: skip
#: What follows a new configuration of the endpoint. Under mocks its name does not change with it.
CONFIGURATION = {"EndpointConfiguration"}
NETWORKS = {
    "Vpc", "Subnet", "RouteTable", "RouteTableAssociation", "VpcEndpoint", "SecurityGroup", "SecurityGroupEgressRule",
    "SecurityGroupIngressRule", "FlowLog", "LogGroup", "Role", "RolePolicy", "KeyPolicy",
}  # fmt: skip
KEYS = {"Key", "Alias", "KeyPolicy"}
#: Remembers what configurations name, to go before it.
USES = {"Configurations"}
#: What names an image, and who may pull it.
IMAGE = {"Model", "RolePolicy"}
OTHER_IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/server@sha256:" + "1" * 64
SLO = {"availability_percent": 99.9, "latency_ms": 250}
SCHEDULE = {"cron": "0 7 * * *", "min": 2, "max": 6}


def place(**more: Any) -> dict[str, Any]:
    return {"deploy_to": [{**PLACE, **more}]}


def in_schedule(**more: Any) -> dict[str, Any]:
    return {"scaling": {"min": 2, "max": 6, "schedule": [{**SCHEDULE, **more}]}}


def rollout(**more: Any) -> dict[str, Any]:
    return {"rollout": {"strategy": "canary", "step_percent": 10, "bake_minutes": 5, "rollback_on_alarm": True, **more}}


#: Field -> (values that it may get, how the description changes, types that it may touch).
ROWS: dict[str, Row] = {
    "name": (st.sampled_from(["letters", "words"]), lambda v: {"name": v}, EVERYTHING),
    "release": (
        st.just("digits@1"),
        lambda v: {"release": v},
        {"BucketObjectv2", "Model", "RolePolicy"},
    ),
    "tags": (st.sampled_from(["a", "b"]), lambda v: {"tags": {"team": v}}, {"aws"}),
    "protect": (st.just(False), lambda v: {"protect": v}, {"Key", "Bucket", "Repository"}),
    "deploy_to[].cloud": (st.none(), None, set()),  # another cloud is another program
    "deploy_to[].target": (st.none(), None, set()),  # the same
    "deploy_to[].region": (
        st.sampled_from(["us-east-1", "eu-west-1"]),
        lambda v: {**place(region=v), "image": {"ref": OTHER_IMAGE.replace("eu-central-1", v)}},
        EVERYTHING,
    ),
    "deploy_to[].instance_type": (
        st.sampled_from(["ml.m5.large", "ml.c5.xlarge"]),
        lambda v: place(instance_type=v),
        CONFIGURATION,
    ),
    "deploy_to[].network.vpc_id": (
        st.sampled_from(["vpc-1", "vpc-2"]),
        lambda v: place(network={**NETWORK, "vpc_id": v}),
        NETWORKS | {"Model", "Policy"} | USES,
    ),
    "deploy_to[].network.subnet_ids": (
        st.sampled_from(["subnet-1", "subnet-2"]),
        lambda v: place(network={**NETWORK, "subnet_ids": [v]}),
        NETWORKS | {"Model", "Policy"} | USES,
    ),
    "canary.release": (
        st.just("digits@1"),
        lambda v: {"canary": {"release": v, "percent": 10}},
        {"BucketObjectv2", "Model", "Target", "Policy", "RolePolicy"} | CONFIGURATION | ALARMS,
    ),
    "canary.percent": (
        st.integers(1, 50),
        lambda v: {"canary": {"release": "digits@1", "percent": v}},
        {"BucketObjectv2", "Model", "Target", "Policy", "RolePolicy"} | CONFIGURATION | ALARMS,
    ),
    "image.build": (st.just(True), lambda v: {"image": {"build": v}}, IMAGE | {"docker-build", "Image"}),
    "image.ref": (
        st.sampled_from([OTHER_IMAGE, "ghcr.io/a/server@sha256:" + "2" * 64]),
        lambda v: {"image": {"ref": v}},
        IMAGE | {"docker", "RemoteImage", "Tag", "RegistryImage"},
    ),
    "resources.cpu": (st.sampled_from([3, 16]), lambda v: {"resources": {"cpu": v}}, CONFIGURATION),
    "resources.memory_gib": (st.sampled_from([6, 30]), lambda v: {"resources": {"memory_gib": v}}, CONFIGURATION),
    "scaling.scale_to_zero": (st.none(), None, set()),  # only its default is allowed
    "scaling.min": (
        st.integers(3, 6),
        lambda v: {"scaling": {"min": v, "max": 6}},
        {"Target", "Policy"} | CONFIGURATION,
    ),
    "scaling.max": (st.integers(3, 5), lambda v: {"scaling": {"min": 2, "max": v}}, {"Target"}),
    "scaling.metric": (
        st.sampled_from(["cpu", "requests_per_second"]),
        lambda v: {"scaling": {"min": 2, "max": 6, "metric": v}},
        {"Policy"},
    ),
    "scaling.target": (
        st.integers(5, 90),
        lambda v: {"scaling": {"min": 2, "max": 6, "target": v}},
        {"Policy"},
    ),
    "scaling.schedule[].cron": (
        st.integers(0, 23),
        lambda v: in_schedule(cron=f"30 {v} * * *"),
        {"ScheduledAction"},
    ),
    "scaling.schedule[].timezone": (st.just("Europe/Berlin"), lambda v: in_schedule(timezone=v), {"ScheduledAction"}),
    "scaling.schedule[].min": (st.integers(3, 6), lambda v: in_schedule(min=v), {"ScheduledAction"}),
    "scaling.schedule[].max": (st.integers(3, 5), lambda v: in_schedule(max=v), {"ScheduledAction"}),
    "rollout.strategy": (st.just("linear"), lambda v: rollout(strategy=v), {"Settled"}),
    "rollout.step_percent": (st.integers(11, 50), lambda v: rollout(step_percent=v), {"Settled"}),
    "rollout.bake_minutes": (st.integers(6, 60), lambda v: rollout(bake_minutes=v), {"Settled"}),
    "rollout.rollback_on_alarm": (st.just(False), lambda v: rollout(rollback_on_alarm=v), {"Settled"}),
    "slo.availability_percent": (
        st.sampled_from([99, 99.5]), lambda v: {"slo": {**SLO, "availability_percent": v}}, ALARMS
    ),
    "slo.latency_ms": (st.integers(100, 240), lambda v: {"slo": {**SLO, "latency_ms": v}}, ALARMS),
    "slo.latency_percentile": (st.just(95), lambda v: {"slo": {**SLO, "latency_percentile": v}}, ALARMS),
    "slo.window_days": (st.integers(7, 29), lambda v: {"slo": {**SLO, "window_days": v}}, ALARMS),
    "access.visibility": (
        st.just("public"),
        lambda v: {"access": {"visibility": v}},
        NETWORKS | {"Model", "Policy"} | USES,
    ),
    "access.auth": (st.none(), None, set()),  # only its default is allowed
    "access.principals": (
        st.just([CALLER]),
        lambda v: {"access": {"principals": v}},
        {"RolePolicyAttachment", "UserPolicyAttachment"},
    ),
    "capture.percent": (st.integers(6, 100), lambda v: {"capture": {"percent": v}}, CONFIGURATION),
    "capture.retention_days": (
        st.integers(1, 29),
        lambda v: {"capture": {"percent": 5, "retention_days": v}},
        {"BucketLifecycleConfiguration"},
    ),
    "logging.level": (st.sampled_from(["debug", "error"]), lambda v: {"logging": {"level": v}}, {"Model"}),
    "logging.retention_days": (st.sampled_from([7, 90]), lambda v: {"logging": {"retention_days": v}}, {"LogGroup"}),
    "encryption.customer_managed_key": (
        st.just(False),
        lambda v: {"encryption": {"customer_managed_key": v}},
        KEYS
        | CONFIGURATION
        | {"BucketServerSideEncryptionConfiguration", "BucketObjectv2", "Repository"}
        | {"LogGroup", "Topic", "RolePolicy"}
        | USES,
    ),
    "notify.emails": (
        st.just(["other@example.com"]),
        lambda v: {"notify": {"emails": v}},
        {"TopicSubscription"},
    ),
    "notify.webhooks": (
        st.just(["https://example.com/hook"]),
        lambda v: {"notify": {"emails": ["on-call@example.com"], "webhooks": v}},
        {"TopicSubscription"},
    ),
    "budget.monthly_usd": (st.integers(1, 499), lambda v: {"budget": {"monthly_usd": v}}, {"Budget"}),
    "runtime": (st.none(), None, set()),  # only its default is allowed
}  # fmt: skip

TABLE = Table(
    "sagemaker",
    lambda: descriptions()["example"] | {"release": "digits@2"},
    ROWS,
    before={"scaling.schedule": in_schedule(), "deploy_to[].network": place(network=NETWORK)},
    # The releases are two, and a change of one of these three moves them.
    alone=("release", "canary.release", "canary.percent"),
)
