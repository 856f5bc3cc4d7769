"""What an account needs once: a backend for Pulumi's state and secrets, and roles that GitHub's workflows take on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
import pulumi_aws as aws

from components.aws.account import Account
from components.aws.grants import Grant, document, identity_policy
from components.aws.keys import EncryptionKey, KeyArgs
from components.aws.storage import ACCESS_LOG_DAYS, Bucket, BucketArgs

GITHUB = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
#: What the AWS provider says where an account has no identity provider of that URL.
_ABSENT = "couldn't find resource"
#: Tag of an identity provider that a bootstrap made.
_OWNER = "bootstrap"
_Found = aws.iam.GetOpenIdConnectProviderResult
#: A job of GitHub's ends after six hours (https://docs.github.com/en/actions/reference/limits), some updates as late.
DEPLOY_SECONDS = 6 * 3600


class GitHubProviderError(ValueError):
    """The account's provider is not what the config says; the text says what is there and what to do."""


@dataclass(frozen=True)
class GitHubProviderArgs:
    """account: whose. owner: name of the bootstrap. provider: `made` here, or `taken` as it is. protect: keep it."""

    account: Account
    owner: str
    provider: Literal["made", "taken"]
    protect: bool = True


class GitHubProvider(pulumi.ComponentResource):
    """GitHub as an identity provider of the account, which can have one of it.

    arn: of the provider. Raises GitHubProviderError where the account has one that should be made, or none that should
    be taken: asked of AWS when the program runs, so that a preview says it.
    (https://docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws)
    """

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: GitHubProviderArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:GitHubProvider", name, {}, opts)
        if problem := _mismatch(args, self._look()):
            raise GitHubProviderError(problem)
        if args.provider == "made":
            made = aws.iam.OpenIdConnectProvider(
                f"{name}-github",
                url=f"https://{GITHUB}",
                client_id_lists=[AUDIENCE],
                tags={_OWNER: args.owner},
                opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
            )
            self.arn = made.arn
        else:
            self.arn = args.account.arn("iam", f"oidc-provider/{GITHUB}", regional=False)
        self.register_outputs({"arn": self.arn})

    def _look(self) -> _Found | Literal["absent", "unknown"]:
        # The generated function cannot do with an answer that is unknown, which it is in a plan.
        function = "aws:iam/getOpenIdConnectProvider:getOpenIdConnectProvider"
        ask = {"url": f"https://{GITHUB}"}
        try:
            found = pulumi.runtime.invoke(function, ask, pulumi.InvokeOptions(parent=self), typ=_Found).value
        except Exception as error:  # the SDK has no narrower one for a function that fails
            if _ABSENT in str(error):
                return "absent"
            raise
        return "unknown" if found is None else found


def _mismatch(args: GitHubProviderArgs, found: _Found | Literal["absent", "unknown"]) -> str | None:
    """What is wrong with the choice; None where nothing is, or nobody can say."""
    field, wanted = "bootstrap.github.provider", args.provider
    if found == "unknown" or (found == "absent" and wanted == "made"):
        return None
    if found == "absent":
        return f"{field} is 'taken', and the account has no provider for {GITHUB}; allowed: made. Set provider: made."
    if (found.tags or {}).get(_OWNER) == args.owner:
        if wanted == "made":
            return None
        return (
            f"{field} is 'taken', and {found.arn} was made by this stack; allowed: made. Set provider: made. (To hand "
            "it over to somebody else: `pulumi state delete` of it first, and remove its tag `bootstrap`.)"
        )
    if wanted == "made":
        return (
            f"{field} is 'made', and the account has {found.arn} already, which was not made by this stack; allowed: "
            "taken, since an account has one for each issuer. Set provider: taken."
        )
    if AUDIENCE not in found.client_id_lists:
        return (
            f"{field} is 'taken', and {found.arn} is for {', '.join(found.client_id_lists) or 'no audience'}; allowed: "
            f"one with audience {AUDIENCE}. Add it: aws iam add-client-id-to-open-id-connect-provider "
            f"--open-id-connect-provider-arn {found.arn} --client-id {AUDIENCE}"
        )
    return None


@dataclass(frozen=True)
class GitHubRoleArgs:
    """Who takes the role on.

    provider_arn: GitHub as identity provider. subject: of the workflows' tokens, such as
    `repo:owner/name:environment:prod`; no wildcard. description: for people. path: of the role, from / to /.
    seconds: how long it can be taken on for.
    """

    provider_arn: pulumi.Input[str]
    subject: str
    description: str
    path: str
    seconds: int = 3600


class GitHubRole(pulumi.ComponentResource):
    """A role for workflows of one subject, without permissions yet. arn, name: of the role."""

    arn: pulumi.Output[str]
    name: pulumi.Output[str]

    def __init__(self, name: str, args: GitHubRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:GitHubRole", name, {}, opts)
        if "*" in args.subject or "?" in args.subject:
            raise ValueError(f"subject is {args.subject!r}; allowed: one without * and ?, which stand for others' too")
        role = aws.iam.Role(
            f"{name}-role",
            name=name,  # workflows name it, so it is known beforehand and never changes
            path=args.path,
            description=args.description,
            max_session_duration=args.seconds,
            assume_role_policy=document(
                {
                    "Sid": "GitHub",
                    "Effect": "Allow",
                    "Principal": {"Federated": args.provider_arn},
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Condition": {"StringEquals": {f"{GITHUB}:aud": AUDIENCE, f"{GITHUB}:sub": args.subject}},
                }
            ),
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.arn, self.name = role.arn, role.name
        self.register_outputs({"arn": self.arn, "name": self.name})


@dataclass(frozen=True)
class StateArgs:
    """account: whose. users: name for the key's policy (letters and digits) -> ARN of a role that decrypts secrets.
    protect: keep all of it when the stack goes.
    """

    account: Account
    users: Mapping[str, pulumi.Input[str]]
    protect: bool = True


class StateBackend(pulumi.ComponentResource):
    """A backend for Pulumi: a versioned bucket for state, and a key for it and for the secrets in it.

    url: for `pulumi login`. secrets_provider: for `pulumi stack init --secrets-provider`.
    (https://www.pulumi.com/docs/iac/concepts/state-and-backends/)
    """

    url: pulumi.Output[str]
    secrets_provider: pulumi.Output[str]

    def __init__(self, name: str, args: StateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:StateBackend", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        account, region = args.account, args.account.region
        key = KeyArgs(account, "State of Pulumi's stacks", args.users, service=False, via=("s3",), protect=args.protect)
        self.key = EncryptionKey(f"{name}-state", key, child)
        logs = BucketArgs(None, expire_days=ACCESS_LOG_DAYS, logs_of=account, protect=args.protect)
        logs_bucket = Bucket(f"{name}-state-access-logs", logs, child)
        self.bucket = Bucket(f"{name}-state", BucketArgs(self.key.arn, logs=logs_bucket, protect=args.protect), child)
        self.url = pulumi.Output.concat("s3://", self.bucket.name, f"?region={region}&awssdk=v2")
        self.secrets_provider = pulumi.Output.concat("awskms:///", self.key.arn, f"?region={region}&awssdk=v2")
        self.register_outputs({"url": self.url, "secretsProvider": self.secrets_provider})

    def grants(self, project: str, stacks: Sequence[str], *, write: bool) -> tuple[Grant, ...]:
        """Permission to read the state of some stacks of a project, or to change it as well, and of no other one.

        The layout is that of Pulumi's own backend; a preview takes no lock.
        """
        own = [
            pulumi.Output.concat(self.bucket.arn, f"/.pulumi/{part}")
            for stack in stacks
            for part in (
                f"stacks/{project}/{stack}.json*",
                f"stacks/{project}/{stack}.pulumi-tags",
                f"history/{project}/{stack}/*",
                f"backups/{project}/{stack}/*",
                f"locks/organization/{project}/{stack}/*",
            )
        ]
        meta = pulumi.Output.concat(self.bucket.arn, "/.pulumi/meta.yaml")
        found = [
            Grant("ListState", ("s3:ListBucket",), (self.bucket.arn,), {"StringLike": {"s3:prefix": [".pulumi/*"]}}),
            Grant("ReadState", ("s3:GetObject",), (meta, *own)),
            Grant("StateKey", ("kms:Decrypt", "kms:DescribeKey"), (self.key.arn,)),
        ]
        if write:
            found += [
                Grant("WriteState", ("s3:DeleteObject", "s3:PutObject"), tuple(own)),
                Grant("EncryptState", ("kms:Encrypt", "kms:GenerateDataKey"), (self.key.arn,)),
            ]
        return tuple(found)

    def denials(self) -> list[dict[str, Any]]:
        """Statements that keep the state's key from being changed, whatever else somebody may do with keys."""
        changes = (
            "CreateAlias",
            "CreateGrant",
            "DisableKeyRotation",
            "PutKeyPolicy",
            "ScheduleKeyDeletion",
            "TagResource",
        )
        return [_deny("NotTheStateKey", [f"kms:{action}" for action in changes], self.key.arn)]


@dataclass(frozen=True)
class BoundaryArgs:
    """name: of the policy. path: of the policy, from / to /. text: the policy."""

    name: str
    path: str
    text: pulumi.Input[str]


class Boundary(pulumi.ComponentResource):
    """The permissions boundary of the roles that an environment's stacks make. arn: of its policy."""

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: BoundaryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:Boundary", name, {}, opts)
        policy = aws.iam.Policy(
            f"{name}-policy",
            name=args.name,  # stacks name it, so it is known beforehand and never changes
            path=args.path,
            description="What roles of services may at most do",
            policy=args.text,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.arn = policy.arn
        self.register_outputs({"arn": self.arn})


@dataclass(frozen=True)
class GitHubPermissionsArgs:
    """role: its name. path: of the policies, from / to /. areas: policy by area. state: permission on the backend.
    denials: statements that win over all others.
    """

    role: pulumi.Input[str]
    path: str
    areas: Mapping[str, pulumi.Input[str]]
    state: Sequence[Grant]
    denials: Sequence[Mapping[str, Any]] = ()


class GitHubPermissions(pulumi.ComponentResource):
    """What a role may do, one policy for each area: a single one would be longer than IAM allows."""

    def __init__(self, name: str, args: GitHubPermissionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:GitHubPermissions", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        state = document(*(grant.statement() for grant in args.state), *args.denials)
        identity_policy(args.state)  # refuses what is doubled
        for area, text in {**args.areas, "state": state}.items():
            policy = aws.iam.Policy(f"{name}-{area}", path=args.path, policy=text, opts=child)
            aws.iam.RolePolicyAttachment(f"{name}-{area}", role=args.role, policy_arn=policy.arn, opts=child)
        self.register_outputs({})


def own_denials(account: Account, path: str) -> list[dict[str, Any]]:
    """Statements that keep a role from widening itself: from its path's roles and policies, and from boundaries.

    path: of the roles and policies that nobody who deploys may change, boundaries among them, from / to /.
    """
    roles = account.arn("iam", f"role{path}*", regional=False)
    policies = account.arn("iam", f"policy{path}*", regional=False)
    return [
        _deny("NotOneself", ["iam:*"], roles),
        _deny("NotTheBoundary", ["iam:*"], policies),
        _deny("KeepBoundaries", ["iam:DeleteRolePermissionsBoundary"], "*"),
    ]


def _deny(sid: str, actions: Sequence[str], resource: pulumi.Input[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Deny", "Action": list(actions), "Resource": resource}


def policy_text(grants: Sequence[Grant]) -> str:
    """A policy of grants whose values are all known, as short as it can be written."""
    statements = [grant.statement() for grant in grants]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))
