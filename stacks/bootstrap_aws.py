"""An AWS account's bootstrap: a bucket and a key for state, GitHub as identity provider, a role that previews, and for
each environment a role that deploys, with a boundary for the roles that it makes in turn.
"""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws import rights
from components.aws.account import Account
from components.aws.bootstrap import (
    DEPLOY_SECONDS,
    Boundary,
    BoundaryArgs,
    GitHubPermissions,
    GitHubPermissionsArgs,
    GitHubProvider,
    GitHubProviderArgs,
    GitHubProviderError,
    GitHubRole,
    GitHubRoleArgs,
    StateArgs,
    StateBackend,
    own_denials,
)
from spec.bootstrap import BootstrapSpec
from spec.errors import SpecError
from stacks.bootstrap_policies_aws import (
    boundary_name,
    boundary_policy,
    deploy_policies,
    own_path,
    preview_policies,
    problems,
    services_path,
)


def deploy(spec: BootstrapSpec) -> dict[str, Any]:
    """Everything of the account; returns what the stack exports. Raises SpecError, before anything is registered."""
    if found := problems(spec):
        raise SpecError(found, "the bootstrap's description")
    name = spec.name
    tags = {**spec.tags, "stack": pulumi.get_stack(), "managed-by": "pulumi"}
    provider = aws.Provider(f"{name}-aws", region=spec.region, default_tags=aws.ProviderDefaultTagsArgs(tags=tags))
    top = pulumi.ResourceOptions(provider=provider)
    account = Account.of(provider, spec.region)
    try:
        github = GitHubProvider(name, GitHubProviderArgs(account, name, spec.github.provider, spec.protect), top)
    except GitHubProviderError as error:
        raise pulumi.RunError(str(error)) from None
    deployers = {
        environment: GitHubRole(
            f"{name}-deploy-{environment}",
            GitHubRoleArgs(
                github.arn,
                f"{spec.github.subject_prefix}:environment:{environment}",
                f"Deploys from the environment {environment} of {spec.github.repository}",
                own_path(name),
                DEPLOY_SECONDS,
            ),
            top,
        )
        for environment in spec.environments
    }
    viewer = GitHubRole(
        f"{name}-preview",
        GitHubRoleArgs(
            github.arn,
            f"{spec.github.subject_prefix}:pull_request",
            f"Previews pull requests of {spec.github.repository}",
            own_path(name),
        ),
        top,
    )
    users = {f"Deploy{_letters(environment)}": role.arn for environment, role in deployers.items()}
    state = StateBackend(name, StateArgs(account, {**users, "Preview": viewer.arn}, spec.protect), top)
    project, ids = pulumi.get_project(), pulumi.Output.all(account.partition, account.id)
    exports: dict[str, Any] = {}
    for environment, role in deployers.items():
        exports[environment] = _environment(spec, environment, role, state, ids, account, top)
    seen = {area: ids.apply(lambda known, area=area: preview_policies(spec, *known)[area]) for area in rights.AREAS}
    stacks = [stack for environment in spec.environments.values() for stack in environment.stacks]
    GitHubPermissions(
        f"{name}-preview",
        GitHubPermissionsArgs(viewer.name, own_path(name), seen, state.grants(project, stacks, write=False)),
        top,
    )
    return {
        "backend": state.url,
        "secrets_provider": state.secrets_provider,
        "preview_role": viewer.arn,
        "environments": exports,
    }


def _environment(
    spec: BootstrapSpec,
    name: str,
    role: GitHubRole,
    state: StateBackend,
    ids: pulumi.Output[list[str]],
    account: Account,
    top: pulumi.ResourceOptions,
) -> dict[str, Any]:
    """An environment's boundary, and what its role may do. Returns its exports."""
    own = own_path(spec.name)
    boundary = Boundary(
        boundary_name(spec.name, name),
        BoundaryArgs(boundary_name(spec.name, name), own, ids.apply(lambda known: boundary_policy(spec, name, *known))),
        top,
    )
    areas = {
        area: ids.apply(lambda known, area=area: deploy_policies(spec, name, *known)[area]) for area in rights.AREAS
    }
    GitHubPermissions(
        f"{spec.name}-deploy-{name}",
        GitHubPermissionsArgs(
            role.name,
            own,
            areas,
            state.grants(pulumi.get_project(), spec.environments[name].stacks, write=True),
            [*own_denials(account, own), *state.denials()],
        ),
        top,
    )
    return {"deploy_role": role.arn, "roles": {"boundary": boundary.arn, "path": services_path(spec.name, name)}}


def _letters(name: str) -> str:
    """A name of a statement: letters and digits. Names that differ in other characters alone stay different."""
    return "".join(part if part.isalnum() else f"x{ord(part):x}" for part in name)
