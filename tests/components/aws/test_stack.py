"""The AWS stack as a whole, under mocks: what its components are given by one another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.components.aws.whole import whole


def test_the_endpoint_may_pull_its_own_image_and_no_other(service: dict[str, Any], tree: Path) -> None:
    recording = whole(service, tree)
    policy = json.loads(recording.one("aws:iam/rolePolicy:RolePolicy", "digits-euc1-sagemaker-policy").inputs["policy"])
    (pull,) = [one for one in policy["Statement"] if one["Sid"] == "PullImage"]
    assert pull["Resource"] == ["arn:aws:ecr:eu-central-1:123456789012:repository/server"]
    image = recording.one("aws:sagemaker/model:Model").inputs["primaryContainer"]["image"]
    assert image.startswith("123456789012.dkr.ecr.eu-central-1.amazonaws.com/server@")
