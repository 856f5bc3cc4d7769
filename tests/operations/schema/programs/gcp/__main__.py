"""One of each Google Cloud resource that the stacks are built from, with right inputs: the checks find nothing here."""

import json

import pulumi
import pulumi_gcp as gcp

PROJECT = "schema-project"
PLACE = "europe-west1"

ring = gcp.kms.KeyRing("ring", name="digits", location=PLACE)
key = gcp.kms.CryptoKey("key", name="digits", key_ring=ring.id, purpose="ENCRYPT_DECRYPT", rotation_period="7776000s")
store = gcp.storage.Bucket(
    "store",
    name="schema-project-digits-models",
    location="EUROPE-WEST1",
    storage_class="STANDARD",
    uniform_bucket_level_access=True,
    public_access_prevention="enforced",
    encryption=gcp.storage.BucketEncryptionArgs(default_kms_key_name=key.id),
    versioning=gcp.storage.BucketVersioningArgs(enabled=True),
    soft_delete_policy=gcp.storage.BucketSoftDeletePolicyArgs(retention_duration_seconds=604800),
    lifecycle_rules=[
        gcp.storage.BucketLifecycleRuleArgs(
            action=gcp.storage.BucketLifecycleRuleActionArgs(type="Delete"),
            condition=gcp.storage.BucketLifecycleRuleConditionArgs(age=30, matches_prefixes=["capture/"]),
        )
    ],
)
account = gcp.serviceaccount.Account("server", account_id="digits-server", display_name="server of digits")
gcp.storage.BucketIAMMember("read", bucket=store.name, role="roles/storage.objectViewer", member=account.member)
gcp.projects.IAMMember("log", project=PROJECT, role="roles/logging.logWriter", member=account.member)
gcp.kms.CryptoKeyIAMMember(
    "decrypt", crypto_key_id=key.id, role="roles/cloudkms.cryptoKeyDecrypter", member=account.member
)
images = gcp.artifactregistry.Repository(
    "images",
    repository_id="digits",
    location=PLACE,
    format="DOCKER",
    mode="STANDARD_REPOSITORY",
    kms_key_name=key.id,
    docker_config=gcp.artifactregistry.RepositoryDockerConfigArgs(immutable_tags=True),
    cleanup_policies=[
        gcp.artifactregistry.RepositoryCleanupPolicyArgs(
            id="keep",
            action="KEEP",
            most_recent_versions=gcp.artifactregistry.RepositoryCleanupPolicyMostRecentVersionsArgs(keep_count=50),
        )
    ],
)
image = pulumi.Output.concat(PLACE, "-docker.pkg.dev/", PROJECT, "/", images.repository_id, "/server:3")
gcp.vertex.AiEndpoint(
    "endpoint",
    name="1234567890",
    display_name="digits",
    location=PLACE,
    description="digits",
    encryption_spec=gcp.vertex.AiEndpointEncryptionSpecArgs(kms_key_name=key.id),
)
service = gcp.cloudrunv2.Service(
    "service",
    name="digits",
    location=PLACE,
    ingress="INGRESS_TRAFFIC_ALL",
    deletion_protection=False,
    launch_stage="GA",
    template=gcp.cloudrunv2.ServiceTemplateArgs(
        service_account=account.email,
        timeout="60s",
        max_instance_request_concurrency=8,
        execution_environment="EXECUTION_ENVIRONMENT_GEN2",
        encryption_key=key.id,
        scaling=gcp.cloudrunv2.ServiceTemplateScalingArgs(min_instance_count=1, max_instance_count=4),
        containers=[
            gcp.cloudrunv2.ServiceTemplateContainerArgs(
                image=image,
                ports=gcp.cloudrunv2.ServiceTemplateContainerPortsArgs(name="http1", container_port=8080),
                envs=[gcp.cloudrunv2.ServiceTemplateContainerEnvArgs(name="RELEASE", value="digits@3")],
                resources=gcp.cloudrunv2.ServiceTemplateContainerResourcesArgs(
                    limits={"cpu": "1", "memory": "2Gi"}, cpu_idle=True, startup_cpu_boost=True
                ),
                startup_probe=gcp.cloudrunv2.ServiceTemplateContainerStartupProbeArgs(
                    initial_delay_seconds=5,
                    period_seconds=10,
                    timeout_seconds=5,
                    failure_threshold=3,
                    http_get=gcp.cloudrunv2.ServiceTemplateContainerStartupProbeHttpGetArgs(
                        path="/healthz/ready", port=8080
                    ),
                ),
            )
        ],
    ),
    traffics=[gcp.cloudrunv2.ServiceTrafficArgs(type="TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", percent=100)],
)
gcp.cloudrunv2.ServiceIamMember(
    "invoke", name=service.name, location=PLACE, role="roles/run.invoker", member=account.member
)
gcp.cloudfunctionsv2.Function(
    "function",
    name="digits-function",
    location=PLACE,
    description="digits",
    build_config=gcp.cloudfunctionsv2.FunctionBuildConfigArgs(
        runtime="python313",
        entry_point="predict",
        source=gcp.cloudfunctionsv2.FunctionBuildConfigSourceArgs(
            storage_source=gcp.cloudfunctionsv2.FunctionBuildConfigSourceStorageSourceArgs(
                bucket=store.name, object="functions/digits.zip"
            )
        ),
    ),
    service_config=gcp.cloudfunctionsv2.FunctionServiceConfigArgs(
        available_memory="2Gi",
        available_cpu="1",
        timeout_seconds=60,
        max_instance_count=4,
        min_instance_count=0,
        max_instance_request_concurrency=8,
        ingress_settings="ALLOW_ALL",
        service_account_email=account.email,
        environment_variables={"RELEASE": "digits@3"},
    ),
)
network = gcp.compute.Network("network", name="digits", auto_create_subnetworks=False, routing_mode="REGIONAL")
subnet = gcp.compute.Subnetwork(
    "nodes",
    name="digits",
    region=PLACE,
    network=network.id,
    ip_cidr_range="10.0.0.0/22",
    private_ip_google_access=True,
)
cluster = gcp.container.Cluster(
    "cluster",
    name="digits",
    location=PLACE,
    network=network.id,
    subnetwork=subnet.id,
    initial_node_count=1,
    remove_default_node_pool=True,
    deletion_protection=False,
    networking_mode="VPC_NATIVE",
    datapath_provider="ADVANCED_DATAPATH",
    release_channel=gcp.container.ClusterReleaseChannelArgs(channel="REGULAR"),
    workload_identity_config=gcp.container.ClusterWorkloadIdentityConfigArgs(workload_pool=f"{PROJECT}.svc.id.goog"),
    private_cluster_config=gcp.container.ClusterPrivateClusterConfigArgs(
        enable_private_nodes=True, master_ipv4_cidr_block="172.16.0.0/28"
    ),
)
gcp.container.NodePool(
    "nodes",
    name="nodes",
    cluster=cluster.id,
    location=PLACE,
    initial_node_count=1,
    autoscaling=gcp.container.NodePoolAutoscalingArgs(
        total_min_node_count=1, total_max_node_count=4, location_policy="BALANCED"
    ),
    management=gcp.container.NodePoolManagementArgs(auto_repair=True, auto_upgrade=True),
    node_config=gcp.container.NodePoolNodeConfigArgs(
        machine_type="e2-standard-4",
        disk_size_gb=50,
        disk_type="pd-balanced",
        service_account=account.email,
        oauth_scopes=["https://www.googleapis.com/auth/cloud-platform"],
        workload_metadata_config=gcp.container.NodePoolNodeConfigWorkloadMetadataConfigArgs(mode="GKE_METADATA"),
    ),
)
template = gcp.compute.InstanceTemplate(
    "machine",
    name="digits",
    machine_type="e2-standard-2",
    disks=[
        gcp.compute.InstanceTemplateDiskArgs(
            source_image="projects/cos-cloud/global/images/family/cos-stable",
            boot=True,
            auto_delete=True,
            disk_size_gb=20,
            disk_type="pd-balanced",
        )
    ],
    network_interfaces=[gcp.compute.InstanceTemplateNetworkInterfaceArgs(subnetwork=subnet.id)],
    service_account=gcp.compute.InstanceTemplateServiceAccountArgs(
        email=account.email, scopes=["https://www.googleapis.com/auth/cloud-platform"]
    ),
    scheduling=gcp.compute.InstanceTemplateSchedulingArgs(automatic_restart=True, on_host_maintenance="MIGRATE"),
)
ready = gcp.compute.HealthCheck(
    "ready",
    name="digits",
    check_interval_sec=10,
    timeout_sec=5,
    healthy_threshold=2,
    unhealthy_threshold=3,
    http_health_check=gcp.compute.HealthCheckHttpHealthCheckArgs(port=8080, request_path="/healthz/ready"),
)
machines = gcp.compute.RegionInstanceGroupManager(
    "machines",
    name="digits",
    region=PLACE,
    base_instance_name="digits",
    versions=[gcp.compute.RegionInstanceGroupManagerVersionArgs(instance_template=template.self_link)],
    named_ports=[gcp.compute.RegionInstanceGroupManagerNamedPortArgs(name="http", port=8080)],
    auto_healing_policies=gcp.compute.RegionInstanceGroupManagerAutoHealingPoliciesArgs(
        health_check=ready.id, initial_delay_sec=120
    ),
    update_policy=gcp.compute.RegionInstanceGroupManagerUpdatePolicyArgs(
        type="PROACTIVE", minimal_action="REPLACE", max_surge_fixed=3, max_unavailable_fixed=0
    ),
)
gcp.compute.RegionAutoscaler(
    "machines",
    name="digits",
    region=PLACE,
    target=machines.id,
    autoscaling_policy=gcp.compute.RegionAutoscalerAutoscalingPolicyArgs(
        min_replicas=1,
        max_replicas=4,
        cooldown_period=60,
        mode="ON",
        cpu_utilization=gcp.compute.RegionAutoscalerAutoscalingPolicyCpuUtilizationArgs(
            target=0.6, predictive_method="NONE"
        ),
    ),
)
people = gcp.monitoring.NotificationChannel(
    "people", display_name="someone", type="email", labels={"email_address": "someone@example.com"}
)
gcp.monitoring.AlertPolicy(
    "errors",
    display_name="digits: errors",
    combiner="OR",
    enabled=True,
    severity="ERROR",
    notification_channels=[people.name],
    documentation=gcp.monitoring.AlertPolicyDocumentationArgs(
        content="See the runbook.", mime_type="text/markdown", subject="errors of digits"
    ),
    conditions=[
        gcp.monitoring.AlertPolicyConditionArgs(
            display_name="errors",
            condition_threshold=gcp.monitoring.AlertPolicyConditionConditionThresholdArgs(
                filter='resource.type = "cloud_run_revision" AND metric.type = "run.googleapis.com/request_count"',
                comparison="COMPARISON_GT",
                threshold_value=1,
                duration="60s",
                trigger=gcp.monitoring.AlertPolicyConditionConditionThresholdTriggerArgs(count=1),
                aggregations=[
                    gcp.monitoring.AlertPolicyConditionConditionThresholdAggregationArgs(
                        alignment_period="60s", per_series_aligner="ALIGN_RATE", cross_series_reducer="REDUCE_SUM"
                    )
                ],
            ),
        )
    ],
    alert_strategy=gcp.monitoring.AlertPolicyAlertStrategyArgs(auto_close="1800s"),
)
CHART = {
    "plotType": "LINE",
    "timeSeriesQuery": {
        "timeSeriesFilter": {
            "filter": 'metric.type="run.googleapis.com/request_count"',
            "aggregation": {"alignmentPeriod": "60s", "perSeriesAligner": "ALIGN_RATE"},
        }
    },
}
TILE = {"width": 6, "height": 4, "widget": {"title": "Requests", "xyChart": {"dataSets": [CHART]}}}
gcp.monitoring.Dashboard(
    "service",
    dashboard_json=json.dumps({"displayName": "digits", "mosaicLayout": {"columns": 12, "tiles": [TILE]}}),
)
watched = gcp.monitoring.CustomService("service", service_id="digits", display_name="digits")
gcp.monitoring.Slo(
    "availability",
    service=watched.service_id,
    slo_id="availability",
    display_name="99.9 % of requests are answered",
    goal=0.999,
    rolling_period_days=28,
    request_based_sli=gcp.monitoring.SloRequestBasedSliArgs(
        good_total_ratio=gcp.monitoring.SloRequestBasedSliGoodTotalRatioArgs(
            good_service_filter='metric.type="run.googleapis.com/request_count" metric.label.response_code_class="2xx"',
            total_service_filter='metric.type="run.googleapis.com/request_count"',
        )
    ),
)
