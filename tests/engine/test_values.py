"""Outputs, config and secrets, on both engines."""

from __future__ import annotations

import pytest

from engine.secrets import Crypter
from tests.engine.drivers import PASSPHRASE, SALT, Driver, Workspace


def test_outputs(engine: Driver, workspace: Workspace) -> None:
    workspace.program("""
        a = File("a", "one")
        pulumi.export("token", a.token)
        pulumi.export("numbers", [1, 2.5, True, {"deep": a.serial}])
    """)
    engine("up")
    assert engine.outputs() == {"token": "t-a-0", "numbers": [1, 2.5, True, {"deep": 0}]}
    workspace.program("""
        a = File("a", "one")
        pulumi.export("other", "x")
    """)
    engine("up")
    assert engine.outputs() == {"other": "x"}


@pytest.mark.parametrize("salted", [True, False], ids=["salt in the stack's file", "no salt"])
def test_secrets_are_never_in_clear(engine: Driver, workspace: Workspace, salted: bool) -> None:
    if not salted:
        workspace.salt = None
    config = {"password": {"secure": Crypter(PASSPHRASE, SALT).encrypt("hunter2")}} if salted else {}
    workspace.write_config(**config)
    workspace.program("""
        password = pulumi.Config().get_secret("password") or pulumi.Output.secret("hunter2")
        a = File("a", password)
        b = File("b", "one", opts=pulumi.ResourceOptions(additional_secret_outputs=["token"]))
        c = File("c", a.content if hasattr(a, "content") else password, nested={"deep": [password]})
        pulumi.export("password", password)
        pulumi.export("token", b.token)
        pulumi.export("plain", a.serial)
        raise_me = pulumi.Output.all(password, b.token).apply(lambda values: None)
    """)
    up = engine("up")
    assert up.ok, up.log
    assert workspace.files()["a"] == "hunter2"
    token = f"t-{next(workspace.cloud.glob('b-*.json')).stem}"
    for text in (workspace.state_file.read_text(), up.log, engine("preview").log):
        assert "hunter2" not in text
        assert token not in text
    outputs = engine.outputs()
    assert outputs["password"] == outputs["token"] == "[secret]"
    assert engine.outputs(show_secrets=True)["password"] == "hunter2"

    # A change, a failure and a refresh do not show them either.
    workspace.program("""
        password = pulumi.Config().get_secret("password") or pulumi.Output.secret("hunter2")
        a = File("a", password.apply(lambda text: text + "!"))
    """)
    workspace.set("fail.update.a")
    logs = [engine("preview").log, engine("up").log]
    path = next(workspace.cloud.glob("a-*.json"))
    path.write_text(path.read_text().replace("hunter2", "hunter2 drifted"))
    logs.append(engine("refresh").log)
    for text in (*logs, workspace.state_file.read_text()):
        assert "hunter2" not in text


def test_config_has_the_project_s_defaults_and_types(engine: Driver, workspace: Workspace) -> None:
    import json
    import sys

    project = {
        "name": "files",
        "runtime": {"name": "python", "options": {"virtualenv": sys.prefix}},
        "config": {
            "greeting": {"type": "string", "default": "hello"},
            "count": {"type": "integer", "default": 3},
            "size": {"type": "integer"},
            "names": {"type": "array", "items": {"type": "string"}},
            "shape": {"type": "object"},
        },
    }
    workspace.write("Pulumi.yaml", json.dumps(project))
    workspace.write_config(size=5, names=["a", "b"], shape={"z": 1, "a": [True, None, 1.5]})
    workspace.program("""
        config = pulumi.Config()
        pulumi.export("greeting", config.require("greeting"))
        pulumi.export("sum", config.require_int("count") + config.require_int("size"))
        pulumi.export("names", config.require_object("names"))
        pulumi.export("shape", config.require_object("shape"))
        File("a")
    """)
    up = engine("up")
    assert up.ok, up.log
    shape = {"z": 1, "a": [True, None, 1.5]}
    assert engine.outputs() == {"greeting": "hello", "sum": 8, "names": ["a", "b"], "shape": shape}

    for wrong, said in (({"size": "big"}, "size"), ({"size": 1, "names": [[1]]}, "names"), ({}, "size")):
        workspace.write_config(**{"names": ["a"], "shape": {}, **wrong})
        refused = engine("up")
        assert not refused.ok
        assert said in refused.log
    assert engine.outputs()["sum"] == 8


def test_what_the_program_prints_and_logs_reaches_the_user(engine: Driver, workspace: Workspace) -> None:
    workspace.program("""
        import sys
        print("to the output")
        print("to the errors", file=sys.stderr)
        pulumi.log.info("an information")
        pulumi.log.warn("a warning")
        pulumi.log.debug("a detail")
    """)
    up = engine("up")
    assert up.ok
    for text in ("to the output", "to the errors", "an information", "a warning"):
        assert text in up.log
    assert "a detail" not in up.log
