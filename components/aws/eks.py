"""A Kubernetes cluster on EKS in Auto Mode: AWS looks after its nodes, its disks and its load balancers' targets.

Owns the cluster, its log group, who may administer it, and which role pods of one ServiceAccount act as. Does not own
the roles, the key nor the network; nor what runs on it (`components.kubernetes`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.aws.account import Account
from components.aws.network import Network

#: All that the control plane can write (https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html).
LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
#: Auto Mode's own pools: `system` for what the cluster needs itself, `general-purpose` for everything else.
NODE_POOLS = ("general-purpose", "system")
ADMINISTRATOR = "cluster-access-policy/AmazonEKSClusterAdminPolicy"


@dataclass(frozen=True)
class EksArgs:
    """account: whose. cluster: its name, unique in account and region. network: where nodes run. role_arn: the control
    plane takes it on; node_role_arn: the nodes. administrators: name for the resource -> ARN of a role (not of its
    session) that may change everything in the cluster; whoever deploys is among them, as its creator is not by itself.
    key_arn: encrypts what the API stores, and logs. log_days: how long logs are kept. public_from: addresses outside
    the network that reach the API, as CIDR; none: it answers inside the network only. protect: keep it. version:
    Kubernetes' minor; None: the newest that EKS has when the cluster is made. Raises ValueError.
    """

    account: Account
    cluster: str
    network: Network
    role_arn: pulumi.Input[str]
    node_role_arn: pulumi.Input[str]
    administrators: Mapping[str, pulumi.Input[str]]
    log_days: int
    key_arn: pulumi.Input[str] | None = None
    public_from: Sequence[str] = ()
    protect: bool = True
    version: str | None = None

    def __post_init__(self) -> None:
        if not self.administrators:
            raise ValueError("administrators is empty; allowed: at least one role, else nobody may enter: name one")
        for who, arn in self.administrators.items():
            if isinstance(arn, str) and ":assumed-role/" in arn:
                raise ValueError(
                    f"administrators.{who} is {arn!r}; allowed: the ARN of a role, since a session ends: name its role"
                )


class EksCluster(pulumi.ComponentResource):
    """The cluster. name: of it, known once its administrators may enter. kubeconfig: asks `aws eks get-token` for each
    call, so that it holds no secret.
    """

    name: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]

    def __init__(self, name: str, args: EksArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:EksCluster", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        # Made before EKS makes it, which would keep logs for ever and not with the service's key.
        logs = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=log_group(args.cluster),
            retention_in_days=args.log_days,
            kms_key_id=args.key_arn,
            opts=child,
        )
        self.cluster = aws.eks.Cluster(
            f"{name}-cluster",
            name=args.cluster,
            role_arn=args.role_arn,
            version=args.version,
            access_config=aws.eks.ClusterAccessConfigArgs(
                authentication_mode="API", bootstrap_cluster_creator_admin_permissions=False
            ),
            # Auto Mode is these three together, and none of the add-ons that it replaces.
            compute_config=aws.eks.ClusterComputeConfigArgs(
                enabled=True, node_pools=list(NODE_POOLS), node_role_arn=args.node_role_arn
            ),
            storage_config=aws.eks.ClusterStorageConfigArgs(
                block_storage=aws.eks.ClusterStorageConfigBlockStorageArgs(enabled=True)
            ),
            kubernetes_network_config=aws.eks.ClusterKubernetesNetworkConfigArgs(
                elastic_load_balancing=aws.eks.ClusterKubernetesNetworkConfigElasticLoadBalancingArgs(enabled=True)
            ),
            bootstrap_self_managed_addons=False,
            vpc_config=aws.eks.ClusterVpcConfigArgs(
                subnet_ids=args.network.subnet_ids,
                endpoint_private_access=True,  # nodes have no other way
                endpoint_public_access=bool(args.public_from),
                public_access_cidrs=list(args.public_from) or None,
            ),
            encryption_config=None
            if args.key_arn is None
            else aws.eks.ClusterEncryptionConfigArgs(
                # All that the API stores, whatever the list says, which may not say anything else
                # (https://docs.aws.amazon.com/eks/latest/userguide/envelope-encryption.html).
                provider=aws.eks.ClusterEncryptionConfigProviderArgs(key_arn=args.key_arn),
                resources=["secrets"],
            ),
            enabled_cluster_log_types=list(LOG_TYPES),
            # Extended support costs more by itself; a cluster is moved on at the end of standard support instead.
            upgrade_policy=aws.eks.ClusterUpgradePolicyArgs(support_type="STANDARD"),
            deletion_protection=args.protect,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[logs], protect=args.protect),
        )
        entered: list[pulumi.Output[str]] = []
        policy = pulumi.Output.concat("arn:", args.account.partition, f":eks::aws:{ADMINISTRATOR}")
        for who, arn in args.administrators.items():
            entry = aws.eks.AccessEntry(
                f"{name}-{who}", cluster_name=self.cluster.name, principal_arn=arn, type="STANDARD", opts=child
            )
            allowed = aws.eks.AccessPolicyAssociation(
                f"{name}-{who}",
                cluster_name=self.cluster.name,
                principal_arn=entry.principal_arn,
                policy_arn=policy,
                access_scope=aws.eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
                opts=child,
            )
            entered.append(allowed.id)
        self.name = pulumi.Output.all(self.cluster.name, *entered).apply(lambda known: str(known[0]))
        self.kubeconfig = pulumi.Output.all(
            self.name, self.cluster.endpoint, self.cluster.certificate_authority.data
        ).apply(lambda known: kubeconfig(*known, region=args.account.region))
        self.register_outputs({"name": self.name, "kubeconfig": self.kubeconfig})

    def act_as(self, name: str, *, namespace: str, service_account: str, role_arn: pulumi.Input[str]) -> None:
        """Pods of a ServiceAccount act as a role (EKS Pod Identity); make it before the pods start."""
        aws.eks.PodIdentityAssociation(
            f"{name}-identity",
            cluster_name=self.cluster.name,
            namespace=namespace,
            service_account=service_account,
            role_arn=role_arn,
            opts=pulumi.ResourceOptions(parent=self),
        )


def log_group(cluster: str) -> str:
    """The log group that the control plane writes to."""
    return f"/aws/eks/{cluster}/cluster"


def kubeconfig(cluster: str, endpoint: str, authority: str, *, region: str) -> str:
    """How kubectl, and Pulumi's provider, enter. authority: the API's certificate authority, in base64."""
    command = ["eks", "get-token", "--cluster-name", cluster, "--region", region, "--output", "json"]
    access = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "aws", "args": command}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": cluster, "cluster": {"server": endpoint, "certificate-authority-data": authority}}],
            "users": [{"name": cluster, "user": {"exec": access}}],
            "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": cluster}}],
            "current-context": cluster,
        }
    )
