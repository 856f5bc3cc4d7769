"""Traffic of an Azure ML online endpoint: three resources of our own around azure-native's endpoint and deployments.

Azure refuses traffic to a deployment that does not exist, and does not delete one that has traffic; a PUT of the
endpoint without traffic, which is what azure-native sends, may clear it. So:

    endpoint = OnlineEndpoint(…)                      # azure-native, without traffic
    restored = Restored(…, endpoint.id, shares)       # gives it back at once where an update of the endpoint took it
    deployment = OnlineDeployment(…, depends_on=[restored])
    drained = Drained(…, deployment.id)               # one for each: takes its share away before the deployment goes
    Traffic(…, endpoint.id, shares, depends_on=[drained, …])

Why three, and what each order of events comes to: `docs/decisions/2026-11-25-azure-ml-traffic.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pulumi
from pulumi import dynamic
from pulumi.output import Unknown

from components.azure.online_endpoint import (
    API_VERSION,
    Endpoint,
    OnlineEndpoint,
    TrafficError,
    is_endpoint,
    split_deployment,
)
from components.azure.shares import Shares, among, plain, problems
from components.rest.patience import Patience

#: Setting traffic takes a minute or two; a creation of somebody else's that it waits for, half an hour at most.
SETTLE_SECONDS = 3600.0
#: A look, for a preview as well: it waits for nobody.
LOOK_SECONDS = 60.0

_ENDPOINT_ALLOWED = (
    "/subscriptions/…/resourceGroups/…/providers/Microsoft.MachineLearningServices/workspaces/…/onlineEndpoints/…"
)


# --- what is done; each with an endpoint, so that none of it depends on where that is ----------------------------


def set_traffic(endpoint: OnlineEndpoint, shares: Shares) -> None:
    """The traffic is these shares. Raises TrafficError, ArmError, TookTooLongError; the traffic is as it was or set."""
    if endpoint.bring(lambda _found: shares) is None:
        raise TrafficError(f"endpoint {endpoint.name} does not exist; allowed: one made before: run `pulumi refresh`")


def clear(endpoint: OnlineEndpoint) -> None:
    """No deployment has any; neither has an endpoint that is gone."""
    endpoint.bring(lambda _found: {}, lambda _found: {})


def drain(endpoint: OnlineEndpoint, deployment: str) -> None:
    """One deployment has none, of copies neither; those of the others that serve share what it had."""

    def wanted(found: Endpoint) -> Shares:
        if deployment not in found.traffic:
            return found.traffic
        return among(found.traffic, endpoint.serving() - {deployment})

    endpoint.bring(
        wanted,
        lambda found: {name: percent for name, percent in found.mirrored.items() if name != deployment},
    )


def restore(endpoint: OnlineEndpoint, shares: Shares) -> None:
    """Where there is no traffic at all, those of the shares whose deployments serve."""
    endpoint.bring(lambda found: found.traffic or among(shares, endpoint.serving()))


def is_lost(endpoint: OnlineEndpoint, shares: Shares) -> bool:
    """Whether there is no traffic at all, but deployments that had some."""
    found = endpoint.now()
    return found is not None and not found.traffic and bool(among(shares, endpoint.serving()))


# --- how the engine has it ---------------------------------------------------------------------------------------


@contextmanager
def _connected(endpoint: str, name: str, seconds: float) -> Iterator[OnlineEndpoint]:
    from components.azure.arm import connect  # Azure's libraries are loaded where there is something to do

    with connect(API_VERSION, Patience(name, seconds)) as arm:
        yield OnlineEndpoint(arm, endpoint)


def _differs(endpoint: str, look: Callable[[OnlineEndpoint], bool]) -> bool:
    """What a look at the endpoint says; True where it fails, so that the update says why."""
    from components.azure.arm import ArmError
    from components.rest.patience import TookTooLongError

    try:
        with _connected(endpoint, "a look at the endpoint", LOOK_SECONDS) as found:
            return look(found)
    except (ArmError, TookTooLongError):
        return True


def _inputs(props: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in props.items() if not key.startswith("__")}


def _unknown(value: Any) -> bool:
    """Whether a preview does not know it yet."""
    return isinstance(value, Unknown)


class _OnEndpoint(dynamic.ResourceProvider):
    """What holds shares of an endpoint."""

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.CheckResult:
        failures = []
        if not _unknown(news["endpoint"]) and not is_endpoint(news["endpoint"]):
            failures.append(
                dynamic.CheckFailure("endpoint", f"is {news['endpoint']!r}; allowed: the id {_ENDPOINT_ALLOWED}")
            )
        known = not _unknown(news["shares"]) and not any(map(_unknown, news["shares"].values()))
        failures += [dynamic.CheckFailure("shares", said) for said in problems(news["shares"])] if known else []
        return dynamic.CheckResult(news, failures)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        if olds["endpoint"] != news["endpoint"]:
            return dynamic.DiffResult(changes=True, replaces=["endpoint"])
        changed = _inputs(olds) != _inputs(news)
        return dynamic.DiffResult(changes=changed or _differs(news["endpoint"], lambda one: self.is_other(one, news)))

    def is_other(self, endpoint: OnlineEndpoint, news: Mapping[str, Any]) -> bool:
        """Whether the endpoint is not as asked, although the state says so."""
        raise NotImplementedError


class _TrafficProvider(_OnEndpoint):
    def is_other(self, endpoint: OnlineEndpoint, news: Mapping[str, Any]) -> bool:
        found = endpoint.now()
        return found is None or found.traffic != plain(news["shares"])

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        self._set(props)
        return dynamic.CreateResult(f"{props['endpoint']}/traffic", props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        self._set(news)
        return dynamic.UpdateResult(news)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        # What is live is what the state must say; the next `up` sees the difference.
        with _connected(props["endpoint"], "reading the traffic", LOOK_SECONDS) as endpoint:
            found = endpoint.now()
        if found is None:
            return dynamic.ReadResult("", {})
        same = found.traffic == plain(props["shares"])
        return dynamic.ReadResult(id_, props if same else {**props, "shares": found.traffic})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        with _connected(props["endpoint"], "clearing the traffic", SETTLE_SECONDS) as endpoint:
            clear(endpoint)

    @staticmethod
    def _set(props: Mapping[str, Any]) -> None:
        with _connected(props["endpoint"], "setting the traffic", SETTLE_SECONDS) as endpoint:
            set_traffic(endpoint, plain(props["shares"]))


class _RestoredProvider(_OnEndpoint):
    def is_other(self, endpoint: OnlineEndpoint, news: Mapping[str, Any]) -> bool:
        return is_lost(endpoint, plain(news["shares"]))

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        self._restore(props["endpoint"], props["shares"])
        return dynamic.CreateResult(f"{props['endpoint']}/restored", props)

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        # As it was: the deployments have not changed yet. Somebody who had none before has what is asked for now.
        self._restore(news["endpoint"], plain(olds["shares"]) or plain(news["shares"]))
        return dynamic.UpdateResult(news)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Nothing: it made nothing."""

    @staticmethod
    def _restore(id_: str, shares: Mapping[str, float]) -> None:
        with _connected(id_, "restoring the traffic", SETTLE_SECONDS) as endpoint:
            restore(endpoint, plain(shares))


class _DrainedProvider(dynamic.ResourceProvider):
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.CheckResult:
        given = news["deployment"]
        wrong = not _unknown(given) and split_deployment(given) is None
        reason = f"is {given!r}; allowed: the id {_ENDPOINT_ALLOWED}/deployments/…"
        return dynamic.CheckResult(news, [dynamic.CheckFailure("deployment", reason)] if wrong else [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        moved = olds["deployment"] != news["deployment"]
        return dynamic.DiffResult(changes=moved, replaces=["deployment"] if moved else [])

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        return dynamic.CreateResult(f"{props['deployment']}/drained", props)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        parts = split_deployment(props["deployment"])
        if parts is None:
            return  # `check` lets none through
        with _connected(parts[0], f"taking the traffic of {parts[1]} away", SETTLE_SECONDS) as endpoint:
            drain(endpoint, parts[1])


class Traffic(dynamic.Resource, module="azure", name="Traffic"):
    """The endpoint's traffic is these shares, or the `up` fails.

    endpoint: its id. shares: percent by deployment, 100 together or empty. after: what the endpoint is made from, so
    that a preview of a change of the endpoint shows this one too; `up` looks at the endpoint itself. Depends on all
    deployments and what drains them (`depends_on`). Deleted, it leaves no traffic: one that is renamed needs an alias.
    """

    shares: pulumi.Output[dict[str, int]]

    def __init__(
        self,
        name: str,
        *,
        endpoint: pulumi.Input[str],
        shares: Mapping[str, pulumi.Input[int]],
        after: pulumi.Input[Any] = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"endpoint": endpoint, "shares": shares, "after": after}
        super().__init__(_TrafficProvider(), name, props, opts)


class Restored(dynamic.Resource, module="azure", name="Restored"):
    """Traffic that an update of the endpoint cleared is there again before anything else is tried.

    endpoint, shares, after: as of `Traffic`. The deployments depend on it (`depends_on`), so that one that fails does
    not leave the others without traffic.
    """

    def __init__(
        self,
        name: str,
        *,
        endpoint: pulumi.Input[str],
        shares: Mapping[str, pulumi.Input[int]],
        after: pulumi.Input[Any] = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"endpoint": endpoint, "shares": shares, "after": after}
        super().__init__(_RestoredProvider(), name, props, opts)


class Drained(dynamic.Resource, module="azure", name="Drained"):
    """A deployment has no traffic when it goes, whatever became of `Traffic`. deployment: its id."""

    def __init__(self, name: str, *, deployment: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(_DrainedProvider(), name, {"deployment": deployment}, opts)


__all__ = ["Drained", "Restored", "Traffic", "TrafficError", "clear", "drain", "is_lost", "restore", "set_traffic"]
