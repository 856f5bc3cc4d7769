"""SageMaker's API over the fake cloud, for resources of the program's own that call it through boto3.

An update is done at once and always goes well: that SageMaker may go back by itself is not rehearsed here. Deleting a
configuration that an endpoint runs succeeds, as with the vendor; a rehearsal sees it because the state knows it still.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.standin.aws_json import AwsJsonServer, not_found, tags_of
from engine.standin.cloud import CloudObject, FakeCloud
from engine.standin.objects import now

ENDPOINT = "aws:sagemaker/endpoint:Endpoint"
CONFIGURATION = "aws:sagemaker/endpointConfiguration:EndpointConfiguration"
MODEL = "aws:sagemaker/model:Model"
_KINDS = {ENDPOINT: "endpoint", CONFIGURATION: "endpoint configuration", MODEL: "model"}


class SageMakerApi:
    """Few operations over one cloud; each answers as the API does."""

    def __init__(self, cloud: FakeCloud) -> None:
        self._cloud = cloud

    def server(self) -> AwsJsonServer:
        """A server of these operations."""
        return AwsJsonServer(
            {
                "DescribeEndpoint": self._describe_endpoint,
                "DescribeEndpointConfig": self._describe_configuration,
                "DescribeModel": self._describe_model,
                "UpdateEndpoint": self._update_endpoint,
                "ListEndpointConfigs": self._list_configurations,
                "DeleteEndpointConfig": self._deletion(CONFIGURATION, "EndpointConfigName"),
                "DeleteModel": self._deletion(MODEL, "ModelName"),
                "ListTags": self._list_tags,
            }
        )

    def _describe_endpoint(self, asked: Mapping[str, Any], region: str) -> dict[str, Any]:
        there = self._cloud.objects()
        one = _find(there, ENDPOINT, asked["EndpointName"], region)
        live = one.inputs["endpointConfigName"]
        configuration = next((o for o in there.values() if o.type == CONFIGURATION and o.id == live), None)
        variants = configuration.inputs["productionVariants"] if configuration is not None else []
        return {
            "EndpointName": one.id,
            "EndpointArn": one.outputs["arn"],
            "EndpointConfigName": live,
            "EndpointStatus": "InService",
            "ProductionVariants": [{"VariantName": variant["variantName"]} for variant in variants],
            "CreationTime": 0,
            "LastModifiedTime": 0,
        }

    def _describe_configuration(self, asked: Mapping[str, Any], region: str) -> dict[str, Any]:
        one = _find(self._cloud.objects(), CONFIGURATION, asked["EndpointConfigName"], region)
        variants = [
            {"VariantName": variant["variantName"], "ModelName": variant["modelName"]}
            for variant in one.inputs["productionVariants"]
        ]
        return {**_configuration(one), "ProductionVariants": variants}

    def _describe_model(self, asked: Mapping[str, Any], region: str) -> dict[str, Any]:
        one = _find(self._cloud.objects(), MODEL, asked["ModelName"], region)
        return {"ModelName": one.id, "ModelArn": one.outputs["arn"], "CreationTime": 0}

    def _update_endpoint(self, asked: Mapping[str, Any], region: str) -> dict[str, Any]:
        with self._cloud.change() as there:
            one = _find(there, ENDPOINT, asked["EndpointName"], region)
            configuration = _find(there, CONFIGURATION, asked["EndpointConfigName"], region)
            for part in (one.inputs, one.outputs):
                part["endpointConfigName"] = configuration.id
            # An endpoint needs the configuration that it runs, and no other any more.
            others = [key for key in one.uses if key in there and there[key].type != CONFIGURATION]
            one.uses, one.serial = [*others, configuration.key], one.serial + 1
        self._cloud.write_journal(operation="api update", type=ENDPOINT, urn=one.urn, id=one.id, at=now())
        return {"EndpointArn": one.outputs["arn"]}

    def _list_configurations(self, asked: Mapping[str, Any], region: str) -> dict[str, Any]:
        part = asked.get("NameContains", "").lower()
        found = [
            one
            for one in self._cloud.objects().values()
            if one.type == CONFIGURATION and one.place == region and part in one.id.lower()
        ]
        return {"EndpointConfigs": [_configuration(one) for one in found]}

    def _deletion(self, type_: str, key: str) -> Callable[[Mapping[str, Any], str], dict[str, Any]]:
        def delete(asked: Mapping[str, Any], region: str) -> dict[str, Any]:
            with self._cloud.change() as there:
                one = _find(there, type_, asked[key], region)
                del there[one.key]
            self._cloud.write_journal(operation="api delete", type=type_, urn=one.urn, id=one.id)
            return {}

        return delete

    def _list_tags(self, asked: Mapping[str, Any], region: str) -> dict[str, Any]:  # noqa: ARG002 # an ARN says it
        for one in self._cloud.objects().values():
            if one.outputs.get("arn") == asked["ResourceArn"]:
                return {"Tags": tags_of(one.inputs.get("tags"))}
        raise not_found("resource", asked["ResourceArn"])


def _find(there: Mapping[str, CloudObject], type_: str, name: str, region: str) -> CloudObject:
    for one in there.values():
        if one.type == type_ and one.id == name and one.place in (region, ""):
            return one
    kind = _KINDS[type_]
    raise not_found(
        kind, f"arn:aws:sagemaker:{region}:123456789012:{kind.replace('uration', '').replace(' ', '-')}/{name}"
    )


def _configuration(one: CloudObject) -> dict[str, Any]:
    return {"EndpointConfigName": one.id, "EndpointConfigArn": one.outputs["arn"], "CreationTime": 0}
