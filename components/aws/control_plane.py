"""What the resources of our own ask of SageMaker's API: few calls, each with its errors as one family."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: Tag of an endpoint configuration or model: the endpoint it was made for. A name alone could be another program's.
OWNER_TAG = "cloud-ml-deployment:endpoint"

#: Names made up by the AWS provider are a prefix and 26 digits, in 63 characters.
_PREFIX_LENGTH = 63 - 26 - 1

#: SageMaker ends any update after 8 hours at most (MaximumExecutionTimeoutInSeconds).
SETTLE_SECONDS = 8 * 3600
POLL_SECONDS = 10.0

#: What SageMaker answers to a change of an endpoint that is being changed.
_IN_PROGRESS = "Cannot update in-progress endpoint"
#: States in which the service is at work (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html).
_AT_WORK = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})


def configuration_prefix(endpoint: str) -> str:
    """What the names of an endpoint's configurations begin with, so that they can be listed."""
    return f"{endpoint[:_PREFIX_LENGTH]}-"


class ControlPlaneError(RuntimeError):
    """SageMaker's API answered with an error, or not in time; the text says what was asked."""


class InProgressError(ControlPlaneError):
    """The endpoint is being changed by somebody else right now."""


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as it is.

    configuration: what it really runs. reason: of a failure, empty without one. variants: their names.
    """

    arn: str
    status: str
    configuration: str
    reason: str
    variants: frozenset[str]

    @property
    def at_work(self) -> bool:
        """Whether the service is still changing it."""
        return self.status in _AT_WORK


class ControlPlane:
    """SageMaker in one region. client: boto3's client, or one that behaves like it."""

    def __init__(self, client: Any, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._sleep = sleep

    @classmethod
    def in_region(cls, region: str) -> ControlPlane:
        """With the credentials that boto3 finds, as the AWS provider does; throttled calls are repeated."""
        import boto3
        from botocore.config import Config

        return cls(
            boto3.client(
                "sagemaker", region_name=region, config=Config(retries={"mode": "adaptive", "max_attempts": 8})
            )
        )

    def endpoint(self, name: str) -> Endpoint | None:
        """The endpoint; None where there is none."""
        try:
            found = self._call("describe_endpoint", EndpointName=name)
        except ControlPlaneError as error:
            # Without the quote it would also be the endpoint's configuration that is missing.
            if 'Could not find endpoint "' in str(error):
                return None
            raise
        return Endpoint(
            found["EndpointArn"],
            found["EndpointStatus"],
            found.get("EndpointConfigName", ""),
            found.get("FailureReason", ""),
            frozenset(variant["VariantName"] for variant in found.get("ProductionVariants", ())),
        )

    def settled(self, name: str, *, limit: float = SETTLE_SECONDS) -> Endpoint | None:
        """The endpoint once the service is done with it. limit: seconds. Raises ControlPlaneError after that."""
        waited = 0.0
        while True:
            found = self.endpoint(name)
            if found is None or not found.at_work:
                return found
            if waited >= limit:
                raise ControlPlaneError(
                    f"endpoint {name} is still {found.status} after {limit:.0f} s; nothing was removed: look at it in "
                    "the console, then run the command again"
                )
            self._sleep(POLL_SECONDS)
            waited += POLL_SECONDS

    def update(self, name: str, configuration: str, deployment: Mapping[str, Any] | None = None) -> None:
        """Ask for a configuration; the service works on after the answer.

        deployment: how traffic is shifted, as the API has it; None for the service's own way, all at once.
        Raises InProgressError while the endpoint is being changed.
        """
        more = {} if deployment is None else {"DeploymentConfig": deployment}
        try:
            self._call("update_endpoint", EndpointName=name, EndpointConfigName=configuration, **more)
        except ControlPlaneError as error:
            if _IN_PROGRESS in str(error):
                raise InProgressError(str(error)) from error
            raise

    def remove(self, name: str) -> None:
        """Remove an endpoint; the service works on after the answer."""
        self._call("delete_endpoint", EndpointName=name)

    def variants(self, configuration: str) -> dict[str, str]:
        """A configuration's variants, each with the name of its model."""
        found = self._call("describe_endpoint_config", EndpointConfigName=configuration)
        return {variant["VariantName"]: variant["ModelName"] for variant in found["ProductionVariants"]}

    def tags(self, arn: str) -> dict[str, str]:
        """Tags of a resource."""
        pages = self._pages("list_tags", "Tags", ResourceArn=arn)
        return {tag["Key"]: tag["Value"] for tag in pages}

    def configurations(self, endpoint: str) -> list[str]:
        """Names of the configurations that were made for the endpoint, by their tag."""
        listed = self._pages("list_endpoint_configs", "EndpointConfigs", NameContains=configuration_prefix(endpoint))
        return [
            found["EndpointConfigName"]
            for found in listed
            if self.tags(found["EndpointConfigArn"]).get(OWNER_TAG) == endpoint
        ]

    def remove_configuration(self, name: str, endpoint: str, *, keep: Collection[str] = ()) -> None:
        """Remove a configuration and the models that it names, but for others' and those to keep.

        What is gone already is no error.
        """
        try:
            models = set(self.variants(name).values()) - set(keep)
            for model in models:
                self._remove_model(model, endpoint)
            self._call("delete_endpoint_config", EndpointConfigName=name)
        except ControlPlaneError as error:
            if "Could not find endpoint configuration" not in str(error):
                raise

    def _remove_model(self, name: str, endpoint: str) -> None:
        try:
            arn = self._call("describe_model", ModelName=name)["ModelArn"]
            if self.tags(arn).get(OWNER_TAG) == endpoint:
                self._call("delete_model", ModelName=name)
        except ControlPlaneError as error:
            if "Could not find model" not in str(error):
                raise

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._client, operation)(**arguments)
        except (BotoCoreError, ClientError) as error:
            raise ControlPlaneError(f"{operation} {arguments}: {error}") from error

    def _pages(self, operation: str, key: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        token: str | None = None
        while True:
            page = self._call(operation, **arguments, **({"NextToken": token} if token else {}))
            yield from page[key]
            token = page.get("NextToken")
            if not token:
                return
