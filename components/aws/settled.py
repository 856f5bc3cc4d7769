"""Whether an endpoint really runs what was asked for, and the removal of configurations that none runs any more.

After a failed update SageMaker goes back to the old configuration by itself: the endpoint is `InService`, the AWS
provider reports success, and the state names the new configuration
(https://github.com/hashicorp/terraform-provider-aws/issues/48997). Removing the replaced configuration would then
remove what is live. So configurations are kept when Pulumi replaces them, and these two resources see to them.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi import dynamic

from components.aws.control_plane import ROLLED_BACK_TAG, ControlPlane, ControlPlaneError


class NotSettledError(RuntimeError):
    """The endpoint does not run what was asked for; the text names both configurations and what to do."""


def settle(plane: ControlPlane, endpoint: str, configuration: str) -> None:
    """Wait until the endpoint is settled, compare, and remove its configurations that are not live.

    An endpoint that went back is reported once; on the next call for the same configuration it is asked again.
    Raises NotSettledError; nothing is removed then.
    """
    found = plane.settled(endpoint)
    if found is None:
        raise NotSettledError(f"endpoint {endpoint} does not exist; allowed: one made before: run `pulumi refresh`")
    reported = plane.tags(found.arn).get(ROLLED_BACK_TAG)
    if reported is not None:
        plane.untag(found.arn, ROLLED_BACK_TAG)
    if found.configuration != configuration and reported == configuration:
        # The state says that this configuration is live, so nothing else would ask for it again.
        plane.update(endpoint, configuration)
        found = plane.settled(endpoint) or found
    if found.configuration != configuration or found.status != "InService":
        if found.configuration != configuration:
            plane.tag(found.arn, ROLLED_BACK_TAG, configuration)
        reason = f" SageMaker says: {found.reason}" if found.reason else ""
        raise NotSettledError(
            f"endpoint {endpoint} is {found.status} on configuration {found.configuration}, asked was {configuration}: "
            f"the update failed and SageMaker went back.{reason} Look at the endpoint's logs and alarms, then run "
            "`pulumi up` again to try once more, or name the earlier release"
        )
    for name in plane.configurations(endpoint):
        if name != configuration:
            plane.remove_configuration(name)


def sweep(plane: ControlPlane, endpoint: str) -> None:
    """Remove every configuration of an endpoint that is gone; while it exists, all but the live one.

    Raises ControlPlaneError.
    """
    found = plane.settled(endpoint)
    for name in plane.configurations(endpoint):
        if found is None or name != found.configuration:
            plane.remove_configuration(name)


class _SettledProvider(dynamic.ResourceProvider):
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        moved = [key for key in ("endpoint", "region") if olds.get(key) != news[key]]
        return dynamic.DiffResult(changes=bool(moved) or olds != {**olds, **news}, replaces=moved)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        settle(ControlPlane.in_region(props["region"]), props["endpoint"], props["configuration"])
        return dynamic.CreateResult(f"{props['region']}/{props['endpoint']}", props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        settle(ControlPlane.in_region(news["region"]), news["endpoint"], news["configuration"])
        return dynamic.UpdateResult(news)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        # What is live is what the state must say; the next `up` sees the difference.
        found = ControlPlane.in_region(props["region"]).endpoint(props["endpoint"])
        if found is None:
            return dynamic.ReadResult("", {})
        return dynamic.ReadResult(id_, {**props, "configuration": found.configuration})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Nothing: it made nothing."""


class Settled(dynamic.Resource, module="aws", name="Settled"):
    """The endpoint runs the configuration that was asked for, or the `up` fails."""

    configuration: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        endpoint: pulumi.Input[str],
        configuration: pulumi.Input[str],
        region: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"endpoint": endpoint, "configuration": configuration, "region": region}
        super().__init__(_SettledProvider(), name, props, opts)


class _ConfigurationsProvider(dynamic.ResourceProvider):
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        moved = [key for key in ("endpoint", "region") if olds.get(key) != news[key]]
        return dynamic.DiffResult(changes=bool(moved), replaces=moved)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        return dynamic.CreateResult(f"{props['region']}/{props['endpoint']}/configurations", props)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        sweep(ControlPlane.in_region(props["region"]), props["endpoint"])


class Configurations(dynamic.Resource, module="aws", name="Configurations"):
    """All configurations of an endpoint. The endpoint depends on it, so it goes after that and takes them along."""

    def __init__(self, name: str, *, endpoint: str, region: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(_ConfigurationsProvider(), name, {"endpoint": endpoint, "region": region}, opts)


__all__ = ["Configurations", "ControlPlaneError", "NotSettledError", "Settled", "settle", "sweep"]
