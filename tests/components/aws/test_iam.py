"""Who may do what: every policy of the whole stack against the linter, and mistakes that the linter has to find.

The ARNs are the stand-in's, in AWS's form. That the permissions suffice is not shown here: only AWS evaluates them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.aws.grants import NO_RESOURCE_LEVEL
from operations.schema.findings import Record
from operations.schema.iam import lint, policies
from tests.components.aws.whole import answered, example

CALLER = "arn:aws:iam::123456789012:role/caller"
#: Descriptions that together make every policy there is.
VARIANTS: dict[str, dict[str, Any]] = {
    "private": {"access": {"visibility": "private", "principals": [CALLER]}},
    "public-with-canary": {
        "access": {"visibility": "public", "principals": [CALLER]},
        "release": "digits@1",
        "canary": {"release": "digits@2", "percent": 10},
    },
    "no-own-key": {"encryption": {"customer_managed_key": False}},
}


@pytest.fixture(scope="module", params=VARIANTS)
def records(request: pytest.FixtureRequest, root: Path, tree: Path) -> list[Record]:
    return policies(answered({**example(root), **VARIANTS[request.param]}, tree).records)


def test_every_policy_of_the_stack_is_clean(records: list[Record]) -> None:
    assert {one.token.rpartition(":")[2] for one in records} >= {"Role", "RolePolicy", "Policy", "BucketPolicy"}
    assert [str(finding) for record in records for finding in lint(record)] == []


def identity(**statement: Any) -> Record:
    whole = {"Sid": "A", "Effect": "Allow", **statement}
    return _record("aws:iam/rolePolicy:RolePolicy", "policy", whole)


def trust(principal: Any, **more: Any) -> Record:
    whole = {"Sid": "A", "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
    return _record("aws:iam/role:Role", "assumeRolePolicy", whole)


def bucket(**statement: Any) -> Record:
    whole = {"Sid": "A", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/*", **statement}
    return _record("aws:s3/bucketPolicy:BucketPolicy", "policy", whole)


def _record(token: str, path: str, statement: dict[str, Any]) -> Record:
    return Record(token, "it", {path: json.dumps({"Version": "2012-10-17", "Statement": [statement]})})


def attached(arn: str) -> Record:
    return Record("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "it", {"role": "r", "policyArn": arn})


GITHUB = "token.actions.githubusercontent.com"
PROVIDER = {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{GITHUB}"}
SERVICE = {"Service": "sagemaker.amazonaws.com"}
OBJECT = "arn:aws:s3:::b/*"


@pytest.mark.parametrize(
    ("record", "rule"),
    [
        pytest.param(identity(Action="s3:*", Resource=OBJECT), "action", id="all-actions-of-a-service"),
        pytest.param(identity(Action=["s3:Get*"], Resource=OBJECT), "action", id="actions-by-prefix"),
        pytest.param(identity(Action="s3:GetObject", Resource="*"), "resource", id="every-resource"),
        pytest.param(identity(Action="s3:GetObject", Resource=["arn:aws:s3:::*"]), "resource", id="every-bucket"),
        pytest.param(
            identity(Action=["ecr:GetAuthorizationToken", "ecr:BatchGetImage"], Resource="*"), "resource", id="beside"
        ),
        pytest.param(identity(NotAction="iam:CreateUser", Resource=OBJECT), "exception", id="all-but-an-action"),
        pytest.param(identity(Action="s3:GetObject", NotResource=OBJECT), "exception", id="all-but-a-resource"),
        pytest.param(
            identity(Action="iam:PassRole", Resource="arn:aws:iam::123456789012:role/r"), "pass-role", id="pass-role"
        ),
        pytest.param(identity(Action="s3:GetObjekt", Resource=OBJECT), "document", id="unknown-action"),
        pytest.param(identity(Action="s3:GetObject", Resource="arn:aws:s3:::b"), "document", id="resource-of-others"),
        pytest.param(attached("arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"), "managed", id="full-access"),
        pytest.param(attached("arn:aws:iam::aws:policy/AdministratorAccess"), "managed", id="administrator"),
        pytest.param(trust(SERVICE), "deputy", id="service-without-condition"),
        pytest.param(
            trust(SERVICE, Condition={"StringEqualsIfExists": {"aws:SourceAccount": "123456789012"}}),
            "deputy",
            id="condition-that-may-be-missing",
        ),
        pytest.param(trust({"AWS": "*"}), "everybody", id="everybody-takes-a-role-on"),
        pytest.param(trust(PROVIDER, Action="sts:AssumeRoleWithWebIdentity"), "federated", id="every-repository"),
        pytest.param(
            trust(
                PROVIDER,
                Action="sts:AssumeRoleWithWebIdentity",
                Condition={"StringLike": {f"{GITHUB}:sub": "*", f"{GITHUB}:aud": "sts.amazonaws.com"}},
            ),
            "federated",
            id="every-subject",
        ),
        pytest.param(bucket(Principal={"Service": "logging.s3.amazonaws.com"}), "deputy", id="bucket-of-a-service"),
        pytest.param(bucket(Principal="*"), "everybody", id="bucket-of-everybody"),
    ],
)
def test_a_mistake_is_found(record: Record, rule: str) -> None:
    assert rule in {finding.rule for finding in lint(record)}


@pytest.mark.parametrize(
    "record",
    [
        identity(Action="s3:GetObject", Resource=OBJECT),
        identity(Action=["ecr:GetAuthorizationToken"], Resource="*"),
        identity(Effect="Deny", Action="s3:*", Resource="*"),
        identity(
            Action="iam:PassRole",
            Resource="arn:aws:iam::123456789012:role/r",
            Condition={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        ),
        trust(SERVICE, Condition={"StringEquals": {"aws:SourceAccount": "123456789012"}}),
        trust({"Service": "lambda.amazonaws.com"}),
        trust(
            PROVIDER,
            Action="sts:AssumeRoleWithWebIdentity",
            Condition={
                "StringEquals": {f"{GITHUB}:sub": "repo:o/r:environment:prod", f"{GITHUB}:aud": "sts.amazonaws.com"}
            },
        ),
        bucket(Effect="Deny", Principal="*"),
        attached("arn:aws:iam::123456789012:policy/callers"),
    ],
)
def test_what_is_right_is_left_alone(record: Record) -> None:
    assert [str(finding) for finding in lint(record)] == []


def test_actions_without_resources_are_really_such() -> None:
    """parliament has AWS's table of actions: for each one in our list it knows no resource type that must be named."""
    for action in NO_RESOURCE_LEVEL:
        assert [str(one) for one in lint(identity(Action=[action], Resource="*"))] == []
        assert lint(identity(Action=[action], Resource="arn:aws:s3:::b/*")), action
