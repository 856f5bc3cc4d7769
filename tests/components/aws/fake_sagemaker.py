"""SageMaker's control plane for endpoints, as AWS documents it, over HTTP: boto3 talks to it as it does to AWS.

What it plays: changes that go on after the answer, an update that goes back by itself (InService on the old
configuration, with a FailureReason), a creation that fails, refusal of what is being changed, refusal of guardrails
where the variants differ, deletion of a configuration that is in use (it succeeds: that is the danger), paging, tags,
and errors on request. Texts of errors are those that public reports of SageMaker's users show. What it does not play:
instances, traffic, permissions, time; so it proves nothing about these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.standin.aws_json import AwsError, AwsJsonServer, not_found, tags_of

ACCOUNT = "123456789012"
REGION = "eu-central-1"
PAGE = 2

Outcome = Literal["done", "back", "failed"]


@dataclass
class Thing:
    """A configuration or a model. variants: name -> model, of a configuration."""

    variants: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Endpoint:
    """An endpoint. coming: the configuration of the change under way. left: describe calls until it is over."""

    configuration: str
    variants: dict[str, str]
    status: str
    tags: dict[str, str] = field(default_factory=dict)
    coming: str = ""
    left: int = 0
    outcome: Outcome = "done"
    reason: str = ""


class FakeSageMaker:
    """One account in one region.

    outcomes: how the next changes end; "done" when it is empty. errors: operation -> errors of its next calls.
    lasting: describe calls that a change lasts. removed_live: configurations removed while an endpoint ran them.
    updates: what was asked of UpdateEndpoint. calls: names of all operations.
    """

    def __init__(self, *, lasting: int = 2) -> None:
        self.endpoints: dict[str, Endpoint] = {}
        self.configurations: dict[str, Thing] = {}
        self.models: dict[str, Thing] = {}
        self.outcomes: list[Outcome] = []
        self.errors: dict[str, list[AwsError]] = {}
        self.lasting = lasting
        self.removed_live: list[str] = []
        self.updates: list[Mapping[str, Any]] = []
        self.calls: list[str] = []

    def server(self) -> AwsJsonServer:
        """A server of its operations."""
        played = {
            "CreateEndpoint": self._create_endpoint,
            "DescribeEndpoint": self._describe_endpoint,
            "UpdateEndpoint": self._update_endpoint,
            "DeleteEndpoint": self._delete_endpoint,
            "DescribeEndpointConfig": self._describe_configuration,
            "ListEndpointConfigs": self._list_configurations,
            "DeleteEndpointConfig": self._delete_configuration,
            "DescribeModel": self._describe_model,
            "DeleteModel": self._delete_model,
            "ListTags": self._list_tags,
        }

        def watched(name: str) -> Any:
            def run(asked: Mapping[str, Any], _region: str) -> dict[str, Any]:
                self.calls.append(name)
                if self.errors.get(name):
                    raise self.errors[name].pop(0)
                return played[name](asked)

            return run

        return AwsJsonServer({name: watched(name) for name in played})

    # --- endpoints -----------------------------------------------------------------------------------------------

    def _create_endpoint(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        name, configuration = asked["EndpointName"], self._configuration(asked["EndpointConfigName"])
        if name in self.endpoints:
            raise AwsError("ValidationException", f'Cannot create already existing endpoint "{arn("endpoint", name)}".')
        tags = {tag["Key"]: tag["Value"] for tag in asked.get("Tags", [])}
        one = Endpoint(asked["EndpointConfigName"], dict(configuration.variants), "Creating", tags)
        self.endpoints[name] = one
        self._begin(one, asked["EndpointConfigName"])
        return {"EndpointArn": arn("endpoint", name)}

    def _update_endpoint(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self.updates.append(asked)
        one = self._idle(asked["EndpointName"])
        if one.status == "Failed":
            raise AwsError("ValidationException", "Cannot update a failed endpoint.")
        new = self._configuration(asked["EndpointConfigName"])
        self._configuration(one.configuration)  # an endpoint whose configuration was removed can be updated no more
        if asked.get("DeploymentConfig") and set(new.variants) != set(one.variants):
            raise AwsError("ValidationException", "The new endpoint configuration must have the same variant names.")
        one.status = "Updating"
        self._begin(one, asked["EndpointConfigName"])
        return {"EndpointArn": arn("endpoint", asked["EndpointName"])}

    def _delete_endpoint(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        one = self._idle(asked["EndpointName"])
        one.status, one.left = "Deleting", self.lasting
        return {}

    def _describe_endpoint(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        name = asked["EndpointName"]
        one = self._endpoint(name)
        self._go_on(name, one)
        one = self._endpoint(name)
        return {
            "EndpointName": name,
            "EndpointArn": arn("endpoint", name),
            "EndpointConfigName": one.configuration,
            "EndpointStatus": one.status,
            **({"FailureReason": one.reason} if one.reason else {}),
            "ProductionVariants": [{"VariantName": variant} for variant in one.variants],
            "CreationTime": 0,
            "LastModifiedTime": 0,
        }

    def _begin(self, one: Endpoint, configuration: str) -> None:
        one.coming, one.left, one.reason = configuration, self.lasting, ""
        one.outcome = self.outcomes.pop(0) if self.outcomes else "done"

    def _go_on(self, name: str, one: Endpoint) -> None:
        if one.left == 0:
            return
        one.left -= 1
        if one.left:
            if one.outcome == "back" and one.status == "Updating":
                one.status = "RollingBack"
            return
        if one.status == "Deleting":
            del self.endpoints[name]
        elif one.status == "Creating" and one.outcome != "done":
            one.status, one.reason = "Failed", "The primary container for production variant primary did not pass."
        elif one.outcome == "back":
            one.status, one.reason = "InService", "An alarm of the deployment configuration fired."
        else:
            one.status, one.configuration = "InService", one.coming
            one.variants = dict(self._configuration(one.coming).variants)

    def _endpoint(self, name: str) -> Endpoint:
        if name not in self.endpoints:
            raise not_found("endpoint", arn("endpoint", name))
        return self.endpoints[name]

    def _idle(self, name: str) -> Endpoint:
        one = self._endpoint(name)
        if one.left:
            raise AwsError("ValidationException", f'Cannot update in-progress endpoint "{arn("endpoint", name)}".')
        return one

    # --- configurations and models -------------------------------------------------------------------------------

    def _configuration(self, name: str) -> Thing:
        if name not in self.configurations:
            raise not_found("endpoint configuration", arn("endpoint-config", name))
        return self.configurations[name]

    def _describe_configuration(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        name = asked["EndpointConfigName"]
        variants = [
            {"VariantName": variant, "ModelName": model}
            for variant, model in self._configuration(name).variants.items()
        ]
        return {**_listed(name), "ProductionVariants": variants}

    def _list_configurations(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        part = asked.get("NameContains", "").lower()
        found = sorted(name for name in self.configurations if part in name.lower())
        start = int(asked.get("NextToken", 0))
        page: dict[str, Any] = {"EndpointConfigs": [_listed(name) for name in found[start : start + PAGE]]}
        return {**page, "NextToken": str(start + PAGE)} if start + PAGE < len(found) else page

    def _delete_configuration(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        name = asked["EndpointConfigName"]
        self._configuration(name)
        if any(name in (one.configuration, one.coming if one.left else "") for one in self.endpoints.values()):
            self.removed_live.append(name)
        del self.configurations[name]
        return {}

    def _model(self, name: str) -> Thing:
        if name not in self.models:
            raise not_found("model", arn("model", name))
        return self.models[name]

    def _describe_model(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._model(asked["ModelName"])
        return {"ModelName": asked["ModelName"], "ModelArn": arn("model", asked["ModelName"]), "CreationTime": 0}

    def _delete_model(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        name = asked["ModelName"]
        self._model(name)
        if any(name in one.variants.values() for one in self.endpoints.values()):
            self.removed_live.append(name)
        del self.models[name]
        return {}

    def _list_tags(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        kind, _, name = asked["ResourceArn"].rpartition(":")[2].partition("/")
        held = {"endpoint": self.endpoints, "endpoint-config": self.configurations, "model": self.models}[kind]
        for known, thing in held.items():
            if known.lower() == name:  # ARNs are in lower case
                return {"Tags": tags_of(thing.tags)}
        raise not_found(kind, asked["ResourceArn"])


def arn(kind: str, name: str) -> str:
    """The ARN of something; SageMaker writes names in lower case there."""
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name.lower()}"


def _listed(name: str) -> dict[str, Any]:
    return {"EndpointConfigName": name, "EndpointConfigArn": arn("endpoint-config", name), "CreationTime": 0}
