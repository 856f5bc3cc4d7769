"""The life of resources, on both engines: what is done, in which order, and what state and cloud hold after it.

It shows nothing about cloud providers: every resource here is a file, managed by a real dynamic provider.
"""

from __future__ import annotations

from tests.engine.drivers import Driver, Workspace


def test_create_no_op_update_and_delete(engine: Driver, workspace: Workspace) -> None:
    workspace.program("""
        a = File("a", "one")
        File("b", a.path.apply(lambda path: "after a"), kind="x")
    """)
    assert engine("preview").changes == {"create": 3}
    assert workspace.files() == {}
    assert engine("up").changes == {"create": 3}
    assert workspace.files() == {"a": "one", "b": "after a"}
    assert workspace.journal() == ["create a", "create b"]

    state = workspace.state_file.read_text()
    assert engine("preview").changes == {}
    assert engine("up").changes == {}
    if engine.name == "embedded":
        assert workspace.state_file.read_text() == state, "an `up` that changes nothing writes nothing"

    workspace.program("""
        a = File("a", "two")
        File("b", a.path.apply(lambda path: "after a"), kind="x")
    """)
    # A dynamic provider is not asked what an update will give, so b might change too; `up` knows better.
    assert engine("preview").changes == {"update": 2}
    assert engine("up").changes == {"update": 1}
    assert workspace.files() == {"a": "two", "b": "after a"}

    workspace.program("""
        a = File("a", "two")
    """)
    assert engine("up").changes == {"delete": 1}
    assert workspace.files() == {"a": "two"}
    assert engine("destroy").changes == {"delete": 2}
    assert workspace.resources() == []
    assert workspace.journal()[2:] == ["update a", "delete b", "delete a"]


def test_a_replacement_is_made_before_the_old_one_goes(engine: Driver, workspace: Workspace) -> None:
    program = """
        a = File("a", "one", kind="{kind}")
        File("b", a.token)
    """
    workspace.program(program.format(kind="x"))
    engine("up")
    old_id = _id(workspace, "a")
    workspace.program(program.format(kind="y"))
    assert engine("preview").changes == {"replace": 1, "update": 1}
    assert engine("up").changes == {"replace": 1, "update": 1}
    assert workspace.journal()[2:] == ["create a", "update b", "delete a"]
    assert _id(workspace, "a") != old_id
    assert len(list(workspace.cloud.glob("a-*.json"))) == 1
    assert workspace.files()["b"] == f"t-{_id(workspace, 'a')}"


def test_delete_before_replace_takes_dependents_along(engine: Driver, workspace: Workspace) -> None:
    # c must be replaced when its `needs` changes; b is only updated when its content does; d hangs on c.
    program = """
        a = File("a", "one", slot="{slot}")
        b = File("b", a.token)
        c = File("c", "one", needs=a.token)
        File("d", "one", needs=c.token)
    """
    workspace.program(program.format(slot="x"))
    engine("up")
    workspace.program(program.format(slot="y"))
    assert engine("preview").changes == {"replace": 3, "update": 1}
    assert engine("up").changes == {"replace": 3, "update": 1}
    done = workspace.journal()[4:]
    assert done[:4] == ["delete d", "delete c", "delete a", "create a"]
    assert sorted(done[4:]) == ["create c", "create d", "update b"]
    assert done.index("create c") < done.index("create d")
    assert engine("preview").changes == {}


def test_an_option_of_the_program_decides_the_order_of_a_replacement(engine: Driver, workspace: Workspace) -> None:
    program = """
        File("a", kind="{kind}", opts=pulumi.ResourceOptions(delete_before_replace=True))
        File("b", slot="{kind}", opts=pulumi.ResourceOptions(delete_before_replace=False))
        Plain("c", "{kind}", opts=pulumi.ResourceOptions(replace_on_changes=["content"]))
    """
    workspace.program(program.format(kind="x"))
    engine("up")
    workspace.program(program.format(kind="y"))
    assert engine("up").changes == {"replace": 3}
    done = workspace.journal()[3:]
    assert done.index("delete a") < done.index("create a")
    assert done.index("create b") < done.index("delete b")
    assert done.index("create c") < done.index("delete c")


def test_deletes_go_in_reverse_order_of_dependency(engine: Driver, workspace: Workspace) -> None:
    workspace.program("""
        a = File("a")
        b = File("b", a.path)
        c = File("c", opts=pulumi.ResourceOptions(depends_on=[b]))
        e = File("e", opts=pulumi.ResourceOptions(depends_on=[a], deleted_with=a))
        folder = Folder("d", opts=pulumi.ResourceOptions(depends_on=[c]))
    """)
    engine("up")
    assert engine("destroy").ok
    deleted = [line.removeprefix("delete ") for line in workspace.journal() if line.startswith("delete")]
    # e goes with a: its provider is not asked.
    assert deleted == ["d-inner", "c", "b", "a"]
    assert workspace.resources() == []


def test_renamed_resources_and_their_children_stay(engine: Driver, workspace: Workspace) -> None:
    workspace.program("""
        File("a", "one")
        b = File("b", "two")
        File("c", b.path)
        Folder("old")
        File("moved", "three")
    """)
    engine("up")
    before = workspace.journal()
    # By name, by URN, a child by the prefix of its parent's name, and by a former parent.
    workspace.program("""
        File("a2", "one", opts=pulumi.ResourceOptions(aliases=[pulumi.Alias(name="a")], ignore_changes=["name"]))
        urn = "urn:pulumi:test::files::pulumi-python:dynamic/test:File::b"
        b = File("b2", "two", opts=pulumi.ResourceOptions(aliases=[urn], ignore_changes=["name"]))
        File("c", b.path)
        folder = Folder("new", child="inner", opts=pulumi.ResourceOptions(aliases=[pulumi.Alias(name="old")]))
        opts = pulumi.ResourceOptions(parent=folder, aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)])
        File("moved", "three", opts=opts)
    """)
    # The child's own property `name` follows its URN's name here, and that is an update.
    assert engine("up").changes == {"update": 1}
    assert workspace.journal()[len(before) :] == ["update new-inner"]
    assert workspace.urns() == [
        "urn:pulumi:test::files::pulumi-python:dynamic/test:File::a2",
        "urn:pulumi:test::files::pulumi-python:dynamic/test:File::b2",
        "urn:pulumi:test::files::pulumi-python:dynamic/test:File::c",
        "urn:pulumi:test::files::pulumi:pulumi:Stack::files-test",
        "urn:pulumi:test::files::test:index:Folder$pulumi-python:dynamic/test:File::moved",
        "urn:pulumi:test::files::test:index:Folder$pulumi-python:dynamic/test:File::new-inner",
        "urn:pulumi:test::files::test:index:Folder::new",
    ]


def test_protected_resources_are_not_deleted_or_replaced(engine: Driver, workspace: Workspace) -> None:
    workspace.program("""
        File("a", kind="x", opts=pulumi.ResourceOptions(protect=True))
        File("b")
    """)
    engine("up")
    assert not engine("destroy").ok
    workspace.program("""
        File("a", kind="y", opts=pulumi.ResourceOptions(protect=True))
        File("b")
    """)
    refused = engine("up")
    assert not refused.ok
    assert "protect" in refused.log
    workspace.program("""
        File("b")
    """)
    refused = engine("up")
    assert not refused.ok
    assert "protect" in refused.log
    assert "a" in workspace.files()
    workspace.program("""
        File("a", kind="x")
        File("b")
    """)
    assert engine("up").ok
    assert engine("destroy").ok
    assert workspace.files() == {}


def test_retained_resources_leave_the_state_alone(engine: Driver, workspace: Workspace) -> None:
    workspace.program("""
        File("a", "one", kind="x", opts=pulumi.ResourceOptions(retain_on_delete=True))
        Folder("f", opts=pulumi.ResourceOptions(retain_on_delete=True))
        File("b")
    """)
    engine("up")
    workspace.program("""
        File("b")
    """)
    assert engine("up").changes == {"delete": 3}
    assert set(workspace.files()) == {"a", "b", "f-inner"}
    assert [urn.rsplit("::", 1)[1] for urn in workspace.urns()] == ["b", "files-test"]


def test_ignored_changes_change_nothing(engine: Driver, workspace: Workspace) -> None:
    program = """
        File("a", "{content}", extra="{content}", opts=pulumi.ResourceOptions(ignore_changes=["content"]))
    """
    workspace.program(program.format(content="one"))
    engine("up")
    workspace.program(program.format(content="two"))
    assert engine("up").changes == {"update": 1}
    assert workspace.files() == {"a": "one"}
    assert engine("up").changes == {}


def test_refresh_sees_drift_and_up_mends_what_is_gone(engine: Driver, workspace: Workspace) -> None:
    workspace.program("""
        a = File("a", "one")
        File("b", a.path)
        File("c", "stays")
        pulumi.export("content", a.content if hasattr(a, "content") else "none")
    """)
    engine("up")
    assert engine("refresh").changes == {}
    path = next(workspace.cloud.glob("c-*.json"))
    path.write_text(path.read_text().replace("stays", "drifted"))
    next(workspace.cloud.glob("a-*.json")).unlink()
    assert engine("refresh").changes == {"update": 1, "delete": 1}
    c = next(resource for resource in workspace.resources() if resource["urn"].endswith("::c"))
    assert c["outputs"]["content"] == "drifted"
    assert c["inputs"]["content"] == "stays"
    assert not [urn for urn in workspace.urns() if urn.endswith("::a")]
    # a comes anew, and b follows its new path; c's provider compares with what is there.
    assert engine("up").changes == {"create": 1, "update": 2}
    assert workspace.files()["c"] == "stays"


def test_components_nest_and_have_the_urns_of_the_cli(engine: Driver, workspace: Workspace) -> None:
    workspace.program("""
        class Shelf(pulumi.ComponentResource):
            def __init__(self, name):
                super().__init__("test:index:Shelf", name, {"size": 2})
                inner = Folder(f"{name}-folder", opts=pulumi.ResourceOptions(parent=self))
                File(f"{name}-child", opts=pulumi.ResourceOptions(parent=inner.file))
                self.register_outputs({"path": inner.file.path})
        Shelf("shelf")
    """)
    assert engine("up").changes == {"create": 5}
    shelf = "urn:pulumi:test::files::test:index:Shelf"
    file = "pulumi-python:dynamic/test:File"
    assert workspace.urns() == [
        "urn:pulumi:test::files::pulumi:pulumi:Stack::files-test",
        f"{shelf}$test:index:Folder${file}${file}::shelf-child",
        f"{shelf}$test:index:Folder${file}::shelf-folder-inner",
        f"{shelf}$test:index:Folder::shelf-folder",
        f"{shelf}::shelf",
    ]
    outputs = next(resource for resource in workspace.resources() if resource["urn"] == f"{shelf}::shelf")["outputs"]
    assert outputs["path"].endswith(".json")


def _id(workspace: Workspace, name: str) -> str:
    return next(resource["id"] for resource in workspace.resources() if resource["urn"].endswith(f"::{name}"))
