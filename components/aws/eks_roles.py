"""The IAM roles of a cluster on EKS in Auto Mode: its control plane's, its nodes', and that of pods.

The policies are AWS's own, as its pages name them for Auto Mode: they bind what they allow to the cluster by tags that
EKS sets on the role's session, which a policy of ours could copy and not improve
(https://docs.aws.amazon.com/eks/latest/userguide/auto-cluster-iam-role.html,
https://docs.aws.amazon.com/eks/latest/userguide/auto-create-node-role.html). None allows all of a service.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pulumi

from components.aws.account import Account
from components.aws.identity import Role, RoleArgs

CONTROL_PLANE_POLICIES = (
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSClusterPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
)
NODE_POLICIES = ("AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodeMinimalPolicy")


@dataclass(frozen=True)
class EksRolesArgs:
    """account: whose. cluster: its name. boundary: ARN of a permissions boundary for these two roles, which need more
    than any role of a service; None only in an account whose roles have none. Raises ValueError.
    """

    account: Account
    cluster: str
    boundary: str | None = None

    def __post_init__(self) -> None:
        if self.boundary is None and self.account.boundary is not None:
            raise ValueError(
                f"boundary is None in an account whose roles have {self.account.boundary}, which would keep the "
                "cluster from making nodes; allowed: the ARN of one that holds "
                f"{', '.join(CONTROL_PLANE_POLICIES + NODE_POLICIES)}: name it"
            )


class EksRoles(pulumi.ComponentResource):
    """What the control plane and the nodes act as. cluster_arn, node_arn: of the roles, once they may do their work."""

    cluster_arn: pulumi.Output[str]
    node_arn: pulumi.Output[str]

    def __init__(self, name: str, args: EksRolesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:EksRoles", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        account = replace(args.account, boundary=args.boundary)
        self.cluster_arn = Role(
            f"{name}-control-plane",
            RoleArgs(
                account,
                "eks.amazonaws.com",
                f"Looks after cluster {args.cluster}",
                f"eks:{account.region}:{{account}}:cluster/{args.cluster}",
                session_tags=True,
                managed=CONTROL_PLANE_POLICIES,
            ),
            child,
        ).arn
        self.node_arn = Role(
            f"{name}-node",
            RoleArgs(account, "ec2.amazonaws.com", f"Nodes of cluster {args.cluster}", managed=NODE_POLICIES),
            child,
        ).arn
        self.register_outputs({"clusterArn": self.cluster_arn, "nodeArn": self.node_arn})


def pod_role(account: Account, cluster: str, *, namespace: str, service_account: str) -> RoleArgs:
    """The role that pods of one ServiceAccount of one cluster act as, and nobody else's.

    EKS tags each session with where the pod is (https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html); no
    page says that it sends aws:SourceAccount, so the cluster's ARN binds the role to the account.
    """
    return RoleArgs(
        account,
        "pods.eks.amazonaws.com",
        f"Pods of {namespace}/{service_account} in cluster {cluster}",
        session_tags=True,
        tags={
            "eks-cluster-arn": account.arn("eks", f"cluster/{cluster}"),
            "kubernetes-namespace": namespace,
            "kubernetes-service-account": service_account,
        },
    )
