"""Everything that stack aws asks for is held against what AWS publishes, and mistakes made in it on purpose are found.

Not looked at: whether AWS would let this account do it, and what no vendor publishes (docs/schema.md lists it).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from operations.schema import mutations
from operations.schema.check import check
from tests.components.aws.inventories import descriptions
from tests.components.aws.whole import answered

#: Types that AWS publishes no model of in a machine's form, or that are not AWS's: the SDK's own classes are all.
WITHOUT_MODEL = {
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "docker-build:index:Image",
    "docker:index/registryImage:RegistryImage",
    "docker:index/remoteImage:RemoteImage",
    "docker:index/tag:Tag",
}
#: Least share of mistakes that is found in the stack's own inputs, of all and as the mean of the operators.
FLOOR = 0.85


@pytest.mark.timeout(600)
@pytest.mark.proof(
    "SageMaker",
    "Amazon S3",
    "Amazon CloudWatch",
    "AWS KMS",
    "AWS IAM",
    "Amazon ECR",
    "Amazon VPC",
    level="schema",
)
@pytest.mark.parametrize("name", descriptions())
def test_every_input_of_an_example_is_right(name: str, tree: Path) -> None:
    recording = answered(descriptions()[name], tree)
    report = check(recording)
    assert [*report.problems, *report.findings] == []
    assert report.resources >= 40
    assert report.without_model <= WITHOUT_MODEL
    assert report.unmapped == {}


@pytest.mark.timeout(900)  # three thousand mistakes: ten seconds, or minutes on a machine with much else to do
def test_mistakes_in_the_stacks_own_inputs_are_found(tree: Path) -> None:
    found = mutations.score(answered(descriptions()["example"] | descriptions()["canary"], tree))
    table = "\n".join([*mutations.table([("stack aws", found)]), *mutations.misses([("stack aws", found)])])
    assert sum(found.tried.values()) >= 2000
    assert min(found.rate, found.by_operator) >= FLOOR, table
