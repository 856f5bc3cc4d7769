"""Rows about types: every type whose replacements are known can also be made, and ids have the vendors' forms.

The expected ids are those of the import sections in the vendors' provider documents; nothing here talks to a cloud.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from engine.standin import replacement, rules
from engine.standin.objects import Scope, make

ARM = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers"


def made(token: str, inputs: dict[str, Any], config: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
    """Id and outputs of a new object."""
    package = rules.load(token.split(":")[0])
    scope = Scope(package, package.type_rule(token), inputs, config or {}, seed="seed", logical="thing")
    one, outputs = make(scope, package.package, "salt")
    return one.id, outputs


@pytest.mark.parametrize("package", rules.PACKAGES)
def test_every_type_with_known_replacements_has_a_row_of_its_own(package: str) -> None:
    tokens = set(json.loads((replacement.DATA / f"{package}.json").read_text())) - {"_sources"}
    without = sorted(token for token in tokens if not rules.load(package).type_rule(token).known)
    assert not without


IDS: list[tuple[str, dict[str, Any], str]] = [
    ("aws:s3/bucket:Bucket", {"bucket": "b"}, "b"),
    ("aws:s3/bucketObjectv2:BucketObjectv2", {"bucket": "b", "key": "k/x"}, "b/k/x"),
    ("aws:kms/alias:Alias", {"name": "alias/a", "targetKeyId": "k"}, "alias/a"),
    ("aws:iam/role:Role", {"name": "r"}, "r"),
    ("aws:iam/policy:Policy", {"name": "p"}, "arn:aws:iam::123456789012:policy/p"),
    ("aws:iam/rolePolicyAttachment:RolePolicyAttachment", {"role": "r", "policyArn": "arn:p"}, "r/arn:p"),
    ("aws:ecr/repository:Repository", {"name": "i"}, "i"),
    ("aws:sagemaker/endpoint:Endpoint", {"name": "e"}, "e"),
    (
        "aws:appautoscaling/scheduledAction:ScheduledAction",
        {"name": "n", "serviceNamespace": "ecs", "resourceId": "service/c/s", "scalableDimension": "ecs:x"},
        "n-ecs-service/c/s",
    ),
    ("aws:lambda/function:Function", {"name": "f"}, "f"),
    ("aws:eks/addon:Addon", {"clusterName": "c", "addonName": "a"}, "c:a"),
    ("aws:sns/topic:Topic", {"name": "t", "region": "eu-west-1"}, "arn:aws:sns:eu-west-1:123456789012:t"),
    ("aws:cloudwatch/logGroup:LogGroup", {"name": "/a/b"}, "/a/b"),
    ("aws:budgets/budget:Budget", {"name": "b"}, "123456789012:b"),
    ("aws:ssm/parameter:Parameter", {"name": "/a/b", "type": "String"}, "/a/b"),
    ("azure-native:resources:ResourceGroup", {"resourceGroupName": "rg"}, ARM.removesuffix("/providers")),
    (
        "azure-native:storage:StorageAccount",
        {"resourceGroupName": "rg", "accountName": "a"},
        f"{ARM}/Microsoft.Storage/storageAccounts/a",
    ),
    (
        "azure-native:storage:Queue",
        {"resourceGroupName": "rg", "accountName": "a", "queueName": "q"},
        f"{ARM}/Microsoft.Storage/storageAccounts/a/queueServices/default/queues/q",
    ),
    (
        "azure-native:keyvault:AccessPolicy",
        {"resourceGroupName": "rg", "vaultName": "v", "policy": {"objectId": "o"}},
        f"{ARM}/Microsoft.KeyVault/vaults/v/accessPolicy/o",
    ),
    (
        "azure-native:machinelearningservices:OnlineDeployment",
        {"resourceGroupName": "rg", "workspaceName": "w", "endpointName": "e", "deploymentName": "blue"},
        f"{ARM}/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/e/deployments/blue",
    ),
    ("gcp:storage/bucket:Bucket", {"name": "b", "location": "EU"}, "b"),
    ("gcp:kms/keyRing:KeyRing", {"name": "k", "location": "eu"}, "projects/p/locations/eu/keyRings/k"),
    ("gcp:pubsub/subscription:Subscription", {"name": "s", "topic": "t"}, "projects/p/subscriptions/s"),
    (
        "gcp:dns/recordSet:RecordSet",
        {"managedZone": "z", "name": "a.example.com.", "type": "A"},
        "projects/p/managedZones/z/rrsets/a.example.com./A",
    ),
    (
        "gcp:secretmanager/secretIamMember:SecretIamMember",
        {"secretId": "projects/p/secrets/s", "role": "roles/x", "member": "user:a@b"},
        "projects/p/secrets/s/roles/x/user:a@b",
    ),
    ("gcp:cloudrunv2/service:Service", {"name": "s", "location": "eu"}, "projects/p/locations/eu/services/s"),
]


@pytest.mark.parametrize(("token", "inputs", "expected"), IDS, ids=[token for token, _, _ in IDS])
def test_an_id_has_the_vendors_form(token: str, inputs: dict[str, Any], expected: str) -> None:
    assert made(token, inputs, {"project": "p"})[0] == expected


def test_generated_ids_have_the_vendors_form() -> None:
    for token, form in (
        ("aws:ec2/vpc:Vpc", r"vpc-[0-9a-f]{17}"),
        ("aws:ec2/launchTemplate:LaunchTemplate", r"lt-[0-9a-f]{17}"),
        ("aws:kms/key:Key", r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
        ("aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter", r"cwlsf-[0-9]{10}"),
    ):
        assert re.fullmatch(form, made(token, {"name": "n", "logGroup": "g"})[0]), token


def test_a_parameter_below_a_path_has_one_slash_in_its_arn() -> None:
    for name in ("/a/b", "b"):
        _, outputs = made("aws:ssm/parameter:Parameter", {"name": name, "type": "String"})
        assert outputs["arn"] == f"arn:aws:ssm:us-east-1:123456789012:parameter/{name.lstrip('/')}"


def test_a_service_accounts_key_is_a_secret() -> None:
    _, outputs = made("gcp:serviceaccount/key:Key", {"serviceAccountId": "projects/p/serviceAccounts/a@p.iam"})
    assert type(outputs["privateKey"]).__name__ == "Secret"
    assert isinstance(outputs["publicKey"], str)
