"""Who may do what: each assignment of everything that is built, against a linter; and grants that are refused.

That the permissions suffice is not shown here: only Azure evaluates them.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from components.azure.grants import ROLES, Grant, GrantError, condition, merged
from components.azure.identity import Permissions, PermissionsArgs, Role, RoleArgs
from tests.components.azure.recorded import account, answered
from tests.components.azure.whole import everything

ASSIGNMENT = "azure-native:authorization:RoleAssignment"
RESOURCE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v/keys/k"
CONTAINER = (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a/blobServices/default/containers/c"
)
#: Roles that may do everything, or let others do so
#: (https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/privileged).
PRIVILEGED = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
    "a8889054-8d42-49c9-bc1c-52486c10e7cd": "Reservations Administrator",
}


def lint(inputs: Mapping[str, Any]) -> list[str]:
    """What is wrong with an assignment: a role that is not in the table, or a scope that is no single resource."""
    found = []
    guid = inputs["roleDefinitionId"].rpartition("/")[2]
    if guid in PRIVILEGED:
        found.append(f"role {PRIVILEGED[guid]}")
    elif guid not in {role.guid for role in ROLES.values()}:
        found.append(f"role {guid} is not in the table")
    scope = r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/[^/]+(/[^/]+/[^/]+)+"
    if not re.fullmatch(scope, inputs["scope"], re.IGNORECASE):
        found.append(f"scope {inputs['scope']}")
    if bool(inputs.get("condition")) != bool(inputs.get("conditionVersion")):
        found.append("a condition and its language's version go together")
    return found


def test_every_assignment_is_narrow() -> None:
    made = everything().registered.of(ASSIGNMENT)
    assert made
    assert {one.name: lint(one.inputs) for one in made if lint(one.inputs)} == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"roleDefinitionId": "/providers/b24988ac-6180-42a0-ab88-20f7382dd24c"}, "role Contributor"),
        ({"roleDefinitionId": "/providers/acdd72a7-3385-48ef-bd42-f606fba81ae7"}, "not in the table"),
        ({"scope": "/subscriptions/s"}, "scope"),
        ({"scope": "/subscriptions/s/resourceGroups/g"}, "scope"),
        ({"scope": "/providers/Microsoft.Management/managementGroups/m"}, "scope"),
        ({"condition": "x"}, "go together"),
    ],
)
def test_the_linter_finds(change: dict[str, Any], said: str) -> None:
    right = {"roleDefinitionId": f"/providers/{ROLES['AcrPull'].guid}", "scope": RESOURCE}
    assert lint(right) == []
    assert any(said in finding for finding in lint({**right, **change}))


def test_each_role_of_the_table_has_an_id_and_a_page_of_its_own() -> None:
    for name, role in ROLES.items():
        assert str(uuid.UUID(role.guid)) == role.guid, name
        assert role.page.startswith("https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/"), name
    assert len({role.guid for role in ROLES.values()}) == len(ROLES) == len({role.page for role in ROLES.values()})
    assert not {role.guid for role in ROLES.values()} & set(PRIVILEGED)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("A", "Owner", RESOURCE), r"grant A has role 'Owner'; allowed: AcrPull"),
        (("A", "Contributor", RESOURCE), r"grant A has role 'Contributor'"),
        (("A", "AcrPull", "/subscriptions/s"), r"grant A is for scope '/subscriptions/s'; allowed: the id of one"),
        (("A", "AcrPull", "/subscriptions/s/resourceGroups/g"), r"below a resource group"),
        (("a b", "AcrPull", RESOURCE), r"grant 'a b': allowed in a sid are letters and digits"),
        (("A", "AcrPull", RESOURCE, ("digits/",)), r"limits AcrPull to prefixes"),
        (("A", "Storage Blob Data Reader", CONTAINER, ("digits/v1",)), r"a slash at the end"),
        (("A", "Storage Blob Data Reader", CONTAINER, ("x' OR true/",)), r"allowed: letters, digits and"),
    ],
)
def test_a_wider_grant_is_refused(arguments: Any, said: str) -> None:
    with pytest.raises(GrantError, match=said):
        Grant(*arguments)


class TestMerged:
    def test_prefixes_of_one_sid_are_put_together(self) -> None:
        reads = [Grant("Read", "Storage Blob Data Reader", CONTAINER, (one,)) for one in ("a/v1/", "a/v2/", "a/v1/")]
        assert merged(reads) == [Grant("Read", "Storage Blob Data Reader", CONTAINER, ("a/v1/", "a/v2/"))]

    def test_beside_a_grant_for_all_no_prefix_is_left(self) -> None:
        one = Grant("Read", "Storage Blob Data Reader", CONTAINER, ("a/v1/",))
        every = Grant("Read", "Storage Blob Data Reader", CONTAINER)
        assert merged([one, every]) == [every] == merged([every, one])

    def test_two_of_a_sid_that_differ_are_refused(self) -> None:
        with pytest.raises(GrantError, match="several grants are named 'A'"):
            merged([Grant("A", "AcrPull", RESOURCE), Grant("A", "AcrPush", RESOURCE)])


class TestCondition:
    def test_none_for_all(self) -> None:
        assert condition(()) is None

    def test_reading_and_listing_below_a_prefix(self) -> None:
        blobs = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
        assert condition(("a/v1/",)) == (
            f"((!(ActionMatches{{'{blobs}/read'}} AND NOT SubOperationMatches{{'Blob.List'}}) OR "
            f"(@Resource[{blobs}:path] StringStartsWith 'a/v1/')) AND "
            f"(!(ActionMatches{{'{blobs}/read'}} AND SubOperationMatches{{'Blob.List'}}) OR "
            f"(@Request[{blobs}:prefix] StringStartsWith 'a/v1/')))"
        )


def test_an_identity_gets_its_roles_by_name_and_nothing_else() -> None:
    def program() -> None:
        ours = account()
        server = Role("server", RoleArgs(ours))
        grants = (Grant("Pull", "AcrPull", RESOURCE), Grant("Read", "Storage Blob Data Reader", CONTAINER, ("a/v1/",)))
        Permissions("server", PermissionsArgs(ours, server.principal_id, grants))

    made = {one.name: one.inputs for one in answered(program).registered.of(ASSIGNMENT)}
    principal = made["server-Pull"]["principalId"]
    roles = "/subscriptions/00000000-0000-4000-8000-000000000001/providers/Microsoft.Authorization/roleDefinitions"
    assert uuid.UUID(principal)
    assert made == {
        "server-Pull": {
            "scope": RESOURCE,
            "roleDefinitionId": f"{roles}/7f951dda-4ed3-4680-a7ca-43fe172d538d",
            "principalId": principal,
            "principalType": "ServicePrincipal",
            "description": "AcrPull for server",
        },
        "server-Read": {
            "scope": CONTAINER,
            "roleDefinitionId": f"{roles}/2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
            "principalId": principal,
            "principalType": "ServicePrincipal",
            "condition": condition(("a/v1/",)),
            "conditionVersion": "2.0",
            "description": "Storage Blob Data Reader for server",
        },
    }


def test_a_scope_that_is_known_late_is_checked_too() -> None:
    def program() -> None:
        ours = account()
        Permissions("it", PermissionsArgs(ours, "p", (Grant("Group", "AcrPull", ours.group_id),)))

    with pytest.raises(ValueError, match=r"grant Group is for scope .*allowed: the id of one resource"):
        answered(program)
