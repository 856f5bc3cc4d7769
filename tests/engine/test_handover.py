"""From one engine to the other in one backend folder: no import, no change, and each goes on from the other's end."""

from __future__ import annotations

import pytest

from engine.secrets import Crypter
from tests.engine.drivers import PASSPHRASE, SALT, Cli, Driver, Embedded, Workspace

pytestmark = pytest.mark.engine

PROGRAM = """
    config = pulumi.Config()
    password = config.get_secret("password") or pulumi.Output.secret("hunter2")
    a = File("a", "one", kind="x", opts=pulumi.ResourceOptions(protect=False, additional_secret_outputs=["token"]))
    timeouts = pulumi.CustomTimeouts(create="1m30s", delete="2m")
    b = File("b", a.path, numbers=[1, 2.5, {"deep": True}], secret=password, opts=pulumi.ResourceOptions(
        depends_on=[a], custom_timeouts=timeouts, ignore_changes=["kind"], retain_on_delete=False))
    folder = Folder("folder", opts=pulumi.ResourceOptions(depends_on=[b]))
    File("c", folder.file.path, opts=pulumi.ResourceOptions(parent=folder.file, deleted_with=a))
    pulumi.export("path", b.path)
    pulumi.export("password", password)
    pulumi.export("settings", config.get_object("settings"))
"""


@pytest.fixture(params=["embedded to cli", "cli to embedded"])
def first_and_second(request: pytest.FixtureRequest, embedded: Embedded, cli: Cli) -> tuple[Driver, Driver]:
    return (embedded, cli) if request.param == "embedded to cli" else (cli, embedded)


def expect_no_changes(engine: Driver) -> None:
    preview = engine("preview", "--expect-no-changes") if isinstance(engine, Cli) else engine("preview")
    assert preview.ok, preview.log
    assert preview.changes == {}, preview.log


@pytest.mark.parametrize("salted", [True, False], ids=["salt in the stack's file", "no salt"])
def test_the_second_engine_goes_on(first_and_second: tuple[Driver, Driver], workspace: Workspace, salted: bool) -> None:
    first, second = first_and_second
    if salted:
        secure = {"secure": Crypter(PASSPHRASE, SALT).encrypt("hunter2")}
        workspace.write_config(password=secure, settings={"size": 1, "names": ["a"]})
    else:
        workspace.salt = None
        workspace.write_config(settings={"size": 1, "names": ["a"]})
    workspace.program(PROGRAM)
    up = first("up")
    assert up.ok, up.log
    urns, outputs = workspace.urns(), first.outputs(show_secrets=True)

    expect_no_changes(second)
    assert second("up").changes == {}
    assert second("refresh").changes == {}
    assert workspace.urns() == urns
    assert second.outputs(show_secrets=True) == outputs

    # The second changes something, the first finds it as it should be, and the second removes all.
    workspace.program(PROGRAM.replace('kind="x"', 'kind="y"'))
    changed = second("up")
    assert changed.changes == {"replace": 2, "update": 1}, changed.log  # c goes with a, b follows its path
    expect_no_changes(first)
    assert second("destroy").ok
    # c is said to be deleted with a: no engine asks its provider, and this cloud does not do it by itself.
    assert set(workspace.files()) == {"c"}
    assert first("up").ok
    expect_no_changes(second)


def test_a_half_done_run_is_completed_by_the_other(
    first_and_second: tuple[Driver, Driver], workspace: Workspace
) -> None:
    first, second = first_and_second
    program = """
        a = File("a", slot="{slot}")
        b = File("b", needs=a.token)
        File("c", b.path)
    """
    workspace.program(program.format(slot="x"))
    workspace.set("fail.create.c")
    assert not first("up").ok
    workspace.unset("fail.create.c")
    assert second("up").changes == {"create": 1}

    # a is deleted first, and its replacement fails: pending in state.
    workspace.program(program.format(slot="y"))
    workspace.set("fail.create.a")
    assert not first("up").ok
    assert [resource["urn"][-1] for resource in workspace.resources() if resource.get("pendingReplacement")] == [
        "a",
        "b",
    ]
    workspace.unset("fail.create.a")
    assert second("up").ok
    assert set(workspace.files()) == {"a", "b", "c"}
    expect_no_changes(first)


def test_a_killed_run_is_completed_by_the_other(first_and_second: tuple[Driver, Driver], workspace: Workspace) -> None:
    first, second = first_and_second
    workspace.program("""
        a = File("a")
        File("b", a.path)
    """)
    workspace.set("hang.create.b")
    process = first.start("up")
    workspace.wait_for("hanging.create.b")

    refused = second("up")
    assert not refused.ok
    assert f"pid {process.pid}" in refused.log

    first.kill(process)
    workspace.unset("hang.create.b")
    # The lock of a killed CLI has to be taken away by hand, and the CLI says so of a killed embedded run too.
    Cli(workspace).unlock()
    assert second("up").changes == {"create": 1}
    assert set(workspace.files()) == {"a", "b"}
    expect_no_changes(first)
