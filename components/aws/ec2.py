"""A model service on instances of EC2: an Auto Scaling group whose instances each run the server's container.

The container cannot reach the instance's credentials: these are answered one network hop away at most. Where requests
are captured the server itself writes to S3, so it gets a second hop, and with it the role's other rights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.aws.account import Account
from components.aws.ec2_scaling import EC2Scaling, EC2ScalingArgs
from components.aws.front_door import FrontDoor
from components.aws.grants import Grant
from components.aws.network import Network
from components.aws.user_data import START_SECONDS, Machine, encoded
from spec.fields import Rollout, Scaling

#: The operating system, by the name of one release, so that it changes when somebody changes it here: an update can
#: only be undone where the image is no parameter that moves
#: (https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-rollback.html). Docker's version goes with it
#: (https://docs.aws.amazon.com/linux/al2023/ug/deterministic-upgrades.html).
AMAZON_LINUX = "al2023-ami-2023.9.20251208.0-kernel-6.1-x86_64"
#: The system's disk in GiB: system, image and two releases.
DISK_GIB = 30
#: Memory in GiB that the system itself and Docker need beside the server.
SYSTEM_GIB = 0.5
#: Services that the instances call from their network, beside S3.
ENDPOINTS = ("ecr.api", "ecr.dkr", "logs", "ssm", "ssmmessages")
#: Metric of the group's own, which is only counted where it is asked for.
IN_SERVICE = aws.autoscaling.Metric.GROUP_IN_SERVICE_INSTANCES


@dataclass(frozen=True)
class EC2ServiceArgs:
    """What is served, how big, how safe.

    account: whose. service: begins names, unique in account and region. image: by digest, in ECR. release: folder in
    S3; canary: a second one, whose share is in `settings`. role_name: the instances take it on; it holds what
    `ec2_grants.server_grants` returns. instance_type: such as t3.medium. memory_gib: the container's. machine_image: id
    of an image of Amazon Linux 2023. network, door: where the instances are and what asks them. log_days: how long logs
    are kept. settings: variables of the server, none secret. captures: whether the server writes to S3.
    rollback_alarms: names of alarms that undo an update. tags: of instances and disks, which no default of the provider
    reaches. key_arn: encrypts disks and logs; the service-linked role of Auto Scaling must be let use it
    (https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html).
    """

    account: Account
    service: str
    image: pulumi.Input[str]
    release: pulumi.Input[str]
    role_name: pulumi.Input[str]
    instance_type: str
    memory_gib: float
    machine_image: pulumi.Input[str]
    network: Network
    door: FrontDoor
    port: int
    scaling: Scaling
    rollout: Rollout
    log_days: int
    canary: pulumi.Input[str] | None = None
    settings: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    captures: bool = False
    key_arn: pulumi.Input[str] | None = None
    rollback_alarms: Sequence[pulumi.Input[str]] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


class EC2Service(pulumi.ComponentResource):
    """Launch template, Auto Scaling group, scaling and logs.

    A change makes a new version of the template, and the group replaces its instances by itself afterwards: `up` does
    not wait for that. Where an alarm undoes it, the state still says the new version, and the next change starts there.
    url, invoke: the front door's. group: the Auto Scaling group.
    """

    url: pulumi.Output[str]
    invoke: pulumi.Output[str]

    def __init__(self, name: str, args: EC2ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:EC2Service", name, {}, opts)
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        logs = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=log_group(args.service),
            retention_in_days=args.log_days,
            kms_key_id=args.key_arn,
            opts=self._child,
        )
        template = self._template(name)
        self.group = aws.autoscaling.Group(
            f"{name}-group",
            name=args.service,
            min_size=args.scaling.min,
            max_size=args.scaling.max,
            vpc_zone_identifiers=args.network.subnet_ids,
            launch_template=aws.autoscaling.GroupLaunchTemplateArgs(
                id=template.id, version=template.latest_version.apply(str)
            ),
            target_group_arns=args.door.target_group_arns,
            # What the balancer finds ill is replaced, not only what EC2 finds broken.
            health_check_type="ELB",
            health_check_grace_period=START_SECONDS,
            default_instance_warmup=60,
            # The first `up` fails where no server comes up.
            min_elb_capacity=args.scaling.min,
            wait_for_capacity_timeout=f"{START_SECONDS + 300}s",
            instance_maintenance_policy=aws.autoscaling.GroupInstanceMaintenancePolicyArgs(
                min_healthy_percentage=100,
                max_healthy_percentage=200,  # what replaces an instance starts before that one goes
            ),
            instance_refresh=self._refresh(),
            enabled_metrics=[IN_SERVICE],
            metrics_granularity="1Minute",
            tags=[
                aws.autoscaling.GroupTagArgs(key=key, value=value, propagate_at_launch=False)
                for key, value in sorted(args.tags.items())
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[logs, *self._ways]),
        )
        EC2Scaling(
            name,
            EC2ScalingArgs(
                self.group.name, args.scaling, args.door.balancer_suffix, args.door.target_group_suffixes[0]
            ),
            self._child,
        )
        self.url, self.invoke = args.door.url, args.door.invoke
        self.register_outputs({"url": self.url, "invoke": self.invoke})

    @property
    def grants(self) -> tuple[Grant, ...]:
        """What a caller needs."""
        return self._args.door.grants

    def _template(self, name: str) -> aws.ec2.LaunchTemplate:
        args = self._args
        profile = aws.iam.InstanceProfile(
            f"{name}-profile", role=args.role_name, path=args.account.path, opts=self._child
        )
        ebs = aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs
        tags = {"Name": args.service, **args.tags}
        return aws.ec2.LaunchTemplate(
            f"{name}-template",
            name_prefix=f"{args.service}-",
            image_id=args.machine_image,
            instance_type=args.instance_type,
            iam_instance_profile=aws.ec2.LaunchTemplateIamInstanceProfileArgs(arn=profile.arn),
            metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
                http_endpoint="enabled",
                http_tokens="required",
                http_put_response_hop_limit=2 if args.captures else 1,
            ),
            block_device_mappings=[
                aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
                    device_name="/dev/xvda",  # the system's disk of Amazon Linux
                    ebs=ebs(
                        volume_size=DISK_GIB,
                        volume_type="gp3",
                        encrypted="true",
                        kms_key_id=args.key_arn,
                        delete_on_termination="true",
                    ),
                )
            ],
            # No SSH key: people come in through Session Manager.
            network_interfaces=[
                aws.ec2.LaunchTemplateNetworkInterfaceArgs(
                    device_index=0,
                    associate_public_ip_address="false",
                    delete_on_termination="true",
                    security_groups=[args.network.security_group_id, self._inside(name)],
                )
            ],
            monitoring=aws.ec2.LaunchTemplateMonitoringArgs(enabled=True),  # CPU each minute, which scaling follows
            tag_specifications=[
                aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=tags)
                for kind in ("instance", "volume", "network-interface")
            ],
            user_data=self._user_data(),
            opts=self._child,
        )

    def _inside(self, name: str) -> pulumi.Output[str]:
        """Group of the instances: the balancer reaches the server's port, and nobody anything else."""
        args = self._args
        group = aws.ec2.SecurityGroup(
            f"{name}-instances",
            description="Instances of the service; the balancer alone gets in",
            vpc_id=args.network.vpc_id,
            opts=self._child,
        )
        self._ways = args.door.reaches(f"{name}-instances", group.id)
        return group.id

    def _user_data(self) -> pulumi.Output[str]:
        args = self._args
        token = None if args.door.token is None else args.door.token.arn
        known = pulumi.Output.all(
            image=args.image, release=args.release, canary=args.canary, token=token, settings=dict(args.settings)
        )
        return known.apply(
            lambda known: encoded(
                Machine(
                    region=args.account.region,
                    image=known["image"],
                    release=known["release"],
                    canary=known["canary"],
                    token_secret=known["token"],
                    log_group=log_group(args.service),
                    memory_mib=int(args.memory_gib * 1024),
                    port=args.port,
                    settings=known["settings"],
                )
            )
        )

    def _refresh(self) -> aws.autoscaling.GroupInstanceRefreshArgs:
        args = self._args
        preferences = aws.autoscaling.GroupInstanceRefreshPreferencesArgs
        alarms = aws.autoscaling.GroupInstanceRefreshPreferencesAlarmSpecificationArgs
        steps = checkpoints(args.rollout)
        return aws.autoscaling.GroupInstanceRefreshArgs(
            strategy="Rolling",
            preferences=preferences(
                min_healthy_percentage=100,
                max_healthy_percentage=200,
                # An instance that somebody looks into must not hold an update up for ever.
                standby_instances="Terminate",
                scale_in_protected_instances="Refresh",
                checkpoint_percentages=steps or None,
                checkpoint_delay=str(args.rollout.bake_minutes * 60) if steps else None,
                # Also undone where the new instances do not come up.
                auto_rollback=True,
                alarm_specification=alarms(alarms=list(args.rollback_alarms)) if args.rollback_alarms else None,
            ),
        )


def checkpoints(rollout: Rollout) -> list[int]:
    """Shares of instances, in percent, after whose replacement an update waits; none where all go at once.

    Of few instances a share is rounded up to whole ones.
    """
    if rollout.strategy == "all_at_once":
        return []
    if rollout.strategy == "canary":
        return [rollout.step_percent, 100]
    return [*range(rollout.step_percent, 100, rollout.step_percent), 100]


def amazon_linux(opts: pulumi.InvokeOutputOptions | None = None) -> pulumi.Output[str]:
    """Id of `AMAZON_LINUX` in the provider's region."""
    found = aws.ec2.get_ami_output(
        owners=["amazon"],
        filters=[aws.ec2.GetAmiFilterArgs(name="name", values=[AMAZON_LINUX])],
        include_deprecated=True,  # AWS marks each one as such after 90 days, and keeps it
        opts=opts,
    )
    return found.id


def log_group(service: str) -> str:
    """Where the server's log goes, a stream per instance."""
    return f"{service}-ec2"
