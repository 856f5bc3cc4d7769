"""What must exist once per account before any service: state, and identities for GitHub's workflows.

One function per cloud, of one shape: `(spec) -> exports`.
"""

from __future__ import annotations

import importlib
from typing import Any

import pulumi

from spec.bootstrap import ROOT, BootstrapSpec
from spec.errors import Problem, SpecError, path, shown


def deploy(spec: BootstrapSpec) -> dict[str, Any]:
    """Everything that the account needs; returns what the stack exports. Raises SpecError."""
    stack = pulumi.get_stack()
    for name, environment in spec.environments.items():
        if stack in environment.stacks:
            field = path(("environments", name, "stacks", environment.stacks.index(stack)), root=ROOT)
            allowed = "stacks of services; this one decides what its environments may do"
            raise SpecError([Problem(field, shown(stack), allowed, "Remove it.")], "the bootstrap's description")
    return importlib.import_module(f"stacks.bootstrap_{spec.cloud}").deploy(spec)
