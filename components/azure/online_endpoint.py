"""An Azure ML online endpoint and its deployments, as far as traffic goes, through Resource Manager.

Traffic is a property of the endpoint and can be changed by a PUT of the whole endpoint only: PATCH knows tags, identity
and SKU (https://learn.microsoft.com/en-us/rest/api/azureml/online-endpoints/update). So the endpoint is read, changed
and put, and where the service gives an etag, put only if nobody was faster.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.azure.shares import Shares, plain

if TYPE_CHECKING:
    from components.azure.arm import Arm

#: The one that azure-native 3 has for online endpoints, so that both see the same properties.
API_VERSION = "2025-12-01"

#: States in which the service is at work (EndpointProvisioningState of the API).
_AT_WORK = frozenset({"Creating", "Updating", "Deleting"})
#: States of a deployment that can be given traffic (DeploymentProvisioningState); what scales or is updated serves.
_SERVING = frozenset({"Succeeded", "Updating", "Scaling"})

#: How often traffic is set again that met somebody else's change of the endpoint.
_ATTEMPTS = 8

#: Read-only properties, which a PUT need not hold; `keys` can only be set when the endpoint is made.
_READ_ONLY = frozenset({"scoringUri", "swaggerUri", "provisioningState", "keys"})
_READ_ONLY_TOP = frozenset({"id", "name", "type", "systemData", "etag"})

_ENDPOINT = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.MachineLearningServices"
    r"/workspaces/[^/]+/onlineEndpoints/(?P<endpoint>[^/]+)",
    re.IGNORECASE,
)
_DEPLOYMENT = re.compile(rf"(?P<of>{_ENDPOINT.pattern})/deployments/(?P<deployment>[^/]+)", re.IGNORECASE)


class TrafficError(RuntimeError):
    """The endpoint's traffic is not what was asked for; the text names both and what to do."""


def is_endpoint(id_: Any) -> bool:
    """Whether this is the id of an online endpoint."""
    return isinstance(id_, str) and _ENDPOINT.fullmatch(id_) is not None


def split_deployment(id_: Any) -> tuple[str, str] | None:
    """Id of the endpoint and name of the deployment, in lower case; None where it is no id of a deployment."""
    found = _DEPLOYMENT.fullmatch(id_) if isinstance(id_, str) else None
    return (found["of"], found["deployment"].lower()) if found else None


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as it is. again: seconds after which to look again at one that is at work."""

    body: Mapping[str, Any]
    etag: str
    again: float

    @property
    def state(self) -> str:
        return self._properties.get("provisioningState") or "Succeeded"

    @property
    def traffic(self) -> dict[str, int]:
        return plain(self._properties.get("traffic"))

    @property
    def mirrored(self) -> dict[str, int]:
        """Percentages of requests that deployments get a copy of."""
        return plain(self._properties.get("mirrorTraffic"))

    def with_traffic(self, traffic: Shares, mirrored: Shares) -> dict[str, Any]:
        """The body of a PUT that changes nothing else."""
        kept = {key: value for key, value in self.body.items() if key not in _READ_ONLY_TOP and value is not None}
        if identity := kept.get("identity"):
            given = {id_: {} for id_ in identity.get("userAssignedIdentities") or {}}
            kept["identity"] = {"type": identity["type"], **({"userAssignedIdentities": given} if given else {})}
        properties = {key: value for key, value in self._properties.items() if key not in _READ_ONLY}
        properties = {key: value for key, value in properties.items() if value is not None}
        if "mirrorTraffic" in properties or mirrored:
            properties["mirrorTraffic"] = dict(mirrored)
        return {**kept, "properties": {**properties, "traffic": dict(traffic)}}

    @property
    def _properties(self) -> Mapping[str, Any]:
        return self.body.get("properties") or {}


class OnlineEndpoint:
    """One endpoint. id_: Azure's."""

    def __init__(self, arm: Arm, id_: str) -> None:
        self._arm, self.id = arm, id_
        self.name = id_.rpartition("/")[2]

    def now(self) -> Endpoint | None:
        """The endpoint; None where there is none."""
        found = self._arm.get(self.id)
        return None if found is None else Endpoint(found.body, found.etag, found.again)

    def settled(self) -> Endpoint | None:
        """The endpoint once the service is done with it, within the operation's time."""
        while (found := self.now()) is not None and found.state in _AT_WORK:
            self._arm.wait(found.again)
        return found

    def deployments(self) -> dict[str, str]:
        """State of each deployment by its name, in lower case."""
        listed = self._arm.list(f"{self.id}/deployments")
        return {
            one["name"].rpartition("/")[2].lower(): (one.get("properties") or {}).get("provisioningState", "")
            for one in listed
        }

    def serving(self) -> frozenset[str]:
        """Names of the deployments that can be given traffic."""
        return frozenset(name for name, state in self.deployments().items() if state in _SERVING)

    def bring(
        self,
        wanted: Callable[[Endpoint], Shares],
        mirrored: Callable[[Endpoint], Shares] = lambda found: found.mirrored,
    ) -> dict[str, int] | None:
        """Bring the traffic to what is wanted of the endpoint as it is; what it is then. None: there is no endpoint.

        Somebody else's change meanwhile is waited for, and what is wanted is asked of its result.
        Raises ArmError, TookTooLongError, and TrafficError where it is something else in the end.
        """
        from components.azure.arm import ArmError

        meanwhile: ArmError | None = None
        for _attempt in range(_ATTEMPTS):
            found = self.settled()
            if found is None:
                return None
            traffic, copies = plain(wanted(found)), plain(mirrored(found))
            if (found.traffic, found.mirrored) == (traffic, copies):
                return traffic
            self._refuse_absent({*traffic, *copies})
            try:
                self._arm.put(self.id, found.with_traffic(traffic, copies), found.etag)
            except ArmError as error:
                if not error.is_meanwhile:
                    raise
                meanwhile = error
                self._arm.wait(found.again)
        raise TrafficError(
            f"endpoint {self.name}: traffic was set {_ATTEMPTS} times and is not what was asked for; somebody else "
            "changes it: see the activity log of the endpoint, then run `pulumi up` again"
        ) from meanwhile

    def _refuse_absent(self, names: set[str]) -> None:
        if not names:
            return
        there = self.deployments()
        for name in sorted(names):
            state = there.get(name)
            if state is None:
                listed = ", ".join(sorted(there)) or "none"
                raise TrafficError(
                    f"endpoint {self.name}: traffic names deployment {name!r}, which does not exist; there is: "
                    f"{listed}. Traffic is as it was: run `pulumi refresh`, then `pulumi up`"
                )
            if state not in _SERVING:
                raise TrafficError(
                    f"endpoint {self.name}: deployment {name!r} is {state} and gets no traffic; allowed: "
                    f"{', '.join(sorted(_SERVING))}. Traffic is as it was: look at the deployment's logs"
                )
