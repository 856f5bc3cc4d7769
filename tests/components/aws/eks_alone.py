"""A cluster on EKS with its roles and nothing on it, as a stack would make it."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.account import Account
from components.aws.eks import EksArgs, EksCluster
from components.aws.eks_roles import EksRoles, EksRolesArgs, pod_role
from components.aws.identity import Role
from components.aws.keys import EncryptionKey, KeyArgs
from components.aws.network import Network, NetworkArgs

REGION = "eu-central-1"
CLUSTER = "digits-prod"
DEPLOYER = "arn:aws:iam::123456789012:role/deployer"


def program(**changes: Any) -> None:
    """Key, network, roles, cluster, and a role for its pods. changes: of the cluster."""
    provider = aws.Provider("aws", region=REGION)
    top = pulumi.ResourceOptions(provider=provider)
    account = Account.of(provider, REGION)
    pods = pod_role(account, CLUSTER, namespace=CLUSTER, service_account="digits")
    server = Role("digits-server", pods, top)
    key = EncryptionKey("digits", KeyArgs(account, "Data of digits", {"Server": server.arn}), top)
    network = Network("digits", NetworkArgs(account, None, ("eks", "eks-auth", "logs"), key.arn, 30), top)
    roles = EksRoles("digits", EksRolesArgs(account, CLUSTER), top)
    values: dict[str, Any] = {
        "account": account,
        "cluster": CLUSTER,
        "network": network,
        "role_arn": roles.cluster_arn,
        "node_role_arn": roles.node_arn,
        "administrators": {"deployer": DEPLOYER},
        "log_days": 30,
        "key_arn": key.arn,
    }
    cluster = EksCluster("digits", EksArgs(**{**values, **changes}), top)
    cluster.act_as("digits", namespace=CLUSTER, service_account="digits", role_arn=server.arn)
