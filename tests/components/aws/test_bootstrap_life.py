"""The whole life of an account's bootstrap on both engines against the stand-in cloud: half a minute, two on the CLI.

Environments are added, changed and removed, the repository moves, protected things are not destroyed until they are let
go. This shows wiring, order and recovery, not that AWS accepts a value.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.standin import StandIn
from engine.standin.drift import add_existing
from operations.engines import Choice
from operations.rehearsal.engines import CliRun, EmbeddedRun
from operations.rehearsal.program import Program, without_credentials
from operations.rehearse import rehearse
from tests.components.aws.bootstrapped import GITHUB_ARN, STACK
from tests.engine.standin.stage import PATIENCE, cli
from tests.real_parts import ROOT
from tests.schema_check import assert_program_right

pytestmark = [pytest.mark.timeout(PATIENCE)]
ENGINES = [pytest.param("embedded"), pytest.param("cli", marks=pytest.mark.engine)]
OIDC, GITHUB = "aws:iam/openIdConnectProvider:OpenIdConnectProvider", "https://token.actions.githubusercontent.com"
CHANGES = {"environment added", "environment changed", "environment removed", "repository moved"}


@pytest.mark.parametrize("engine", ENGINES)
def test_the_whole_life(engine: str) -> None:
    found: Path | None = cli() if engine == "cli" else None
    told = rehearse(ROOT, STACK, Choice(found, "the test asks for it"))
    assert told.passed, told.markdown()
    by_name = {step.name: step for step in told.steps}
    assert {step.name for step in told.steps if step.verdict == "passed"} >= {*CHANGES, "drift", "resumed"}
    for change in CHANGES:
        assert [urn for op, urn in by_name[change].steps if op == "replace"] == []
    assert ("CLI" in told.engine) == (engine == "cli")


@contextlib.contextmanager
def stage(engine: str, place: Path) -> Iterator[tuple[Program, StandIn, EmbeddedRun | CliRun]]:
    """The stack with an empty cloud, on an engine."""
    command = cli() if engine == "cli" else None
    with without_credentials(), StandIn(place / "cloud.json") as cloud:
        program = Program.link(ROOT, STACK, place / "program")
        if command is None:
            yield program, cloud, EmbeddedRun(program, place / "state", cloud, lambda _: None)
        else:
            yield program, cloud, CliRun(program, place / "state", cloud, lambda _: None, command)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_protected_stays_until_it_is_let_go(engine: str, tmp_path: Path) -> None:
    with stage(engine, tmp_path) as (program, cloud, run):
        up = run.run("up")
        assert up.ok, up.message
        refused = run.run("destroy")
        assert not refused.ok
        assert "protect" in refused.message
        kept = {one.type for one in cloud.cloud.objects().values()}
        assert kept >= {"aws:s3/bucket:Bucket", "aws:kms/key:Key", OIDC}
        program.configure({"bootstrap": {"protect": False}})
        assert run.run("up").ok
        gone = run.run("destroy")
        assert gone.ok, gone.message
        assert [one.name for one in cloud.cloud.objects().values()] == []


@pytest.mark.parametrize("engine", ENGINES)
def test_the_accounts_own_provider_is_taken_and_never_made_again(engine: str, tmp_path: Path) -> None:
    with stage(engine, tmp_path) as (program, cloud, run):
        program.configure({"bootstrap": {"github": {"repository": "example/digits", "provider": "taken"}}})
        none = run.run("preview")
        assert not none.ok
        assert "the account has no provider for token.actions.githubusercontent.com" in none.message
        is_there = {"arn": GITHUB_ARN, "url": GITHUB, "clientIdLists": ["sts.amazonaws.com"], "tags": {}}
        add_existing(cloud.cloud, OIDC, GITHUB_ARN, is_there)
        taken = run.run("up")
        assert taken.ok, taken.message
        assert [one for one in cloud.cloud.objects().values() if one.type == OIDC and one.managed] == []
        program.configure({"bootstrap": {"github": {"repository": "example/digits", "provider": "made"}}})
        another = run.run("preview")
        assert not another.ok
        assert f"the account has {GITHUB_ARN} already" in another.message


def test_the_inputs_are_what_aws_publishes() -> None:
    assert assert_program_right(ROOT, STACK).resources == 50
