"""Names within Azure's limits, and short names of its regions."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.azure import names
from components.azure.account import region_code

#: Regions that a subscription lists, of all of Azure's clouds.
REGIONS = (
    "australiacentral", "australiacentral2", "australiaeast", "australiasoutheast", "austriaeast", "belgiumcentral",
    "brazilsouth", "brazilsoutheast", "canadacentral", "canadaeast", "centralindia", "centralus", "chilecentral",
    "chinaeast", "chinaeast2", "chinaeast3", "chinanorth", "chinanorth2", "chinanorth3", "eastasia", "eastus",
    "eastus2", "francecentral", "francesouth", "germanynorth", "germanywestcentral", "indonesiacentral",
    "israelcentral", "italynorth", "japaneast", "japanwest", "jioindiacentral", "jioindiawest", "koreacentral",
    "koreasouth", "malaysiawest", "mexicocentral", "newzealandnorth", "northcentralus", "northeurope", "norwayeast",
    "norwaywest", "polandcentral", "qatarcentral", "southafricanorth", "southafricawest", "southcentralus",
    "southeastasia", "southindia", "spaincentral", "swedencentral", "switzerlandnorth", "switzerlandwest",
    "uaecentral", "uaenorth", "uksouth", "ukwest", "usdodcentral", "usdodeast", "usgovarizona", "usgovtexas",
    "usgovvirginia", "westcentralus", "westeurope", "westindia", "westus", "westus2", "westus3",
)  # fmt: skip
SERVICE = st.from_regex(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", fullmatch=True).filter(lambda text: len(text) <= 63)


class TestRegions:
    @pytest.mark.parametrize(
        ("region", "code"), [("westeurope", "weu"), ("southafricanorth", "zan"), ("eastus2", "eus2"), ("ukwest", "ukw")]
    )
    def test_each_has_a_short_code(self, region: str, code: str) -> None:
        assert region_code(region) == code

    def test_codes_differ(self) -> None:
        assert len({region_code(region) for region in REGIONS}) == len(REGIONS)


class TestUnique:
    def test_it_is_the_same_each_time(self) -> None:
        assert names.unique("vault", "digits", "weu", salt="a") == names.unique("vault", "digits", "weu", salt="a")
        assert names.unique("registry", "digits", salt="a") == "digits7d6ba06d"

    @pytest.mark.parametrize("kind", names.LIMITS)
    @given(service=SERVICE, salt=st.text(max_size=40))
    def test_it_is_what_azure_takes(self, kind: names.Kind, service: str, salt: str) -> None:
        limit = names.LIMITS[kind]
        name = names.unique(kind, service, "weu", salt=salt)
        # The provider ends the names of these with random digits.
        whole = name + ("0" * names.PROVIDER_DIGITS if limit.kept else "")
        assert limit.least <= len(whole) <= limit.most
        assert re.fullmatch(r"[a-z]([a-z0-9]|-(?!-))*[a-z0-9]" if limit.dashes else r"[a-z][a-z0-9]*", whole)

    @pytest.mark.parametrize("kind", names.LIMITS)
    def test_others_get_another_one(self, kind: names.Kind) -> None:
        long = "a-service-with-a-name-that-is-longer-than-any-limit-of-azures"
        made = [
            names.unique(kind, f"{long}-{number}", region_code(region), salt=salt)
            for number, region, salt in itertools.product(range(3), REGIONS, ("one/stack", "two/stack"))
        ]
        assert len(set(made)) == len(made)

    def test_parts_are_not_run_together(self) -> None:
        first = names.unique("storage_account", "digits", "a", salt="")
        assert first != names.unique("storage_account", "digit", "sa", salt="")

    def test_a_name_without_a_letter_at_the_beginning_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"allowed: parts that begin with a letter: rename it"):
            names.unique("vault", "3digits", salt="")
