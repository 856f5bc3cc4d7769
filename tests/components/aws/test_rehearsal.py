"""The whole life of stack aws on both engines, against the stand-in cloud and its SageMaker.

New release, scale, canary on and off, a second region for a while, the image built, key, drift, a failure in the
middle, destroy. This shows wiring, order and recovery; not that AWS accepts a value. Two to six minutes each.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from operations.engines import Choice
from operations.rehearse import rehearse
from tests.engine.standin.stage import PATIENCE, cli
from tests.real_parts import ROOT

pytestmark = [
    pytest.mark.timeout(PATIENCE),
    pytest.mark.proof("SageMaker", "Amazon S3", "Amazon CloudWatch", level="engine"),
    pytest.mark.proof("AWS KMS", "AWS IAM", "Amazon ECR", "Amazon VPC", level="engine"),
]
#: AWS has one target so far.
_UNDEFINED = {"target added", "target removed"}


@pytest.mark.parametrize("engine", [pytest.param("embedded"), pytest.param("cli", marks=pytest.mark.engine)])
def test_the_whole_life(engine: str) -> None:
    found: Path | None = cli() if engine == "cli" else None
    told = rehearse(ROOT, "aws", Choice(found, "the test asks for it"))
    assert told.passed, told.markdown()
    assert {step.name for step in told.steps if step.verdict == "not defined"} == _UNDEFINED
    assert len(told.steps) == 17
    assert ("CLI" in told.engine) == (engine == "cli")
    by_name = {step.name: step for step in told.steps}
    for change in ("release", "scale", "canary on", "canary off", "image built"):
        # One endpoint for all its life, changed only by `Settled`.
        assert not any("sagemaker/endpoint:Endpoint" in urn for _, urn in by_name[change].steps)
