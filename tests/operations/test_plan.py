"""Plans of small programs, run for real on the embedded engine; what they say is compared with what was changed.

Not proven here: that a vendor's provider agrees. Whether a change replaces is what the tables say, and those have tests
and sources of their own.
"""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from engine import EmbeddedEngine
from engine.standin import StandIn
from operations.errors import OperationError
from operations.planning import markdown, tree
from operations.planning.model import Page
from operations.planning.run import Against, plan_stacks
from tests.operations.planned import PROGRAM, Folder, kinds, named

SCHEMA = json.loads((Path(tree.__file__).parent / "plan.schema.json").read_text())


def text(page: Page) -> str:
    return "\n".join(line.text for plan in page.plans for line in tree.lines(plan))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder.make(tmp_path / "program")


def snapshot(root: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder, git's own among them, with size and time of its last change."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in root.rglob("*") if path.is_file()}


# -- against nothing -------------------------------------------------------------------------------------------------


def test_everything_is_new_against_nothing(folder: Folder) -> None:
    page = folder.page()
    plan = page.plans[0]
    assert plan.counts == {"create": 4}
    model = named(plan, "model")
    assert model.inputs["primaryContainer"] == {"image": "server:1"}
    assert model.inputs["executionRoleArn"] == {"$unknown": [named(plan, "role").urn]}
    assert "executionRoleArn [from role]" in text(page)
    # The provider will make up a name; nobody can say which, but what it begins with.
    assert named(plan, "store").inputs["bucket"] == "store-xxxxxxx"


def test_a_secret_is_in_no_form_of_a_plan(folder: Folder) -> None:
    folder.program(PROGRAM + '    pulumi.export("token", pulumi.Output.secret("s3cr3t-of-the-program"))\n')
    page = folder.page()
    assert named(page.plans[0], "token").inputs["value"] == {"$secret": True}
    for form in (text(page), markdown.render(page), json.dumps(page.data())):
        assert "s3cr3t" not in form
        assert "made-up-for-a-plan" not in form


def test_components_are_branches(folder: Folder) -> None:
    folder.program("""
        above = pulumi.ComponentResource("test:index:Store", "above")
        make("aws:s3/bucket:Bucket", "below", opts=pulumi.ResourceOptions(parent=above, protect=True))
    """)
    page = folder.page()
    assert page.plans[0].counts == {"create": 1}
    assert "└─ + above  test:index:Store\n   └─ + below  aws:s3:Bucket  (protected)" in text(page)


def test_what_functions_of_a_cloud_answer_is_assumed_and_said(folder: Folder) -> None:
    folder.program("""
        from pulumi.runtime import invoke
        account = invoke("aws:index/getCallerIdentity:getCallerIdentity", {}).value
        make("aws:s3/bucket:Bucket", "store", bucket=f"store-{account['accountId']}")
    """)
    page = folder.page()
    (token,) = page.plans[0].assumed
    assert token == "aws:index/getCallerIdentity:getCallerIdentity"
    assert page.plans[0].assumed[token]["accountId"] in named(page.plans[0], "store").inputs["bucket"]
    assert "assumed" in text(page)


# -- against a revision ----------------------------------------------------------------------------------------------


def test_against_a_revision(folder: Folder) -> None:
    first = folder.commit()
    folder.program("""
        store = make("aws:s3/bucket:Bucket", "store", tags={"team": "serving"})
        role = make("aws:iam/role:Role", "role", assumeRolePolicy="{}")
        make("aws:sagemaker/model:Model", "model", executionRoleArn=role.arn, primaryContainer={"image": "server:2"})
        make("aws:s3/bucketVersioning:BucketVersioning", "history", bucket=store.id)
    """)
    page = folder.page(base="main")
    plan = page.plans[0]
    assert first[:10] in plan.base
    assert kinds(plan) == {"store": "update", "model": "replace", "token": "delete", "history": "create"}
    assert plan.counts == {"replace": 1, "delete": 1, "update": 1, "create": 1, "same": 1}
    (change,) = named(plan, "model").changes
    assert (change.path, change.before, change.after) == ("primaryContainer.image", "server:1", "server:2")
    assert change.effect == "replace"
    assert change.source.startswith("https://registry.terraform.io/")
    assert named(plan, "model").because == ("primaryContainer.image",)
    assert "primaryContainer.image: server:1 → server:2  replaces (https://" in text(page)
    assert "1 unchanged" in text(page)
    jsonschema.validate(page.data(), SCHEMA)


def test_a_change_that_no_table_knows_is_never_an_update(folder: Folder) -> None:
    folder.program('make("aws:made/up:Thing", "thing", size=1)')
    folder.commit()
    folder.program('make("aws:made/up:Thing", "thing", size=2)')
    page = folder.page(base="HEAD")
    assert page.plans[0].counts == {"unknown": 1}
    assert "replacement unknown (no table has a row for aws:made/up:Thing)" in text(page)


def test_what_is_unknown_changes_with_where_it_comes_from(folder: Folder) -> None:
    program = """
        one = make("aws:kms/key:Key", "one", customerMasterKeySpec="{spec}")
        two = make("aws:kms/key:Key", "two")
        make("aws:kms/alias:Alias", "of-one", name="alias/one", targetKeyId=one.arn)
        make("aws:kms/alias:Alias", "of-either", name="alias/either", targetKeyId={which}.arn)
        make("aws:kms/alias:Alias", "of-two", name="alias/two", targetKeyId=two.arn)
    """
    folder.program(program.format(spec="SYMMETRIC_DEFAULT", which="one"))
    folder.commit()
    folder.program(program.format(spec="SYMMETRIC_DEFAULT", which="two"))
    assert kinds(folder.plan(base="HEAD")) == {"of-either": "update"}
    # A replaced key has another ARN, though neither of them is known.
    folder.program(program.format(spec="RSA_2048", which="one"))
    assert kinds(folder.plan(base="HEAD")) == {"one": "replace", "of-one": "update", "of-either": "update"}


def test_a_made_up_name_changes_with_its_replacement(folder: Folder) -> None:
    program = """
        settings = make("aws:sagemaker/endpointConfiguration:EndpointConfiguration", "settings", productionVariants=[
            {{"modelName": "m", "initialInstanceCount": {count}}}], name=None)
        make("aws:sagemaker/endpoint:Endpoint", "endpoint", endpointConfigName=settings.name)
    """
    folder.program(program.format(count=1))
    folder.commit()
    folder.program(program.format(count=2))
    assert kinds(folder.plan(base="HEAD")) == {"settings": "replace", "endpoint": "update"}


def test_a_stack_that_the_revision_does_not_have_is_new(folder: Folder) -> None:
    folder.commit()
    folder.configure(stack="other")
    plan = folder.page("other", base="HEAD").plans[0]
    assert plan.counts == {"create": 4}
    assert plan.notes == ("HEAD has no stack 'other': everything in it is new",)


def test_ignored_files_are_there_for_the_revision_too(folder: Folder) -> None:
    (folder.root / ".gitignore").write_text("/models/\n")
    (folder.root / "models").mkdir()
    (folder.root / "models" / "release").write_text("7")
    folder.program('make("aws:s3/bucket:Bucket", "store", tags={"r": open("models/release").read()})')
    folder.commit()
    assert kinds(folder.plan(base="HEAD")) == {}


def test_a_plan_writes_nothing_into_the_working_tree(folder: Folder) -> None:
    (folder.root / "helper.py").write_text("TAG = 'ml'\n")
    folder.program('import helper\nmake("aws:s3/bucket:Bucket", "store", tags={"team": helper.TAG})')
    folder.commit()
    before = snapshot(folder.root)
    assert folder.plan(base="HEAD").unchanged
    assert snapshot(folder.root) == before


# -- against a state -------------------------------------------------------------------------------------------------


@pytest.fixture(params=["file of the backend", "export"])
def state(request: pytest.FixtureRequest, folder: Folder, tmp_path: Path) -> Path:
    """The state after an `up` of the folder's program on the stand-in cloud, in either form."""
    backend = tmp_path / "backend"
    backend.mkdir()
    # The secret of the config cannot be read without its passphrase, so `up` gets one in clear.
    folder.program(PROGRAM.replace('config.require_secret("token")', 'pulumi.Output.secret("real")'))
    with StandIn(tmp_path / "cloud.json", ["aws"]) as stand_in:
        (folder.root / "Pulumi.test.yaml").write_text("config: {}")
        EmbeddedEngine(folder.root, "test", backend, "passphrase", providers=stand_in.providers).up()
    folder.configure()
    file = backend / ".pulumi" / "stacks" / "planned" / "test.json"
    if request.param == "export":
        content = json.loads(file.read_text())
        export = tmp_path / "export.json"
        export.write_text(json.dumps({"version": 3, "deployment": content["checkpoint"]["latest"]}))
        return export
    return file


def test_against_a_state(folder: Folder, state: Path) -> None:
    assert "real" not in state.read_text()
    # Its secrets are closed, and the config's is another one: neither is a change.
    assert folder.plan(state=state).counts == {"same": 4}
    folder.program("""
        store = make("aws:s3/bucket:Bucket", "store", tags={"team": "serving"})
        role = make("aws:iam/role:Role", "role", path="/elsewhere/", assumeRolePolicy="{}")
        make("aws:sagemaker/model:Model", "model", executionRoleArn=role.arn, primaryContainer={"image": "server:1"})
    """)
    page = folder.page(state=state)
    assert kinds(page.plans[0]) == {"store": "update", "role": "replace", "model": "replace", "token": "delete"}
    (change,) = named(page.plans[0], "model").changes
    assert change.before.startswith("arn:aws:iam::")
    assert change.after == {"$unknown": [named(page.plans[0], "role").urn]}
    assert "real" not in text(page) + json.dumps(page.data())
    jsonschema.validate(page.data(), SCHEMA)


# -- several stacks, forms -------------------------------------------------------------------------------------------


def test_several_stacks_are_one_page_and_one_that_fails_spoils_no_other(tmp_path: Path) -> None:
    body = """
        if pulumi.get_stack() == "b":
            raise ValueError("no such place")
        make("aws:s3/bucket:Bucket", "store")
    """
    page = Folder.make(tmp_path / "program", body, "a", "b").page("a", "b")
    good, bad = page.plans
    assert good.counts == {"create": 1}
    assert page.failed
    (error,) = bad.errors
    # File, line and the exception; nothing of the runner or the SDK.
    assert '__main__.py", line 11, in <module>' in error
    assert error.endswith("ValueError: no such place")
    assert "runpy" not in error
    assert "/engine/" not in error
    jsonschema.validate(page.data(), SCHEMA)
    shown = markdown.render(page)
    assert "| `a` | nothing | 1 |" in shown
    assert "| `b` | nothing | no plan |" in shown


def test_markdown_says_first_what_is_dangerous(folder: Folder) -> None:
    folder.commit()
    folder.program(PROGRAM.replace("server:1", "server:2 | ``` @somebody"))
    shown = markdown.render(folder.page(base="HEAD"))
    head, details = shown.split("<details>")
    assert head.index("| replace |") < head.index("[`primaryContainer.image`](https://registry.terraform.io/")
    assert "| `test` | `model` aws:sagemaker:Model | replaced |" in head
    # What a value holds cannot end the block it is shown in.
    fence = details.split("\n\n")[1].split("diff")[0]
    assert fence == "````"
    assert details.rstrip().endswith(f"{fence}\n\n</details>")


def test_markdown_fits_into_a_comment(folder: Folder) -> None:
    folder.program(
        'for n in range(700):\n    make("aws:s3/bucket:Bucket", f"store-{n}-{"x" * 60}")'.replace('"x"', "'x'")
    )
    shown = markdown.render(folder.page())
    assert len(shown) < 65_536
    assert "make plan STACK=test" in shown


# -- bad input -------------------------------------------------------------------------------------------------------


def test_what_cannot_be_planned_is_named(folder: Folder, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    urn = "urn:pulumi:{}::{}::aws:s3/bucket:Bucket::b"

    def state_of(stack: str, project: str) -> Path:
        entry = {"urn": urn.format(stack, project), "type": "aws:s3/bucket:Bucket", "custom": True}
        other.write_text(json.dumps({"version": 3, "deployment": {"resources": [entry]}}))
        return other

    one = ["test"]
    for stacks, against, said in (
        (["nope"], Against(), r"STACK is 'nope'.*there are the stacks test"),
        ([], Against(), "STACK is empty"),
        (one, Against("HEAD"), "in no git repository"),
        (one, Against(state=tmp_path / "none"), "STATE is .*which is no file"),
        (one, Against(state=folder.root / "__main__.py"), "it is not JSON"),
        (one, Against(state=folder.root / "Pulumi.yaml"), "holds no deployment and no checkpoint"),
        (one, Against(state=state_of("test", "elsewhere")), "state of the project 'elsewhere', not of 'planned'"),
        (one, Against("HEAD", other), "BASE and STATE are both given"),
        (["test", "more"], Against(state=other), "STATE is the state of one stack, and STACK names 2"),
    ):
        with pytest.raises(OperationError, match=said):
            plan_stacks(folder.root, stacks, against)
    with pytest.raises(OperationError, match="state of the stack 'prod'; the plan is for 'test'"):
        folder.page(state=state_of("prod", "planned"))
    folder.commit()
    for wrong in ("no-such-branch", "--output=x", "HEAD:Pulumi.yaml"):
        with pytest.raises(OperationError, match="which is no commit"):
            folder.page(base=wrong)
    with pytest.raises(OperationError, match=r"has no Pulumi\.yaml"):
        Folder(tmp_path).page()
