"""Policies of an AWS account's bootstrap as texts, and what is wrong with its description. Registers nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pulumi_aws import Region

from components.aws import rights
from components.aws.access import PrincipalError, parse_principal
from components.aws.bootstrap import policy_text
from components.aws.grants import Grant
from components.aws.rights.right import Scope
from spec.bootstrap import ROOT, BootstrapSpec, Environment
from spec.errors import Problem, near, one_of, path, shown

#: Characters of a managed policy, without white space
#: (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html).
POLICY_LENGTH = 6144
#: Tags that this project sets itself; `service` is not on what the bootstrap makes, since permissions go by it.
OWN_TAGS = ("managed-by", "service", "stack")
#: The longest partition, and an account: what stands for the real ones where a policy is measured.
_LONGEST = ("aws-us-gov", "0" * 12)


def own_path(name: str) -> str:
    """Path of the bootstrap's own roles and policies, which no service's path is below."""
    return f"/bootstrap/{name}/"


def services_path(name: str, environment: str | None = None) -> str:
    """Path of the roles and policies of an environment's services, or of all environments'."""
    return f"/services/{name}/" + ("" if environment is None else f"{environment}/")


def boundary_name(name: str, environment: str) -> str:
    return f"{name}-boundary-{environment}"


def deploy_policies(spec: BootstrapSpec, name: str, partition: str, account: str) -> Mapping[str, str]:
    """What the role of an environment may do, by area."""
    scope = _scope(spec, name, partition, account)
    found: dict[str, str] = {}
    for area, wanted in rights.AREAS.items():
        grants = scope.grants(wanted, change=True)
        if area == "identity":
            grants += _callers(spec.environments[name], scope)
        found[area] = policy_text(grants)
    return found


def boundary_policy(spec: BootstrapSpec, name: str, partition: str, account: str) -> str:
    """What roles that an environment's stacks make may at most do."""
    return policy_text(_scope(spec, name, partition, account).grants(rights.WITHIN_BOUNDARY, change=True))


def preview_policies(spec: BootstrapSpec, partition: str, account: str) -> Mapping[str, str]:
    """What the role of previews may look at, by area: what all environments have, and nothing that it holds."""
    environments = spec.environments.values()
    scope = Scope(
        partition,
        account,
        [service for one in environments for service in one.services],
        sorted({region for one in environments for region in one.regions}),
        services_path(spec.name),
    )
    return {area: policy_text(scope.grants(wanted, change=False)) for area, wanted in rights.AREAS.items()}


def _scope(spec: BootstrapSpec, name: str, partition: str, account: str) -> Scope:
    environment = spec.environments[name]
    boundary = f"arn:{partition}:iam::{account}:policy{own_path(spec.name)}{boundary_name(spec.name, name)}"
    return Scope(
        partition, account, environment.services, environment.regions, services_path(spec.name, name), boundary
    )


def _callers(environment: Environment, scope: Scope) -> list[Grant]:
    """Permission to attach policies of the environment's services to their callers, and none of anybody else's."""
    only = {"ArnLike": {"iam:PolicyARN": f"arn:{scope.partition}:iam::{scope.account}:policy{scope.path}*"}}
    found: list[Grant] = []
    for kind in ("Role", "User"):
        arns = tuple(arn for arn in environment.callers if parse_principal(arn)[0] == kind.lower())
        if arns:
            found += [
                Grant(f"Calling{kind}s", (f"iam:Attach{kind}Policy", f"iam:Detach{kind}Policy"), arns, only),
                Grant(f"LookAtCalling{kind}s", (f"iam:ListAttached{kind}Policies",), arns),
            ]
    return found


def problems(spec: BootstrapSpec) -> list[Problem]:
    """Everything that AWS would refuse, or that would not do what it says, in the order of the description."""
    found = [*_regions(spec), *_callers_problems(spec)]
    found += [
        Problem(
            path(("tags", key), root=ROOT),
            shown(spec.tags[key]),
            f"any key but {one_of(OWN_TAGS)}, which are set on everything, or which permissions go by",
            "Rename or remove it.",
        )
        for key in OWN_TAGS
        if key in spec.tags
    ]
    return found or list(_lengths(spec))


def _regions(spec: BootstrapSpec) -> Iterator[Problem]:
    known = sorted(region.value for region in Region)
    named = [(("region",), spec.region)]
    for name, environment in spec.environments.items():
        named += [(("environments", name, "regions", i), region) for i, region in enumerate(environment.regions)]
    for field, region in named:
        if region not in known:
            meant = near(region, known)
            yield Problem(
                path(field, root=ROOT),
                shown(region),
                "a region of AWS's that the installed pulumi-aws knows, such as eu-central-1",
                f"Did you mean {meant}?" if meant else "Correct it.",
            )


def _callers_problems(spec: BootstrapSpec) -> Iterator[Problem]:
    for name, environment in spec.environments.items():
        for index, arn in enumerate(environment.callers):
            try:
                parse_principal(arn)
            except PrincipalError:
                yield Problem(
                    path(("environments", name, "callers", index), root=ROOT),
                    shown(arn),
                    "the ARN of a role or user of this account, such as arn:aws:iam::123456789012:role/caller",
                    "Correct it.",
                )


def _lengths(spec: BootstrapSpec) -> Iterator[Problem]:
    """The policies name every service, so there is a limit to how many an environment has."""
    for name, environment in spec.environments.items():
        texts = {**deploy_policies(spec, name, *_LONGEST), "boundary": boundary_policy(spec, name, *_LONGEST)}
        if problem := _too_long(texts, ("environments", name, "services"), environment.services, "environment"):
            yield problem
            return
    every = [service for one in spec.environments.values() for service in one.services]
    if problem := _too_long(preview_policies(spec, *_LONGEST), ("environments",), every, "account"):
        yield problem


def _too_long(
    texts: Mapping[str, str], field: tuple[str, ...], services: tuple[str, ...] | list[str], what: str
) -> Problem | None:
    longest = max(texts, key=lambda area: len(texts[area]))
    if len(texts[longest]) <= POLICY_LENGTH:
        return None
    return Problem(
        path(field, root=ROOT),
        f"{len(services)} services, of which the policy on {longest} has {len(texts[longest])} characters",
        f"as many as fit into the {POLICY_LENGTH} characters of a policy of IAM's",
        f"Spread them over more than one {what}, or shorten their names.",
    )
