"""What the resources of our own ask of SageMaker's API: few calls, each with its errors as one family."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

#: Tag of an endpoint configuration: the endpoint it was made for. Names alone could be another program's.
OWNER_TAG = "cloud-ml-deployment:endpoint"
#: Tag of an endpoint: the configuration that it was asked for and went back from.
ROLLED_BACK_TAG = "cloud-ml-deployment:rolled-back"

#: An update with the longest rollout: 50 steps of an hour would be more, and SageMaker ends any update after 8 hours.
SETTLE_SECONDS = 8 * 3600
POLL_SECONDS = 10.0

#: States in which the service is at work (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html).
_AT_WORK = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})


class ControlPlaneError(RuntimeError):
    """SageMaker's API answered with an error, or not in time; the text says what was asked."""


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as it is. configuration: what it really runs. reason: of a failure, empty without one."""

    arn: str
    status: str
    configuration: str
    reason: str

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
        from botocore.exceptions import ClientError

        try:
            found = self._client.describe_endpoint(EndpointName=name)
        except ClientError as error:
            if "Could not find endpoint" in str(error):
                return None
            raise ControlPlaneError(f"DescribeEndpoint {name}: {error}") from error
        return Endpoint(
            found["EndpointArn"],
            found["EndpointStatus"],
            found.get("EndpointConfigName", ""),
            found.get("FailureReason", ""),
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

    def update(self, name: str, configuration: str) -> None:
        """Ask for a configuration; the service works on after the answer."""
        self._call("update_endpoint", EndpointName=name, EndpointConfigName=configuration)

    def tags(self, arn: str) -> dict[str, str]:
        """Tags of a resource."""
        pages = self._pages("list_tags", "Tags", ResourceArn=arn)
        return {tag["Key"]: tag["Value"] for tag in pages}

    def tag(self, arn: str, key: str, value: str) -> None:
        """Set one tag."""
        self._call("add_tags", ResourceArn=arn, Tags=[{"Key": key, "Value": value}])

    def untag(self, arn: str, key: str) -> None:
        """Remove one tag."""
        self._call("delete_tags", ResourceArn=arn, TagKeys=[key])

    def configurations(self, endpoint: str) -> list[str]:
        """Names of the configurations that were made for the endpoint, by their tag."""
        listed = self._pages("list_endpoint_configs", "EndpointConfigs", NameContains=endpoint)
        return [
            found["EndpointConfigName"]
            for found in listed
            if self.tags(found["EndpointConfigArn"]).get(OWNER_TAG) == endpoint
        ]

    def remove_configuration(self, name: str) -> None:
        """Remove a configuration; one that is gone already is no error."""
        from botocore.exceptions import ClientError

        try:
            self._client.delete_endpoint_config(EndpointConfigName=name)
        except ClientError as error:
            if "Could not find endpoint configuration" not in str(error):
                raise ControlPlaneError(f"DeleteEndpointConfig {name}: {error}") from error

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        try:
            return getattr(self._client, operation)(**arguments)
        except ClientError as error:
            raise ControlPlaneError(f"{operation} {arguments}: {error}") from error

    def _pages(self, operation: str, key: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        token: str | None = None
        while True:
            page = self._call(operation, **arguments, **({"NextToken": token} if token else {}))
            yield from page[key]
            token = page.get("NextToken")
            if not token:
                return
