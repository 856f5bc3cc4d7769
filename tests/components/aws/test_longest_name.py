"""The longest service name that is allowed, in the region with the longest code, fits every limit of names.

The stack is deployed to the stand-in cloud, so that names which the provider makes up are there too, and held against
what AWS publishes. It does not prove that AWS has each service in that region. Names of a network that is made are not
looked at.
"""

from __future__ import annotations

import pytest
import yaml
from botocore.session import Session

from components.aws.account import region_code
from tests.real_parts import ROOT
from tests.schema_check import assert_program_right

#: What `name` allows at most (spec.service).
LONGEST = 24


@pytest.mark.timeout(900)
@pytest.mark.proof("SageMaker", "Amazon S3", level="schema")
def test_it_fits() -> None:
    session = Session()
    regions = [
        region
        for partition in ("aws", "aws-cn", "aws-us-gov")  # parliament knows the form of no other's regions
        for region in session.get_available_regions("sagemaker", partition)
    ]
    region = max(regions, key=lambda one: (len(region_code(one)), len(one)))
    stack = yaml.safe_load((ROOT / "Pulumi.aws.yaml").read_text())["config"]["cloud-ml-deployment:service"]
    place = {"cloud": "aws", "target": "sagemaker", "region": region}
    service = {
        **stack,
        "name": "d" * LONGEST,
        "release": "digits@1",
        "canary": {"release": "digits@2", "percent": 10},
        "deploy_to": [place],
        "access": {"visibility": "public", "auth": "cloud_iam"},
    }
    # The image is in another region, and copied.
    copying = ("registryImage:RegistryImage", "remoteImage:RemoteImage", "tag:Tag")
    report = assert_program_right(
        ROOT, "aws", {"service": service}, without_model=[f"docker:index/{kind}" for kind in copying]
    )
    assert report.resources > 70
