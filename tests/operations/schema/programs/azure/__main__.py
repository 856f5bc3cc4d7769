"""One of each Azure resource that the stacks are built from, with right inputs: the schema checks find nothing here."""

import pulumi
import pulumi_azure_native as az

client = az.authorization.get_client_config()
SUBSCRIPTION = f"/subscriptions/{client.subscription_id}"
PLACE = "westeurope"
BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"

group = az.resources.ResourceGroup("group", location=PLACE, tags={"service": "digits"})
identity = az.managedidentity.UserAssignedIdentity("server", resource_group_name=group.name, location=PLACE)
vault = az.keyvault.Vault(
    "vault",
    resource_group_name=group.name,
    location=PLACE,
    properties=az.keyvault.VaultPropertiesArgs(
        sku=az.keyvault.SkuArgs(family=az.keyvault.SkuFamily.A, name=az.keyvault.SkuName.STANDARD),
        tenant_id=client.tenant_id,
        enable_rbac_authorization=True,
        enable_purge_protection=True,
        soft_delete_retention_in_days=30,
        public_network_access="Disabled",
    ),
)
key = az.keyvault.Key(
    "key",
    resource_group_name=group.name,
    vault_name=vault.name,
    key_name="service-key",
    properties=az.keyvault.KeyPropertiesArgs(kty=az.keyvault.JsonWebKeyType.RSA, key_size=3072),
)
store = az.storage.StorageAccount(
    "store",
    resource_group_name=group.name,
    location=PLACE,
    kind=az.storage.Kind.STORAGE_V2,
    sku=az.storage.SkuArgs(name=az.storage.SkuName.STANDARD_ZRS),
    access_tier=az.storage.AccessTier.HOT,
    allow_blob_public_access=False,
    allow_shared_key_access=False,
    minimum_tls_version=az.storage.MinimumTlsVersion.TLS1_2,
    enable_https_traffic_only=True,
    identity=az.storage.IdentityArgs(
        type=az.storage.IdentityType.USER_ASSIGNED, user_assigned_identities=[identity.id]
    ),
    encryption=az.storage.EncryptionArgs(
        key_source=az.storage.KeySource.MICROSOFT_KEYVAULT,
        key_vault_properties=az.storage.KeyVaultPropertiesArgs(
            key_name=key.name, key_vault_uri=vault.properties.apply(lambda properties: properties.vault_uri)
        ),
    ),
)
az.storage.BlobContainer(
    "models",
    resource_group_name=group.name,
    account_name=store.name,
    container_name="models",
    public_access=az.storage.PublicAccess.NONE,
)
az.storage.ManagementPolicy(
    "captures",
    resource_group_name=group.name,
    account_name=store.name,
    management_policy_name="default",
    policy=az.storage.ManagementPolicySchemaArgs(
        rules=[
            az.storage.ManagementPolicyRuleArgs(
                name="captures",
                enabled=True,
                type=az.storage.RuleType.LIFECYCLE,
                definition=az.storage.ManagementPolicyDefinitionArgs(
                    filters=az.storage.ManagementPolicyFilterArgs(blob_types=["blockBlob"], prefix_match=["capture/"]),
                    actions=az.storage.ManagementPolicyActionArgs(
                        base_blob=az.storage.ManagementPolicyBaseBlobArgs(
                            delete=az.storage.DateAfterModificationArgs(days_after_modification_greater_than=30)
                        )
                    ),
                ),
            )
        ]
    ),
)
az.authorization.RoleAssignment(
    "read",
    scope=store.id,
    principal_id=identity.principal_id,
    principal_type=az.authorization.PrincipalType.SERVICE_PRINCIPAL,
    role_definition_id=f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{BLOB_READER}",
)
registry = az.containerregistry.Registry(
    "registry",
    resource_group_name=group.name,
    location=PLACE,
    sku=az.containerregistry.SkuArgs(name=az.containerregistry.SkuName.PREMIUM),
    admin_user_enabled=False,
    public_network_access=az.containerregistry.PublicNetworkAccess.ENABLED,
)
logs = az.operationalinsights.Workspace(
    "logs",
    resource_group_name=group.name,
    location=PLACE,
    retention_in_days=30,
    sku=az.operationalinsights.WorkspaceSkuArgs(name=az.operationalinsights.WorkspaceSkuNameEnum.PER_GB2018),
)
insights = az.applicationinsights.Component(
    "insights",
    resource_group_name=group.name,
    location=PLACE,
    kind="web",
    application_type=az.applicationinsights.ApplicationType.WEB,
    ingestion_mode=az.applicationinsights.IngestionMode.LOG_ANALYTICS,
    workspace_resource_id=logs.id,
)
workspace = az.machinelearningservices.Workspace(
    "workspace",
    resource_group_name=group.name,
    location=PLACE,
    storage_account=store.id,
    key_vault=vault.id,
    application_insights=insights.id,
    container_registry=registry.id,
    friendly_name="digits",
    public_network_access="Enabled",
    identity=az.machinelearningservices.ManagedServiceIdentityArgs(
        type=az.machinelearningservices.ManagedServiceIdentityType.SYSTEM_ASSIGNED
    ),
)
endpoint = az.machinelearningservices.OnlineEndpoint(
    "endpoint",
    resource_group_name=group.name,
    location=PLACE,
    workspace_name=workspace.name,
    endpoint_name="digits",
    kind="Managed",
    identity=az.machinelearningservices.ManagedServiceIdentityArgs(
        type=az.machinelearningservices.ManagedServiceIdentityType.USER_ASSIGNED,
        user_assigned_identities=[identity.id],
    ),
    properties=az.machinelearningservices.OnlineEndpointPropertiesArgs(
        auth_mode=az.machinelearningservices.EndpointAuthMode.KEY, public_network_access="Enabled", description="digits"
    ),
)
az.machinelearningservices.OnlineDeployment(
    "blue",
    resource_group_name=group.name,
    location=PLACE,
    workspace_name=workspace.name,
    endpoint_name=endpoint.name,
    deployment_name="blue",
    kind="Managed",
    sku=az.machinelearningservices.SkuArgs(name="Default", capacity=1),
    properties=az.machinelearningservices.ManagedOnlineDeploymentArgs(
        endpoint_compute_type="Managed",
        instance_type="Standard_DS2_v2",
        app_insights_enabled=True,
        environment_variables={"RELEASE": "digits@3"},
        egress_public_network_access="Enabled",
        scale_settings=az.machinelearningservices.DefaultScaleSettingsArgs(scale_type="Default"),
        request_settings=az.machinelearningservices.OnlineRequestSettingsArgs(
            max_concurrent_requests_per_instance=4, request_timeout="PT30S"
        ),
        readiness_probe=az.machinelearningservices.ProbeSettingsArgs(
            failure_threshold=3, initial_delay="PT10S", period="PT10S", success_threshold=1, timeout="PT2S"
        ),
    ),
)
place = az.app.ManagedEnvironment(
    "place",
    resource_group_name=group.name,
    location=PLACE,
    zone_redundant=False,
    workload_profiles=[az.app.WorkloadProfileArgs(name="Consumption", workload_profile_type="Consumption")],
)
app = az.app.ContainerApp(
    "app",
    resource_group_name=group.name,
    location=PLACE,
    managed_environment_id=place.id,
    workload_profile_name="Consumption",
    identity=az.app.ManagedServiceIdentityArgs(
        type=az.app.ManagedServiceIdentityType.USER_ASSIGNED, user_assigned_identities=[identity.id]
    ),
    configuration=az.app.ConfigurationArgs(
        active_revisions_mode=az.app.ActiveRevisionsMode.MULTIPLE,
        ingress=az.app.IngressArgs(
            external=True,
            target_port=8080,
            transport=az.app.IngressTransportMethod.HTTP,
            traffic=[az.app.TrafficWeightArgs(latest_revision=True, weight=100)],
        ),
        registries=[az.app.RegistryCredentialsArgs(identity=identity.id, server=registry.login_server)],
    ),
    template=az.app.TemplateArgs(
        containers=[
            az.app.ContainerArgs(
                name="server",
                image=pulumi.Output.concat(registry.login_server, "/digits:3"),
                env=[az.app.EnvironmentVarArgs(name="RELEASE", value="digits@3")],
                resources=az.app.ContainerResourcesArgs(cpu=1, memory="2Gi"),
                probes=[
                    az.app.ContainerAppProbeArgs(
                        type=az.app.Type.READINESS,
                        period_seconds=10,
                        failure_threshold=3,
                        http_get=az.app.ContainerAppProbeHttpGetArgs(path="/healthz/ready", port=8080),
                    )
                ],
            )
        ],
        scale=az.app.ScaleArgs(
            min_replicas=1,
            max_replicas=4,
            rules=[
                az.app.ScaleRuleArgs(name="http", http=az.app.HttpScaleRuleArgs(metadata={"concurrentRequests": "20"}))
            ],
        ),
    ),
)
network = az.network.VirtualNetwork(
    "network",
    resource_group_name=group.name,
    location=PLACE,
    address_space=az.network.AddressSpaceArgs(address_prefixes=["10.0.0.0/16"]),
)
subnet = az.network.Subnet(
    "nodes", resource_group_name=group.name, virtual_network_name=network.name, address_prefix="10.0.0.0/22"
)
az.containerservice.ManagedCluster(
    "cluster",
    resource_group_name=group.name,
    location=PLACE,
    dns_prefix="digits",
    kubernetes_version="1.33",
    disable_local_accounts=True,
    identity=az.containerservice.ManagedClusterIdentityArgs(
        type=az.containerservice.ResourceIdentityType.USER_ASSIGNED, user_assigned_identities=[identity.id]
    ),
    agent_pool_profiles=[
        az.containerservice.ManagedClusterAgentPoolProfileArgs(
            name="nodes",
            mode=az.containerservice.AgentPoolMode.SYSTEM,
            count=2,
            enable_auto_scaling=True,
            min_count=1,
            max_count=4,
            max_pods=60,
            os_disk_size_gb=64,
            os_sku=az.containerservice.OSSKU.AZURE_LINUX,
            os_type=az.containerservice.OSType.LINUX,
            vm_size="Standard_D4s_v5",
            vnet_subnet_id=subnet.id,
        )
    ],
    network_profile=az.containerservice.ContainerServiceNetworkProfileArgs(
        network_plugin=az.containerservice.NetworkPlugin.AZURE,
        network_policy=az.containerservice.NetworkPolicy.CILIUM,
        network_dataplane=az.containerservice.NetworkDataplane.CILIUM,
        load_balancer_sku=az.containerservice.LoadBalancerSku.STANDARD,
        service_cidr="172.16.0.0/16",
        dns_service_ip="172.16.0.10",
    ),
)
machines = az.compute.VirtualMachineScaleSet(
    "machines",
    resource_group_name=group.name,
    location=PLACE,
    orchestration_mode=az.compute.OrchestrationMode.UNIFORM,
    overprovision=False,
    sku=az.compute.SkuArgs(name="Standard_D2s_v5", capacity=2, tier="Standard"),
    upgrade_policy=az.compute.UpgradePolicyArgs(
        mode=az.compute.UpgradeMode.ROLLING,
        rolling_upgrade_policy=az.compute.RollingUpgradePolicyArgs(
            max_batch_instance_percent=50, max_unhealthy_instance_percent=50, pause_time_between_batches="PT30S"
        ),
    ),
    virtual_machine_profile=az.compute.VirtualMachineScaleSetVMProfileArgs(
        os_profile=az.compute.VirtualMachineScaleSetOSProfileArgs(
            computer_name_prefix="digits",
            admin_username="server",
            linux_configuration=az.compute.LinuxConfigurationArgs(disable_password_authentication=True),
        ),
        storage_profile=az.compute.VirtualMachineScaleSetStorageProfileArgs(
            image_reference=az.compute.ImageReferenceArgs(
                publisher="Debian", offer="debian-13", sku="13-gen2", version="latest"
            ),
            os_disk=az.compute.VirtualMachineScaleSetOSDiskArgs(
                create_option=az.compute.DiskCreateOptionTypes.FROM_IMAGE,
                caching=az.compute.CachingTypes.READ_WRITE,
                disk_size_gb=32,
            ),
        ),
        network_profile=az.compute.VirtualMachineScaleSetNetworkProfileArgs(
            network_interface_configurations=[
                az.compute.VirtualMachineScaleSetNetworkConfigurationArgs(
                    name="main",
                    primary=True,
                    ip_configurations=[
                        az.compute.VirtualMachineScaleSetIPConfigurationArgs(
                            name="main", subnet=az.compute.ApiEntityReferenceArgs(id=subnet.id)
                        )
                    ],
                )
            ]
        ),
    ),
)
people = az.monitor.ActionGroup(
    "people",
    resource_group_name=group.name,
    location="Global",
    enabled=True,
    group_short_name="digits",
    email_receivers=[
        az.monitor.MicrosoftCommonEmailReceiverArgs(
            name="someone", email_address="someone@example.com", use_common_alert_schema=True
        )
    ],
)
az.monitor.AutoscaleSetting(
    "machines",
    resource_group_name=group.name,
    location=PLACE,
    autoscale_setting_name="machines",
    enabled=True,
    target_resource_uri=machines.id,
    profiles=[
        az.monitor.AutoscaleProfileArgs(
            name="always",
            capacity=az.monitor.ScaleCapacityArgs(minimum="1", maximum="4", default="2"),
            rules=[
                az.monitor.ScaleRuleArgs(
                    metric_trigger=az.monitor.MetricTriggerArgs(
                        metric_name="Percentage CPU",
                        metric_resource_uri=machines.id,
                        operator=az.monitor.ComparisonOperationType.GREATER_THAN,
                        statistic=az.monitor.MetricStatisticType.AVERAGE,
                        threshold=60,
                        time_aggregation=az.monitor.TimeAggregationType.AVERAGE,
                        time_grain="PT1M",
                        time_window="PT5M",
                    ),
                    scale_action=az.monitor.ScaleActionArgs(
                        direction=az.monitor.ScaleDirection.INCREASE,
                        type=az.monitor.ScaleType.CHANGE_COUNT,
                        value="1",
                        cooldown="PT5M",
                    ),
                )
            ],
        )
    ],
)
az.monitor.MetricAlert(
    "errors",
    resource_group_name=group.name,
    location="global",
    description="too many errors",
    enabled=True,
    severity=1,
    scopes=[app.id],
    evaluation_frequency="PT1M",
    window_size="PT5M",
    criteria=az.monitor.MetricAlertSingleResourceMultipleMetricCriteriaArgs(
        odata_type="Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
        all_of=[
            az.monitor.MetricCriteriaArgs(
                criterion_type="StaticThresholdCriterion",
                name="errors",
                metric_name="Requests",
                metric_namespace="Microsoft.App/containerApps",
                operator=az.monitor.Operator.GREATER_THAN,
                threshold=5,
                time_aggregation=az.monitor.AggregationTypeEnum.TOTAL,
                dimensions=[
                    az.monitor.MetricDimensionArgs(name="statusCodeCategory", operator="Include", values=["5xx"])
                ],
            )
        ],
    ),
    actions=[az.monitor.MetricAlertActionArgs(action_group_id=people.id)],
)
az.monitor.ScheduledQueryRule(
    "drift",
    resource_group_name=group.name,
    location=PLACE,
    kind=az.monitor.Kind.LOG_ALERT,
    enabled=True,
    severity=2,
    scopes=[logs.id],
    evaluation_frequency="PT15M",
    window_size="PT1H",
    criteria=az.monitor.ScheduledQueryRuleCriteriaArgs(
        all_of=[
            az.monitor.ConditionArgs(
                query="AppTraces | where Message has 'drift' | summarize count()",
                operator=az.monitor.ConditionOperator.GREATER_THAN,
                threshold=0,
                time_aggregation=az.monitor.TimeAggregation.COUNT,
                failing_periods=az.monitor.ConditionFailingPeriodsArgs(
                    min_failing_periods_to_alert=1, number_of_evaluation_periods=1
                ),
            )
        ]
    ),
    actions=az.monitor.ActionsArgs(action_groups=[people.id]),
)
az.monitor.DiagnosticSetting(
    "app",
    resource_uri=app.id,
    workspace_id=logs.id,
    logs=[az.monitor.DiagnosticsLogSettingsArgs(category_group="allLogs", enabled=True)],
    metrics=[az.monitor.DiagnosticsMetricSettingsArgs(category="AllMetrics", enabled=True)],
)
