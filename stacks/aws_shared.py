"""What all targets on AWS share: what a region has, and what stands around each place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.access import Callers, CallersArgs
from components.aws.account import Account
from components.aws.grants import Grant
from components.aws.identity import Role
from components.aws.keys import EncryptionKey
from components.aws.monitoring import (
    Alarms,
    AlarmsArgs,
    AlarmTopic,
    BudgetArgs,
    CostBudget,
    Dashboard,
    DashboardArgs,
    TopicArgs,
)
from components.aws.network import Network
from components.aws.registry import Registry
from components.aws.storage import ReleaseUpload, Storage
from spec.errors import Problem, SpecError
from spec.metrics import TargetMetrics
from spec.panels import CONFIG_FILE, DashboardConfig, load_dashboard_config
from spec.release import Release
from spec.service import DeployTo, ServiceSpec
from stacks.aws_image import ServerImage


@dataclass(frozen=True)
class Shared:
    """What all places of a region use.

    roles: by the name that a target asks for them under (`Target.roles`). found: the releases of `releases`, as they
    lie on this machine; the second is the canary's.
    """

    account: Account
    name: str
    provider: aws.Provider
    key: EncryptionKey | None
    storage: Storage
    registry: Registry
    image: ServerImage
    network: Network | None
    releases: tuple[ReleaseUpload, ...]
    found: tuple[Release, ...]
    roles: dict[str, Role]

    @property
    def key_arn(self) -> pulumi.Output[str] | None:
        """Of the service's own key."""
        return None if self.key is None else self.key.arn

    @property
    def top(self) -> pulumi.ResourceOptions:
        """Options of what has no parent."""
        return pulumi.ResourceOptions(provider=self.provider)

    def after(self, *made: pulumi.Resource) -> pulumi.ResourceOptions:
        """The same for what waits for others."""
        return pulumi.ResourceOptions(provider=self.provider, depends_on=list(made))

    def server_needs(self) -> list[Grant]:
        """What whoever runs the server may do on every target: read the releases, pull the image, use the key."""
        found = [*(grant for upload in self.releases for grant in upload.grants), *self.image.grants]
        return found if self.key is None else [*found, self.key.use()]


@dataclass(frozen=True)
class RoleWanted:
    """A role that a target needs before the service's key is made, whose policy names it.

    service: who takes it on, such as `sagemaker.amazonaws.com`. does: for people. source: pattern of the ARNs on whose
    behalf, with `{region}` and `{account}`; None where the service sends none.
    """

    service: str
    does: str
    source: str | None = None


@dataclass(frozen=True)
class Target:
    """A target as `stacks.aws` sees it.

    deploy: makes a place and returns its exports. problems: what AWS would refuse about it, given the place's index in
    `deploy_to`. roles: the roles it needs, by name, unique among the targets. endpoints: services of AWS that it calls
    from a private network. always_network: it runs in a network even where the service is public.
    """

    deploy: Callable[[ServiceSpec, DeployTo, Shared], dict[str, Any]]
    problems: Callable[[ServiceSpec, DeployTo, int], Iterable[Problem]]
    roles: Mapping[str, RoleWanted] = field(default_factory=dict)
    endpoints: Sequence[str] = ()
    always_network: bool = False


@dataclass(frozen=True)
class Watched:
    """The alarms of a place, made before its target. measured: what they look at."""

    topic: AlarmTopic
    alarms: Alarms
    service: str
    measured: Sequence[TargetMetrics]


def watch(spec: ServiceSpec, shared: Shared, name: str, service: str, measured: Sequence[TargetMetrics]) -> Watched:
    """Topic and alarms of a place. service: begins the alarms' names, unique in account and region."""
    topic = AlarmTopic(name, TopicArgs(shared.account, shared.key_arn, spec.notify), shared.top)
    alarms = Alarms(name, AlarmsArgs(service, measured, spec.slo, topic.arn), shared.top)
    return Watched(topic, alarms, service, measured)


def network_of(spec: ServiceSpec, where: DeployTo, shared: Shared) -> Network | None:
    """The network of a target that can do without one: the given one, or the private service's own."""
    return shared.network if where.network is not None or spec.access.visibility == "private" else None


def percentile(spec: ServiceSpec) -> float:
    """Of the latency that is shown and measured."""
    return spec.slo.latency_percentile if spec.slo is not None else 99


def surround(
    spec: ServiceSpec,
    where: DeployTo,
    shared: Shared,
    name: str,
    watched: Watched,
    made: Any,
    *,
    log_groups: Sequence[str] = (),
    endpoint_id: pulumi.Input[str] | None = None,
) -> dict[str, Any]:
    """What comes after a target: callers, dashboard, budget. Returns what every place exports.

    made: the target's component, with `url`, `invoke` and `grants`. endpoint_id: the interface endpoint that calls
    have to come through.
    """
    callers = Callers(
        name,
        CallersArgs(made.grants, spec.access.principals, endpoint_id=endpoint_id, path=shared.account.path),
        shared.top,
    )
    board = Dashboard(
        name,
        DashboardArgs(
            shared.account,
            watched.service,
            watched.measured,
            spec.slo,
            watched.alarms.made,
            log_groups,
            _dashboard_config(),
        ),
        shared.after(made),
    )
    first = next(place.name for place in spec.deploy_to if place.cloud == "aws")
    if spec.budget is not None and where.name == first:  # it counts what all places cost
        CostBudget(name, BudgetArgs(f"{spec.name}-{pulumi.get_stack()}", spec.budget, watched.topic.arn), shared.top)
    return {
        "url": made.url,
        "invoke": made.invoke,
        "release": shared.releases[0].reference,
        "digest": shared.releases[0].digest,
        "invoke_policy": callers.policy_arn,
        "dashboard": board.url,
        "alarms_missing": watched.alarms.missing,
        "image": shared.image.ref,
        "image_registry": shared.registry.url,
    }


def _dashboard_config() -> DashboardConfig:
    try:
        return load_dashboard_config(Path(pulumi.get_root_directory()) / CONFIG_FILE)
    except SpecError as error:
        raise pulumi.RunError(str(error)) from None
