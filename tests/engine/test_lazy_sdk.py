"""SDK modules loaded piece by piece offer what they offer when loaded whole; each way in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import engine

LAZY = Path(engine.__file__).with_name("lazy_sdk.py")
#: Small modules of each SDK; `pulumi_gcp.kms` has resources and functions, `core.v1` lists and patches.
MODULES = ("pulumi_aws.kms", "pulumi_gcp.kms", "pulumi_azure_native.managedidentity", "pulumi_kubernetes.core.v1")
CODE = """
import importlib, json, runpy, sys
lazy, *modules = sys.argv[1:]
if lazy:
    runpy.run_path(lazy)["install"]()
found = {}
for name in modules:
    module = importlib.import_module(name)
    hasattr(module, "any")  # the SDK's own laziness ends here
    loaded = sum(other.startswith(name + ".") for other in sys.modules)
    whole = {one: getattr(module, one) for one in dir(module) if not one.startswith("_")}
    told = {one: f"{it.__module__}.{it.__qualname__}" for one, it in whole.items() if hasattr(it, "__qualname__")}
    found[name] = {"told": told, "loaded": loaded}
print(json.dumps(found))
"""


def names(lazy: str) -> dict[str, dict[str, dict[str, str]]]:
    command = [sys.executable, "-W", "ignore", "-c", CODE, lazy, *MODULES]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_every_name_is_there_and_the_same() -> None:
    lazy, whole = names(str(LAZY)), names("")
    for module in MODULES:
        assert lazy[module]["told"] == whole[module]["told"], module
        assert lazy[module]["told"]
        # What is measured elsewhere: that importing the module alone loads hardly anything of it.
        assert lazy[module]["loaded"] == 0
        assert whole[module]["loaded"]


def test_what_is_not_there_is_said_as_ever() -> None:
    code = "import runpy, sys; runpy.run_path(sys.argv[1])['install']()\nimport pulumi_aws\npulumi_aws.kms.Kee"
    done = subprocess.run([sys.executable, "-c", code, str(LAZY)], check=False, capture_output=True, text=True)
    assert "AttributeError: module 'pulumi_aws.kms' has no attribute 'Kee'" in done.stderr


def test_a_name_imported_directly_is_the_resource() -> None:
    code = (
        "import runpy, sys; runpy.run_path(sys.argv[1])['install']()\n"
        "from pulumi_aws.kms import Key, get_key\nimport pulumi_aws.kms.get_alias\nimport pulumi_aws as aws\n"
        "assert aws.kms.Key is Key and callable(get_key) and callable(aws.kms.get_alias)\n"
        "from pulumi_aws.kms import *\nassert Alias is aws.kms.Alias"
    )
    done = subprocess.run([sys.executable, "-c", code, str(LAZY)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
