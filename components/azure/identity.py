"""Identities that Azure's services take on, with what they may do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_azure_native as az

from components.azure.account import Account
from components.azure.grants import Grant, checked_scope, condition, merged, role_id

#: Version of the conditions' language (https://learn.microsoft.com/azure/role-based-access-control/conditions-format).
_CONDITION_VERSION = "2.0"


@dataclass(frozen=True)
class RoleArgs:
    """account: whose identity. What it may do is in `Permissions`."""

    account: Account


class Role(pulumi.ComponentResource):
    """A user-assigned identity, without permissions yet: what other clouds call a role or a service account.

    Nobody holds a secret of it: Azure hands its tokens only to the resources that it is assigned to.
    id: of the resource. name: within its group. principal_id: whom permissions are given to. client_id: what a program
    names that runs as one of several.
    """

    id: pulumi.Output[str]
    name: pulumi.Output[str]
    principal_id: pulumi.Output[str]
    client_id: pulumi.Output[str]

    def __init__(self, name: str, args: RoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:azure:Role", name, {}, opts)
        self.identity = az.managedidentity.UserAssignedIdentity(
            f"{name}-identity",
            resource_group_name=args.account.group,
            location=args.account.region,
            tags=args.account.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.id = self.identity.id
        self.name = self.identity.name
        self.principal_id = self.identity.principal_id
        self.client_id = self.identity.client_id
        self.register_outputs({"id": self.id, "principalId": self.principal_id})


@dataclass(frozen=True)
class PermissionsArgs:
    """What an identity may do.

    account: where the roles are defined. principal_id: whose permissions. grants: as the components return them.
    managed: whether the principal is a managed identity or service principal, which Azure then need not look up; False
    for whoever runs Pulumi, who may be a person.
    """

    account: Account
    principal_id: pulumi.Input[str]
    grants: Sequence[Grant]
    managed: bool = True


class Permissions(pulumi.ComponentResource):
    """The permissions of an identity, apart from it: what they name may name the identity in turn.

    Whatever takes the identity on depends on this component. Azure may need minutes until an assignment holds
    everywhere (https://learn.microsoft.com/azure/role-based-access-control/troubleshooting).
    assignments: by the grants' sids.
    """

    assignments: dict[str, az.authorization.RoleAssignment]

    def __init__(self, name: str, args: PermissionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:azure:Permissions", name, {}, opts)
        self.assignments = {
            grant.sid: az.authorization.RoleAssignment(
                f"{name}-{grant.sid}",
                scope=_one_resource(grant),
                role_definition_id=role_id(args.account.subscription_id, grant.role),
                principal_id=args.principal_id,
                # Without it an identity that was made a second ago is not found yet.
                principal_type=az.authorization.PrincipalType.SERVICE_PRINCIPAL if args.managed else None,
                condition=condition(grant.prefixes),
                condition_version=_CONDITION_VERSION if grant.prefixes else None,
                description=f"{grant.role} for {name}",
                opts=pulumi.ResourceOptions(parent=self),
            )
            for grant in merged(args.grants)
        }
        self.register_outputs({})


def _one_resource(grant: Grant) -> pulumi.Output[str]:
    return pulumi.Output.from_input(grant.scope).apply(lambda scope: checked_scope(grant.sid, scope))
