"""`make manifests`: the model service on a cluster as plain YAML, for `kubectl apply` in place of Pulumi."""

from __future__ import annotations

from pathlib import Path

import pulumi
import yaml
from rich.console import Console

from operations.errors import OperationError
from operations.stack_file import load_stack_service
from operations.workspace import Workspace
from spec.capabilities import check_capabilities
from spec.errors import SpecError
from spec.release import Release, ReleaseError, resolve, verify
from spec.service import ServiceSpec
from spec.targets import KUBERNETES_TARGETS

#: What the service stands on is applied first.
RESOURCES, DEPLOYMENT = "resources.yaml", "deployment.yaml"


def write(workspace: Workspace, stack: str, folder: Path) -> tuple[Path, Path]:
    """Write both files of a stack into the folder; their paths.

    Raises OperationError with everything that is wrong with the description: nothing is written then.
    """
    from components.kubernetes import manifests
    from components.kubernetes.service import checked
    from stacks.kubernetes_args import service_args
    from stacks.kubernetes_checks import problems, release_problems

    service = load_stack_service(workspace, stack)
    try:
        check_capabilities(service)
        index = _place(service, stack)
        release, canary = _releases(workspace, service)
    except (SpecError, ReleaseError) as error:
        raise OperationError(str(error)) from None
    found = [*problems(service, index, stack), *release_problems(service, release, canary)]
    if found:
        raise OperationError(str(SpecError(found)))
    args = service_args(service, service.deploy_to[index], stack, release, canary)
    try:
        checked(args)
    except pulumi.RunError as error:
        raise OperationError(str(error)) from None
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / RESOURCES, folder / DEPLOYMENT
    head = f"# Written by `make manifests STACK={stack}` from Pulumi.{stack}.yaml; do not edit.\n"
    token = ""
    if args.needs_token:
        token = (
            f"# Before {DEPLOYMENT}, the token that callers show:\n"
            f"#   kubectl --namespace {args.namespace} create secret generic {args.name}-token "
            "--from-literal=token=$(openssl rand -hex 32)\n"
        )
    files[0].write_text(head + token + as_yaml(manifests.resources(args)))
    files[1].write_text(head + as_yaml(manifests.deployment(args)))
    return files


def as_yaml(objects: list[dict[str, object]]) -> str:
    """Several documents in one file."""
    return "".join("---\n" + yaml.safe_dump(one, sort_keys=False, width=118) for one in objects)


def write_and_tell(workspace: Workspace, stack: str, folder: Path) -> None:
    """Write the files, and say what to do with them."""
    console = Console(soft_wrap=True, highlight=False)
    resources, deployment = write(workspace, stack, folder)
    console.print(f"kubectl apply --server-side -f {resources}\nkubectl apply --server-side -f {deployment}")


def _place(service: ServiceSpec, stack: str) -> int:
    here = [index for index, where in enumerate(service.deploy_to) if where.target in KUBERNETES_TARGETS]
    if len(here) != 1 or service.deploy_to[here[0]].cloud != "local":
        known = ", ".join(where.name for where in service.deploy_to)
        raise OperationError(
            f"STACK is {stack!r}, which deploys to {known}; allowed is a stack with one place on target kubernetes of "
            "cloud local, such as kubernetes: name one"
        )
    return here[0]


def _releases(workspace: Workspace, service: ServiceSpec) -> tuple[Release, Release | None]:
    models = workspace.root / "models"
    release = resolve(models, service.release)
    canary = resolve(models, service.canary.release) if service.canary is not None else None
    for one in filter(None, (release, canary)):
        verify(one.path)
    return release, canary
