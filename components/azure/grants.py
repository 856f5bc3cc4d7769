"""What a component lets somebody do: built-in roles by name, each at one resource. Identities are made from these.

Azure's permissions are role assignments, not documents: a role, a scope, a principal. The narrowest scope is the one
resource that it is about; roles at a subscription or a resource group, and roles that may do everything, are refused
here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

_PAGES = "https://learn.microsoft.com/azure/role-based-access-control/built-in-roles"


@dataclass(frozen=True)
class BuiltInRole:
    """A role that Azure defines, the same in every tenant. guid: its name in ids. page: where it is documented."""

    guid: str
    page: str


#: Every role that this project assigns. Owner, Contributor and User Access Administrator are not among them on purpose.
ROLES: dict[str, BuiltInRole] = {
    "AcrPull": BuiltInRole("7f951dda-4ed3-4680-a7ca-43fe172d538d", f"{_PAGES}/containers#acrpull"),
    "AcrPush": BuiltInRole("8311e382-0749-4cb8-b61a-304f252e45ec", f"{_PAGES}/containers#acrpush"),
    "AzureML Data Scientist": BuiltInRole(
        "f6c7c914-8db3-469d-8ca1-694a8f32e121", f"{_PAGES}/ai-machine-learning#azureml-data-scientist"
    ),
    "AzureML Metrics Writer (preview)": BuiltInRole(
        "635dd51f-9968-44d3-b7fb-6d9a6bd613ae", f"{_PAGES}/ai-machine-learning#azureml-metrics-writer-preview"
    ),
    "Key Vault Crypto Service Encryption User": BuiltInRole(
        "e147488a-f6f5-4113-8e2d-b22465e65bf6", f"{_PAGES}/security#key-vault-crypto-service-encryption-user"
    ),
    "Monitoring Metrics Publisher": BuiltInRole(
        "3913510d-42f4-4e42-8a64-420c390055eb", f"{_PAGES}/monitor#monitoring-metrics-publisher"
    ),
    "Storage Blob Data Contributor": BuiltInRole(
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe", f"{_PAGES}/storage#storage-blob-data-contributor"
    ),
    "Storage Blob Data Reader": BuiltInRole(
        "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1", f"{_PAGES}/storage#storage-blob-data-reader"
    ),
}

#: A resource below a resource group.
_RESOURCE = re.compile(r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/[^/]+(/[^/]+/[^/]+)+", re.IGNORECASE)
#: What stands in a condition's text between apostrophes.
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_READ = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
_PATH = "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path]"
_LISTED = "@Request[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:prefix]"


class GrantError(ValueError):
    """A grant is wider than allowed; the text names it, what is allowed and what to do."""


@dataclass(frozen=True)
class Grant:
    """Permission to act as a role on one resource.

    sid: name of the assignment, letters and digits; grants of one sid are one assignment. role: a key of `ROLES`.
    scope: id of the resource. prefixes: of the blobs that may be read, each ending in a slash; empty for all of the
    container; for the role Storage Blob Data Reader only. Raises GrantError.
    """

    sid: str
    role: str
    scope: pulumi.Input[str]
    prefixes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.sid.isalnum():
            raise GrantError(f"grant {self.sid!r}: allowed in a sid are letters and digits: rename it")
        if self.role not in ROLES:
            raise GrantError(
                f"grant {self.sid} has role {self.role!r}; allowed: {', '.join(ROLES)}: choose the narrowest, or add "
                "one to the table with its page"
            )
        if isinstance(self.scope, str):
            checked_scope(self.sid, self.scope)
        if self.prefixes and self.role != "Storage Blob Data Reader":
            raise GrantError(f"grant {self.sid} limits {self.role} to prefixes, which only a reader of blobs has")
        for prefix in self.prefixes:
            if not _PREFIX.fullmatch(prefix) or not prefix.endswith("/"):
                raise GrantError(
                    f"grant {self.sid} has prefix {prefix!r}; allowed: letters, digits and . _ - /, a slash at the "
                    "end, so that digits/v1/ is not the beginning of digits/v10/ as well"
                )


def checked_scope(sid: str, scope: str) -> str:
    """The scope, if it is one resource. Raises GrantError for a group, a subscription and above."""
    if not _RESOURCE.fullmatch(scope):
        raise GrantError(
            f"grant {sid} is for scope {scope!r}; allowed: the id of one resource, below a resource group: name what "
            "it is for"
        )
    return scope


def merged(grants: Sequence[Grant]) -> list[Grant]:
    """One grant for each sid: Azure has one assignment of a role to a principal at a scope, with one condition.

    Prefixes are put together; beside a grant for all of a container none is left. Raises GrantError where two grants
    of one sid differ in role or scope.
    """
    found: dict[str, Grant] = {}
    for grant in grants:
        known = found.setdefault(grant.sid, grant)
        if known is grant:
            continue
        # Outputs cannot be compared: a component hands out the same one each time.
        if known.role != grant.role or (known.scope is not grant.scope and known.scope != grant.scope):
            raise GrantError(f"several grants are named {grant.sid!r}, for different roles or scopes: rename one")
        every = not known.prefixes or not grant.prefixes
        prefixes = () if every else tuple(dict.fromkeys((*known.prefixes, *grant.prefixes)))
        found[grant.sid] = Grant(grant.sid, grant.role, grant.scope, prefixes)
    return list(found.values())


def condition(prefixes: Sequence[str]) -> str | None:
    """The condition of an assignment that lets blobs below some prefixes be read and listed; None for all of them.

    Form: https://learn.microsoft.com/azure/storage/blobs/storage-auth-abac-examples
    """
    if not prefixes:
        return None
    own = " OR ".join(f"{_PATH} StringStartsWith '{prefix}'" for prefix in prefixes)
    listed = " OR ".join(f"{_LISTED} StringStartsWith '{prefix}'" for prefix in prefixes)
    listing = "SubOperationMatches{'Blob.List'}"
    action = f"ActionMatches{{'{_READ}'}}"
    return f"((!({action} AND NOT {listing}) OR ({own})) AND (!({action} AND {listing}) OR ({listed})))"


def role_id(subscription_id: pulumi.Input[str], role: str) -> pulumi.Output[str]:
    """The id of a built-in role as a subscription's assignments name it."""
    return pulumi.Output.concat(
        "/subscriptions/", subscription_id, "/providers/Microsoft.Authorization/roleDefinitions/", ROLES[role].guid
    )
