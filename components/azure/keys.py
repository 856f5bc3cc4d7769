"""The service's own encryption key, in a vault of its own."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_azure_native as az

from components.azure.account import Account
from components.azure.grants import Grant
from components.azure.identity import Permissions, PermissionsArgs, Role, RoleArgs
from components.azure.logs import Logs, diagnostics

#: How long a deleted vault or key can be got back; with purge protection nobody can end it earlier.
RECOVERABLE_DAYS = 90
#: RSA-3072 is the least that NIST recommends beyond 2030 (SP 800-57), and what storage and registries can wrap with.
KEY_BITS = 3072


@dataclass(frozen=True)
class KeyArgs:
    """account: whose key. logs: who used it is written there. protect: keep the vault when the stack goes."""

    account: Account
    logs: Logs
    protect: bool = True


class EncryptionKey(pulumi.ComponentResource):
    """A key that rotates every year, in a vault with RBAC, purge protection and no way in from the internet.

    What encrypts with it (storage, registry, workspace) does so as an identity that may wrap and unwrap with this one
    key, and names the key without a version, so that it follows the rotation by itself
    (https://learn.microsoft.com/azure/storage/common/customer-managed-keys-overview). The key is made through Azure
    Resource Manager, which works while the vault is closed to the internet; ARM never changes a key that is there
    (https://learn.microsoft.com/rest/api/keyvault/keyvault/keys/create-if-not-exist), so its properties hold for life.
    id: of the key's resource. name: of the key. uri: of the key, without version. vault_id, vault_uri: of the vault.
    identity: what encrypts; `ready` is its id, known once it may.
    """

    id: pulumi.Output[str]
    name: pulumi.Output[str]
    uri: pulumi.Output[str]
    vault_id: pulumi.Output[str]
    vault_uri: pulumi.Output[str]
    identity: Role
    ready: pulumi.Output[str]

    def __init__(self, name: str, args: KeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:azure:EncryptionKey", name, {}, opts)
        account, vault = args.account, az.keyvault
        child = pulumi.ResourceOptions(parent=self)
        kept = pulumi.ResourceOptions(parent=self, protect=args.protect)
        self.vault = vault.Vault(
            account.stem("vault", name),
            resource_group_name=account.group,
            location=account.region,
            properties=vault.VaultPropertiesArgs(
                tenant_id=account.tenant_id,
                sku=vault.SkuArgs(family=vault.SkuFamily.A, name=vault.SkuName.STANDARD),
                enable_rbac_authorization=True,
                enable_soft_delete=True,
                soft_delete_retention_in_days=RECOVERABLE_DAYS,
                enable_purge_protection=True,
                public_network_access="Disabled",
                # Storage and registries are such services: they come from outside the network, with an identity.
                network_acls=vault.NetworkRuleSetArgs(
                    bypass=vault.NetworkRuleBypassOptions.AZURE_SERVICES, default_action=vault.NetworkRuleAction.DENY
                ),
            ),
            tags=account.tags,
            opts=kept,
        )
        self.key = vault.Key(
            f"{name}-key",
            resource_group_name=account.group,
            vault_name=self.vault.name,
            properties=vault.KeyPropertiesArgs(
                kty=vault.JsonWebKeyType.RSA,
                key_size=KEY_BITS,
                key_ops=[vault.JsonWebKeyOperation.WRAP_KEY, vault.JsonWebKeyOperation.UNWRAP_KEY],
                rotation_policy=vault.RotationPolicyArgs(
                    lifetime_actions=[
                        vault.LifetimeActionArgs(
                            action=vault.ActionArgs(type=vault.KeyRotationPolicyActionType.ROTATE),
                            trigger=vault.TriggerArgs(time_after_create="P1Y"),
                        )
                    ]
                ),
            ),
            tags=account.tags,
            opts=kept,
        )
        diagnostics(f"{name}-vault", self.vault.id, args.logs, self)
        self.id = self.key.id
        self.name = self.key.name
        self.uri = self.key.key_uri
        self.vault_id = self.vault.id
        self.vault_uri = self.vault.properties.apply(lambda known: known.vault_uri or "")
        self.identity = Role(f"{name}-encryption", RoleArgs(account), child)
        allowed = Permissions(
            f"{name}-encryption", PermissionsArgs(account, self.identity.principal_id, (self.use(),)), child
        )
        # Whoever is given the identity waits for its permission: without it the first use is refused.
        waited = (assignment.id for assignment in allowed.assignments.values())
        self.ready = pulumi.Output.all(self.identity.id, *waited).apply(lambda known: known[0])
        self.register_outputs({"id": self.id, "uri": self.uri})

    def use(self, sid: str = "UseKey") -> Grant:
        """Permission to wrap and unwrap with the key, and with no other of the vault."""
        return Grant(sid, "Key Vault Crypto Service Encryption User", self.id)
