"""What a resource type takes and gives, read from the Python SDK that is installed beside the program.

The SDKs are generated, one file per resource, all in the same form; reading that text is a hundred times cheaper
than importing the class (``pulumi_gcp.compute`` alone takes 0.7 s and 60 MB), and a program that uses a type has its
SDK. Where the SDK is absent there is no shape, and the type is played by echoing its inputs.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Shape:
    """inputs, required: wire names of arguments. outputs: wire name → kind, for what every answer holds.

    A kind is ``str``, ``bool``, ``int``, ``float``, ``list``, ``map`` or ``object``. ``optional`` are outputs that an
    answer may leave out.
    """

    inputs: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    outputs: dict[str, str] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()


def distribution(package: str) -> str:
    """Python module of a package's SDK: ``azure-native`` → ``pulumi_azure_native``."""
    return "pulumi_" + package.replace("-", "_")


def installed_version(package: str) -> str | None:
    """Version of the SDK in this environment, None where there is none."""
    try:
        return importlib.metadata.version(distribution(package))
    except importlib.metadata.PackageNotFoundError:
        return None


@functools.cache
def shape(token: str) -> Shape | None:
    """The shape of a resource type, None where no SDK in this environment has it."""
    source = _source(token)
    if source is None:
        return None
    text, name = source
    # A class that the API's own types also have a use for is called …InitArgs where it is constructed.
    args = _class_text(text, f"{name}InitArgs") or _class_text(text, f"{name}Args")
    body = _class_text(text, name)
    if not body:
        return None
    named = dict(_getter_names(args))
    required: set[str] = {named.get(str(py), str(py)) for py in re.findall(r"Missing required property '(\w+)'", body)}
    outputs: dict[str, str] = {}
    optional: set[str] = set()
    for wire, py, annotation in _OUTPUT.findall(body):
        kind = _kind(annotation)
        if kind is None:
            optional.add(wire or py)
        else:
            outputs[wire or py] = kind
    return Shape(frozenset(named.values()), frozenset(required), outputs, frozenset(optional))


_OUTPUT = re.compile(
    r'@pulumi\.getter(?:\(name="(\w+)"\))?\n(?: +@[^\n]+\n)* +def (\w+)\(self\) -> pulumi\.Output\[(.*)\]:\n'
)
_GETTER = re.compile(r'@pulumi\.getter(?:\(name="(\w+)"\))?\n(?: +@[^\n]+\n)* +def (\w+)\(self\)')


def _getter_names(text: str) -> list[tuple[str, str]]:
    return [(py, wire or py) for wire, py in _GETTER.findall(text)]


def _kind(annotation: str) -> str | None:
    if annotation.startswith("Optional["):
        return None
    for start, kind in (
        ("_builtins.str", "str"),
        ("_builtins.bool", "bool"),
        ("_builtins.int", "int"),
        ("_builtins.float", "float"),
        ("Sequence[", "list"),
        ("Mapping[", "map"),
    ):
        if annotation.startswith(start):
            return kind
    return "object" if "outputs." in annotation else "str"


def _class_text(text: str, name: str) -> str:
    start = re.search(rf"^class {re.escape(name)}\b", text, re.MULTILINE)
    if not start:
        return ""
    end = re.search(r"^(?:class |@pulumi\.)", text[start.end() :], re.MULTILINE)
    return text[start.start() : start.end() + end.start()] if end else text[start.start() :]


def _source(token: str) -> tuple[str, str] | None:
    file = source_file(token)
    return (file.read_text(), token.split(":")[2]) if file else None


def source_file(token: str) -> Path | None:
    """The SDK's file that describes a resource type, None where no SDK in this environment has it."""
    try:
        package, module, name = token.split(":")
    except ValueError:
        return None
    root = _root(distribution(package))
    if root is None:
        return None
    # aws:s3/bucket:Bucket has the file's name after the slash; kubernetes:apps/v1:Deployment a version.
    folders = [module] if package in ("kubernetes", "azure-native") else [module.split("/")[0]]
    for folder in folders:
        where = root if folder == "index" else root.joinpath(*_module_parts(package, folder))
        for candidate in (where, where.with_name(where.name + "_")):
            found = _files(candidate).get(_squeezed(name))
            if found is not None:
                return found
    return None


def _module_parts(package: str, folder: str) -> list[str]:
    if package != "kubernetes":
        return [folder.replace("-", "_")]
    # kubernetes:rbac.authorization.k8s.io/v1:Role lives in rbac/v1
    group, _, version = folder.partition("/")
    return [group.split(".")[0], version] if version else [group]


@functools.cache
def _files(folder: Path) -> dict[str, Path]:
    return {_squeezed(path.stem): path for path in folder.glob("*.py")} if folder.is_dir() else {}


def _squeezed(name: str) -> str:
    return name.replace("_", "").lower()


@functools.cache
def _root(module: str) -> Path | None:
    spec = importlib.util.find_spec(module)
    return Path(spec.origin).parent if spec and spec.origin else None
