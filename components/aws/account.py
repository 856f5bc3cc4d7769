"""Whose account, in which partition and region: what names and policies are made of."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True)
class Account:
    """An account as seen from one region.

    id: twelve digits. partition: `aws`, `aws-cn` or `aws-us-gov`, the second part of every ARN. dns: what the
    partition's host names end in. region: such as eu-central-1. boundary: ARN of the permissions boundary that every
    role made in it gets. path: of roles and policies, from / to /; both as the account's bootstrap says.
    """

    id: pulumi.Output[str]
    partition: pulumi.Output[str]
    dns: pulumi.Output[str]
    region: str
    boundary: str | None = None
    path: str | None = None

    @classmethod
    def of(
        cls, provider: aws.Provider, region: str, *, boundary: str | None = None, path: str | None = None
    ) -> Account:
        """The account that the provider's credentials belong to."""
        opts = pulumi.InvokeOutputOptions(provider=provider)
        partition = aws.get_partition_output(opts=opts)
        return cls(
            id=aws.get_caller_identity_output(opts=opts).account_id,
            partition=partition.partition,
            dns=partition.dns_suffix,
            region=region,
            boundary=boundary,
            path=path,
        )

    def arn(self, service: str, resource: pulumi.Input[str], *, regional: bool = True) -> pulumi.Output[str]:
        """The ARN of something in this account: `arn:aws:logs:eu-central-1:123456789012:log-group:…`."""
        region = self.region if regional else ""
        return pulumi.Output.concat("arn:", self.partition, f":{service}:{region}:", self.id, ":", resource)

    @property
    def root(self) -> pulumi.Output[str]:
        """The account itself as a principal: whoever its own IAM policies allow."""
        return self.arn("iam", "root", regional=False)


def region_code(region: str) -> str:
    """A short name of a region for names with little room: eu-central-1 -> `euc1`, ap-southeast-2 -> `apse2`."""
    area, *words, number = region.split("-")
    return area + "".join(_SHORT.get(word, word) for word in words) + number


_SHORT = {word: word[0] for word in ("central", "north", "south", "east", "west", "gov")}
_SHORT |= {"northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw"}
