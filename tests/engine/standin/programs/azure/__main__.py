"""A model behind Container Apps or Azure ML, small: what the rehearsal's own tests run on Azure."""

import pulumi
import pulumi_azure_native as az

config = pulumi.Config()
release = config.require("release")
token = config.require_secret("token")
client = az.authorization.get_client_config()

group = az.resources.ResourceGroup("group", location="westeurope")
identity = az.managedidentity.UserAssignedIdentity("identity", resource_group_name=group.name)
vault = az.keyvault.Vault(
    "vault",
    resource_group_name=group.name,
    properties=az.keyvault.VaultPropertiesArgs(
        sku=az.keyvault.SkuArgs(family="A", name=az.keyvault.SkuName.STANDARD),
        tenant_id=client.tenant_id,
        enable_rbac_authorization=True,
    ),
)
key = az.keyvault.Key(
    f"key-{config.require('key')}",
    resource_group_name=group.name,
    vault_name=vault.name,
    properties=az.keyvault.KeyPropertiesArgs(kty="RSA", key_size=3072),
)
az.keyvault.Secret(
    "token",
    resource_group_name=group.name,
    vault_name=vault.name,
    properties=az.keyvault.SecretPropertiesArgs(value=token),
)
for region in config.require_object("regions"):
    store = az.storage.StorageAccount(
        f"store{region}"[:16],
        resource_group_name=group.name,
        location=region,
        kind=az.storage.Kind.STORAGE_V2,
        sku=az.storage.SkuArgs(name=az.storage.SkuName.STANDARD_LRS),
        encryption=az.storage.EncryptionArgs(
            key_source=az.storage.KeySource.MICROSOFT_KEYVAULT,
            key_vault_properties=az.storage.KeyVaultPropertiesArgs(
                key_name=key.name, key_vault_uri=vault.properties.apply(lambda p: p.vault_uri)
            ),
        ),
    )
    az.storage.BlobContainer(f"models-{region}", resource_group_name=group.name, account_name=store.name)
    az.authorization.RoleAssignment(
        f"read-{region}",
        scope=store.id,
        principal_id=identity.principal_id,
        principal_type=az.authorization.PrincipalType.SERVICE_PRINCIPAL,
        role_definition_id=f"/subscriptions/{client.subscription_id}/providers/Microsoft.Authorization/roleDefinitions/"
        "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    )
    if "container_apps" in config.require_object("targets"):
        place = az.app.ManagedEnvironment(f"place-{region}", resource_group_name=group.name, location=region)
        app = az.app.ContainerApp(
            f"app-{region}",
            resource_group_name=group.name,
            location=region,
            managed_environment_id=place.id,
            configuration=az.app.ConfigurationArgs(ingress=az.app.IngressArgs(external=True, target_port=8080)),
            template=az.app.TemplateArgs(
                containers=[
                    az.app.ContainerArgs(
                        name="server",
                        image="mcr.microsoft.com/k8se/quickstart:latest",
                        env=[az.app.EnvironmentVarArgs(name="RELEASE", value=release)],
                    )
                ],
                scale=az.app.ScaleArgs(min_replicas=config.require_int("replicas")),
            ),
        )
        pulumi.export(f"app-{region}", app.configuration.apply(lambda c: c.ingress.fqdn if c and c.ingress else ""))
    if "ml" in config.require_object("targets"):
        workspace = az.machinelearningservices.Workspace(
            f"workspace-{region}", resource_group_name=group.name, location=region, storage_account=store.id
        )
        endpoint = az.machinelearningservices.OnlineEndpoint(
            f"endpoint-{region}",
            resource_group_name=group.name,
            location=region,
            workspace_name=workspace.name,
            properties=az.machinelearningservices.OnlineEndpointPropertiesArgs(auth_mode="Key"),
        )
        az.machinelearningservices.OnlineDeployment(
            f"blue-{region}",
            resource_group_name=group.name,
            location=region,
            workspace_name=workspace.name,
            endpoint_name=endpoint.name,
            properties=az.machinelearningservices.ManagedOnlineDeploymentArgs(endpoint_compute_type="Managed"),
        )
        pulumi.export(f"url-{region}", endpoint.properties.apply(lambda p: p.scoring_uri))
