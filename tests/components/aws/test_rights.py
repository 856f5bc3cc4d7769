"""Who deploys may do what stack aws needs, with nothing beyond, and cannot widen itself.

Held against three things: the resource types in stack aws's inventories, the actions that AWS publishes for its own
handlers of these types, and the policies that the stack gives its roles. That AWS lets it pass is not shown: only AWS
evaluates policies, and `bootstrapped.allows` is a small part of how.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from components.aws import rights
from operations.schema import aws as vendor
from operations.schema.check import models
from operations.schema.iam import lint, policies
from operations.schema.models import table
from operations.schema.recorder import of_program
from tests.components.aws.bootstrapped import STACK, allows, statements, two
from tests.components.aws.inventories import FOLDER, descriptions
from tests.components.aws.whole import answered
from tests.components.recording import ACCOUNT

DEPLOYS = {action for area in rights.AREAS.values() for right in area for action in (*right.see, *right.change)}
SEES = {action for area in rights.AREAS.values() for right in area for action in right.see}

#: What AWS's handlers may call for properties that no component of ours sets, by service.
_NOT_SET = {
    "autoscaling": ("DescribeTags",),
    "cloudwatch": ("GetMetricData",),  # predictive scaling
    "ec2": (
        "AssociateSubnetCidrBlock", "CreateVpcEncryptionControl", "DescribeInstances", "DescribeTags",
        "DescribeVpcEncryptionControls", "DisassociateSubnetCidrBlock", "ModifyVpcTenancy",
        "UpdateSecurityGroupRuleDescriptionsEgress", "UpdateSecurityGroupRuleDescriptionsIngress",
    ),
    "ecr": ("DeleteLifecyclePolicy", "DeleteRepositoryPolicy", "PutLifecyclePolicy", "SetRepositoryPolicy"),
    "firehose": ("TagDeliveryStream",),
    "iam": ("DeleteRolePermissionsBoundary",),  # nobody may
    "kms": ("DisableKey", "EnableKey"),
    "lambda": (
        "DeleteProvisionedConcurrencyConfig", "GetProvisionedConcurrencyConfig", "PutProvisionedConcurrencyConfig",
    ),
    "logs": (
        "CreateLogDelivery", "DeleteDataProtectionPolicy", "DeleteIndexPolicy", "DeleteLogDelivery",
        "DeleteResourcePolicy", "DescribeIndexPolicies", "DescribeResourcePolicies", "GetDataProtectionPolicy",
        "PutBearerTokenAuthentication", "PutDataProtectionPolicy", "PutIndexPolicy", "PutLogGroupDeletionProtection",
        "PutResourcePolicy",
    ),
    "s3": ("REST.PUT.OBJECT",),
    "sns": ("GetDataProtectionPolicy", "PutDataProtectionPolicy"),
    "vpc-lattice": (
        "CreateServiceNetworkVpcEndpointAssociation", "DescribeServiceNetworkVpcEndpointAssociation",
    ),
    "vpce": ("AllowMultiRegion",),
}  # fmt: skip
NOT_SET = {f"{service}:{action}" for service, actions in _NOT_SET.items() for action in actions}
#: The handler of a bucket does what a dozen types of the provider's do, most of which the stack has none of.
NO_HANDLER = "aws:s3/bucket:Bucket"


def types() -> set[str]:
    """Types of AWS's in the inventories of stack aws."""
    found = {kind for file in FOLDER.glob("*.json") for kind in json.loads(file.read_text())["counts"]}
    return {kind for kind in found if kind.startswith("aws:")}


def service_of(kind: str) -> str:
    """The service as actions of IAM have it."""
    named = table("aws").row(kind).models.get("api") or vendor._operation(
        kind.split(":")[1].split("/")[0], kind.split(":")[2]
    )
    if named is None:  # rules of security groups, which the provider makes by two of EC2's operations
        return kind.split(":")[1].split("/")[0].replace("vpc", "ec2")
    return named.split(".")[0]


def test_every_service_of_the_stack_is_granted_and_none_beyond() -> None:
    assert {action.split(":")[0] for action in DEPLOYS} == {service_of(kind) for kind in types()}


@pytest.mark.parametrize("kind", sorted(types() - {NO_HANDLER}))
def test_what_aws_asks_for_its_own_handlers_of_a_type_is_granted(kind: str) -> None:
    for model in models(kind):
        handlers = vendor.handlers(model.source.split()[-1]) if "::" in model.source else {}
        for name in ("create", "read", "update", "delete"):
            assert set(handlers.get(name, ())) - DEPLOYS - NOT_SET == set(), name
        assert {action for action in handlers.get("read", ()) if action in DEPLOYS} <= SEES


def test_each_exception_is_one() -> None:
    """What is listed as not needed is asked for by some handler, and not granted."""
    asked: set[str] = set()
    for kind in types():
        for model in models(kind):
            if "::" in model.source:
                asked |= {one for found in vendor.handlers(model.source.split()[-1]).values() for one in found}
    assert NOT_SET - asked == set()
    assert set() == NOT_SET & DEPLOYS


@pytest.fixture(scope="module")
def made(root: Path) -> list[Any]:
    """The bootstrap with two environments as the stand-in cloud has it: ARNs in AWS's own form."""
    config = {"bootstrap": two(root).model_dump(mode="json")}
    return of_program(root, STACK, config).records


def policy_of(made: list[Any], role: str) -> list[dict[str, Any]]:
    return statements(
        one.inputs["policy"] for one in made if one.token.endswith(":Policy") and one.name.startswith(role)
    )


def test_every_policy_of_the_bootstrap_is_clean(made: list[Any]) -> None:
    assert [str(finding) for record in policies(made) for finding in lint(record)] == []


@pytest.mark.parametrize("name", descriptions())
def test_the_boundary_holds_what_the_stacks_roles_are_given(name: str, made: list[Any], tree: Path) -> None:
    """Else AWS would refuse at run time what the role's own policy allows."""
    boundary = statements(next(one.inputs["policy"] for one in made if one.name == "models-boundary-prod-policy"))
    given = {
        "aws__RequestedRegion": "eu-central-1",
        "aws__ResourceTag/service": "digits",
        "cloudwatch__namespace": "/aws/sagemaker/Endpoints",
    }
    records = answered(descriptions()[name], tree).records
    roles = [one for one in records if one.token == "aws:iam/rolePolicy:RolePolicy"]
    assert roles
    for role in roles:
        for statement in statements(role.inputs["policy"]):
            for action in statement["Action"]:
                resources = (
                    statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
                )
                for resource in resources:
                    assert allows(boundary, action, resource, **given), f"{action} on {resource}"


class TestNobodyWidensItself:
    """The role of environment prod, asked for what would make it more than it is."""

    path = f"arn:aws:iam::{ACCOUNT}:role/services/models/prod"
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/bootstrap/models/models-boundary-prod"
    others = f"arn:aws:iam::{ACCOUNT}:policy/bootstrap/models/models-boundary-staging"
    oneself = f"arn:aws:iam::{ACCOUNT}:role/bootstrap/models/models-deploy-prod"
    here: ClassVar[dict[str, str]] = {"aws__RequestedRegion": "eu-central-1"}

    @pytest.fixture
    def policy(self, made: list[Any]) -> list[dict[str, Any]]:
        return policy_of(made, "models-deploy-prod")

    @pytest.mark.parametrize(
        "action", ["CreateRole", "PutRolePolicy", "AttachRolePolicy", "PutRolePermissionsBoundary"]
    )
    def test_roles_have_its_boundary_and_path(self, policy: list[dict[str, Any]], action: str) -> None:
        role = f"{self.path}/digits-role"
        assert allows(policy, f"iam:{action}", role, iam__PermissionsBoundary=self.boundary)
        assert not allows(policy, f"iam:{action}", role)
        assert not allows(policy, f"iam:{action}", role, iam__PermissionsBoundary=self.others)
        elsewhere = f"arn:aws:iam::{ACCOUNT}:role/digits-role"
        assert not allows(policy, f"iam:{action}", elsewhere, iam__PermissionsBoundary=self.boundary)
        staging = role.replace("/prod/", "/staging/")
        assert not allows(policy, f"iam:{action}", staging, iam__PermissionsBoundary=self.boundary)

    def test_a_boundary_stays(self, policy: list[dict[str, Any]]) -> None:
        assert not allows(policy, "iam:DeleteRolePermissionsBoundary", f"{self.path}/digits-role")
        for action in ("CreatePolicyVersion", "DeletePolicy", "DeletePolicyVersion", "SetDefaultPolicyVersion"):
            assert not allows(policy, f"iam:{action}", self.boundary)

    def test_its_own_role_stays(self, policy: list[dict[str, Any]]) -> None:
        for action in ("PutRolePolicy", "AttachRolePolicy", "UpdateAssumeRolePolicy", "DeleteRole", "TagRole"):
            assert not allows(policy, f"iam:{action}", self.oneself, iam__PermissionsBoundary=self.boundary)

    def test_it_passes_no_other_role_and_to_no_other_service(self, policy: list[dict[str, Any]]) -> None:
        role = f"{self.path}/digits-role"
        assert allows(policy, "iam:PassRole", role, iam__PassedToService="sagemaker.amazonaws.com")
        assert not allows(policy, "iam:PassRole", role, iam__PassedToService="ec2.amazonaws.com")
        assert not allows(policy, "iam:PassRole", self.oneself, iam__PassedToService="sagemaker.amazonaws.com")

    def test_it_takes_no_role_on_and_makes_no_user(self, policy: list[dict[str, Any]]) -> None:
        for action in ("sts:AssumeRole", "iam:CreateUser", "iam:CreateAccessKey", "iam:CreateOpenIDConnectProvider"):
            assert not allows(policy, action, "*")

    def test_the_state_of_others_and_its_key_stay(self, policy: list[dict[str, Any]], made: list[Any]) -> None:
        bucket = next(
            arn.partition("/")[0] for one in policy if one.get("Sid") == "WriteState" for arn in one["Resource"]
        )
        state = f"{bucket}/.pulumi/stacks/cloud-ml-deployment"
        assert allows(policy, "s3:PutObject", f"{state}/aws.json")
        for stack in ("staging", STACK):
            assert not allows(policy, "s3:PutObject", f"{state}/{stack}.json")
            assert not allows(policy, "s3:GetObject", f"{state}/{stack}.json")
        assert not allows(policy, "s3:PutBucketPolicy", bucket)
        (key,) = {arn for one in policy if one.get("Sid") == "EncryptState" for arn in one["Resource"]}
        ours = {**self.here, "aws__ResourceTag/service": "digits", "aws__RequestTag/service": "digits"}
        assert allows(policy, "kms:Decrypt", key)
        for action in ("PutKeyPolicy", "ScheduleKeyDeletion", "TagResource", "CreateGrant"):
            assert allows(policy, f"kms:{action}", f"{key}x", **ours, kms__GrantIsForAWSResource="true")
            assert not allows(policy, f"kms:{action}", key, **ours, kms__GrantIsForAWSResource="true")

    @pytest.mark.parametrize(
        ("action", "resource"),
        [
            ("s3:PutObject", "arn:aws:s3:::trial-euc1-releases-1/x"),
            ("sagemaker:DeleteEndpoint", f"arn:aws:sagemaker:eu-central-1:{ACCOUNT}:endpoint/trial-staging"),
            ("cloudwatch:DeleteAlarms", f"arn:aws:cloudwatch:eu-central-1:{ACCOUNT}:alarm:trial-staging-x"),
            ("logs:DeleteLogGroup", f"arn:aws:logs:eu-central-1:{ACCOUNT}:log-group:/aws/sagemaker/Endpoints/trial-x"),
        ],
    )
    def test_services_of_another_environment_stay(
        self, policy: list[dict[str, Any]], action: str, resource: str
    ) -> None:
        assert allows(policy, action, resource.replace("trial-", "digits-"), **self.here)
        assert not allows(policy, action, resource, **self.here)

    def test_it_works_in_its_regions_alone(self, policy: list[dict[str, Any]]) -> None:
        for region, right in (("eu-central-1", True), ("eu-west-1", False)):
            endpoint = f"arn:aws:sagemaker:{region}:{ACCOUNT}:endpoint/digits-aws"
            assert allows(policy, "sagemaker:UpdateEndpoint", endpoint, aws__RequestedRegion=region) is right

    def test_what_is_tagged_as_anothers_stays(self, policy: list[dict[str, Any]]) -> None:
        vpc = f"arn:aws:ec2:eu-central-1:{ACCOUNT}:vpc/vpc-1"
        for tag, right in (("digits", True), ("trial", False)):
            assert allows(policy, "ec2:DeleteVpc", vpc, **self.here, **{"aws__ResourceTag/service": tag}) is right
        assert not allows(policy, "ec2:DeleteVpc", vpc, **self.here)
