"""Whose subscription, in which region: the resource group that all else lies in, and short names of regions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_azure_native as az

from components.azure import names

#: Regions without availability zones (https://learn.microsoft.com/azure/reliability/regions-list): what is spread over
#: zones elsewhere is refused there. A region that is not listed is taken to have them.
WITHOUT_ZONES = frozenset(
    {
        "australiacentral", "australiacentral2", "australiasoutheast", "brazilsoutheast", "canadaeast", "francesouth",
        "germanynorth", "jioindiacentral", "jioindiawest", "koreasouth", "northcentralus", "norwaywest",
        "southafricawest", "southindia", "switzerlandwest", "uaecentral", "ukwest", "usdodcentral", "usdodeast",
        "usgovarizona", "usgovtexas", "westcentralus", "westindia", "westus",
    }
)  # fmt: skip


@dataclass(frozen=True)
class AccountArgs:
    """region: such as westeurope. tags: of everything that is made there. protect: keep the group, and with it all that
    it holds, when the stack goes.
    """

    region: str
    tags: Mapping[str, str] = field(default_factory=dict)
    protect: bool = True


class Account(pulumi.ComponentResource):
    """A subscription as seen from one region, with a resource group of the stack's own there.

    subscription_id, tenant_id: of the provider's credentials. deployer_id: object id of who runs Pulumi. group,
    group_id: name and id of the resource group. region: where it lies. zones: whether the region has availability
    zones. tags: for everything in it; azure-native has no default tags.
    """

    subscription_id: pulumi.Output[str]
    tenant_id: pulumi.Output[str]
    deployer_id: pulumi.Output[str]
    group: pulumi.Output[str]
    group_id: pulumi.Output[str]
    region: str
    zones: bool
    tags: Mapping[str, str]

    def __init__(self, name: str, args: AccountArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:azure:Account", name, {}, opts)
        self.region, self.tags = args.region, dict(args.tags)
        self.zones = args.region not in WITHOUT_ZONES
        client = az.authorization.get_client_config_output(opts=pulumi.InvokeOutputOptions(parent=self))
        self.subscription_id = client.subscription_id
        self.tenant_id = client.tenant_id
        self.deployer_id = client.object_id
        made = az.resources.ResourceGroup(
            f"{name}-group",
            location=args.region,
            tags=self.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self.group = made.name
        self.group_id = made.id
        self.register_outputs({"group": self.group, "region": self.region})

    def unique(self, kind: names.Kind, *parts: str) -> pulumi.Output[str]:
        """A name that no other subscription, project or stack has; see `names.unique`."""
        place = self._place
        return self.subscription_id.apply(lambda known: names.unique(kind, *parts, salt=f"{known}/{place}"))

    def stem(self, kind: names.Kind, *parts: str) -> str:
        """The beginning of such a name, for a logical name: the provider appends random digits, so that a thing whose
        name stays taken after its end can be made again.
        """
        return names.unique(kind, *parts, salt=self._place)

    @property
    def _place(self) -> str:
        return f"{pulumi.get_project()}/{pulumi.get_stack()}/{self.region}"


def region_code(region: str) -> str:
    """A short name of a region for names with little room: westeurope -> `weu`, southcentralus2 -> `scus2`."""
    words: list[str] = _WORDS.findall(region)
    return "".join(_SHORT.get(word, word) for word in words)


_SHORT = {word: word[0] for word in ("central", "north", "south", "east", "west")}
_SHORT |= {
    "asia": "as", "australia": "au", "austria": "at", "belgium": "be", "brazil": "br", "canada": "ca", "chile": "cl",
    "china": "cn", "denmark": "dk", "europe": "eu", "france": "fr", "germany": "de", "india": "in", "indonesia": "id",
    "israel": "il", "italy": "it", "japan": "jp", "korea": "kr", "malaysia": "my", "mexico": "mx", "newzealand": "nz",
    "norway": "no", "poland": "pl", "qatar": "qa", "southafrica": "za", "spain": "es", "sweden": "se",
    "switzerland": "ch", "taiwan": "tw", "usdod": "usd", "usgov": "usg",
}  # fmt: skip
#: The longest word first: `southafrica` before `south`. What is no word stays as it is, letter by letter.
_WORDS = re.compile("|".join([*sorted(_SHORT, key=lambda word: (-len(word), word)), "."]))
