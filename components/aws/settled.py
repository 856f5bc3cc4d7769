"""The endpoint is brought to the configuration that was asked for; configurations and models that none runs go.

The AWS provider makes the endpoint and removes it; what it runs is changed here, since the provider cannot do it well:
after a failed update SageMaker goes back to the old configuration by itself, the endpoint is `InService`, the provider
reports success, the state names the new configuration, and the old one, which is live, is removed
(https://github.com/hashicorp/terraform-provider-aws/issues/48997). It also waits an hour at most, replaces the
endpoint where alarms that roll back come or go, and cannot leave the guardrails out where SageMaker refuses them.

Here an update that went back is an `up` that failed: the state keeps the old configuration, so that the next `up`
tries again, and nothing is removed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi import dynamic

from components.aws.control_plane import SETTLE_SECONDS, ControlPlane, ControlPlaneError, Endpoint, InProgressError
from components.aws.rollout import effective

#: How often a change is asked for again that met one of the service's own, such as patching.
_ATTEMPTS = 5


class NotSettledError(RuntimeError):
    """The endpoint does not run what was asked for; the text names both configurations and what to do."""


def settle(
    plane: ControlPlane,
    endpoint: str,
    configuration: str,
    deployment: Mapping[str, Any] | None = None,
    *,
    limit: float = SETTLE_SECONDS,
) -> None:
    """Bring an endpoint to a configuration, wait for it, and remove its configurations that are not live.

    deployment: guardrails of the update, used where the variants stay the same. limit: seconds that an update may take.
    Raises NotSettledError and ControlPlaneError; nothing is removed then.
    """
    found = plane.settled(endpoint, limit=limit)
    if found is None:
        raise NotSettledError(f"endpoint {endpoint} does not exist; allowed: one made before: run `pulumi refresh`")
    if found.status != "Failed" and (found.configuration, found.status) != (configuration, "InService"):
        found = _update(plane, endpoint, configuration, deployment, found, limit)
    if found.configuration != configuration or found.status != "InService":
        reason = f" SageMaker says: {found.reason}" if found.reason else ""
        raise NotSettledError(
            f"endpoint {endpoint} is {found.status} on configuration {found.configuration}, asked was {configuration}: "
            f"the update failed and SageMaker went back.{reason} Look at the endpoint's logs and alarms, then run "
            "`pulumi up` again to try once more, or name the earlier release"
        )
    _remove_others(plane, endpoint, configuration)


def _update(
    plane: ControlPlane,
    endpoint: str,
    configuration: str,
    deployment: Mapping[str, Any] | None,
    found: Endpoint,
    limit: float,
) -> Endpoint:
    for attempt in range(1, _ATTEMPTS + 1):
        # Looked at each time: what is live may have changed meanwhile.
        same = deployment is not None and effective(found.variants, plane.variants(configuration))
        try:
            plane.update(endpoint, configuration, deployment if same else None)
        except InProgressError:
            if attempt == _ATTEMPTS:
                raise
        found = _settled(plane, endpoint, limit)
        if found.configuration == configuration or found.reason:
            return found
    return found


def _settled(plane: ControlPlane, endpoint: str, limit: float) -> Endpoint:
    found = plane.settled(endpoint, limit=limit)
    if found is None:
        raise NotSettledError(f"endpoint {endpoint} is gone during its update; run `pulumi refresh`, then `pulumi up`")
    return found


def remove_failed(plane: ControlPlane, endpoint: str) -> bool:
    """Remove an endpoint whose creation failed; whether there was one.

    It serves nothing, the AWS provider forgets it, SageMaker allows nothing else with it (API_DescribeEndpoint), and
    its name could not be used again. One that was made for a configuration of somebody else's is left alone.
    """
    if not failed(plane, endpoint):
        return False
    plane.remove(endpoint)
    plane.settled(endpoint)
    return True


def failed(plane: ControlPlane, endpoint: str) -> bool:
    """Whether an endpoint of ours is there whose creation failed."""
    found = plane.endpoint(endpoint)
    return found is not None and found.status == "Failed" and found.configuration in plane.configurations(endpoint)


def sweep(plane: ControlPlane, endpoint: str) -> None:
    """Remove every configuration of an endpoint that is gone or never served; while it serves, all but the live one.

    Raises ControlPlaneError.
    """
    found = plane.settled(endpoint)
    if found is not None and remove_failed(plane, endpoint):
        found = None
    if found is not None and found.status != "InService":
        return  # it may run a mixture, so that none is safe to remove
    _remove_others(plane, endpoint, None if found is None else found.configuration)


def _remove_others(plane: ControlPlane, endpoint: str, live: str | None) -> None:
    """Remove an endpoint's configurations and their models, but for the live one."""
    keep = frozenset(plane.variants(live).values()) if live is not None else frozenset[str]()
    for name in plane.configurations(endpoint):
        if name != live:
            plane.remove_configuration(name, endpoint, keep=keep)


class _SettledProvider(dynamic.ResourceProvider):
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        moved = [key for key in ("endpoint", "region") if olds.get(key) != news[key]]
        return dynamic.DiffResult(changes=bool(moved) or olds != {**olds, **news}, replaces=moved)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        _bring(props)
        return dynamic.CreateResult(f"{props['region']}/{props['endpoint']}", props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        _bring(news)
        return dynamic.UpdateResult(news)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        # What is live is what the state must say; the next `up` sees the difference.
        found = ControlPlane.in_region(props["region"]).endpoint(props["endpoint"])
        if found is None:
            return dynamic.ReadResult("", {})
        return dynamic.ReadResult(id_, {**props, "configuration": found.configuration})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Nothing: it made nothing."""


def _bring(props: Mapping[str, Any]) -> None:
    deployment = json.loads(props["deployment"]) if props["deployment"] else None
    settle(ControlPlane.in_region(props["region"]), props["endpoint"], props["configuration"], deployment)


class Settled(dynamic.Resource, module="aws", name="Settled"):
    """The endpoint runs the configuration that was asked for, or the `up` fails."""

    configuration: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        endpoint: pulumi.Input[str],
        configuration: pulumi.Input[str],
        deployment: pulumi.Input[str],
        region: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"endpoint": endpoint, "configuration": configuration, "deployment": deployment, "region": region}
        super().__init__(_SettledProvider(), name, props, opts)


class _ConfigurationsProvider(dynamic.ResourceProvider):
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        moved = [key for key in ("endpoint", "region") if olds.get(key) != news[key]]
        return dynamic.DiffResult(changes=bool(moved) or self._failed(news), replaces=moved)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        return dynamic.CreateResult(f"{props['region']}/{props['endpoint']}/configurations", props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        remove_failed(ControlPlane.in_region(news["region"]), news["endpoint"])
        return dynamic.UpdateResult(news)

    @staticmethod
    def _failed(props: dict[str, Any]) -> bool:
        try:
            return failed(ControlPlane.in_region(props["region"]), props["endpoint"])
        except ControlPlaneError:
            return False  # a preview may run without access to SageMaker

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        sweep(ControlPlane.in_region(props["region"]), props["endpoint"])


class Configurations(dynamic.Resource, module="aws", name="Configurations"):
    """All configurations and models of an endpoint.

    The endpoint depends on it, so it goes after that and takes them along. A model that no configuration names yet,
    because an `up` broke off between the two, is not found.
    uses: what they name (role, key, network); that goes after them. An endpoint whose creation failed is removed by the
    next `up`, before it is made again.
    """

    def __init__(
        self,
        name: str,
        *,
        endpoint: str,
        region: str,
        uses: Sequence[pulumi.Input[Any]] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"endpoint": endpoint, "region": region, "uses": list(uses)}
        super().__init__(_ConfigurationsProvider(), name, props, opts)


__all__ = ["Configurations", "ControlPlaneError", "NotSettledError", "Settled", "remove_failed", "settle", "sweep"]
