"""Account, logs and keys, under mocks: exact inputs, and each of them held against what Azure publishes.

Whether Azure would let this subscription do it is not shown here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pulumi
import pulumi_azure_native as az
import pytest

from components.azure.account import Account, AccountArgs
from components.azure.keys import EncryptionKey, KeyArgs
from components.azure.logs import Logs, LogsArgs
from tests.components.azure.recorded import REGION, TAGS, account, answered, logs
from tests.components.azure.whole import everything
from tests.components.recording import Recording

SUBSCRIPTION = "/subscriptions/00000000-0000-4000-8000-000000000001"
#: Inputs whose keys are the user's own.
FREE = {"tags"}
#: Types without tags: https://learn.microsoft.com/azure/azure-resource-manager/management/tag-support
UNTAGGED = {"azure-native:authorization:RoleAssignment", "azure-native:monitor:DiagnosticSetting"}


def snake_case(value: Any, path: str = "") -> Iterator[str]:
    """Paths of keys in Python's form. azure-native sends such keys of a dict as they are where an input may be of
    several classes, without a word; Azure ignores or refuses them.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            if "_" in key:
                yield f"{path}{key}"
            if key not in FREE:
                yield from snake_case(inner, f"{path}{key}.")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from snake_case(inner, f"{path}{index}.")


@pytest.mark.proof("Azure Key Vault", "Azure managed identities", level="schema")
def test_every_input_is_right() -> None:
    report = everything().report
    assert [*report.problems, *report.findings] == []
    assert report.without_model == set()
    assert report.unmapped == {}


def test_no_key_on_the_wire_is_in_pythons_form() -> None:
    assert {one.name: found for one in everything().registered if (found := list(snake_case(one.inputs)))} == {}


def test_a_dict_that_the_sdk_does_not_translate_is_found() -> None:
    def program() -> None:
        az.monitor.MetricAlert(
            "it",
            resource_group_name="g",
            location="global",
            enabled=True,
            severity=1,
            scopes=["s"],
            evaluation_frequency="PT1M",
            window_size="PT5M",
            criteria={"odata_type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria", "all_of": []},
        )

    sent = answered(program).registered.one("azure-native:monitor:MetricAlert")
    assert sorted(snake_case(sent.inputs)) == ["criteria.all_of", "criteria.odata_type"]


def test_everything_that_can_have_tags_has_them() -> None:
    made = [one for one in everything().registered if one.custom and one.type.startswith("azure-native:")]
    assert {one.name for one in made if one.type not in UNTAGGED and one.inputs.get("tags") != TAGS} == set()


class TestAccount:
    def test_a_group_of_its_own_that_is_kept(self) -> None:
        group = answered(account).registered.one("azure-native:resources:ResourceGroup")
        assert group.inputs == {"location": REGION, "tags": TAGS}
        assert group.protect
        loose = answered(lambda: account(protect=False)).registered.one("azure-native:resources:ResourceGroup")
        assert not loose.protect

    def test_names_are_the_subscriptions_and_the_stacks_own(self) -> None:
        found: dict[str, str] = {}

        def program() -> pulumi.Output[None]:
            one, other = account(), Account("digits-neu", AccountArgs("northeurope"))
            names = pulumi.Output.all(
                one.unique("registry", "digits"), other.unique("registry", "digits"), one.subscription_id
            )
            found["vault"], found["other"] = one.stem("vault", "digits"), other.stem("vault", "digits")
            return names.apply(lambda known: found.update(zip(("here", "there", "subscription"), known, strict=True)))

        answered(program)
        assert found["subscription"] == SUBSCRIPTION.rpartition("/")[2]
        assert re.fullmatch(r"digits[0-9a-f]{8}", found["here"])
        assert found["here"] != found["there"]
        assert re.fullmatch(r"digits-[0-9a-f]{8}", found["vault"])
        assert found["vault"] != found["other"]

    @pytest.mark.parametrize(("region", "zones"), [("westeurope", True), ("northcentralus", False)])
    def test_zones_where_the_region_has_them(self, region: str, zones: bool) -> None:
        made: list[bool] = []
        answered(lambda: made.append(Account("it", AccountArgs(region)).zones))
        assert made == [zones]


class TestLogs:
    def test_no_keys_open_it(self) -> None:
        made = everything().registered.one("azure-native:operationalinsights:Workspace").inputs
        assert made == {
            "resourceGroupName": made["resourceGroupName"],
            "location": REGION,
            "tags": TAGS,
            "retentionInDays": 30,
            "sku": {"name": "PerGB2018"},
            "features": {"disableLocalAuth": True, "enableLogAccessUsingOnlyResourcePermissions": True},
        }

    @pytest.mark.parametrize(("asked", "kept"), [(7, 30), (365, 365)])
    def test_it_keeps_what_azure_charges_for_anyway(self, asked: int, kept: int) -> None:
        made = answered(lambda: Logs("it", LogsArgs(account(), asked))).registered
        assert made.one("azure-native:operationalinsights:Workspace").inputs["retentionInDays"] == kept


@pytest.fixture(scope="module")
def key() -> Recording:
    return answered(lambda: EncryptionKey("digits-weu", KeyArgs(mine := account(), logs(mine)))).registered


class TestKey:
    def test_the_vault_is_closed_and_cannot_be_purged(self, key: Recording) -> None:
        vault = key.one("azure-native:keyvault:Vault")
        assert vault.inputs["properties"] == {
            "tenantId": "00000000-0000-4000-8000-000000000002",
            "sku": {"family": "A", "name": "standard"},
            "enableRbacAuthorization": True,
            "enableSoftDelete": True,
            "softDeleteRetentionInDays": 90,
            "enablePurgeProtection": True,
            "publicNetworkAccess": "Disabled",
            "networkAcls": {"bypass": "AzureServices", "defaultAction": "Deny"},
            # The SDK's own.
            "enabledForDeployment": False,
            "enabledForDiskEncryption": False,
            "enabledForTemplateDeployment": False,
        }
        assert vault.protect

    def test_the_key_rotates_and_only_wraps(self, key: Recording) -> None:
        made = key.one("azure-native:keyvault:Key")
        assert made.inputs["properties"] == {
            "kty": "RSA",
            "keySize": 3072,
            "keyOps": ["wrapKey", "unwrapKey"],
            "rotationPolicy": {
                "lifetimeActions": [{"action": {"type": "rotate"}, "trigger": {"timeAfterCreate": "P1Y"}}]
            },
        }
        assert made.protect

    def test_what_encrypts_may_use_this_key_alone(self, key: Recording) -> None:
        allowed = key.one("azure-native:authorization:RoleAssignment").inputs
        assert re.search(r"/vaults/[^/]+/keys/digits-weu-key[0-9a-f]*$", allowed["scope"])
        assert allowed["roleDefinitionId"].endswith("e147488a-f6f5-4113-8e2d-b22465e65bf6")

    def test_every_use_is_logged(self, key: Recording) -> None:
        logged = key.one("azure-native:monitor:DiagnosticSetting").inputs
        assert "/Microsoft.KeyVault/vaults/" in logged["resourceUri"]
        assert "/Microsoft.OperationalInsights/workspaces/" in logged["workspaceId"]
        assert logged["logs"] == [{"categoryGroup": "allLogs", "enabled": True}]

    def test_whoever_gets_the_identity_waits_for_its_permission(self) -> None:
        def program() -> None:
            ours = account()
            made = EncryptionKey("digits-weu", KeyArgs(ours, logs(ours), protect=False))
            az.storage.StorageAccount(
                "it",
                resource_group_name=ours.group,
                kind=az.storage.Kind.STORAGE_V2,
                sku=az.storage.SkuArgs(name=az.storage.SkuName.STANDARD_ZRS),
                identity=az.storage.IdentityArgs(
                    type=az.storage.IdentityType.USER_ASSIGNED, user_assigned_identities=[made.ready]
                ),
            )

        recording = answered(program).registered
        waits = {urn.rpartition("::")[2] for urn in recording.one("azure-native:storage:StorageAccount").depends_on}
        assert "digits-weu-encryption-UseKey" in waits
        assert not recording.one("azure-native:keyvault:Vault").protect
