"""Keys, storage, identity, registry and network, under mocks: exact inputs, exact counts.

Whether AWS accepts these inputs is not shown here.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.aws.account import Account
from components.aws.grants import Grant, GrantError, identity_policy
from components.aws.identity import Permissions, PermissionsArgs, Role, RoleArgs
from components.aws.keys import EncryptionKey, KeyArgs
from components.aws.network import Network, NetworkArgs, subnets
from components.aws.registry import Registry, RegistryArgs
from components.aws.storage import ReleaseArgs, ReleaseUpload, Storage, StorageArgs
from spec.places import Network as ExistingNetwork
from spec.release import resolve
from tests.components.recording import ACCOUNT, Recording, record

REGION = "eu-central-1"


def account() -> Account:
    return Account.of(aws.Provider("aws", region=REGION), REGION)


def policy(text: str) -> dict[str, dict[str, Any]]:
    """Statements by sid."""
    document = json.loads(text)
    assert document["Version"] == "2012-10-17"
    found = {statement["Sid"]: statement for statement in document["Statement"]}
    assert len(found) == len(document["Statement"])
    return found


@pytest.fixture(scope="module")
def key_recording() -> Recording:
    return record(
        lambda: EncryptionKey("digits", KeyArgs(account(), "Data", roles={"Server": "arn:aws:iam::1:role/server"}))
    )


class TestKey:
    def test_it_rotates_and_is_kept(self, key_recording: Recording) -> None:
        key = key_recording.one("aws:kms/key:Key")
        assert key.inputs == {
            "description": "Data",
            "enableKeyRotation": True,
            "rotationPeriodInDays": 365,
            "deletionWindowInDays": 30,
        }
        assert key.protect

    def test_administrators_look_after_it_and_cannot_use_it(self, key_recording: Recording) -> None:
        statements = policy(key_recording.one("aws:kms/keyPolicy:KeyPolicy").inputs["policy"])
        manage = statements["Manage"]
        assert manage["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        assert not {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:*"} & set(manage["Action"])
        assert not any("*" in action for action in manage["Action"])

    def test_each_other_use_is_limited(self, key_recording: Recording) -> None:
        statements = policy(key_recording.one("aws:kms/keyPolicy:KeyPolicy").inputs["policy"])
        assert set(statements) == {
            "Manage",
            "ViaS3",
            "ViaEcr",
            "RoleServer",
            "GrantsServer",
            "Logs",
            "Alarms",
            "Budgets",
        }
        assert statements["ViaS3"]["Condition"] == {
            "StringEquals": {"kms:CallerAccount": ACCOUNT, "kms:ViaService": f"s3.{REGION}.amazonaws.com"}
        }
        assert statements["RoleServer"]["Principal"] == {"AWS": "arn:aws:iam::1:role/server"}
        assert statements["Logs"]["Condition"] == {
            "ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:*"}
        }
        assert all(
            statement["Condition"] for sid, statement in statements.items() if sid not in ("Manage", "RoleServer")
        )


@pytest.fixture(scope="module")
def storage_recording() -> Recording:
    return record(lambda: Storage("digits", StorageArgs(account(), "arn:aws:kms:::key/k", capture_days=7)))


class TestStorage:
    def test_what_it_makes(self, storage_recording: Recording) -> None:
        assert Counter(one.type.rpartition(":")[2] for one in storage_recording if one.type.startswith("aws:")) == {
            "Bucket": 4,
            "BucketOwnershipControls": 4,
            "BucketPublicAccessBlock": 4,
            "BucketVersioning": 4,
            "BucketServerSideEncryptionConfiguration": 4,
            "BucketLifecycleConfiguration": 4,
            "BucketPolicy": 4,
            "BucketLogging": 3,
        }

    def test_every_bucket_is_private_and_tls_only(self, storage_recording: Recording) -> None:
        for block in storage_recording.of("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"):
            assert [value for key, value in block.inputs.items() if key != "bucket"] == [True] * 4
        for one in storage_recording.of("aws:s3/bucketPolicy:BucketPolicy"):
            statements = policy(one.inputs["policy"])
            assert statements["TlsOnly"]["Effect"] == "Deny"
            assert statements["TlsOnly"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    def test_own_key_but_for_access_logs(self, storage_recording: Recording) -> None:
        found = {
            one.inputs["bucket"]: one.inputs["rules"][0]["applyServerSideEncryptionByDefault"]
            for one in storage_recording.of(
                "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
            )
        }
        own = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": "arn:aws:kms:::key/k"}
        assert found == {
            "digits-access-logs": {"sseAlgorithm": "AES256"},
            "digits-data": own,
            "digits-releases": own,
            "digits-captures": own,
        }

    def test_captures_expire_and_releases_do_not(self, storage_recording: Recording) -> None:
        rules = {
            one.inputs["bucket"]: one.inputs["rules"][0]
            for one in storage_recording.of("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
        }
        assert rules["digits-captures"]["expiration"] == {"days": 7}
        assert rules["digits-captures"]["noncurrentVersionExpiration"] == {"noncurrentDays": 7}
        assert "expiration" not in rules["digits-releases"]

    def test_buckets_are_kept(self, storage_recording: Recording) -> None:
        assert all(
            one.protect and not one.inputs["forceDestroy"] for one in storage_recording.of("aws:s3/bucket:Bucket")
        )

    def test_without_protection_a_bucket_goes_with_what_it_holds(self) -> None:
        recording = record(lambda: Storage("digits", StorageArgs(account(), None, protect=False)))
        buckets = recording.of("aws:s3/bucket:Bucket")
        assert len(buckets) == 3
        assert all(not one.protect and one.inputs["forceDestroy"] for one in buckets)


def test_a_release_lies_under_its_version_and_outlives_the_stack(release_folder: Path) -> None:
    release = resolve(release_folder, "digits@1")

    def program() -> ReleaseUpload:
        storage = Storage("digits", StorageArgs(account(), "arn:aws:kms:::key/k"))
        return ReleaseUpload("digits", ReleaseArgs(release, storage.releases, "arn:aws:kms:::key/k"))

    recording = record(program)
    objects = recording.of("aws:s3/bucketObjectv2:BucketObjectv2")
    assert {one.inputs["key"] for one in objects} == {
        f"digits/v1/{file}" for file in ("model.onnx", "model_metadata.json", "samples.json", "statistics.json")
    }
    for one in objects:
        assert one.inputs["kmsKeyId"] == "arn:aws:kms:::key/k"
        assert len(one.inputs["sourceHash"]) == 64
        assert one.retain


class TestIdentity:
    def test_only_this_accounts_resources_take_the_role_on(self) -> None:
        args = ("sagemaker.amazonaws.com", "Serves", f"sagemaker:{REGION}:{{account}}:*")
        recording = record(lambda: Role("digits", RoleArgs(account(), *args)))
        trust = policy(recording.one("aws:iam/role:Role").inputs["assumeRolePolicy"])["Service"]
        assert trust["Condition"] == {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnLike": {"aws:SourceArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:*"},
        }

    def test_a_policy_holds_the_grants_and_nothing_else(self) -> None:
        grants = (
            Grant("Read", ("s3:GetObject",), ("arn:aws:s3:::b/*",)),
            Grant("Login", ("ecr:GetAuthorizationToken",)),
        )
        recording = record(lambda: Permissions("digits", PermissionsArgs("role", grants)))
        assert policy(recording.one("aws:iam/rolePolicy:RolePolicy").inputs["policy"]) == {
            "Read": {"Sid": "Read", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::b/*"]},
            "Login": {"Sid": "Login", "Effect": "Allow", "Action": ["ecr:GetAuthorizationToken"], "Resource": "*"},
        }

    @pytest.mark.parametrize(
        ("sid", "actions", "resources", "said"),
        [
            ("A", ("s3:*",), ("arn:aws:s3:::b",), "without '*'"),
            ("A", ("s3:GetObject",), ("*",), "name what it is for"),
            ("A", ("s3:GetObject",), (), "names no resource"),
            ("A", (), ("arn:aws:s3:::b",), "at least one"),
            ("A b", ("s3:GetObject",), ("arn:aws:s3:::b",), "letters and digits"),
            ("A", ("ecr:GetAuthorizationToken",), ("arn:aws:ecr:::r",), "a grant of its own"),
        ],
    )
    def test_a_wide_grant_is_refused(
        self, sid: str, actions: tuple[str, ...], resources: tuple[str, ...], said: str
    ) -> None:
        with pytest.raises(GrantError, match=said.replace("*", r"\*")):
            Grant(sid, actions, resources)

    def test_two_grants_of_one_name_are_refused(self) -> None:
        with pytest.raises(GrantError, match=r"\['A'\]"):
            identity_policy([Grant("A", ("s3:GetObject",), ("arn:aws:s3:::b",))] * 2)


def test_the_registry_keeps_its_tags_and_cleans_nothing() -> None:
    recording = record(lambda: Registry("digits", RegistryArgs("arn:aws:kms:::key/k")))
    assert recording.one("aws:ecr/repository:Repository").inputs == {
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": "arn:aws:kms:::key/k"}],
        "forceDelete": False,
    }
    assert not recording.of("aws:ecr/lifecyclePolicy:LifecyclePolicy")


class TestNetwork:
    def test_a_made_network_has_no_way_out(self) -> None:
        args = (None, ("sagemaker.runtime", "logs"), "arn:aws:kms:::key/k", 30)
        recording = record(lambda: Network("digits", NetworkArgs(account(), *args)))
        types = Counter(one.type for one in recording if one.custom)
        assert not {"aws:ec2/internetGateway:InternetGateway", "aws:ec2/natGateway:NatGateway"} & set(types)
        assert [one.inputs["cidrBlock"] for one in recording.of("aws:ec2/subnet:Subnet")] == [
            "10.64.0.0/20",
            "10.64.16.0/20",
        ]
        endpoints = {one.inputs["serviceName"]: one for one in recording.of("aws:ec2/vpcEndpoint:VpcEndpoint")}
        assert set(endpoints) == {f"com.amazonaws.{REGION}.{name}" for name in ("s3", "sagemaker.runtime", "logs")}
        assert endpoints[f"com.amazonaws.{REGION}.s3"].inputs["vpcEndpointType"] == "Gateway"
        assert recording.one("aws:ec2/flowLog:FlowLog").inputs["trafficType"] == "ALL"
        assert recording.one("aws:cloudwatch/logGroup:LogGroup").inputs["kmsKeyId"] == "arn:aws:kms:::key/k"
        rules = recording.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
        assert [rule.inputs["cidrIpv4"] for rule in rules] == ["10.64.0.0/16"]

    def test_public_subnets_are_there_for_a_balancer_only(self) -> None:
        recording = record(lambda: Network("digits", NetworkArgs(account(), None, (), None, 30, public=True)))
        cidrs = {one.name: one.inputs["cidrBlock"] for one in recording.of("aws:ec2/subnet:Subnet")}
        assert cidrs == {
            "digits-private-0": "10.64.0.0/20",
            "digits-private-1": "10.64.16.0/20",
            "digits-public-0": "10.64.32.0/20",
            "digits-public-1": "10.64.48.0/20",
        }
        assert not any(one.inputs["mapPublicIpOnLaunch"] for one in recording.of("aws:ec2/subnet:Subnet"))
        route = recording.one("aws:ec2/route:Route").inputs
        assert (route["routeTableId"], route["gatewayId"]) == ("digits-public-id", "digits-internet-id")
        tables = {
            one.name: one.inputs["routeTableId"]
            for one in recording.of("aws:ec2/routeTableAssociation:RouteTableAssociation")
        }
        assert {name for name, table in tables.items() if table == "digits-public-id"} == {
            "digits-public-0",
            "digits-public-1",
        }

    def test_a_given_network_is_used_as_it_is(self) -> None:
        existing = ExistingNetwork(vpc_id="vpc-1", subnet_ids=("subnet-1", "subnet-2"))
        found: dict[str, list[str]] = {}

        def program() -> pulumi.Output[None]:
            network = Network("digits", NetworkArgs(account(), existing, ("logs",), None, 30))
            return network.subnet_ids.apply(lambda ids: found.update(subnets=ids))

        recording = record(program)
        assert found == {"subnets": ["subnet-1", "subnet-2"]}
        assert {one.type for one in recording if one.custom and not one.type.startswith("pulumi:")} == {
            "aws:ec2/securityGroup:SecurityGroup",
            "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        }
        assert recording.one("aws:ec2/securityGroup:SecurityGroup").inputs["vpcId"] == "vpc-1"

    def test_subnets_that_do_not_fit_are_refused(self) -> None:
        assert subnets("10.0.0.0/16", 17, 2) == ["10.0.0.0/17", "10.0.128.0/17"]
        with pytest.raises(ValueError, match="room for 2 subnets of /17, not 3"):
            subnets("10.0.0.0/16", 17, 3)
