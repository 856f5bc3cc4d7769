"""An AWS account's bootstrap under mocks: exact trust, state, keys and what is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest

from spec.bootstrap import load_bootstrap
from spec.errors import SpecError
from tests.components.aws.bootstrapped import GITHUB_ARN, example, made, statements, two
from tests.components.recording import Recording

GITHUB = "token.actions.githubusercontent.com"
OIDC = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
ROLE, POLICY, ATTACHED = (
    "aws:iam/role:Role",
    "aws:iam/policy:Policy",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
)


@pytest.fixture(scope="module")
def recording(root: Path) -> Recording:
    return made(two(root))


def policy(recording: Recording, name: str) -> list[dict[str, Any]]:
    return statements(recording.one(POLICY, name).inputs["policy"])


@pytest.mark.parametrize(
    ("role", "subject"),
    [
        ("models-deploy-prod", "repo:example/digits:environment:prod"),
        ("models-deploy-staging", "repo:example/digits:environment:staging"),
        ("models-preview", "repo:example/digits:pull_request"),
    ],
)
def test_a_role_is_for_one_subject_and_aws_alone(recording: Recording, role: str, subject: str) -> None:
    inputs = recording.one(ROLE, f"{role}-role").inputs
    assert (inputs["name"], inputs["path"]) == (role, "/bootstrap/models/")
    (statement,) = statements(inputs["assumeRolePolicy"])
    assert statement == {
        "Sid": "GitHub",
        "Effect": "Allow",
        "Principal": {"Federated": "arn:aws:iam:eu-central-1:123456789012:models-github"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:sub": subject}},
    }


def test_the_subject_may_hold_ids(root: Path) -> None:
    github = {"repository": "example/digits", "subject": "repo:example-1/digits-2"}
    inputs = made(load_bootstrap({**example(root), "github": github})).one(ROLE, "models-preview-role").inputs
    (statement,) = statements(inputs["assumeRolePolicy"])
    assert statement["Condition"]["StringEquals"][f"{GITHUB}:sub"] == "repo:example-1/digits-2:pull_request"


def test_the_provider_is_made_once_and_kept(recording: Recording) -> None:
    one = recording.one(OIDC)
    assert one.inputs == {
        "url": f"https://{GITHUB}",
        "clientIdLists": ["sts.amazonaws.com"],
        "tags": {"bootstrap": "models"},
    }
    assert one.protect


def test_state_is_kept_and_locked_down(recording: Recording) -> None:
    assert {one.name for one in recording if one.protect} == {
        "models-github",
        "models-state",
        "models-state-access-logs",
        "models-state-key",
    }
    (rule,) = recording.one(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "models-state-encryption",
    ).inputs["rules"]
    assert rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == "aws:kms"
    versioning = recording.one("aws:s3/bucketVersioning:BucketVersioning", "models-state-versioning")
    assert versioning.inputs["versioningConfiguration"] == {"status": "Enabled"}
    logging = recording.one("aws:s3/bucketLogging:BucketLogging", "models-state-logging").inputs
    assert logging["targetBucket"] == "models-state-access-logs"


def test_without_protect_everything_goes(root: Path) -> None:
    recording = made(load_bootstrap({**example(root), "protect": False}))
    assert [one.name for one in recording if one.protect] == []
    assert {one.inputs["forceDestroy"] for one in recording.of("aws:s3/bucket:Bucket")} == {True}


def test_the_key_is_for_those_roles_and_the_bucket(recording: Recording) -> None:
    key = statements(recording.one("aws:kms/keyPolicy:KeyPolicy").inputs["policy"])
    assert [one["Sid"] for one in key] == ["Manage", "ViaS3", "RoleDeployprod", "RoleDeploystaging", "RolePreview"]
    assert "kms:Decrypt" not in key[0]["Action"]


def test_whoever_deploys_writes_its_own_stacks_state_alone(recording: Recording) -> None:
    bucket = "arn:aws:s3:eu-central-1:123456789012:models-state/.pulumi"
    own = [
        f"{bucket}/stacks/cloud-ml-deployment/aws.json*",
        f"{bucket}/stacks/cloud-ml-deployment/aws.pulumi-tags",
        f"{bucket}/history/cloud-ml-deployment/aws/*",
        f"{bucket}/backups/cloud-ml-deployment/aws/*",
        f"{bucket}/locks/organization/cloud-ml-deployment/aws/*",
    ]
    found = {one["Sid"]: one for one in policy(recording, "models-deploy-prod-state")}
    assert found["WriteState"]["Resource"] == own
    assert found["WriteState"]["Action"] == ["s3:DeleteObject", "s3:PutObject"]
    assert found["ReadState"]["Resource"] == [f"{bucket}/meta.yaml", *own]
    assert found["ListState"]["Condition"] == {"StringLike": {"s3:prefix": [".pulumi/*"]}}
    assert set(found) >= {"StateKey", "EncryptState", "NotOneself", "NotTheBoundary", "KeepBoundaries"}


def test_whoever_previews_writes_nothing(recording: Recording) -> None:
    every = [
        one for record in recording.of(POLICY) if "-preview-" in record.name for one in policy(recording, record.name)
    ]
    actions = {action for one in every for action in one["Action"]}
    verbs = ("Get", "List", "Describe", "View")
    assert {action for action in actions if not action.split(":")[1].startswith(verbs)} == {"kms:Decrypt"}
    read = next(one for one in every if one["Sid"] == "ReadState")
    assert {arn.split("/")[-1] for arn in read["Resource"] if "/stacks/" in arn} == {
        f"{stack}.{end}" for stack in ("aws", "staging") for end in ("json*", "pulumi-tags")
    }


def test_every_policy_is_attached_to_its_role(recording: Recording) -> None:
    for role in ("models-deploy-prod", "models-deploy-staging", "models-preview"):
        attached = {one.name for one in recording.of(ATTACHED) if one.inputs["role"] == role}
        assert attached == {one.name for one in recording.of(POLICY) if one.name.startswith(f"{role}-")}
        assert len(attached) <= 10  # IAM's quota of managed policies of a role


def test_what_a_stack_needs_is_exported(root: Path) -> None:
    recording = made(two(root))
    assert set(recording.returned) == {"backend", "secrets_provider", "preview_role", "environments"}
    assert set(recording.returned["environments"]) == {"prod", "staging"}
    assert recording.returned["environments"]["prod"]["roles"]["path"] == "/services/models/prod/"


class TestGitHubsProvider:
    """made or taken, against what the account has."""

    def answer(self, **more: Any) -> Any:
        return lambda _: {"arn": GITHUB_ARN, "clientIdLists": ["sts.amazonaws.com"], "tags": {}, **more}

    def refused(self, root: Path, provider: str, look: Any) -> str:
        github = {"repository": "example/digits", "provider": provider}
        with pytest.raises(pulumi.RunError) as refused:
            made(load_bootstrap({**example(root), "github": github}), look)
        return str(refused.value)

    def test_ours_is_made(self, root: Path) -> None:
        recording = made(load_bootstrap(example(root)), self.answer(tags={"bootstrap": "models"}))
        assert len(recording.of(OIDC)) == 1

    def test_another_ones_is_taken(self, root: Path) -> None:
        github = {"repository": "example/digits", "provider": "taken"}
        recording = made(load_bootstrap({**example(root), "github": github}), self.answer())
        assert recording.of(OIDC) == []
        role = recording.one(ROLE, "models-preview-role").inputs["assumeRolePolicy"]
        assert json.loads(role)["Statement"][0]["Principal"] == {"Federated": GITHUB_ARN}

    def test_made_where_there_is_another_ones(self, root: Path) -> None:
        said = self.refused(root, "made", self.answer())
        assert "bootstrap.github.provider is 'made'" in said
        assert GITHUB_ARN in said
        assert "Set provider: taken." in said

    def test_taken_where_there_is_none(self, root: Path) -> None:
        said = self.refused(root, "taken", None)
        assert "the account has no provider for token.actions.githubusercontent.com" in said
        assert "Set provider: made." in said

    def test_taken_where_it_is_ours(self, root: Path) -> None:
        said = self.refused(root, "taken", self.answer(tags={"bootstrap": "models"}))
        assert "was made by this stack" in said
        assert "pulumi state delete" in said

    def test_taken_for_another_audience(self, root: Path) -> None:
        said = self.refused(root, "taken", self.answer(clientIdLists=["https://example.com"]))
        assert "is for https://example.com" in said
        assert f"--open-id-connect-provider-arn {GITHUB_ARN} --client-id sts.amazonaws.com" in said

    def test_a_look_up_that_fails_is_told_as_it_is(self, root: Path) -> None:
        def denied(_: Any) -> Any:
            raise PermissionError("AccessDenied: not authorized to perform iam:ListOpenIDConnectProviders")

        with pytest.raises(Exception, match="iam:ListOpenIDConnectProviders"):
            made(load_bootstrap(example(root)), denied)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"region": "eu-central-9"}, "bootstrap.region is 'eu-central-9'; allowed: a region of AWS's"),
        (
            {"tags": {"service": "x"}},
            "bootstrap.tags.service is 'x'; allowed: any key but managed-by, service or stack",
        ),
        ({"callers": ["arn:aws:iam::aws:policy/x"]}, "bootstrap.environments.prod.callers[0] is"),
        ({"stacks": ["aws", "bootstrap-aws"]}, "bootstrap.environments.prod.stacks[1] is 'bootstrap-aws'"),
        (
            {"services": [f"service-number-{number}" for number in range(60)]},
            "bootstrap.environments.prod.services is 60 services, of which the policy on",
        ),
    ],
)
def test_what_aws_would_refuse_is_said_before_anything_is_registered(
    root: Path, changes: dict[str, Any], said: str
) -> None:
    base = example(root)
    prod = {**base["environments"]["prod"], **{key: value for key, value in changes.items() if key not in base}}
    own = {key: value for key, value in changes.items() if key in (*base, "tags")}
    prod.pop("tags", None)
    with pytest.raises(SpecError) as refused:
        made(load_bootstrap({**base, **own, "environments": {"prod": prod}}))
    assert said in str(refused.value)
