"""Traffic of an endpoint in every order of events, against a Resource Manager played over HTTP; time is virtual.

The order of steps is Pulumi's as it is written down here; that both engines keep to it is shown elsewhere.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AzureKeyCredential
from azure.core.pipeline.policies import AzureKeyCredentialPolicy
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from components.azure.arm import Arm, ArmError, connect
from components.azure.online_endpoint import API_VERSION, Endpoint, OnlineEndpoint
from components.azure.traffic import TrafficError, clear, drain, is_lost, restore, set_traffic
from components.rest.patience import Patience, TookTooLongError
from tests.components.azure.fake_arm import ENDPOINT, FakeArm, Refusal

ERRORS = (ArmError, TrafficError, TookTooLongError, Refusal)


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.now += seconds


class Stack:
    """What Pulumi does, and what its state has."""

    def __init__(self, fake: FakeArm, url: str) -> None:
        self.fake, self.url = fake, url
        self.tags: str | None = None
        self.restored: dict[str, int] | None = None
        self.deployments: set[str] = set()
        self.drained: set[str] = set()
        self.traffic: dict[str, int] | None = None

    def run(self, action: Any, *arguments: Any) -> Any:
        key = AzureKeyCredentialPolicy(AzureKeyCredential("played"), "Authorization")
        with Arm(self.url, key, API_VERSION, Patience("it", 300, clock=Clock()), use_proxies=False) as arm:
            return action(OnlineEndpoint(arm, ENDPOINT), *arguments)

    def up(self, tags: str, shares: dict[str, int], broken: bool = False) -> None:
        if self.tags != tags:
            self._finish(self.fake.put_endpoint({"location": "here", "tags": {"t": tags}, "properties": {}}))
            self.tags = tags
        if self.restored is None or self.restored != shares or self.run(is_lost, shares):
            self.run(restore, self.restored or shares)
            self.restored = dict(shares)
        for name in sorted(shares.keys() - self.deployments):
            self.fake.deployments[name] = "Failed" if broken else "Succeeded"
            if broken:
                raise Refusal(400, "UserError", "the deployment's container does not start")
            self.deployments.add(name)
        self.drained |= shares.keys()
        if self.traffic != shares or self.run(lambda one: one.now().traffic) != shares:
            self.run(set_traffic, shares)
            self.traffic = dict(shares)
        for name in sorted(self.deployments - shares.keys()):
            self._remove(name)

    def destroy(self) -> None:
        if self.traffic is not None:
            self.run(clear)
            self.traffic = None
        for name in sorted(self.deployments):
            self._remove(name)
        self.restored = None
        if self.tags is not None:
            self.fake.delete_endpoint()
            self.tags = None

    def _remove(self, name: str) -> None:
        if name in self.drained:
            self.run(drain, name)
            self.drained.discard(name)
        self.fake.delete_deployment(name)
        self.deployments.discard(name)

    def _finish(self, _operation: int) -> None:
        while self.fake.shown()["properties"]["provisioningState"] != "Succeeded":
            self.fake.step()


SHARES = st.sampled_from(
    [{"primary": 100}, {"primary": 90, "canary": 10}, {"primary": 50, "canary": 50}, {"canary": 100}]
)
FAULTS = st.lists(
    st.sampled_from(["busy", "throttled", "error", "lost", "cut", "failed", "endless", "vanished"]), max_size=2
)
GETS = st.lists(st.sampled_from([200, 429, 500, 503, 0]), max_size=3)


class TrafficLife(RuleBasedStateMachine):
    """Any order of updates, canaries, failures and destructions."""

    @initialize(clears=st.booleans())
    def begin(self, clears: bool) -> None:
        self.fake = FakeArm(clears=clears)
        self._serving = self.fake.server()
        self.stack = Stack(self.fake, self._serving.__enter__())

    def teardown(self) -> None:
        if not hasattr(self, "stack"):
            return
        try:
            self.up_once_the_cause_is_gone("end", {"primary": 100})
            self.stack.destroy()
            assert self.fake.endpoint is None
        finally:
            self._serving.__exit__(None, None, None)

    @rule(tags=st.sampled_from("ab"), shares=SHARES, faults=FAULTS, gets=GETS, broken=st.booleans())
    def up(self, tags: str, shares: dict[str, int], faults: list[Any], gets: list[int], broken: bool) -> None:
        before = self.fake.traffic
        self.fake.faults, self.fake.gets = faults, gets
        vanishes = "vanished" in faults
        try:
            self.stack.up(tags, shares, broken)
        except ERRORS:
            self.fake.calm()
            if not vanishes and before and self.stack.tags == tags and self.stack.restored == shares:
                assert self.fake.traffic in (before, shares), "every failure ends in the old or the new state"
        else:
            assert self.fake.traffic == shares
            assert set(self.fake.deployments) == set(shares)
        self.fake.calm()

    @rule(tags=st.sampled_from("ab"), shares=SHARES)
    def up_once_the_cause_is_gone(self, tags: str, shares: dict[str, int]) -> None:
        self.fake.calm()
        # What vanished is what `pulumi refresh` finds.
        self.stack.deployments &= self.fake.deployments.keys()
        self.stack.up(tags, shares)
        assert self.fake.traffic == shares

    @rule(faults=FAULTS)
    def destroy(self, faults: list[Any]) -> None:
        self.fake.faults = faults
        try:
            self.stack.destroy()
        except ERRORS:
            self.fake.calm()
        else:
            assert self.fake.endpoint is None
        self.fake.calm()

    @invariant()
    def traffic_is_right(self) -> None:
        if hasattr(self, "fake"):
            assert set(self.fake.traffic) <= set(self.fake.deployments)
            assert sum(self.fake.traffic.values()) in (0, 100)
            assert self.fake.refused == [], "a deployment with traffic is not deleted"


TrafficLife.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=8,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much),
)
TestWholeLife = TrafficLife.TestCase


@pytest.fixture(params=[True, False], ids=["clears", "keeps"])
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    fake = FakeArm(clears=request.param)
    with fake.server() as url:
        yield Stack(fake, url)


def test_an_endpoint_update_before_a_canary_that_fails_leaves_the_others_their_traffic(stack: Stack) -> None:
    stack.up("a", {"primary": 100})
    with pytest.raises(Refusal):
        stack.up("b", {"primary": 90, "canary": 10}, broken=True)
    assert stack.fake.traffic == {"primary": 100}


def test_nothing_is_put_where_nothing_changed(stack: Stack) -> None:
    stack.up("a", {"primary": 100})
    puts = stack.fake.puts
    stack.up("a", {"primary": 100})
    assert stack.fake.puts == puts


def test_setting_traffic_changes_nothing_else(stack: Stack) -> None:
    stack.up("a", {"primary": 100})
    assert stack.fake.endpoint is not None
    assert (stack.fake.endpoint["location"], stack.fake.endpoint["tags"]) == ("here", {"t": "a"})


def test_traffic_to_what_does_not_exist_is_named(stack: Stack) -> None:
    stack.up("a", {"primary": 100})
    with pytest.raises(TrafficError, match=r"names deployment 'canary', which does not exist; there is: primary"):
        stack.run(set_traffic, {"primary": 90, "canary": 10})
    assert stack.fake.traffic == {"primary": 100}


def test_what_does_not_end_is_said_with_its_limit(stack: Stack) -> None:
    stack.up("a", {"primary": 100})
    stack.fake.faults = ["endless"]
    with pytest.raises(TookTooLongError, match="within 300 s, its limit"):
        stack.run(clear)


def test_an_operation_that_failed_says_what_azure_said(stack: Stack) -> None:
    stack.up("a", {"primary": 100})
    stack.fake.faults = ["failed"]
    with pytest.raises(ArmError, match="UserError: the update failed"):
        stack.run(clear)
    assert stack.fake.traffic == {"primary": 100}


def test_an_answer_that_was_lost_is_not_a_second_change(stack: Stack) -> None:
    stack.up("a", {"primary": 100})
    stack.fake.faults = ["lost"]
    stack.run(clear)
    assert stack.fake.traffic == {}


def test_no_token_goes_over_a_line_that_all_can_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_RESOURCE_MANAGER_ENDPOINT", "http://management.example")
    with pytest.raises(ValueError, match="allowed: https://"):
        connect(API_VERSION, Patience("it", 1))


def test_the_version_is_the_one_that_azure_native_speaks() -> None:
    spec = importlib.util.find_spec("pulumi_azure_native.machinelearningservices")
    assert spec is not None
    assert spec.submodule_search_locations
    source = Path(spec.submodule_search_locations[0], "online_endpoint.py").read_text()
    assert re.findall(r"Uses Azure REST API version (\S+?)\.? ", source)[0] == API_VERSION


def test_drained_gives_its_share_to_those_that_serve(stack: Stack) -> None:
    stack.up("a", {"primary": 60, "canary": 30, "third": 10})
    stack.run(drain, "third")
    assert stack.fake.traffic == {"primary": 67, "canary": 33}
    stack.fake.deployments["canary"] = "Failed"
    stack.run(drain, "primary")
    assert stack.fake.traffic == {}, "nobody is left who serves"


def test_drained_takes_copies_away_too(stack: Stack) -> None:
    stack.up("a", {"primary": 100})
    stack.fake.deployments["shadow"] = "Succeeded"
    assert stack.fake.endpoint is not None
    stack.fake.endpoint["properties"]["mirrorTraffic"] = {"shadow": 20}
    stack.run(drain, "shadow")
    assert stack.fake.endpoint["properties"]["mirrorTraffic"] == {}
    assert stack.fake.traffic == {"primary": 100}


def test_somebody_elses_change_between_reading_and_setting_is_kept(stack: Stack) -> None:
    stack.up("a", {"primary": 100})
    theirs = {"location": "here", "tags": {"t": "theirs"}, "properties": {"traffic": {"primary": 100}}}
    changes = [theirs]

    def wanted(_found: object) -> dict[str, int]:
        if changes:
            stack.fake.put_endpoint(changes.pop())
            stack.fake.calm()
        return {}

    stack.run(lambda endpoint: endpoint.bring(wanted))
    assert stack.fake.endpoint is not None
    assert (stack.fake.traffic, stack.fake.endpoint["tags"]) == ({}, {"t": "theirs"})


def test_a_change_under_way_is_waited_for_and_not_tried_against(stack: Stack) -> None:
    stack.up("a", {"primary": 100})
    stack.fake.put_endpoint({"location": "here", "tags": {"t": "b"}, "properties": {"traffic": {}}})
    puts = stack.fake.puts
    stack.run(set_traffic, {"primary": 100})
    assert (stack.fake.traffic, stack.fake.puts) == ({"primary": 100}, puts + 1)


def test_what_is_put_holds_no_read_only_property() -> None:
    identity = {"type": "UserAssigned", "userAssignedIdentities": {"one": {"principalId": "p", "clientId": "c"}}}
    read_only = {"provisioningState": "Succeeded", "scoringUri": "u", "swaggerUri": "s", "keys": None}
    body = {
        "id": ENDPOINT,
        "name": "digits",
        "type": "t",
        "systemData": {},
        "location": "here",
        "identity": identity,
        "properties": {**read_only, "authMode": "AADToken", "traffic": {}},
    }
    assert Endpoint(body, "", 1).with_traffic({"primary": 100}, {}) == {
        "location": "here",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {"one": {}}},
        "properties": {"authMode": "AADToken", "traffic": {"primary": 100}},
    }
