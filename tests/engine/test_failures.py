"""What fails, is killed or runs twice, on both engines: nothing is lost and the next run goes on from there."""

from __future__ import annotations

import time

import psutil
import pytest

from tests.engine.drivers import Driver, Workspace


def test_a_failed_create_is_resumed(engine: Driver, workspace: Workspace) -> None:
    workspace.program("""
        a = File("a")
        b = File("b", a.path)
        File("c", b.path)
        pulumi.export("c", b.path)
    """)
    workspace.set("fail.create.b")
    failed = engine("up")
    assert not failed.ok
    assert "the cloud cannot create b today" in failed.log
    assert set(workspace.files()) == {"a"}
    assert workspace.state().get("pending_operations", []) == []

    workspace.unset("fail.create.b")
    assert engine("up").changes == {"create": 2}
    assert set(workspace.files()) == {"a", "b", "c"}
    assert engine("preview").changes == {}


def test_after_a_failure_nothing_is_deleted(engine: Driver, workspace: Workspace) -> None:
    workspace.program("""
        File("a")
        File("old")
    """)
    engine("up")
    workspace.program("""
        File("a", "changed")
    """)
    workspace.set("fail.update.a")
    assert not engine("up").ok
    assert workspace.files() == {"a": "", "old": ""}
    workspace.unset("fail.update.a")
    assert engine("up").changes == {"update": 1, "delete": 1}
    assert workspace.files() == {"a": "changed"}


def test_a_failed_delete_of_a_replaced_resource_is_tried_again(engine: Driver, workspace: Workspace) -> None:
    workspace.program("""
        File("a", kind="x")
    """)
    engine("up")
    workspace.program("""
        File("a", kind="y")
    """)
    workspace.set("fail.delete.a")
    assert not engine("up").ok
    assert len(list(workspace.cloud.glob("a-*.json"))) == 2
    assert [resource.get("delete", False) for resource in workspace.resources() if resource.get("id")][1:] == [
        False,
        True,
    ]
    workspace.unset("fail.delete.a")
    assert engine("up").ok
    assert len(list(workspace.cloud.glob("a-*.json"))) == 1
    assert engine("preview").changes == {}


def test_a_replacement_that_failed_half_way_is_completed(engine: Driver, workspace: Workspace) -> None:
    program = """
        a = File("a", slot="{slot}")
        File("b", needs=a.token)
    """
    workspace.program(program.format(slot="x"))
    engine("up")
    workspace.program(program.format(slot="y"))
    workspace.set("fail.create.a")
    assert not engine("up").ok
    assert workspace.files() == {}
    workspace.unset("fail.create.a")
    assert engine("up").ok
    assert set(workspace.files()) == {"a", "b"}
    # (The CLI asks once more for the deletion of b, which is gone; that does no harm.)
    assert [line for line in workspace.journal() if line.startswith("create")] == ["create a", "create b"] * 2
    assert engine("preview").changes == {}


@pytest.mark.parametrize("operation", ["create", "update", "delete"])
def test_a_killed_run_is_resumed(engine: Driver, workspace: Workspace, operation: str) -> None:
    if operation != "create":
        workspace.program("""
            File("a", "one")
            File("b", "one")
        """)
        engine("up")
    # a comes after b: a creation that is killed in flight is known to nobody, and would be made twice.
    after_b = "File('a', 'two', opts=pulumi.ResourceOptions(depends_on=[b]))"
    program = "b = File('b', 'two')" + ("" if operation == "delete" else f"\n{after_b}")
    workspace.program(program)
    workspace.set(f"hang.{operation}.a")
    process = engine.start("up")
    workspace.wait_for(f"hanging.{operation}.a")
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    engine.kill(process)
    end = time.monotonic() + 120
    while any(map(_runs, family)):
        assert time.monotonic() < end, "the children of a killed engine must notice and end"
        time.sleep(0.02)

    pending = workspace.state()["pending_operations"]
    noted = [(entry["type"], entry["resource"]["urn"].rsplit("::", 1)[1]) for entry in pending]
    assert (f"{operation.removesuffix('e')}ing", "a") in noted
    workspace.unset(f"hang.{operation}.a")
    engine.unlock()
    assert engine("up").ok
    assert workspace.files() == ({"b": "two"} if operation == "delete" else {"a": "two", "b": "two"})
    assert engine("preview").changes == {}
    assert engine("destroy").ok
    assert workspace.files() == {}


def _runs(process: psutil.Process) -> bool:
    """A zombie does not: it has ended, and only waits for init to notice."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_two_runs_at_once_exclude_each_other(engine: Driver, workspace: Workspace) -> None:
    workspace.program("""
        File("a")
    """)
    workspace.set("hang.create.a")
    first = engine.start("up")
    workspace.wait_for("hanging.create.a")
    second = engine("up")
    assert not second.ok
    assert f"pid {first.pid}" in second.log
    workspace.unset("hang.create.a")
    first.communicate()
    assert first.returncode == 0
    assert workspace.journal() == ["create a"]
    assert engine("up").changes == {}


def test_an_exception_of_the_program_is_told_once_and_deletes_nothing(engine: Driver, workspace: Workspace) -> None:
    workspace.program("""
        File("a")
        File("b")
    """)
    engine("up")
    workspace.program("""
        print("it was here")
        File("a")
        raise LookupError("no such luck")
    """)
    failed = engine("up")
    assert not failed.ok
    assert "it was here" in failed.log
    assert "__main__.py" in failed.log
    assert set(workspace.files()) == {"a", "b"}
    if engine.name == "embedded":
        told = failed.log.split("error: ")[1]
        assert told.count("LookupError: no such luck") == 2  # the event, and the error that ends the operation
        assert "runpy" not in failed.log


def test_inputs_that_a_provider_refuses_change_nothing(engine: Driver, workspace: Workspace) -> None:
    workspace.program("""
        File("a")
        File("b", "forbidden")
    """)
    failed = engine("up") if engine.name == "embedded" else engine("preview")
    assert not failed.ok
    assert "content" in failed.log
    assert "is forbidden" in failed.log
    assert workspace.files() == {}


def test_two_resources_of_one_name_are_refused(engine: Driver, workspace: Workspace) -> None:
    workspace.program("""
        File("a")
        File("a")
    """)
    assert not engine("up").ok
