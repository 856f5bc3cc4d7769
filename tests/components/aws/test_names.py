"""Names, sizes and times in AWS's own forms."""

from __future__ import annotations

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.session import Session

from components.aws.access import PrincipalError, parse_principal
from components.aws.account import region_code
from components.aws.instances import SAGEMAKER, TooLargeError, smallest
from components.aws.schedule import aws_cron


def test_regions_have_short_codes_that_differ() -> None:
    session = Session()
    regions = [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("sagemaker", partition)
    ]
    assert region_code("eu-central-1") == "euc1"
    assert region_code("us-gov-west-1") == "usgw1"
    assert len(regions) > 20
    assert len({region_code(region) for region in regions}) == len(regions)


class TestInstances:
    def test_every_type_is_one_of_sagemakers(self) -> None:
        model = ServiceModel(Loader().load_service_model("sagemaker", "service-2"), "sagemaker")
        assert {one.name for one in SAGEMAKER} <= set(model.shape_for("ProductionVariantInstanceType").enum)

    def test_they_are_in_order_of_size(self) -> None:
        assert list(SAGEMAKER) == sorted(SAGEMAKER, key=lambda one: (one.cpus, one.memory_gib))

    @pytest.mark.parametrize(
        ("cpu", "memory", "name"),
        [(1, 2, "ml.t2.medium"), (2, 4, "ml.t2.medium"), (2, 4.5, "ml.m5.large"), (3, 1, "ml.c5.xlarge")],
    )
    def test_the_smallest_that_holds_it(self, cpu: float, memory: float, name: str) -> None:
        assert smallest(cpu, memory).name == name

    def test_too_large_says_what_is_the_most(self) -> None:
        with pytest.raises(TooLargeError, match=r"cpu 100 .* at most 96 and 768 \(ml\.r5\.24xlarge\)"):
            smallest(100, 1)


class TestCron:
    @pytest.mark.parametrize(
        ("cron", "expected"),
        [
            ("0 7 * * 1-5", "cron(0 7 ? * MON-FRI *)"),
            ("0 7 * * 0,6", "cron(0 7 ? * SUN,SAT *)"),
            ("0 7 * * 7", "cron(0 7 ? * SUN *)"),
            ("*/5 0 1 * *", "cron(*/5 0 1 * ? *)"),
            ("0 0 * 1 mon", "cron(0 0 ? 1 MON *)"),
        ],
    )
    def test_days_are_by_name(self, cron: str, expected: str) -> None:
        assert aws_cron(cron) == expected

    def test_both_kinds_of_day_are_refused(self) -> None:
        with pytest.raises(ValueError, match="not both"):
            aws_cron("0 7 1 * 1")


class TestPrincipals:
    @pytest.mark.parametrize(
        ("arn", "expected"),
        [
            ("arn:aws:iam::123456789012:role/caller", ("role", "caller")),
            ("arn:aws:iam::123456789012:role/team/a/caller", ("role", "caller")),
            ("arn:aws:iam::123456789012:user/anna", ("user", "anna")),
        ],
    )
    def test_roles_and_users(self, arn: str, expected: tuple[str, str]) -> None:
        assert parse_principal(arn) == expected

    @pytest.mark.parametrize(
        "arn", ["*", "caller", "arn:aws:iam::123456789012:root", "arn:aws:sts::1:assumed-role/a/b"]
    )
    def test_anything_else_is_refused(self, arn: str) -> None:
        with pytest.raises(PrincipalError, match=r"access\.principals has"):
            parse_principal(arn)
