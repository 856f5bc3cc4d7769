"""A folder as a cloud, for programs under test: each resource is a file in `cloud/`, each operation a line in its log.

This file is copied beside the program: a provider in a module of the program's own is what people write, and it is
pickled by reference. `cloud/fail.<operation>.<name>` makes an operation fail; while `cloud/hang.<operation>.<name>`
exists it does not end, and `cloud/hanging.<operation>.<name>` says that it has begun.
"""

import json
import pathlib
import time

import pulumi
from pulumi import dynamic

FOLDER = pathlib.Path(__file__).resolve().parent / "cloud"
COMPUTED = ("path", "serial", "token")


class FileProvider(dynamic.ResourceProvider):
    """kind: replaced, the new file first. slot: replaced, the old file first. content: updated."""

    def check(self, olds, news):
        failures = [dynamic.CheckFailure("content", "is forbidden")] if news.get("content") == "forbidden" else []
        return dynamic.CheckResult(news, failures)

    def diff(self, id_, olds, news):
        changed = [key for key in {*olds, *news} - {*COMPUTED, "__provider"} if olds.get(key) != news.get(key)]
        replaces = [key for key in ("kind", "slot", "needs") if key in changed]
        return dynamic.DiffResult(bool(changed), replaces, delete_before_replace="slot" in changed)

    def create(self, props):
        begin("create", props["name"])
        serial = len(list(FOLDER.glob("log.*")))
        path = FOLDER / f"{props['name']}-{serial}.json"
        write(path, props)
        log("create", props["name"])
        return dynamic.CreateResult(
            path.stem, {**props, "path": str(path), "serial": serial, "token": f"t-{path.stem}"}
        )

    def update(self, id_, olds, news):
        begin("update", news["name"])
        write(FOLDER / f"{id_}.json", news)
        log("update", news["name"])
        return dynamic.UpdateResult({**news, **{key: olds[key] for key in COMPUTED}})

    def delete(self, id_, props):
        begin("delete", props["name"])
        (FOLDER / f"{id_}.json").unlink(missing_ok=True)
        log("delete", props["name"])

    def read(self, id_, props):
        path = FOLDER / f"{id_}.json"
        if not path.exists():
            return dynamic.ReadResult("", {})
        return dynamic.ReadResult(id_, {**props, **json.loads(path.read_text())})


class PlainProvider(FileProvider):
    """Leaves it to the engine to compare."""

    def diff(self, id_, olds, news):
        return dynamic.DiffResult()


def begin(operation, name):
    if (FOLDER / f"fail.{operation}.{name}").exists():
        raise RuntimeError(f"the cloud cannot {operation} {name} today")
    hang = FOLDER / f"hang.{operation}.{name}"
    if hang.exists():
        (FOLDER / f"hanging.{operation}.{name}").touch()
        while hang.exists():
            time.sleep(0.02)


def write(path, props):
    path.write_text(json.dumps({key: value for key, value in props.items() if key not in (*COMPUTED, "__provider")}))


def log(operation, name):
    number = len(list(FOLDER.glob("log.*")))
    (FOLDER / f"log.{number:04}.{operation}.{name}").touch()


class File(dynamic.Resource, module="test", name="File"):
    path: pulumi.Output[str]
    serial: pulumi.Output[int]
    token: pulumi.Output[str]

    def __init__(self, name, content="", *, opts=None, provider=FileProvider, **props):
        computed = dict.fromkeys(COMPUTED)
        super().__init__(provider(), name, {"name": name, "content": content, **props, **computed}, opts)


def Plain(name, content, **options):
    return File(name, content, provider=PlainProvider, **options)


class Folder(pulumi.ComponentResource):
    def __init__(self, name, opts=None, child="inner"):
        super().__init__("test:index:Folder", name, {}, opts)
        self.file = File(f"{name}-{child}", "in a folder", opts=pulumi.ResourceOptions(parent=self))
        self.register_outputs({"path": self.file.path})
