"""EKS: clusters, who may enter them, what their pods act as. Not among `AREAS` while no target makes a cluster."""

from __future__ import annotations

from collections.abc import Sequence

from components.aws.rights.right import BECOMES_OURS, OURS, Right, actions

_CLUSTER = "eks:*:{account}:cluster/{service}-*"
_ENTRY = "eks:*:{account}:access-entry/{service}-*/*"
_POD_IDENTITY = "eks:*:{account}:podidentityassociation/{service}-*/*"

CLUSTERS: Sequence[Right] = (
    # A cluster has no name yet when its creation is checked, so this asks for the tag that it gets.
    Right("NewCluster", change=("eks:CreateCluster",), when=BECOMES_OURS),
    Right(
        "Clusters",
        (_CLUSTER,),
        see=actions("eks", "DescribeCluster DescribeUpdate ListTagsForResource"),
        change=actions(
            "eks",
            "CreateAccessEntry CreatePodIdentityAssociation DeleteCluster TagResource UntagResource "
            "UpdateClusterConfig UpdateClusterVersion",
        ),
    ),
    Right(
        "Entries",
        (_ENTRY,),
        see=actions("eks", "DescribeAccessEntry ListAssociatedAccessPolicies ListTagsForResource"),
        change=actions(
            "eks",
            "AssociateAccessPolicy DeleteAccessEntry DisassociateAccessPolicy TagResource UntagResource "
            "UpdateAccessEntry",
        ),
    ),
    Right(
        "PodIdentities",
        (_POD_IDENTITY,),
        see=actions("eks", "DescribePodIdentityAssociation ListTagsForResource"),
        change=actions("eks", "DeletePodIdentityAssociation TagResource UntagResource UpdatePodIdentityAssociation"),
    ),
    Right(
        "LookAtClusterRoles",
        ("iam::{account}:role{path}*",),
        see=actions("iam", "GetRole ListAttachedRolePolicies"),
        everywhere=True,
    ),
    Right(
        "PassClusterRoles",
        ("iam::{account}:role{path}*",),
        change=("iam:PassRole",),
        when={
            "StringEquals": {
                "iam:PassedToService": ("ec2.amazonaws.com", "eks.amazonaws.com", "pods.eks.amazonaws.com")
            }
        },
        everywhere=True,
    ),
    Right(
        "ClusterServiceRole",
        ("iam::{account}:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS",),
        change=("iam:CreateServiceLinkedRole",),
        when={"StringEquals": {"iam:AWSServiceName": "eks.amazonaws.com"}},
        everywhere=True,
    ),
    Right("ClusterNetwork", see=actions("ec2", "DescribeSubnets DescribeVpcs")),
    # EKS asks for a grant on the key as whoever makes the cluster, and not as a service of AWS's: the condition on
    # kms:GrantIsForAWSResource would never hold (https://docs.aws.amazon.com/eks/latest/userguide/enable-kms.html).
    Right("ClusterKey", ("kms:*:{account}:key/*",), see=("kms:DescribeKey",), change=("kms:CreateGrant",), when=OURS),
)
