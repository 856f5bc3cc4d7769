"""A model service on SageMaker's real-time endpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components.aws.account import Account
from components.aws.autoscaling import Scalable, scaled
from components.aws.control_plane import OWNER_TAG, configuration_prefix
from components.aws.grants import Grant
from components.aws.network import Network, write_logs
from components.aws.rollout import guardrails_text
from components.aws.settled import Configurations, Settled
from components.aws.storage import Bucket
from spec.fields import Capture, Rollout, Scaling
from spec.metrics import TargetMetrics, target_metrics

#: Names of the two slots. They never change, because guardrails compare them.
PRIMARY = "primary"
CANARY = "canary"

#: How long a container may take to be ready: fetching and checking a release of some GB.
START_SECONDS = 600

_SCALING_NAMESPACE = "sagemaker"
_SCALING_DIMENSION = "sagemaker:variant:DesiredInstanceCount"


@dataclass(frozen=True)
class Variant:
    """One slot: a release with its share of requests. uri: the release's folder, ends in a slash. percent: 0–100."""

    name: str
    uri: pulumi.Input[str]
    percent: int


@dataclass(frozen=True)
class SageMakerArgs:
    """What is served, how big, how safe.

    account: whose endpoint. endpoint: its name, unique in account and region. variants: one, or two with a canary.
    image: by digest, in ECR. environment: variables of the server. role_arn: the service takes it on; it holds the
    component's `grants`. instance_type: such as ml.m5.large. key_arn: encrypts volumes and captures. network: None for
    the service's own. capture: None keeps nothing; captures: the bucket for it. rollback_alarms: names of alarms that
    roll an update back. log_days: how long logs are kept.
    """

    account: Account
    endpoint: str
    variants: Sequence[Variant]
    image: pulumi.Input[str]
    role_arn: pulumi.Input[str]
    instance_type: str
    scaling: Scaling
    rollout: Rollout
    log_days: int
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    key_arn: pulumi.Input[str] | None = None
    network: Network | None = None
    capture: Capture | None = None
    captures: Bucket | None = None
    rollback_alarms: Sequence[pulumi.Input[str]] = ()


class SageMakerEndpoint(pulumi.ComponentResource):
    """Models, one configuration, one endpoint, its scaling and its logs.

    A change makes a new configuration first and then updates the endpoint in place; the update starts from
    `scaling.min` instances, whatever autoscaling had reached (terraform-provider-aws#49069).
    url: where signed requests go. invoke: a command that works. settled: what depends on a finished update waits for
    it.
    """

    url: pulumi.Output[str]
    invoke: pulumi.Output[str]

    def __init__(self, name: str, args: SageMakerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:SageMakerEndpoint", name, {}, opts)
        self._args = args
        child = pulumi.ResourceOptions(parent=self)
        logs = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=log_group(args.endpoint),
            retention_in_days=args.log_days,
            kms_key_id=args.key_arn,
            opts=child,
        )
        uses = [args.role_arn, args.key_arn]
        uses += [] if args.network is None else [args.network.subnet_ids, args.network.security_group_id]
        uses += [] if args.captures is None else [args.captures.name]
        kept = Configurations(
            f"{name}-configurations",
            endpoint=args.endpoint,
            region=args.account.region,
            uses=[one for one in uses if one is not None],
            opts=child,
        )
        models = {variant.name: self._model(name, variant) for variant in args.variants}
        configuration = aws.sagemaker.EndpointConfiguration(
            f"{name}-configuration",
            name_prefix=configuration_prefix(args.endpoint),
            production_variants=[self._variant(variant, models[variant.name]) for variant in args.variants],
            data_capture_config=self._capture(),
            kms_key_arn=args.key_arn,
            tags={OWNER_TAG: args.endpoint},
            # Kept when replaced: the endpoint may have gone back to it. `Settled` removes what is not live.
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        self.endpoint = aws.sagemaker.Endpoint(
            f"{name}-endpoint",
            name=args.endpoint,
            endpoint_config_name=configuration.name,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[logs, kept],
                delete_before_replace=True,
                ignore_changes=["endpointConfigName"],  # `Settled` changes it
            ),
        )
        self.settled = Settled(
            f"{name}-settled",
            endpoint=self.endpoint.name,
            configuration=configuration.name,
            deployment=guardrails_text(args.rollout, args.rollback_alarms),
            region=args.account.region,
            opts=child,
        )
        for variant in args.variants:
            self._scale(name, variant.name)
        host = pulumi.Output.concat(f"runtime.sagemaker.{args.account.region}.", args.account.dns)
        self.url = pulumi.Output.concat("https://", host, f"/endpoints/{args.endpoint}/invocations")
        self.invoke = pulumi.Output.concat(
            f"curl --aws-sigv4 aws:amz:{args.account.region}:sagemaker "
            "--user $AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY "
            '-H "x-amz-security-token: $AWS_SESSION_TOKEN" -H "content-type: application/json" '
            "--data @instances.json ",
            self.url,
        )
        self.register_outputs({"url": self.url, "invoke": self.invoke})

    @property
    def grants(self) -> tuple[Grant, ...]:
        """What a caller needs."""
        return (
            Grant("Invoke", ("sagemaker:InvokeEndpoint",), (endpoint_arn(self._args.account, self._args.endpoint),)),
        )

    def _model(self, name: str, variant: Variant) -> aws.sagemaker.Model:
        args = self._args
        container = aws.sagemaker.ModelPrimaryContainerArgs
        data = aws.sagemaker.ModelPrimaryContainerModelDataSourceArgs
        source = aws.sagemaker.ModelPrimaryContainerModelDataSourceS3DataSourceArgs
        return aws.sagemaker.Model(
            f"{name}-{variant.name}",
            execution_role_arn=args.role_arn,
            primary_container=container(
                image=args.image,
                model_data_source=data(
                    s3_data_sources=[source(s3_uri=variant.uri, s3_data_type="S3Prefix", compression_type="None")]
                ),
                environment=dict(args.environment),
            ),
            # The server needs nothing from outside: the service mounts the release and takes the captures.
            enable_network_isolation=True,
            vpc_config=None
            if args.network is None
            else aws.sagemaker.ModelVpcConfigArgs(
                subnets=args.network.subnet_ids, security_group_ids=[args.network.security_group_id]
            ),
            tags={OWNER_TAG: args.endpoint},
            # Kept when replaced, as its configuration is: without its model an endpoint is neither scaled nor patched.
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )

    def _variant(
        self, variant: Variant, model: aws.sagemaker.Model
    ) -> aws.sagemaker.EndpointConfigurationProductionVariantArgs:
        return aws.sagemaker.EndpointConfigurationProductionVariantArgs(
            variant_name=variant.name,
            model_name=model.name,
            instance_type=self._args.instance_type,
            initial_instance_count=self._args.scaling.min,
            initial_variant_weight=variant.percent,
            container_startup_health_check_timeout_in_seconds=START_SECONDS,
            model_data_download_timeout_in_seconds=START_SECONDS,
        )

    def _capture(self) -> aws.sagemaker.EndpointConfigurationDataCaptureConfigArgs | None:
        capture, bucket = self._args.capture, self._args.captures
        if capture is None or bucket is None:
            return None
        option = aws.sagemaker.EndpointConfigurationDataCaptureConfigCaptureOptionArgs
        types = aws.sagemaker.EndpointConfigurationDataCaptureConfigCaptureContentTypeHeaderArgs
        return aws.sagemaker.EndpointConfigurationDataCaptureConfigArgs(
            enable_capture=True,
            initial_sampling_percentage=capture.percent,
            destination_s3_uri=pulumi.Output.concat("s3://", bucket.name, f"/{self._args.endpoint}"),
            kms_key_id=self._args.key_arn,
            capture_options=[option(capture_mode="Input"), option(capture_mode="Output")],
            # Anything else would be kept as base64.
            capture_content_type_header=types(json_content_types=["application/json"], csv_content_types=["text/csv"]),
        )

    def _scale(self, name: str, variant: str) -> None:
        scaling = self._args.scaling
        if scaling.max == scaling.min and not scaling.schedule:
            return
        resource = f"endpoint/{self._args.endpoint}/variant/{variant}"
        what = Scalable(_SCALING_NAMESPACE, _SCALING_DIMENSION, resource, f"{self._args.endpoint}-{variant}")
        # While an endpoint is updated its variants can be neither registered nor scaled.
        after = [self.endpoint, self.settled]
        scaled(f"{name}-{variant}", what, scaling, self._tracking(variant), parent=self, after=after)

    def _tracking(self, variant: str) -> aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs:
        prefix = "PolicyTargetTrackingScalingPolicyConfiguration"
        configuration = aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs
        predefined = getattr(aws.appautoscaling, f"{prefix}PredefinedMetricSpecificationArgs")
        customized = getattr(aws.appautoscaling, f"{prefix}CustomizedMetricSpecificationArgs")
        dimension = getattr(aws.appautoscaling, f"{prefix}CustomizedMetricSpecificationDimensionArgs")
        scaling = self._args.scaling
        if scaling.metric == "concurrency":
            metric = "SageMakerVariantConcurrentRequestsPerModelHighResolution"
            return configuration(
                target_value=scaling.target, predefined_metric_specification=predefined(predefined_metric_type=metric)
            )
        if scaling.metric == "requests_per_second":
            # The metric counts a minute's requests.
            metric = "SageMakerVariantInvocationsPerInstance"
            return configuration(
                target_value=scaling.target * 60,
                predefined_metric_specification=predefined(predefined_metric_type=metric),
            )
        return configuration(
            target_value=scaling.target,
            customized_metric_specification=customized(
                namespace="/aws/sagemaker/Endpoints",
                metric_name="CPUUtilization",
                statistic="Average",
                unit="Percent",
                dimensions=[
                    dimension(name="EndpointName", value=self._args.endpoint),
                    dimension(name="VariantName", value=variant),
                ],
            ),
        )


def log_group(endpoint: str) -> str:
    """The log group that the service writes to; made before the endpoint, so that its logs expire and are encrypted."""
    return f"/aws/sagemaker/Endpoints/{endpoint}"


def endpoint_arn(account: Account, endpoint: str) -> pulumi.Output[str]:
    """The ARN of an endpoint; the service writes its name in lower case."""
    return account.arn("sagemaker", f"endpoint/{endpoint.lower()}")


def metrics(endpoint: str, variant: str = PRIMARY, *, percentile: float = 99) -> TargetMetrics:
    """What is measured of one variant, known before it exists. Raises spec.metrics.MetricsError."""
    return target_metrics("aws", "sagemaker", {"endpoint": endpoint, "variant": variant}, percentile=percentile)


def server_grants(
    account: Account, endpoint: str, *, network: Network | None, captures: Bucket | None
) -> tuple[Grant, ...]:
    """What the endpoint's role needs beside its release, its image and its key.

    After https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html, less what is made here beforehand.
    """
    found = [
        write_logs(account.arn("logs", f"log-group:{log_group(endpoint)}")),
        Grant(
            "Metrics",
            ("cloudwatch:PutMetricData",),
            conditions={"StringEquals": {"cloudwatch:namespace": "/aws/sagemaker/Endpoints"}},
        ),
    ]
    if captures is not None:
        found += captures.write("Captures", f"{endpoint}/")
    if network is not None:
        found += network_grants(account, network)
    return tuple(found)


def network_grants(account: Account, network: Network) -> tuple[Grant, ...]:
    """What a role needs for what runs in a network: its interfaces there."""
    return (
        Grant(
            "NetworkInterfaces",
            (
                "ec2:CreateNetworkInterface",
                "ec2:CreateNetworkInterfacePermission",
                "ec2:DeleteNetworkInterface",
                "ec2:DeleteNetworkInterfacePermission",
            ),
            (
                account.arn("ec2", "network-interface/*"),
                account.arn("ec2", pulumi.Output.concat("security-group/", network.security_group_id)),
                account.arn("ec2", "subnet/*"),
            ),
        ),
        Grant(
            "LookAtNetwork",
            (
                "ec2:DescribeDhcpOptions",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
            ),
        ),
    )
