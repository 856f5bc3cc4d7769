"""A model service on Amazon ECS with Fargate, behind a front door."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi
import pulumi_aws as aws

from components.aws import ecs_task
from components.aws.account import Account
from components.aws.ecs_scaling import ServiceScaling
from components.aws.fargate import Size
from components.aws.front_door import FrontDoor
from components.aws.grants import Grant
from components.aws.network import Network, write_logs
from spec import contracts
from spec.fields import Rollout, Scaling

#: Seconds in which a new task may fetch and check a release of some GB before an unhealthy answer counts.
START_SECONDS = 600


@dataclass(frozen=True)
class EcsArgs:
    """What is served, how big, how safe.

    account: whose. service: name of cluster and service, unique in account and region. door: what stands before it,
    with two target groups where `rollout` goes in steps. network: of the tasks. image: by digest. environment: of the
    server: release, canary, log level. execution_role_arn: starts the task, with `execution_grants`. task_role_arn: the
    server's own. infrastructure_role_arn: shifts traffic, with `infrastructure_grants`; only where `rollout` goes in
    steps. size: of a task. rollback_alarms: names of alarms that roll a deployment back. log_days, key_arn: of the log.
    """

    account: Account
    service: str
    door: FrontDoor
    network: Network
    image: pulumi.Input[str]
    environment: Mapping[str, pulumi.Input[str]]
    execution_role_arn: pulumi.Input[str]
    task_role_arn: pulumi.Input[str]
    size: Size
    scaling: Scaling
    rollout: Rollout
    log_days: int
    infrastructure_role_arn: pulumi.Input[str] | None = None
    key_arn: pulumi.Input[str] | None = None
    rollback_alarms: Sequence[pulumi.Input[str]] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        groups = target_groups(self.rollout)
        if len(self.door.target_group_arns) != groups:
            raise ValueError(
                f"door has {len(self.door.target_group_arns)} target groups with rollout.strategy "
                f"{self.rollout.strategy!r}; allowed: {groups}: make it with target_groups={groups}"
            )
        if groups > 1 and self.infrastructure_role_arn is None:
            raise ValueError(
                f"infrastructure_role_arn is None with rollout.strategy {self.rollout.strategy!r}; allowed: the ARN of "
                "a role with infrastructure_grants: give it"
            )


class EcsService(pulumi.ComponentResource):
    """A cluster of its own, one service of Fargate tasks, its scaling and its log.

    An `up` waits until the new tasks answer; a deployment that does not get there goes back by itself.
    url, invoke, grants: of the front door.
    """

    url: pulumi.Output[str]
    invoke: pulumi.Output[str]

    def __init__(self, name: str, args: EcsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:EcsService", name, {}, opts)
        self._args = args
        child = pulumi.ResourceOptions(parent=self)
        logs = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=log_group(args.service),
            retention_in_days=args.log_days,
            kms_key_id=args.key_arn,
            opts=child,
        )
        cluster = aws.ecs.Cluster(
            f"{name}-cluster",
            name=args.service,
            settings=[aws.ecs.ClusterSettingArgs(name="containerInsights", value="enhanced")],
            opts=child,
        )
        token = args.door.token
        task = aws.ecs.TaskDefinition(
            f"{name}-task",
            family=args.service,
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(args.size.cpu),
            memory=str(args.size.memory_mib),
            runtime_platform=aws.ecs.TaskDefinitionRuntimePlatformArgs(
                cpu_architecture="X86_64", operating_system_family="LINUX"
            ),
            execution_role_arn=args.execution_role_arn,
            task_role_arn=args.task_role_arn,
            volumes=[aws.ecs.TaskDefinitionVolumeArgs(name=one) for one in ecs_task.volumes(token=token is not None)],
            container_definitions=ecs_task.containers(
                args.image,
                ecs_task.environment(args.environment, token=token is not None),
                logs.name,
                args.account.region,
                token_arn=None if token is None else token.arn,
            ),
            opts=child,
        )
        ways = args.door.reaches(name, args.network.security_group_id)
        scales = args.scaling.max > args.scaling.min or bool(args.scaling.schedule)
        self.service = aws.ecs.Service(
            f"{name}-service",
            name=args.service,
            cluster=cluster.arn,
            task_definition=task.arn,
            desired_count=args.scaling.min,
            launch_type="FARGATE",
            network_configuration=aws.ecs.ServiceNetworkConfigurationArgs(
                subnets=args.network.subnet_ids,
                security_groups=[args.network.security_group_id],
                assign_public_ip=False,
            ),
            load_balancers=[self._balanced()],
            health_check_grace_period_seconds=START_SECONDS,
            enable_execute_command=False,
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_configuration=_deployment(args.rollout),
            deployment_circuit_breaker=aws.ecs.ServiceDeploymentCircuitBreakerArgs(enable=True, rollback=True),
            alarms=aws.ecs.ServiceAlarmsArgs(alarm_names=list(args.rollback_alarms), enable=True, rollback=True)
            if args.rollback_alarms
            else None,
            propagate_tags="SERVICE",
            wait_for_steady_state=True,
            # How many run is the scaling's to say once there is one.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=ways, ignore_changes=["desiredCount"] if scales else None
            ),
        )
        if scales:
            ServiceScaling(
                name,
                cluster=cluster.name,
                service=self.service.name,
                balancer_suffix=args.door.balancer_suffix,
                scaling=args.scaling,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[self.service]),
            )
        self.url, self.invoke = args.door.url, args.door.invoke
        self.register_outputs({"url": self.url, "invoke": self.invoke})

    @property
    def grants(self) -> tuple[Grant, ...]:
        """What a caller needs."""
        return self._args.door.grants

    def _balanced(self) -> aws.ecs.ServiceLoadBalancerArgs:
        args, steps = self._args, None
        if args.infrastructure_role_arn is not None and target_groups(args.rollout) > 1:
            steps = aws.ecs.ServiceLoadBalancerAdvancedConfigurationArgs(
                alternate_target_group_arn=args.door.target_group_arns[1],
                production_listener_rule=args.door.rule_arn,
                role_arn=args.infrastructure_role_arn,
            )
        return aws.ecs.ServiceLoadBalancerArgs(
            container_name=ecs_task.SERVER,
            container_port=contracts.DEFAULT_PORT,
            target_group_arn=args.door.target_group_arns[0],
            advanced_configuration=steps,
        )


def target_groups(rollout: Rollout) -> Literal[1, 2]:
    """Target groups that a rollout needs: a step is a share between two."""
    return 1 if rollout.strategy == "all_at_once" else 2


def _deployment(rollout: Rollout) -> aws.ecs.ServiceDeploymentConfigurationArgs | None:
    """https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html; None: rolling."""
    if rollout.strategy == "all_at_once":
        return None
    minutes = str(rollout.bake_minutes)
    if rollout.strategy == "canary":
        return aws.ecs.ServiceDeploymentConfigurationArgs(
            strategy="CANARY",
            bake_time_in_minutes=minutes,
            canary_configuration=aws.ecs.ServiceDeploymentConfigurationCanaryConfigurationArgs(
                canary_percent=rollout.step_percent, canary_bake_time_in_minutes=minutes
            ),
        )
    return aws.ecs.ServiceDeploymentConfigurationArgs(
        strategy="LINEAR",
        bake_time_in_minutes=minutes,
        linear_configuration=aws.ecs.ServiceDeploymentConfigurationLinearConfigurationArgs(
            step_percent=rollout.step_percent, step_bake_time_in_minutes=minutes
        ),
    )


def log_group(service: str) -> str:
    """The log group of the service's tasks."""
    return f"/aws/ecs/{service}"


def execution_grants(account: Account, service: str, door: FrontDoor) -> tuple[Grant, ...]:
    """What starts a task needs beside the image: to write the log, and to hand over the token."""
    logs = write_logs(account.arn("logs", f"log-group:{log_group(service)}"))
    return (logs, *(() if door.token is None else door.token.read("HandOverToken")))


def infrastructure_grants(door: FrontDoor) -> tuple[Grant, ...]:
    """What shifts traffic between two target groups, as ECS says what it does.

    https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonECSInfrastructureRolePolicyForLoadBalancers.html
    """
    return (
        Grant(
            "LookAtBalancer",
            tuple(
                f"elasticloadbalancing:Describe{what}"
                for what in ("Listeners", "Rules", "TargetGroups", "TargetHealth")
            ),
        ),
        Grant(
            "Targets",
            ("elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"),
            tuple(door.target_group_arns),
        ),
        Grant("Shares", ("elasticloadbalancing:ModifyRule",), (door.rule_arn,)),
        Grant("Listener", ("elasticloadbalancing:ModifyListener",), (door.listener_arn,)),
    )
