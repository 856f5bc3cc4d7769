"""What the targets on AWS can honour; see `spec.capabilities`."""

from __future__ import annotations

from spec.cells import ELSEWHERE, EVERYWHERE, Cell, Column, Mapped, Rejected

_ENDPOINT_ONLY = "an endpoint of SageMaker's always has a replica"
_GUARDRAILS = "deployment guardrails of the endpoint"

#: What is the same on every target of AWS.
ON_AWS: dict[str, Cell] = {
    **EVERYWHERE,
    "tags": Mapped("default tags of the AWS provider: everything that can carry tags"),
    "protect": Mapped("protection of key, buckets and registry"),
    "deploy_to[].region": Mapped("region of everything made"),
    "deploy_to[].port": Rejected("clients reach it at HTTPS port 443"),
    "image.runtime_ref": Rejected(ELSEWHERE),
    "slo": Mapped("burn-rate alarms and dashboard of CloudWatch"),
    "logging": Mapped("level of the server; retention of the log group, for days that CloudWatch Logs offers"),
    "encryption.customer_managed_key": Mapped("a KMS key for buckets, registry, volumes, logs and topics"),
    "notify": Mapped("subscriptions of the alarms' topic"),
    "budget": Mapped("a budget of AWS Budgets over the service's tag"),
    "runtime": Mapped("this project's own server", ("onnx",), ELSEWHERE),
}

SAGEMAKER = Column(
    {
        **ON_AWS,
        "deploy_to[].instance_type": Mapped(
            "instance type of the variants (x86, holds resources); default: the smallest that does"
        ),
        "deploy_to[].network": Mapped("network of the models' containers; default: a private one is made"),
        "deploy_to[].cluster": Rejected("the target is no cluster"),
        "canary": Mapped("a second variant with its weight; switched all at once"),
        "image.build": Mapped(
            "an `up` builds it with Docker and pushes it into the stack's own repository in Amazon ECR"
        ),
        "image.ref": Mapped(
            "container of the models; copied into the stack's own repository in Amazon ECR unless it is in ECR in the "
            "service's region"
        ),
        "resources.cpu": Mapped("the smallest instance type that holds it"),
        "resources.memory_gib": Mapped("the smallest instance type that holds it"),
        "scaling.scale_to_zero": Mapped("at least one instance runs", (False,), _ENDPOINT_ONLY),
        "scaling.min": Mapped("instances that an update starts with, and the least that autoscaling leaves"),
        "scaling.max": Mapped("the most that autoscaling starts"),
        "scaling.metric": Mapped("target tracking of each variant"),
        "scaling.target": Mapped("target tracking of each variant"),
        "scaling.schedule": Mapped("scheduled actions of each variant"),
        "rollout.strategy": Mapped(f"{_GUARDRAILS}; needs scaling.min 2 or more unless all_at_once"),
        "rollout.step_percent": Mapped(_GUARDRAILS),
        "rollout.bake_minutes": Mapped(_GUARDRAILS),
        "rollout.rollback_on_alarm": Mapped(f"{_GUARDRAILS}, with the paging burn-rate alarms"),
        "access.visibility": Mapped("private: the callers' policy asks for the network's own interface endpoint"),
        "access.auth": Mapped(
            "signed requests", ("cloud_iam",), "the endpoint checks signed requests and knows no other way"
        ),
        "access.principals": Mapped("the callers' policy is attached to each"),
        "access.domain": Rejected("an endpoint answers under its region's host name only"),
        "capture": Mapped("data capture of the endpoint into a bucket whose objects expire"),
    }
)
