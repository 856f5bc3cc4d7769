"""One of each AWS resource that the stacks are built from, with right inputs: the schema checks find nothing here."""

import json

import pulumi
import pulumi_aws as aws

ACCOUNT = aws.get_caller_identity().account_id
DIGEST = "sha256:" + "ab" * 32


def document(*statements: dict) -> pulumi.Output[str]:
    """An IAM document."""
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": list(statements)})


key = aws.kms.Key(
    "key",
    description="everything of the service digits",
    enable_key_rotation=True,
    deletion_window_in_days=7,
    policy=document(
        {
            "Sid": "Account",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
        {
            "Sid": "Logs",
            "Effect": "Allow",
            "Principal": {"Service": "logs.us-east-1.amazonaws.com"},
            "Action": ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": "*",
            "Condition": {"StringEquals": {"kms:CallerAccount": ACCOUNT}},
        },
    ),
    tags={"service": "digits"},
)
aws.kms.Alias("key", name="alias/digits", target_key_id=key.key_id)

store = aws.s3.Bucket("store", bucket_prefix="digits-models-", tags={"service": "digits"})
aws.s3.BucketVersioning(
    "store",
    bucket=store.id,
    versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
)
aws.s3.BucketServerSideEncryptionConfiguration(
    "store",
    bucket=store.id,
    rules=[
        aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
            apply_server_side_encryption_by_default=aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                sse_algorithm="aws:kms", kms_master_key_id=key.arn
            ),
            bucket_key_enabled=True,
        )
    ],
)
aws.s3.BucketPublicAccessBlock(
    "store",
    bucket=store.id,
    block_public_acls=True,
    block_public_policy=True,
    ignore_public_acls=True,
    restrict_public_buckets=True,
)
aws.s3.BucketOwnershipControls(
    "store",
    bucket=store.id,
    rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
)
aws.s3.BucketLifecycleConfiguration(
    "store",
    bucket=store.id,
    rules=[
        aws.s3.BucketLifecycleConfigurationRuleArgs(
            id="captures",
            status="Enabled",
            filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix="capture/"),
            expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=30),
            noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                noncurrent_days=30
            ),
            abort_incomplete_multipart_upload=aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                days_after_initiation=7
            ),
        )
    ],
)
aws.s3.BucketPolicy(
    "store",
    bucket=store.id,
    policy=document(
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [store.arn, pulumi.Output.concat(store.arn, "/*")],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ),
)

role = aws.iam.Role(
    "server",
    assume_role_policy=json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": ["sagemaker.amazonaws.com", "lambda.amazonaws.com"]},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
    ),
    max_session_duration=3600,
)
aws.iam.RolePolicy(
    "read",
    role=role.name,
    policy=document(
        {
            "Sid": "ReadReleases",
            "Effect": "Allow",
            "Action": ["s3:GetObject"],
            "Resource": [pulumi.Output.concat(store.arn, "/digits/*")],
        },
        {"Sid": "UseKey", "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": [key.arn]},
    ),
)

images = aws.ecr.Repository(
    "images",
    name="digits",
    image_tag_mutability="IMMUTABLE",
    image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
    encryption_configurations=[aws.ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS", kms_key=key.arn)],
)
aws.ecr.LifecyclePolicy(
    "images",
    repository=images.name,
    policy=json.dumps(
        {
            "rules": [
                {
                    "rulePriority": 1,
                    "description": "keep the last fifty",
                    "selection": {
                        "tagStatus": "tagged",
                        "tagPatternList": ["*"],
                        "countType": "imageCountMoreThan",
                        "countNumber": 50,
                    },
                    "action": {"type": "expire"},
                }
            ]
        }
    ),
)  # fmt: skip
image = pulumi.Output.concat(images.repository_url, "@", DIGEST)

topic = aws.sns.Topic("alarms", kms_master_key_id=key.key_id)
aws.sns.TopicSubscription("alarms", topic=topic.arn, protocol="email", endpoint="someone@example.com")
logs = aws.cloudwatch.LogGroup("server", name="/digits/server", retention_in_days=30, kms_key_id=key.arn)

model = aws.sagemaker.Model(
    "model",
    execution_role_arn=role.arn,
    enable_network_isolation=False,
    primary_container=aws.sagemaker.ModelPrimaryContainerArgs(
        image=image,
        mode="SingleModel",
        model_data_source=aws.sagemaker.ModelPrimaryContainerModelDataSourceArgs(
            s3_data_sources=[
                aws.sagemaker.ModelPrimaryContainerModelDataSourceS3DataSourceArgs(
                    s3_uri=pulumi.Output.concat("s3://", store.bucket, "/digits/v3/"),
                    s3_data_type="S3Prefix",
                    compression_type="None",
                )
            ]
        ),
        environment={"RELEASE": "digits@3"},
    ),
)
settings = aws.sagemaker.EndpointConfiguration(
    "endpoint",
    kms_key_arn=key.arn,
    production_variants=[
        aws.sagemaker.EndpointConfigurationProductionVariantArgs(
            variant_name="main",
            model_name=model.name,
            instance_type="ml.c6i.large",
            initial_instance_count=2,
            initial_variant_weight=0.9,
            container_startup_health_check_timeout_in_seconds=300,
            routing_configs=[
                aws.sagemaker.EndpointConfigurationProductionVariantRoutingConfigArgs(
                    routing_strategy="LEAST_OUTSTANDING_REQUESTS"
                )
            ],
        ),
        aws.sagemaker.EndpointConfigurationProductionVariantArgs(
            variant_name="serverless",
            model_name=model.name,
            initial_variant_weight=0.1,
            serverless_config=aws.sagemaker.EndpointConfigurationProductionVariantServerlessConfigArgs(
                max_concurrency=5, memory_size_in_mb=2048
            ),
        ),
    ],
    data_capture_config=aws.sagemaker.EndpointConfigurationDataCaptureConfigArgs(
        enable_capture=True,
        initial_sampling_percentage=10,
        destination_s3_uri=pulumi.Output.concat("s3://", store.bucket, "/capture/"),
        kms_key_id=key.arn,
        capture_options=[
            aws.sagemaker.EndpointConfigurationDataCaptureConfigCaptureOptionArgs(capture_mode=mode)
            for mode in ("Input", "Output")
        ],
    ),
)
alarm = aws.cloudwatch.MetricAlarm(
    "errors",
    comparison_operator="GreaterThanOrEqualToThreshold",
    evaluation_periods=3,
    datapoints_to_alarm=2,
    namespace="AWS/SageMaker",
    metric_name="Invocation5XXErrors",
    dimensions={"EndpointName": "digits", "VariantName": "main"},
    statistic="Sum",
    period=60,
    threshold=5,
    treat_missing_data="notBreaching",
    alarm_actions=[topic.arn],
)
aws.cloudwatch.CompositeAlarm(
    "any",
    alarm_name="digits-any",
    alarm_rule=pulumi.Output.concat('ALARM("', alarm.name, '")'),
    alarm_actions=[topic.arn],
)
endpoint = aws.sagemaker.Endpoint(
    "endpoint",
    name="digits",
    endpoint_config_name=settings.name,
    deployment_config=aws.sagemaker.EndpointDeploymentConfigArgs(
        blue_green_update_policy=aws.sagemaker.EndpointDeploymentConfigBlueGreenUpdatePolicyArgs(
            traffic_routing_configuration=aws.sagemaker.EndpointDeploymentConfigBlueGreenUpdatePolicyTrafficRoutingConfigurationArgs(
                type="CANARY",
                wait_interval_in_seconds=300,
                canary_size=aws.sagemaker.EndpointDeploymentConfigBlueGreenUpdatePolicyTrafficRoutingConfigurationCanarySizeArgs(
                    type="CAPACITY_PERCENT", value=10
                ),
            ),
            maximum_execution_timeout_in_seconds=3600,
            termination_wait_in_seconds=120,
        ),
        auto_rollback_configuration=aws.sagemaker.EndpointDeploymentConfigAutoRollbackConfigurationArgs(
            alarms=[aws.sagemaker.EndpointDeploymentConfigAutoRollbackConfigurationAlarmArgs(alarm_name=alarm.name)]
        ),
    ),
)
target = aws.appautoscaling.Target(
    "variant",
    service_namespace="sagemaker",
    scalable_dimension="sagemaker:variant:DesiredInstanceCount",
    resource_id=pulumi.Output.concat("endpoint/", endpoint.name, "/variant/main"),
    min_capacity=1,
    max_capacity=4,
)
aws.appautoscaling.Policy(
    "variant",
    policy_type="TargetTrackingScaling",
    service_namespace=target.service_namespace,
    scalable_dimension=target.scalable_dimension,
    resource_id=target.resource_id,
    target_tracking_scaling_policy_configuration=aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs(
        target_value=70,
        scale_in_cooldown=300,
        scale_out_cooldown=60,
        predefined_metric_specification=aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgs(
            predefined_metric_type="SageMakerVariantInvocationsPerInstance"
        ),
    ),
)
aws.appautoscaling.ScheduledAction(
    "night",
    service_namespace=target.service_namespace,
    scalable_dimension=target.scalable_dimension,
    resource_id=target.resource_id,
    schedule="cron(0 20 * * ? *)",
    timezone="Europe/Berlin",
    scalable_target_action=aws.appautoscaling.ScheduledActionScalableTargetActionArgs(min_capacity=1, max_capacity=1),
)

function = aws.lambda_.Function(
    "function",
    role=role.arn,
    package_type="Image",
    image_uri=image,
    architectures=["x86_64"],
    memory_size=2048,
    timeout=30,
    publish=True,
    ephemeral_storage=aws.lambda_.FunctionEphemeralStorageArgs(size=1024),
    tracing_config=aws.lambda_.FunctionTracingConfigArgs(mode="Active"),
    logging_config=aws.lambda_.FunctionLoggingConfigArgs(log_format="JSON", log_group=logs.name),
    environment=aws.lambda_.FunctionEnvironmentArgs(variables={"RELEASE": "digits@3"}),
)
live = aws.lambda_.Alias(
    "live", name="live", function_name=function.name, function_version=function.version, description="what is asked"
)
aws.lambda_.FunctionUrl(
    "url",
    function_name=function.name,
    qualifier=live.name,
    authorization_type="AWS_IAM",
    invoke_mode="BUFFERED",
)
aws.lambda_.Permission(
    "invoke",
    action="lambda:InvokeFunctionUrl",
    function=function.name,
    qualifier=live.name,
    principal=f"arn:aws:iam::{ACCOUNT}:root",
    function_url_auth_type="AWS_IAM",
)
aws.lambda_.ProvisionedConcurrencyConfig(
    "warm", function_name=function.name, qualifier=live.name, provisioned_concurrent_executions=2
)

network = aws.ec2.Vpc("network", cidr_block="10.0.0.0/16", enable_dns_hostnames=True)
subnets = [
    aws.ec2.Subnet(
        f"subnet-{zone}", vpc_id=network.id, cidr_block=f"10.0.{number}.0/24", availability_zone=f"us-east-1{zone}"
    )
    for number, zone in enumerate("ab")
]
firewall = aws.ec2.SecurityGroup("server", vpc_id=network.id, description="the model server")
aws.vpc.SecurityGroupIngressRule(
    "server", security_group_id=firewall.id, ip_protocol="tcp", from_port=8080, to_port=8080, cidr_ipv4="10.0.0.0/16"
)
aws.ec2.VpcEndpoint("s3", vpc_id=network.id, service_name="com.amazonaws.us-east-1.s3", vpc_endpoint_type="Gateway")
balancer = aws.lb.LoadBalancer(
    "server",
    name="digits",
    internal=True,
    load_balancer_type="application",
    subnets=[subnet.id for subnet in subnets],
    security_groups=[firewall.id],
    drop_invalid_header_fields=True,
)
group = aws.lb.TargetGroup(
    "server",
    name="digits",
    port=8080,
    protocol="HTTP",
    target_type="ip",
    vpc_id=network.id,
    deregistration_delay=30,
    health_check=aws.lb.TargetGroupHealthCheckArgs(path="/healthz/ready", matcher="200", interval=10, timeout=5),
)
listener = aws.lb.Listener(
    "server",
    load_balancer_arn=balancer.arn,
    port=80,
    protocol="HTTP",
    default_actions=[aws.lb.ListenerDefaultActionArgs(type="forward", target_group_arn=group.arn)],
)
cluster = aws.ecs.Cluster("cluster", settings=[aws.ecs.ClusterSettingArgs(name="containerInsights", value="enabled")])
task = aws.ecs.TaskDefinition(
    "server",
    family="digits",
    cpu="1024",
    memory="2048",
    network_mode="awsvpc",
    requires_compatibilities=["FARGATE"],
    execution_role_arn=role.arn,
    task_role_arn=role.arn,
    runtime_platform=aws.ecs.TaskDefinitionRuntimePlatformArgs(
        cpu_architecture="X86_64", operating_system_family="LINUX"
    ),
    container_definitions=pulumi.Output.json_dumps(
        [
            {
                "name": "server",
                "image": image,
                "essential": True,
                "portMappings": [{"containerPort": 8080, "protocol": "tcp"}],
                "environment": [{"name": "RELEASE", "value": "digits@3"}],
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": logs.name,
                        "awslogs-region": "us-east-1",
                        "awslogs-stream-prefix": "server",
                    },
                },
            }
        ]
    ),
)
service = aws.ecs.Service(
    "server",
    name="digits",
    cluster=cluster.arn,
    task_definition=task.arn,
    desired_count=2,
    launch_type="FARGATE",
    health_check_grace_period_seconds=60,
    deployment_circuit_breaker=aws.ecs.ServiceDeploymentCircuitBreakerArgs(enable=True, rollback=True),
    deployment_controller=aws.ecs.ServiceDeploymentControllerArgs(type="ECS"),
    network_configuration=aws.ecs.ServiceNetworkConfigurationArgs(
        subnets=[subnet.id for subnet in subnets], security_groups=[firewall.id], assign_public_ip=False
    ),
    load_balancers=[
        aws.ecs.ServiceLoadBalancerArgs(target_group_arn=group.arn, container_name="server", container_port=8080)
    ],
    opts=pulumi.ResourceOptions(depends_on=[listener]),
)
template = aws.ec2.LaunchTemplate(
    "server",
    image_id="ami-0123456789abcdef0",
    instance_type="c6i.large",
    vpc_security_group_ids=[firewall.id],
    metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(http_tokens="required", http_endpoint="enabled"),
)
machines = aws.autoscaling.Group(
    "server",
    min_size=1,
    max_size=3,
    desired_capacity=1,
    health_check_type="ELB",
    health_check_grace_period=120,
    vpc_zone_identifiers=[subnet.id for subnet in subnets],
    target_group_arns=[group.arn],
    launch_template=aws.autoscaling.GroupLaunchTemplateArgs(id=template.id, version="$Latest"),
)
aws.autoscaling.Policy(
    "server",
    autoscaling_group_name=machines.name,
    policy_type="TargetTrackingScaling",
    target_tracking_configuration=aws.autoscaling.PolicyTargetTrackingConfigurationArgs(
        target_value=60,
        predefined_metric_specification=aws.autoscaling.PolicyTargetTrackingConfigurationPredefinedMetricSpecificationArgs(
            predefined_metric_type="ASGAverageCPUUtilization"
        ),
    ),
)
aws.cloudwatch.Dashboard(
    "service",
    dashboard_name="digits",
    dashboard_body=pulumi.Output.json_dumps(
        {
            "start": "-PT6H",
            "widgets": [
                {
                    "type": "metric",
                    "x": 0,
                    "y": 0,
                    "width": 12,
                    "height": 6,
                    "properties": {
                        "title": "Requests",
                        "region": "us-east-1",
                        "view": "timeSeries",
                        "stat": "Sum",
                        "period": 60,
                        "metrics": [["AWS/SageMaker", "Invocations", "EndpointName", endpoint.name]],
                    },
                },
                {"type": "text", "x": 12, "y": 0, "width": 12, "height": 6, "properties": {"markdown": "# digits"}},
            ],
        }
    ),
)
aws.budgets.Budget(
    "month",
    budget_type="COST",
    limit_amount="100",
    limit_unit="USD",
    time_unit="MONTHLY",
    notifications=[
        aws.budgets.BudgetNotificationArgs(
            comparison_operator="GREATER_THAN",
            notification_type="ACTUAL",
            threshold=80,
            threshold_type="PERCENTAGE",
            subscriber_email_addresses=["someone@example.com"],
        )
    ],
)
