"""Small programs to plan: a folder with a Pulumi.yaml, one stack and resources of whatever type."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operations.planning.model import Page, Planned, StackPlan
from operations.planning.run import Against, plan_stacks

#: A release in a bucket, a role, and a model that uses both; types with rows in the tables of replacements.
PROGRAM = """
    store = make("aws:s3/bucket:Bucket", "store", tags={"team": "ml"})
    role = make("aws:iam/role:Role", "role", assumeRolePolicy="{}", arn=None)
    make("aws:sagemaker/model:Model", "model", executionRoleArn=role.arn, primaryContainer={"image": "server:1"})
    make("aws:ssm/parameter:Parameter", "token", type="SecureString", value=config.require_secret("token"))
"""
_HEAD = """
import pulumi

config = pulumi.Config()


def make(token, logical, /, opts=None, **inputs):
    return pulumi.CustomResource(token, logical, {"arn": None, **inputs}, opts)
"""


@dataclass
class Folder:
    """A program in a folder, and a git repository around it where one is asked for."""

    root: Path

    @classmethod
    def make(cls, root: Path, body: str = PROGRAM, *stacks: str) -> Folder:
        root.mkdir(parents=True)
        folder = cls(root)
        runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
        (root / "Pulumi.yaml").write_text(json.dumps({"name": "planned", "runtime": runtime}))
        for stack in stacks or ("test",):
            folder.configure(stack=stack)
        folder.program(body)
        return folder

    def program(self, body: str) -> None:
        (self.root / "__main__.py").write_text(_HEAD + textwrap.dedent(body))

    def configure(self, stack: str = "test", **config: Any) -> None:
        values = {"token": {"secure": "v1:not-a-real-one"}, **config}
        text = json.dumps({"config": {f"planned:{key}": value for key, value in values.items()}})
        (self.root / f"Pulumi.{stack}.yaml").write_text(text)

    def commit(self) -> str:
        """Commit all there is; the new commit's hash."""
        if not (self.root / ".git").exists():
            self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-q", "-m", "state")
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout

    def page(self, *stacks: str, base: str = "", state: Path | None = None) -> Page:
        return plan_stacks(self.root, stacks or ("test",), Against(base, state))

    def plan(self, *, base: str = "", state: Path | None = None) -> StackPlan:
        plan = self.page(base=base, state=state).plans[0]
        assert not plan.errors, plan.errors
        return plan


def kinds(plan: StackPlan) -> dict[str, str]:
    """Name → what happens, for all that does not stay as it is."""
    return {one.name: one.kind for one in plan.resources if one.kind != "same"}


def named(plan: StackPlan, name: str) -> Planned:
    return next(one for one in plan.resources if one.name == name)
