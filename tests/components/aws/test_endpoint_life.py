"""The endpoint's whole life against SageMaker's control plane as AWS documents it.

A hypothesis state machine plays what Pulumi and the AWS provider do around `Settled` and `Configurations`: new
configuration first, endpoint by the provider, kept configurations, state written only of what went well. Whatever
fails, what the endpoint runs is never removed while it exists. It does not prove that AWS is as it documents itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from components.aws.control_plane import OWNER_TAG, ControlPlane, ControlPlaneError, configuration_prefix
from components.aws.rollout import guardrails
from components.aws.settled import NotSettledError, remove_failed, settle, sweep
from engine.standin.aws_json import AwsError
from spec.fields import Rollout
from tests.components.aws.fake_sagemaker import REGION, FakeSageMaker, Thing

ENDPOINT = "digits-prod"
DEPLOYMENT = guardrails(Rollout(strategy="canary", step_percent=10, bake_minutes=5), ["short", "long"])
THROTTLED = ("ThrottlingException", "Rate exceeded")
#: What else is in the account: names and tags that look like ours.
OTHERS = {
    "digits-prod-of-somebody": {},
    "digits-production-1": {OWNER_TAG: "digits-production"},
    "other-digits-prod-1": {OWNER_TAG: "other-digits-prod"},
}


def client(url: str) -> Any:
    return boto3.client(
        "sagemaker",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
    )


class Stack:
    """What Pulumi does with one endpoint. configuration, endpoint, settled: as its state has them."""

    def __init__(self, fake: FakeSageMaker, caller: Any) -> None:
        self.fake, self.client = fake, caller
        self.plane = ControlPlane(self.client, sleep=lambda _seconds: None)
        self.made = 0
        self.asked: Mapping[str, int] = {}
        self.configuration = ""
        self.endpoint = False
        self.settled = ""
        self.listed = False

    def up(self, variants: Mapping[str, int]) -> None:
        """One `pulumi up`. variants: release by slot. Raises what the `up` would end with."""
        if self.listed:
            remove_failed(self.plane, ENDPOINT)
        self.listed = True
        if variants != self.asked:
            self.made += 1
            models = {slot: f"{ENDPOINT}-{slot}-{self.made}" for slot in variants}
            for name in models.values():
                self.fake.models[name] = Thing(tags={OWNER_TAG: ENDPOINT})
            self.configuration = f"{configuration_prefix(ENDPOINT)}{self.made}"
            self.fake.configurations[self.configuration] = Thing(models, {OWNER_TAG: ENDPOINT})
            self.asked = dict(variants)
        if not self.endpoint:
            self._create()
        if self.settled != self.configuration:
            settle(self.plane, ENDPOINT, self.configuration, DEPLOYMENT, limit=1000)
            self.settled = self.configuration

    def _create(self) -> None:
        """As the AWS provider: it remembers the endpoint only once it is in service."""
        self.client.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=self.configuration)
        waiting = self.fake.errors.pop("DescribeEndpoint", [])  # the provider repeats what was throttled
        found = self.plane.settled(ENDPOINT)
        self.fake.errors["DescribeEndpoint"] = waiting
        if found is None or found.status != "InService":
            raise ControlPlaneError("unexpected state 'Failed'")
        self.endpoint = True

    def refresh(self) -> None:
        found = self.plane.endpoint(ENDPOINT)
        self.endpoint = self.endpoint and found is not None
        if self.settled:
            self.settled = found.configuration if found is not None else ""

    def destroy(self) -> None:
        self.settled = ""
        if self.endpoint:
            with contextlib.suppress(self.client.exceptions.ClientError):  # as the provider: gone already is gone
                if self.plane.endpoint(ENDPOINT) is not None:
                    self.client.delete_endpoint(EndpointName=ENDPOINT)
            if self.plane.settled(ENDPOINT) is not None:
                raise ControlPlaneError("the endpoint was not deleted")
            self.endpoint = False
        if self.listed:
            sweep(self.plane, ENDPOINT)
            self.listed = False
        self.asked, self.configuration = {}, ""


ERRORS = (ClientError, ControlPlaneError, NotSettledError)
RELEASES = st.fixed_dictionaries({"primary": st.integers(1, 3)}, optional={"canary": st.integers(1, 3)})
FAULTS = st.lists(
    st.sampled_from(
        [
            *("CreateEndpoint", "DescribeEndpoint", "UpdateEndpoint", "DeleteEndpoint", "DescribeEndpointConfig"),
            *("ListEndpointConfigs", "DeleteEndpointConfig", "DescribeModel", "DeleteModel", "ListTags"),
        ]
    ),
    max_size=2,
)
OUTCOMES = st.lists(st.sampled_from(["done", "back", "failed"]), max_size=2)


class _Stage:
    """One server and one client for all runs of the machine: making these takes longer than a run."""

    fake = FakeSageMaker()
    caller: Any = None


def caller_of(fake: FakeSageMaker) -> Any:
    """A client of an account in the state of this one."""
    _Stage.fake.__dict__ = fake.__dict__
    if _Stage.caller is None:
        _Stage.caller = client(_Stage.fake.server().__enter__().url)
    return _Stage.caller


class EndpointLife(RuleBasedStateMachine):
    """Any order of releases, canaries, failures, refreshes and destructions."""

    @initialize()
    def begin(self) -> None:
        self.fake = FakeSageMaker()
        for name, tags in OTHERS.items():
            self.fake.configurations[name] = Thing({"primary": name}, dict(tags))
            self.fake.models[name] = Thing({}, dict(tags))
        self.stack = Stack(self.fake, caller_of(self.fake))

    def teardown(self) -> None:
        if not hasattr(self, "stack"):
            return
        self._calm()
        self._converges({"primary": 9})
        self._destroyed()

    @rule(variants=RELEASES, faults=FAULTS, outcomes=OUTCOMES)
    def up(self, variants: dict[str, int], faults: list[str], outcomes: list[Any]) -> None:
        self.fake.outcomes = list(outcomes)
        self._let_fail(faults)
        before = self.stack.settled
        try:
            self.stack.up(variants)
        except ERRORS:
            assert self.stack.settled == before
        else:
            self._runs(variants)

    @rule(variants=RELEASES)
    def up_once_the_cause_is_gone(self, variants: dict[str, int]) -> None:
        self._calm()
        self._converges(variants)

    @rule()
    def somebody_updates_it(self) -> None:
        there = self.fake.endpoints.get(ENDPOINT)
        if there is not None and not there.left and there.status == "InService":
            self.stack.client.update_endpoint(EndpointName=ENDPOINT, EndpointConfigName=there.configuration)

    @rule()
    def refresh(self) -> None:
        self._calm()
        self.stack.refresh()

    @rule(faults=FAULTS)
    def destroy(self, faults: list[str]) -> None:
        self._let_fail(faults)
        try:
            self.stack.destroy()
        except ERRORS:
            return
        self._nothing_left()

    @invariant()
    def what_is_live_is_kept(self) -> None:
        if hasattr(self, "fake"):
            assert self.fake.removed_live == []
            assert {*OTHERS} <= {*self.fake.configurations}
            assert {*OTHERS} <= {*self.fake.models}

    def _let_fail(self, operations: list[str]) -> None:
        self.fake.errors = {name: [AwsError(*THROTTLED)] * operations.count(name) for name in operations}

    def _calm(self) -> None:
        self.fake.outcomes, self.fake.errors = [], {}
        self.stack.plane.settled(ENDPOINT)

    def _converges(self, variants: dict[str, int]) -> None:
        try:
            self.stack.up(variants)
        except NotSettledError as error:
            # A deletion whose end nobody saw: Pulumi takes the endpoint for there, and the error says what to do.
            if "run `pulumi refresh`" not in str(error):
                raise
            self.stack.refresh()
            self.stack.up(variants)
        self._runs(variants)

    def _runs(self, variants: Mapping[str, int]) -> None:
        """The endpoint runs what was asked for, and of ours there is nothing else."""
        live = self.fake.endpoints[ENDPOINT]
        assert live.status == "InService"
        assert live.configuration == self.stack.configuration == self.stack.settled
        assert set(live.variants) == set(variants)
        assert self._ours() == [live.configuration]

    def _destroyed(self) -> None:
        self._calm()
        self.stack.destroy()
        self._nothing_left()

    def _nothing_left(self) -> None:
        assert ENDPOINT not in self.fake.endpoints
        assert self._ours() == []

    def _ours(self) -> list[str]:
        return [name for name, one in self.fake.configurations.items() if one.tags.get(OWNER_TAG) == ENDPOINT]


EndpointLife.TestCase.settings = settings(
    max_examples=80,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much),
)
TestWholeLife = pytest.mark.proof("SageMaker", level="model")(EndpointLife.TestCase)


@pytest.fixture
def stack() -> Iterator[Stack]:
    fake = FakeSageMaker()
    with fake.server() as server:
        yield Stack(fake, client(server.url))


def test_an_update_that_goes_back_is_an_up_that_fails(stack: Stack) -> None:
    stack.up({"primary": 1})
    first = stack.configuration
    stack.fake.outcomes = ["back"]
    with pytest.raises(
        NotSettledError,
        match=f"InService on configuration {first}, asked was .*-2: .* An alarm of the deployment configuration fired",
    ):
        stack.up({"primary": 2})
    assert stack.settled == first
    assert set(stack.fake.configurations) == {first, stack.configuration}
    stack.up({"primary": 2})
    assert set(stack.fake.configurations) == {stack.configuration}


def test_guardrails_are_used_where_the_slots_stay(stack: Stack) -> None:
    stack.up({"primary": 1})
    stack.up({"primary": 2})
    stack.up({"primary": 2, "canary": 3})
    stack.up({"primary": 2, "canary": 4})
    stack.up({"primary": 4})
    assert [update.get("DeploymentConfig") for update in stack.fake.updates] == [DEPLOYMENT, None, DEPLOYMENT, None]


def test_a_canary_that_failed_and_then_changed_is_still_not_guarded(stack: Stack) -> None:
    stack.up({"primary": 1})
    stack.fake.outcomes = ["back"]
    with pytest.raises(NotSettledError):
        stack.up({"primary": 1, "canary": 2})
    stack.up({"primary": 1, "canary": 3})
    assert [update.get("DeploymentConfig") for update in stack.fake.updates] == [None, None]


def test_a_creation_that_failed_is_made_anew(stack: Stack) -> None:
    stack.fake.outcomes = ["failed"]
    with pytest.raises(ControlPlaneError):
        stack.up({"primary": 1})
    assert stack.fake.endpoints[ENDPOINT].status == "Failed"
    stack.up({"primary": 1})
    assert stack.fake.endpoints[ENDPOINT].status == "InService"


def test_a_failed_endpoint_of_somebody_else_is_left_alone(stack: Stack) -> None:
    stack.fake.configurations["theirs"] = Thing({"primary": "theirs"})
    stack.fake.outcomes = ["failed"]
    stack.client.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="theirs")
    stack.plane.settled(ENDPOINT)
    assert not remove_failed(stack.plane, ENDPOINT)
    assert ENDPOINT in stack.fake.endpoints


def test_waiting_ends_and_removes_nothing(stack: Stack) -> None:
    stack.up({"primary": 1})
    stack.fake.lasting = 100
    stack.client.update_endpoint(EndpointName=ENDPOINT, EndpointConfigName=stack.configuration)
    with pytest.raises(ControlPlaneError, match="is still Updating after 60 s; nothing was removed"):
        settle(stack.plane, ENDPOINT, "other", limit=60)
    assert stack.fake.configurations


def test_an_endpoint_that_is_gone_is_named(stack: Stack) -> None:
    with pytest.raises(NotSettledError, match="digits-prod does not exist"):
        settle(stack.plane, ENDPOINT, "any")


def test_while_the_endpoint_exists_only_what_is_not_live_is_swept(stack: Stack) -> None:
    stack.up({"primary": 1})
    stack.fake.configurations["digits-prod-old"] = Thing({"primary": "gone"}, {OWNER_TAG: ENDPOINT})
    sweep(stack.plane, ENDPOINT)
    assert set(stack.fake.configurations) == {stack.configuration}


def test_throttled_calls_are_repeated(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", stack.client.meta.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    stack.fake.errors = {"DescribeEndpoint": [AwsError(*THROTTLED)]}
    assert ControlPlane.in_region(REGION).endpoint("none") is None
    assert stack.fake.calls == ["DescribeEndpoint"] * 2


def test_names_of_configurations_have_room_for_the_providers_digits() -> None:
    for length in (1, 24, 36, 37, 63):
        prefix = configuration_prefix("d" * length)
        assert len(prefix) + 26 <= 63
        assert prefix.endswith("-")
