"""A cluster on EKS with its roles, as AWS's own models, our linter and AWS's table of permissions see it.

Not shown: that AWS accepts it, that Auto Mode then makes nodes, and anything that runs on the cluster. So no test here
counts as proof of Amazon EKS as a target.
"""

from __future__ import annotations

import json

import pytest

from components.aws.eks_roles import CONTROL_PLANE_POLICIES, NODE_POLICIES
from components.aws.rights.clusters import CLUSTERS
from components.aws.rights.right import Scope
from operations.schema import aws as vendor
from operations.schema import mutations
from operations.schema.check import check
from operations.schema.findings import Record
from operations.schema.findings import Recording as Answered
from operations.schema.iam import lint, policies
from operations.schema.mocked import of_function
from tests.components.aws.bootstrapped import allows
from tests.components.aws.eks_alone import CLUSTER, DEPLOYER, REGION, program
from tests.components.aws.inventories import CLUSTER_ALONE, text
from tests.components.recording import ACCOUNT, record

EXISTING = (("aws:iam/role:Role", "deployer", {"name": "deployer", "arn": DEPLOYER}),)
#: Types that AWS publishes no model of in a machine's form.
WITHOUT_MODEL = {
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
}
#: What AWS's handlers may call for what the components do not ask for, or do by others' rights (`rights.IDENTITY`).
NOT_SET = {
    "eks:ActivateCertificateAuthority",
    # Instance profiles are made by the cluster's own role, for the node pools that it has.
    *(f"iam:{action}" for action in ("AddRoleToInstanceProfile", "CreateInstanceProfile", "DeleteInstanceProfile")),
    *(f"iam:{action}" for action in ("GetInstanceProfile", "RemoveRoleFromInstanceProfile", "TagInstanceProfile")),
}
FLOOR = 0.85


@pytest.fixture(scope="module")
def answered() -> Answered:
    return of_function(program, existing=EXISTING)


def test_every_input_is_right(answered: Answered) -> None:
    report = check(answered)
    assert [*report.problems, *report.findings] == []
    assert report.without_model <= WITHOUT_MODEL
    assert report.unmapped == {}


def test_mistakes_in_its_inputs_are_found(answered: Answered) -> None:
    found = mutations.score(answered)
    table = "\n".join([*mutations.table([("cluster", found)]), *mutations.misses([("cluster", found)])])
    assert min(found.rate, found.by_operator) >= FLOOR, table


def test_the_inventory() -> None:
    assert text(record(program)) == CLUSTER_ALONE.read_text(), (
        "renew it with `python -m tests.components.aws.inventories`, and look at the difference"
    )


def test_every_policy_is_clean(answered: Answered) -> None:
    found = policies(answered.records)
    attached = {one.inputs["policyArn"].rpartition("/")[2] for one in found if "policyArn" in one.inputs}
    assert attached >= {*CONTROL_PLANE_POLICIES, *NODE_POLICIES}
    assert [str(finding) for one in found for finding in lint(one)] == []


@pytest.mark.parametrize("tags", [{}, {"aws:RequestTag/kubernetes-namespace": "digits"}])
def test_a_role_for_pods_of_every_cluster_is_found(tags: dict[str, str]) -> None:
    statement = {
        "Sid": "A",
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        **({"Condition": {"StringEquals": tags}} if tags else {}),
    }
    role = Record(
        "aws:iam/role:Role",
        "it",
        {"assumeRolePolicy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})},
    )
    assert {finding.rule for finding in lint(role)} == {"deputy"}


@pytest.mark.parametrize("kind", ["Cluster", "AccessEntry", "PodIdentityAssociation"])
def test_what_aws_asks_for_its_own_handlers_is_granted(kind: str) -> None:
    given = {action for right in CLUSTERS for action in (*right.see, *right.change)}
    seen = {action for right in CLUSTERS for action in right.see}
    handlers = vendor.handlers(f"AWS::EKS::{kind}")
    assert handlers
    for name in ("create", "read", "update", "delete"):
        assert set(handlers[name]) - given - NOT_SET == set(), name
    assert set(handlers["read"]) <= seen


def test_each_exception_is_one() -> None:
    asked = {action for actions in vendor.handlers("AWS::EKS::Cluster").values() for action in actions}
    assert asked >= NOT_SET


class TestWhoDeploys:
    """The rights as a policy: clean, for its own clusters and roles, and no other."""

    scope = Scope("aws", ACCOUNT, ["digits"], [REGION], "/services/models/prod/", "arn:aws:iam::1:policy/b")
    policy = tuple(grant.statement() for grant in scope.grants(CLUSTERS, change=True))

    def test_it_is_clean(self) -> None:
        whole = json.dumps({"Version": "2012-10-17", "Statement": list(self.policy)})
        one = Record("aws:iam/policy:Policy", "clusters", {"policy": whole})
        assert [str(finding) for finding in lint(one)] == []
        assert len(whole) < 6144  # of a managed policy

    def test_clusters_of_others_stay(self) -> None:
        for name, right in ((CLUSTER, True), ("trial-prod", False)):
            for kind in (f"cluster/{name}", f"access-entry/{name}/role/{ACCOUNT}/r/u"):
                action = "eks:DeleteCluster" if kind.startswith("cluster") else "eks:AssociateAccessPolicy"
                arn = f"arn:aws:eks:{REGION}:{ACCOUNT}:{kind}"
                assert allows(self.policy, action, arn, aws__RequestedRegion=REGION) is right
                assert not allows(self.policy, action, arn, aws__RequestedRegion="eu-west-1")

    def test_roles_pass_to_eks_alone(self) -> None:
        role = f"arn:aws:iam::{ACCOUNT}:role/services/models/prod/r"
        for service, right in (("eks", True), ("pods.eks", True), ("ec2", True), ("lambda", False)):
            passed = f"{service}.amazonaws.com"
            assert allows(self.policy, "iam:PassRole", role, iam__PassedToService=passed) is right
        assert not allows(self.policy, "iam:PassRole", role)
