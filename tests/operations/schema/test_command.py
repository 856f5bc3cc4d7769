"""`python -m operations schema` on a program with mistakes: what is said, and the exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import pulumi_aws as aws
aws.sqs.Queue("q", visibility_timeout_seconds=99999999)
aws.lambda_.Function("f", role="arn:aws:iam::123456789012:role/nobody", package_type="Imag", memory_size=64)
"""


def test_findings_name_resource_path_value_rule_and_source(tmp_path: Path, root: Path):
    (tmp_path / "Pulumi.yaml").write_text("name: wrong\nruntime: python\n")
    (tmp_path / "Pulumi.aws.yaml").write_text("config: {aws:region: us-east-1}\n")
    (tmp_path / "__main__.py").write_text(PROGRAM.replace('role="arn:aws:iam::123456789012:role/nobody"', "role=R"))
    text = (tmp_path / "__main__.py").read_text()
    role = 'R = aws.iam.Role("r", assume_role_policy=\'{"Version":"2012-10-17","Statement":[]}\').arn\n'
    (tmp_path / "__main__.py").write_text(text.replace("aws.sqs", role + "aws.sqs", 1))
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "operations",
            "schema",
            "--stack",
            "aws",
            "--program",
            str(tmp_path),
            "--format",
            "json",
        ],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert ran.returncode == 1, ran.stderr
    found = {(one["path"], one["rule"]): one for one in json.loads(ran.stdout)["findings"]}
    assert found["packageType", "enum"]["value"] == "Imag"
    assert "Image" in found["packageType", "enum"]["message"]
    assert found["memorySize", "range"]["name"] == "f"
    assert found["memorySize", "range"]["source"]
