"""The EKS cluster under mocks: exact inputs, order, what is kept. Whether AWS accepts them is not shown here."""

from __future__ import annotations

import json
from typing import Any

import pulumi_aws as aws
import pytest

from components.aws.account import Account
from components.aws.eks import EksArgs, EksCluster, kubeconfig
from components.aws.network import Network, NetworkArgs
from spec.places import Network as ExistingNetwork
from tests.components.recording import Recording, record

REGION = "eu-central-1"
ROLE = "arn:aws:iam::123456789012:role"

pytestmark = pytest.mark.proof("Amazon EKS", level="mocks")


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
    cluster = made(key_arn=None, private=False, protect=False).one("aws:eks/cluster:Cluster")
    assert "encryptionConfig" not in cluster.inputs
    assert cluster.inputs["vpcConfig"]["endpointPublicAccess"] is True
    assert cluster.inputs["deletionProtection"] is False
    assert not cluster.protect


def test_the_kubeconfig_holds_no_secret() -> None:
    found = json.loads(kubeconfig("c", "https://api", "Y2E=", region=REGION))
    (user,) = found["users"]
    assert set(user["user"]) == {"exec"}
    assert user["user"]["exec"]["args"][:4] == ["eks", "get-token", "--cluster-name", "c"]
    assert found["clusters"][0]["cluster"] == {"server": "https://api", "certificate-authority-data": "Y2E="}
