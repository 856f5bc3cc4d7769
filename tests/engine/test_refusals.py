"""What the embedded engine refuses, and bad input: a clear error, and nothing changed."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable

import pytest

from engine import EmbeddedEngine, EngineError
from tests.engine.drivers import PROJECT, STACK, Embedded, Workspace

UNSUPPORTED = {
    "ResourceOptions(import_)": 'File("b", opts=pulumi.ResourceOptions(import_="x"))',
    "transforms": 'File("b", opts=pulumi.ResourceOptions(transforms=[lambda args: None]))',
    "resource hooks": """
        hook = pulumi.ResourceHook("noise", lambda args: None)
        File("b", opts=pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(before_create=[hook])))
    """,
    "ResourceOptions(replace_with)": 'File("b", opts=pulumi.ResourceOptions(replace_with=[a]))',
    "ResourceOptions(replacement_trigger)": 'File("b", opts=pulumi.ResourceOptions(replacement_trigger=1))',
    "ignore_changes below the top level": 'File("b", opts=pulumi.ResourceOptions(ignore_changes=["deep.er"]))',
    "stack references": 'pulumi.StackReference("organization/other/dev")',
    "remote components": 'pulumi.ComponentResource("some:index:Remote", "b", {}, None, True)',
    "require_pulumi_version": 'pulumi.require_pulumi_version(">=3.0.0")',
    "the function pulumi:pulumi:getResource": 'pulumi.runtime.invoke("pulumi:pulumi:getResource", {})',
    "built-in type pulumi:index:Stash": 'pulumi.Stash("b", input=1)',
    "the provider of the package 'aws'": 'pulumi.CustomResource("aws:s3/bucket:Bucket", "b", {})',
    "provider of the package 'gcp'": 'pulumi.ProviderResource("gcp", "b", {})',
}


@pytest.mark.parametrize("feature", UNSUPPORTED)
def test_the_unsupported_is_refused_by_name_before_anything_is_changed(
    embedded: Embedded, workspace: Workspace, feature: str
) -> None:
    import textwrap

    workspace.program('a = File("a")\n' + textwrap.dedent(UNSUPPORTED[feature]))
    refused = embedded("up")
    assert not refused.ok
    assert feature in refused.log
    assert "https://www.pulumi.com/docs/install/" in refused.log
    assert workspace.files() == {}
    assert not workspace.state_file.exists()


def test_a_state_with_cloud_resources_is_not_touched(embedded: Embedded, workspace: Workspace) -> None:
    workspace.program("""
        a = File("a")
    """)
    assert embedded("up").ok
    text = workspace.state_file.read_text()
    state = json.loads(text)
    urn = f"urn:pulumi:{STACK}::{PROJECT}::aws:s3/bucket:Bucket::b"
    state["checkpoint"]["latest"]["resources"].append({"urn": urn, "custom": True, "type": "aws:s3/bucket:Bucket"})
    workspace.state_file.write_text(json.dumps(state))
    for operation in ("up", "refresh", "destroy", "preview"):
        refused = embedded(operation)
        assert not refused.ok
        assert "package 'aws'" in refused.log
        assert "make pulumi" in refused.log
    assert json.loads(workspace.state_file.read_text()) == state
    assert set(workspace.files()) == {"a"}


DAMAGE: dict[str, tuple[Callable[[str], str], str]] = {
    "cut off": (lambda text: text[: len(text) // 2], "damaged"),
    "empty": (lambda text: "", "damaged"),
    "no object": (lambda text: "[]", "damaged"),
    "no checkpoint": (lambda text: '{"version": 3}', "damaged"),
    "other version": (lambda text: text.replace('"version":3', '"version":4', 1), "version 4"),
    "no urn": (lambda text: text.replace('"urn"', '"nru"'), "damaged"),
    "out of order": (lambda text: _reordered(text), "does not stand before it"),
    "twice": (lambda text: _doubled(text), "twice"),
    "other secrets provider": (lambda text: text.replace('"passphrase"', '"cloud"'), "'cloud'"),
    "damaged secret": (lambda text: text.replace('"ciphertext":"v1:', '"ciphertext":"v1:AAAA'), "cannot be decrypted"),
}


def _reordered(text: str) -> str:
    state = json.loads(text)
    state["checkpoint"]["latest"]["resources"].reverse()
    return json.dumps(state)


def _doubled(text: str) -> str:
    state = json.loads(text)
    resources = state["checkpoint"]["latest"]["resources"]
    resources.append(resources[-1])
    return json.dumps(state)


def test_a_damaged_state_is_told_and_left(embedded: Embedded, workspace: Workspace) -> None:
    workspace.program("""
        a = File("a")
    """)
    assert embedded("up").ok
    good = workspace.state_file.read_text()
    for name, (damage, said) in DAMAGE.items():
        bad = damage(good)
        assert bad != good, name
        workspace.state_file.write_text(bad)
        for operation in ("up", "destroy"):
            refused = embedded(operation)
            assert not refused.ok, name
            assert said in refused.log, (name, refused.log)
        assert workspace.state_file.read_text() == bad, name
    assert workspace.files() == {"a": ""}
    workspace.state_file.write_text(good)
    assert embedded("up").changes == {}


def test_a_wrong_passphrase_changes_nothing(embedded: Embedded, workspace: Workspace) -> None:
    workspace.program("""
        a = File("a")
    """)
    assert embedded("up").ok
    state = workspace.state_file.read_text()
    refused = embedded("destroy", passphrase="wrong")
    assert not refused.ok
    assert "passphrase is wrong" in refused.log
    assert "PULUMI_CONFIG_PASSPHRASE" in refused.log
    assert workspace.state_file.read_text() == state


def test_a_stack_that_does_not_exist_is_told(embedded: Embedded) -> None:
    for operation in ("up", "preview", "outputs"):
        refused = embedded(operation, stack="tset")
        assert not refused.ok
        assert "'tset'" in refused.log
        assert STACK in refused.log


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("Pulumi.yaml", "name: [", "not valid YAML"),
        ("Pulumi.yaml", "runtime: python", "'name'"),
        ("Pulumi.yaml", "name: files\nruntime: nodejs", "'nodejs'"),
        ("Pulumi.yaml", "name: files\nruntime: python\nmain: nowhere/there", "nowhere"),
        (f"Pulumi.{STACK}.yaml", "config:\n  a: b: c", "not valid YAML"),
        (f"Pulumi.{STACK}.yaml", "just text", "keys and values"),
        (f"Pulumi.{STACK}.yaml", "config: 5", "keys and values"),
        (f"Pulumi.{STACK}.yaml", "environment: [a]", "Pulumi ESC"),
        (f"Pulumi.{STACK}.yaml", "secretsprovider: awskms://x", "awskms"),
        (f"Pulumi.{STACK}.yaml", "encryptionsalt: nonsense", "salt"),
        (f"Pulumi.{STACK}.yaml", "config: {pulumi:autonaming: {mode: verbatim}}", "autonaming"),
    ],
)
def test_broken_files_are_named(embedded: Embedded, workspace: Workspace, file: str, text: str, said: str) -> None:
    workspace.program("""
        a = File("a")
    """)
    workspace.write(file, text)
    refused = embedded("up")
    assert not refused.ok
    assert said in refused.log
    assert workspace.files() == {}


def test_a_plan_of_cloud_resources_needs_no_provider(embedded: Embedded, workspace: Workspace) -> None:
    workspace.program("""
        bucket = pulumi.CustomResource("aws:s3/bucket:Bucket", "b", {"size": 1, "arn": None})
        pulumi.CustomResource("aws:s3/object:Object", "o", {"bucket": bucket.id, "key": pulumi.Output.secret("k")})
        pulumi.export("id", bucket.id)
    """)
    engine = embedded.engine(plan=True)
    plan = engine.preview()
    assert plan.changes == {"create": 3}
    bucket, item = plan.steps[1:]
    # A provider would add a name; a plan says so with one that nobody has.
    named = {"bucket": "b-xxxxxxx", "__defaults": ["bucket"]}
    assert (bucket.type, bucket.inputs) == ("aws:s3/bucket:Bucket", {"size": 1, **named})
    assert item.inputs["key"] == "[secret]"
    assert not workspace.state_file.exists()
    with pytest.raises(EngineError, match="changes nothing"):
        engine.up()


def test_ctrl_c_finishes_the_call_that_has_begun(embedded: Embedded, workspace: Workspace) -> None:
    workspace.program("""
        a = File("a")
        File("b", a.path)
    """)
    workspace.set("hang.create.a")
    process = embedded.start("up")
    workspace.wait_for("hanging.create.a")
    os.kill(process.pid, signal.SIGINT)
    workspace.unset("hang.create.a")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert set(workspace.files()) == {"a"}
    assert "pending_operations" not in workspace.state()
    assert embedded("up").changes == {"create": 1}


def test_a_stale_lock_of_the_cli_is_told_with_what_to_do(embedded: Embedded, workspace: Workspace) -> None:
    workspace.program("""
        a = File("a")
    """)
    folder = workspace.backend / ".pulumi" / "locks" / "organization" / PROJECT / STACK
    folder.mkdir(parents=True)
    lock = {"pid": 4194305, "username": "ann", "hostname": "elsewhere", "timestamp": "2026-01-02T03:04:05Z"}
    (folder / "11111111-2222-3333-4444-555555555555.json").write_text(json.dumps(lock))
    refused = embedded("up")
    assert not refused.ok
    for part in ("pid 4194305", "ann", "elsewhere", "2026-01-02T03:04:05Z", "pulumi cancel", str(folder)):
        assert part in refused.log
    assert workspace.files() == {}
    shutil.rmtree(folder)
    assert embedded("up").ok


def test_no_process_is_left_behind(embedded: Embedded, workspace: Workspace) -> None:
    import psutil

    workspace.program("""
        File("a")
        raise LookupError("x")
    """)
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    embedded("up")
    embedded("refresh")
    after = {child.pid for child in psutil.Process().children(recursive=True)}
    assert after <= before


def test_an_engine_can_be_made_for_a_folder_that_does_not_exist(tmp_path) -> None:
    with pytest.raises(EngineError, match=r"Pulumi\.yaml"):
        EmbeddedEngine(tmp_path, "dev", tmp_path / "state", "x").up()
