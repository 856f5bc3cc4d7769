"""IAM: roles and policies of services, within the boundary."""

from __future__ import annotations

from collections.abc import Sequence

from components.aws.rights.right import BOUNDARY, Right, When, actions

_WITH_BOUNDARY: When = {"ArnEquals": {"iam:PermissionsBoundary": BOUNDARY}}
#: Services that take on roles which a stack makes.
TAKES_ROLES = ("sagemaker.amazonaws.com", "vpc-flow-logs.amazonaws.com")
#: The role of Application Auto Scaling's own, which it makes at the first use in an account.
_SCALING_ROLE = (
    "aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)

IDENTITY: Sequence[Right] = (
    # A role is made, and given permissions, only with the boundary on it: what it may do is never more.
    Right(
        "RolesWithBoundary",
        ("iam::{account}:role{path}*",),
        change=actions(
            "iam",
            "AttachRolePolicy CreateRole DeleteRolePolicy DetachRolePolicy PutRolePermissionsBoundary PutRolePolicy",
        ),
        when=_WITH_BOUNDARY,
        everywhere=True,
    ),
    Right(
        "Roles",
        ("iam::{account}:role{path}*",),
        see=actions(
            "iam",
            "GetRole GetRolePolicy ListAttachedRolePolicies ListInstanceProfilesForRole ListRolePolicies ListRoleTags",
        ),
        change=actions("iam", "DeleteRole TagRole UntagRole UpdateAssumeRolePolicy UpdateRole UpdateRoleDescription"),
        everywhere=True,
    ),
    Right(
        "PassRoles",
        ("iam::{account}:role{path}*",),
        change=("iam:PassRole",),
        when={"StringEquals": {"iam:PassedToService": TAKES_ROLES}},
        everywhere=True,
    ),
    Right(
        "Policies",
        ("iam::{account}:policy{path}*",),
        see=actions("iam", "GetPolicy GetPolicyVersion ListEntitiesForPolicy ListPolicyTags ListPolicyVersions"),
        change=actions(
            "iam", "CreatePolicy CreatePolicyVersion DeletePolicy DeletePolicyVersion TagPolicy UntagPolicy"
        ),
        everywhere=True,
    ),
    Right(
        "ScalingRole",
        (f"iam::{{account}}:role/{_SCALING_ROLE}",),
        change=("iam:CreateServiceLinkedRole",),
        when={"StringEquals": {"iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com"}},
        everywhere=True,
    ),
)
