"""The EKS cluster under mocks: exact inputs, order, what is kept. Whether AWS accepts them is not shown here."""

from __future__ import annotations

import json
from typing import Any

import pulumi_aws as aws
import pytest

from components.aws.account import Account
from components.aws.eks import EksArgs, EksCluster, kubeconfig
from components.aws.eks_roles import CONTROL_PLANE_POLICIES, NODE_POLICIES, EksRoles, EksRolesArgs, pod_role
from components.aws.identity import Role
from components.aws.network import Network, NetworkArgs
from spec.places import Network as ExistingNetwork
from tests.components.aws.eks_alone import program
from tests.components.recording import ACCOUNT, Recording, record

REGION = "eu-central-1"
ROLE = "arn:aws:iam::123456789012:role"


def made(**changes: Any) -> Recording:
    def program() -> None:
        account = Account.of(aws.Provider("aws", region=REGION), REGION)
        network = Network(
            "net",
            NetworkArgs(account, ExistingNetwork(vpc_id="vpc-1", subnet_ids=("subnet-1", "subnet-2")), (), None, 30),
        )
        values: dict[str, Any] = {
            "account": account,
            "cluster": "digits-prod",
            "network": network,
            "role_arn": f"{ROLE}/cluster",
            "node_role_arn": f"{ROLE}/node",
            "administrators": {"deployer": f"{ROLE}/deployer"},
            "log_days": 30,
            "key_arn": "arn:aws:kms:eu-central-1:123456789012:key/k",
        }
        cluster = EksCluster("digits", EksArgs(**{**values, **changes}))
        cluster.act_as("digits", namespace="digits-prod", service_account="digits", role_arn=f"{ROLE}/server")

    return record(program)


def test_exact_inputs() -> None:
    recording = made()
    cluster = recording.one("aws:eks/cluster:Cluster")
    assert cluster.inputs == {
        "name": "digits-prod",
        "roleArn": f"{ROLE}/cluster",
        "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
        "computeConfig": {
            "enabled": True,
            "nodePools": ["general-purpose", "system"],
            "nodeRoleArn": f"{ROLE}/node",
        },
        "storageConfig": {"blockStorage": {"enabled": True}},
        "kubernetesNetworkConfig": {"elasticLoadBalancing": {"enabled": True}},
        "bootstrapSelfManagedAddons": False,
        "vpcConfig": {
            "subnetIds": ["subnet-1", "subnet-2"],
            "endpointPrivateAccess": True,
            "endpointPublicAccess": False,
        },
        "encryptionConfig": {
            "provider": {"keyArn": "arn:aws:kms:eu-central-1:123456789012:key/k"},
            "resources": ["secrets"],
        },
        "enabledClusterLogTypes": ["api", "audit", "authenticator", "controllerManager", "scheduler"],
        "upgradePolicy": {"supportType": "STANDARD"},
        "deletionProtection": True,
    }
    assert cluster.protect
    assert {"digits-logs"} <= {urn.rpartition("::")[2] for urn in cluster.depends_on}
    logs = recording.one("aws:cloudwatch/logGroup:LogGroup").inputs
    assert (logs["name"], logs["retentionInDays"]) == ("/aws/eks/digits-prod/cluster", 30)


def test_who_may_enter_and_what_pods_act_as() -> None:
    recording = made()
    assert recording.one("aws:eks/accessEntry:AccessEntry").inputs == {
        "clusterName": "digits-prod",
        "principalArn": f"{ROLE}/deployer",
        "type": "STANDARD",
    }
    assert recording.one("aws:eks/accessPolicyAssociation:AccessPolicyAssociation").inputs == {
        "clusterName": "digits-prod",
        "principalArn": f"{ROLE}/deployer",
        "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
        "accessScope": {"type": "cluster"},
    }
    assert recording.one("aws:eks/podIdentityAssociation:PodIdentityAssociation").inputs == {
        "clusterName": "digits-prod",
        "namespace": "digits-prod",
        "serviceAccount": "digits",
        "roleArn": f"{ROLE}/server",
    }


def test_what_can_be_left_out() -> None:
    cluster = made(key_arn=None, public_from=["192.0.2.0/24"], protect=False).one("aws:eks/cluster:Cluster")
    assert "encryptionConfig" not in cluster.inputs
    assert cluster.inputs["vpcConfig"]["endpointPublicAccess"] is True
    assert cluster.inputs["vpcConfig"]["publicAccessCidrs"] == ["192.0.2.0/24"]
    assert cluster.inputs["deletionProtection"] is False
    assert not cluster.protect


def test_the_kubeconfig_holds_no_secret() -> None:
    found = json.loads(kubeconfig("c", "https://api", "Y2E=", region=REGION))
    (user,) = found["users"]
    assert set(user["user"]) == {"exec"}
    assert user["user"]["exec"]["args"][:4] == ["eks", "get-token", "--cluster-name", "c"]
    assert found["clusters"][0]["cluster"] == {"server": "https://api", "certificate-authority-data": "Y2E="}


@pytest.mark.parametrize(
    ("administrators", "said"),
    [
        ({}, "administrators is empty"),
        ({"me": "arn:aws:sts::123456789012:assumed-role/deployer/me"}, "administrators.me is .*a session ends"),
    ],
)
def test_a_cluster_that_nobody_can_enter_is_refused(administrators: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        made(administrators=administrators)


def account(**more: Any) -> Account:
    return Account.of(aws.Provider("aws", region=REGION), REGION, **more)


def trust(recording: Recording, name: str) -> dict[str, Any]:
    (statement,) = json.loads(recording.one("aws:iam/role:Role", name).inputs["assumeRolePolicy"])["Statement"]
    return statement


def test_the_roles_of_a_cluster() -> None:
    recording = record(lambda: EksRoles("digits", EksRolesArgs(account(), "digits-prod")))
    plane = trust(recording, "digits-control-plane-role")
    assert plane["Principal"] == {"Service": "eks.amazonaws.com"}
    assert plane["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert plane["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/digits-prod"},
    }
    node = trust(recording, "digits-node-role")
    assert (node["Principal"], node["Action"]) == ({"Service": "ec2.amazonaws.com"}, "sts:AssumeRole")
    assert "Condition" not in node  # EC2 says nothing that could be asked for
    attached = recording.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    assert {one.inputs["policyArn"] for one in attached} == {
        f"arn:aws:iam::aws:policy/{policy}" for policy in (*CONTROL_PLANE_POLICIES, *NODE_POLICIES)
    }


def test_the_cluster_waits_for_what_its_roles_may_do() -> None:
    """Without the policies EKS refuses to make it, and it could not remove its nodes when it goes."""
    recording = record(program)
    cluster = recording.one("aws:eks/cluster:Cluster")
    waits = {urn.rpartition("::")[2] for urn in cluster.depends_on}
    assert waits >= {f"digits-control-plane-{policy}" for policy in CONTROL_PLANE_POLICIES}
    assert waits >= {f"digits-node-{policy}" for policy in NODE_POLICIES}


def test_where_roles_have_a_boundary_those_of_a_cluster_need_another() -> None:
    def program(boundary: str | None) -> None:
        EksRoles("digits", EksRolesArgs(account(boundary="arn:services"), "digits-prod", boundary))

    with pytest.raises(ValueError, match=r"boundary is None .*arn:services, .*; allowed: .*AmazonEKSComputePolicy"):
        record(lambda: program(None))
    roles = record(lambda: program("arn:clusters")).of("aws:iam/role:Role")
    assert {one.inputs["permissionsBoundary"] for one in roles} == {"arn:clusters"}


def test_a_role_for_pods_is_for_one_service_account_of_one_cluster() -> None:
    recording = record(
        lambda: Role("digits", pod_role(account(), "digits-prod", namespace="digits-prod", service_account="digits"))
    )
    found = trust(recording, "digits-role")
    assert found["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert found["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert found["Condition"] == {
        "StringEquals": {
            "aws:RequestTag/eks-cluster-arn": f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/digits-prod",
            "aws:RequestTag/kubernetes-namespace": "digits-prod",
            "aws:RequestTag/kubernetes-service-account": "digits",
        }
    }
