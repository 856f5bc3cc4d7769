"""What it takes to look at and to change what a stack on AWS makes: the permissions of those who deploy.

A table of the actions behind each kind of resource, read from the actions that AWS publishes for its own CloudFormation
handlers of these types and from the API of each service. Resources are named by the beginning of the services' names,
which everything that a stack makes begins with, or by their tag `service` where a name is made up by AWS. No Pulumi.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.aws.grants import Conditions, Grant

#: Operators and keys of conditions; a value may be `SERVICES` or `BOUNDARY`.
When = Mapping[str, Mapping[str, str | tuple[str, ...]]]

#: Words for what is filled in for an environment: its services' names, its boundary's ARN.
SERVICES, BOUNDARY = "{services}", "{boundary}"

OURS: When = {"StringEquals": {"aws:ResourceTag/service": SERVICES}}
BECOMES_OURS: When = {"StringEquals": {"aws:RequestTag/service": SERVICES}}


@dataclass(frozen=True)
class Right:
    """Permission on one kind of thing.

    sid: letters and digits. on: ARNs after `arn:<partition>:`, where `{account}`, `{path}` (of roles and policies) and
    `{service}` (repeated for each name) are filled in; empty where AWS knows no resource. see: actions that change
    nothing. change: the others. when: conditions. everywhere: in every region, since the service has none.
    """

    sid: str
    on: tuple[str, ...] = ()
    see: tuple[str, ...] = ()
    change: tuple[str, ...] = ()
    when: When = field(default_factory=dict)
    everywhere: bool = False


def actions(service: str, names: str) -> tuple[str, ...]:
    return tuple(f"{service}:{name}" for name in names.split())


def ec2(*kinds: str) -> tuple[str, ...]:
    return tuple(f"ec2:*:{{account}}:{kind}/*" for kind in kinds)


@dataclass(frozen=True)
class Scope:
    """Whose account, and which part of it somebody may touch.

    partition, account: as in ARNs. services: names of services. path: of their roles and policies, from / to /.
    boundary: ARN of the boundary that their roles must have; empty for who makes none.
    """

    partition: str
    account: str
    services: Sequence[str]
    regions: Sequence[str]
    path: str
    boundary: str = ""

    def grants(self, rights: Sequence[Right], *, change: bool) -> list[Grant]:
        """The rights as grants; without `change` those alone that see. Raises components.aws.grants.GrantError."""
        found = []
        for right in rights:
            actions = (*right.see, *(right.change if change else ()))
            if actions:
                found.append(Grant(right.sid, actions, self._resources(right), self._conditions(right)))
        return found

    def _resources(self, right: Right) -> tuple[str, ...]:
        found: list[str] = []
        for pattern in right.on:
            text = f"arn:{self.partition}:{pattern}".replace("{account}", self.account).replace("{path}", self.path)
            each = self.services if "{service}" in text else ("",)
            found += [text.replace("{service}", service) for service in each]
        return tuple(found)

    def _conditions(self, right: Right) -> Conditions:
        words: dict[str, Any] = {SERVICES: list(self.services), BOUNDARY: self.boundary}
        found: dict[str, dict[str, Any]] = {
            operator: {
                key: words.get(value, value) if isinstance(value, str) else list(value) for key, value in keys.items()
            }
            for operator, keys in right.when.items()
        }
        if not right.everywhere:
            found.setdefault("StringEquals", {})["aws:RequestedRegion"] = list(self.regions)
        return found
