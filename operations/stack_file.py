"""The service description of a stack, read as the program will read it, before any engine starts."""

from __future__ import annotations

import json
from functools import lru_cache

from engine.errors import EngineError
from engine.project import Project, load_project
from engine.secrets import Crypter
from operations.errors import OperationError
from operations.workspace import Workspace
from spec.errors import SpecError
from spec.service import ServiceSpec, load_service

#: Config key that holds the whole description.
SERVICE_KEY = "service"


def load_stack_service(workspace: Workspace, stack: str) -> ServiceSpec:
    """The checked service description of ``stack``.

    Raises OperationError where the stack's file is missing or broken, or the description cannot be used.
    """
    if not (workspace.root / f"Pulumi.{stack}.yaml").exists():
        known = sorted(file.name.split(".")[1] for file in workspace.root.glob("Pulumi.*.yaml"))
        raise OperationError(
            f"STACK is {stack!r}, and there is no Pulumi.{stack}.yaml; there are the stacks {', '.join(known)}: "
            f"name one of them, or write Pulumi.{stack}.yaml"
        )
    try:
        project = load_project(workspace.root, stack)

        values, _ = project.config(lambda text: _crypter(workspace, project).decrypt(text))
        described = values.get(f"{project.name}:{SERVICE_KEY}")
        if described is None:
            raise OperationError(
                f"Pulumi.{stack}.yaml holds no {project.name}:{SERVICE_KEY}, so that it describes no service: write it "
                "(docs/service.md). What an account needs once is made by the Pulumi CLI itself (docs/bootstrap.md)"
            )
        return load_service(json.loads(described), stack=stack)
    except (EngineError, SpecError) as error:
        raise OperationError(str(error)) from None


@lru_cache  # deriving the key takes a moment: only where something is encrypted, and once
def _crypter(workspace: Workspace, project: Project) -> Crypter:
    if project.salt is None:
        raise EngineError(f"{project.stack_file} holds encrypted values but no encryptionsalt", changed=False)
    return Crypter(workspace.passphrase(), project.salt)
