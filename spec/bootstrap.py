"""What must exist once per account before any service: where state is kept, and who may deploy from GitHub.

The config `cloud-ml-deployment:bootstrap` of a stack of its own, in place of a service description. No Pulumi.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from spec.errors import FieldError
from spec.fields import Section, TagKey, TagValue
from spec.places import REGIONS
from spec.service import Name
from spec.validation import validate

#: Name of the description in a stack's file: every path in an error begins with it.
ROOT = "bootstrap"

#: Of an environment as GitHub has it; it becomes part of names, so it has letters that every cloud takes.
EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,31}$")]
StackName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]

_OWNER = r"[A-Za-z0-9](-?[A-Za-z0-9]){0,38}"
_REPOSITORY = r"[A-Za-z0-9_.-]{1,100}"


class GitHub(Section):
    """The repository whose workflows deploy."""

    repository: str = Field(pattern=rf"^{_OWNER}/{_REPOSITORY}$", description="The repository, as owner/name.")
    provider: Literal["made", "taken"] = Field(
        default="made",
        description="GitHub's identity provider, of which an account has one: made here, or taken as it is.",
    )
    subject: str | None = Field(
        default=None,
        pattern=r"^repo:[^\s*?]+/[^\s*?:]+$",
        description="What the subject of the repository's tokens begins with, where it holds ids beside the names: "
        "so it does for repositories made, renamed or moved after 18 June 2026. Default: repo:owner/name.",
    )

    @property
    def subject_prefix(self) -> str:
        """What GitHub writes before `:environment:…` and `:pull_request`."""
        return self.subject or f"repo:{self.repository}"


class Environment(Section):
    """One environment of GitHub's, and what may be deployed from it."""

    stacks: tuple[StackName, ...] = Field(
        min_length=1, description="Stacks of this project that are deployed from it; it writes the state of no other."
    )
    services: tuple[Name, ...] = Field(
        min_length=1, description="Names of the services that these stacks describe; it changes no other's resources."
    )
    regions: tuple[str, ...] = Field(min_length=1, description="Regions in which it makes anything.")
    callers: tuple[str, ...] = Field(
        default=(),
        description="Identities of others that its services may name in access.principals. Whoever deploys decides "
        "what these may do beyond their own permissions.",
    )


class BootstrapSpec(Section):
    """What an account needs once."""

    name: Name = Field(description="Begins the name of all that is made: 3–24 lower-case letters, digits and hyphens.")
    cloud: Literal["aws"] = Field(description="Whose account: aws so far.")
    region: str = Field(description="Region of the state bucket and its key.")
    github: GitHub = Field(description="The repository whose workflows deploy.")
    environments: dict[EnvironmentName, Environment] = Field(
        min_length=1, description="GitHub's environments by name, each with what may be deployed from it."
    )
    protect: bool = Field(default=True, description="Keep state, key and GitHub's provider on destroy.")
    tags: dict[TagKey, TagValue] = Field(default_factory=dict, max_length=30, description="Tags of everything made.")

    @model_validator(mode="after")
    def _regions(self) -> BootstrapSpec:
        pattern, example = REGIONS[self.cloud]
        named = [(("region",), self.region)]
        for name, environment in self.environments.items():
            named += [(("environments", name, "regions", i), region) for i, region in enumerate(environment.regions)]
        for field, region in named:
            if not re.fullmatch(pattern, region):
                raise FieldError(field, region, f"a region of {self.cloud}, such as {example}", f"Write {example}.")
        return self

    @model_validator(mode="after")
    def _environments_differ(self) -> BootstrapSpec:
        """Identities are named after environments, and such names differ by more than capitals."""
        seen: dict[str, str] = {}
        stacks: dict[str, str] = {}
        services: dict[str, str] = {}
        for name, environment in self.environments.items():
            here = ("environments", name)
            if other := seen.get(name.lower()):
                raise FieldError(here, name, f"names that differ by more than capitals; there is {other}", "Rename it.")
            seen[name.lower()] = name
            for field, owners, mine in (
                ("stacks", stacks, environment.stacks),
                ("services", services, environment.services),
            ):
                for index, value in enumerate(mine):
                    if value in owners:
                        raise FieldError(
                            (*here, field, index),
                            value,
                            f"each of the {field} once, so that one environment answers for it; it is in "
                            f"{owners[value]} already",
                            "Remove one of the two.",
                        )
                    owners[value] = name
            _without_prefixes(here, environment, services)
        return self


def _without_prefixes(here: tuple[str, ...], environment: Environment, services: Mapping[str, str]) -> None:
    """Permissions are by the beginning of a name, so no environment's service may begin with another one's."""
    for index, mine in enumerate(environment.services):
        for other, owner in services.items():
            if owner == here[-1]:
                continue
            for longer, shorter in ((mine, other), (other, mine)):
                if longer.startswith(f"{shorter}-"):
                    raise FieldError(
                        (*here, "services", index),
                        mine,
                        f"a name that does not begin with another environment's service, nor the other way round; "
                        f"{owner} has {other}, and permissions go by the beginning of names",
                        "Rename one of the two services, or put both into one environment.",
                    )


class Roles(Section):
    """What every role that a stack makes must have, where the account's bootstrap says so (AWS).

    The config `cloud-ml-deployment:roles` of a stack; the output `stacks` of the bootstrap's stack holds it.
    """

    boundary: str = Field(
        pattern=r"^arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+$",
        description="ARN of the permissions boundary that each role gets.",
    )
    path: str = Field(
        default="/",
        pattern=r"^/([\w+=,.@-]+/)*$",
        max_length=512,
        description="Path of roles and policies, from / to /.",
    )


def load_bootstrap(config: Mapping[str, Any]) -> BootstrapSpec:
    """The checked description. Raises spec.errors.SpecError with every problem found."""
    return validate(BootstrapSpec, config, root=ROOT, what="the bootstrap's description")


def load_roles(config: Mapping[str, Any]) -> Roles:
    """What a stack's roles must have. Raises spec.errors.SpecError."""
    return validate(Roles, config, root="roles", what="the config of roles")
