"""The model service as a container of the serving image on this machine, as limited as a cloud would run it.

Owns one container. Does not own the release it serves (see `store`) nor the image (see `components.image`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pulumi
from pulumi import dynamic

from components.local import containers, processes
from components.local.service import LOOPBACK
from spec import contracts

#: Where the container sees the release.
RELEASE_MOUNT = "/release"
#: What the server takes before any release, in MiB, with room above what `python -m benchmarks.image_start` measures
#: (docs/image.md); and how often a release's files are in memory while it is loaded.
SERVER_MIB, COPIES = 110, 2


@dataclass(frozen=True)
class ContainerServiceArgs:
    """What to run and how.

    image: reference by digest, or id of an image. archive: what is loaded where the engine does not have the image;
    None: it is pulled. model_uri: `file://` URI of one release's folder on this machine. model: name under which
    clients ask for it. port: TCP port on the loopback address. stack: part of the container's name. root: the working
    tree, which the container is known to belong to. cpu: cores. memory_gib: memory. settings: further environment
    variables of the server.
    """

    image: str
    archive: Path | None
    model_uri: pulumi.Input[str]
    model: str
    port: int
    stack: str
    root: Path
    cpu: float
    memory_gib: float
    settings: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)


class ContainerService(pulumi.ComponentResource):
    """A container that is ready when this resource is created.

    url: base address of the server. invoke: how to call it: method, url, headers. grants: what it needs from an
    identity; nothing on this machine. container: its name, for people (`docker logs`).
    """

    url: pulumi.Output[str]
    invoke: pulumi.Output[dict[str, Any]]
    grants: Sequence[Any] = ()
    container: pulumi.Output[str]

    def __init__(self, name: str, args: ContainerServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:local:ContainerService", name, {}, opts)
        self.server = ServerContainer(
            f"{name}-container",
            image=args.image,
            archive=str(args.archive) if args.archive else None,
            name_of_container=container_name(args.stack, name, args.port),
            owner=owner(args.root, args.stack),
            settings={
                **args.settings,
                contracts.MODEL_URI: f"file://{RELEASE_MOUNT}",
                contracts.MODEL_NAME: args.model,
            },
            release=pulumi.Output.from_input(args.model_uri).apply(_folder),
            port=args.port,
            cpu=args.cpu,
            memory_mib=round(args.memory_gib * 1024),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.url = self.server.url
        self.container = self.server.container
        self.invoke = self.url.apply(
            lambda url: {
                "method": "POST",
                "url": f"{url}/v2/models/{args.model}/infer",
                "headers": {"content-type": "application/json"},
            }
        )
        self.register_outputs({"url": self.url, "invoke": self.invoke, "container": self.container})


def container_name(stack: str, name: str, port: int) -> str:
    """Name of the container: with the port, so that a replacement has a place beside what it replaces."""
    return f"{name}-{stack}-{port}"


def owner(root: Path, stack: str) -> str:
    """Whose the containers of this stack are: of this working tree and no other."""
    return f"{root}:{stack}"


def problem(stack: str, root: Path, name: str, port: int) -> str | None:
    """Why no container can run: no engine, or somebody else has name or port; None where one can."""
    try:
        with containers.connected() as client:
            ours = containers.find(client, container_name(stack, name, port), owner(root, stack))
    except containers.ContainerError as error:
        return str(error)
    if ours is not None:
        return None
    holder = processes.port_taken_by(LOOPBACK, port, ours=root)
    if holder is None:
        return None
    return (
        f"deploy_to[].port is {port}, and that port is taken by {holder}; allowed is a free port: "
        "stop that process, or set another port in the stack's file"
    )


def memory_problem(memory_gib: float, release: Path) -> str | None:
    """Why the release does not fit the memory asked for, as far as the sizes of its files tell; None where it may."""
    size = sum(file.stat().st_size for file in release.rglob("*") if file.is_file())
    least = SERVER_MIB + COPIES * size / (1 << 20)
    if memory_gib * 1024 >= least:
        return None
    return (
        f"resources.memory_gib is {memory_gib:g}, and the release's files have {size / (1 << 20):.0f} MiB: allowed is "
        f"{least / 1024:.2f} or more ({SERVER_MIB} MiB for the server, and the files {COPIES} times while they are "
        "loaded); raise it, or serve a smaller release"
    )


def _folder(uri: str) -> str:
    return unquote(urlsplit(uri).path)


class _ServerContainerProvider(dynamic.ResourceProvider):
    """Life of the container.

    Another port is another container: the new one is ready before the old one ends. Anything else is a new container
    in the place of the old one; where the new one does not get ready, the old one is started again and the update
    fails.
    """

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        replaces = [key for key in ("container", "owner") if olds.get(key) != news[key]]
        # Where the archive lies is no part of what runs.
        keys = ("image", "settings", "release", "cpu", "memory_mib")
        changed = any(olds.get(key) != news[key] for key in keys)
        return dynamic.DiffResult(changes=changed or bool(replaces), replaces=replaces, delete_before_replace=False)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        return dynamic.CreateResult(props["container"], self._start(props))

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        # Before the old one ends: an image that cannot be had must not end what serves.
        with containers.connected() as client:
            _image(client, news)
        try:
            return dynamic.UpdateResult(self._start(news))
        except containers.ContainerError as error:
            try:
                self._start(olds)
            except containers.ContainerError as again:
                raise containers.ContainerError(
                    f"{error}\nand the old container did not start again: {again}"
                ) from None
            raise containers.ContainerError(
                f"{error}\nthe old container was started again and goes on serving"
            ) from None

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        with containers.connected() as client:
            container = containers.find(client, id_, props["owner"])
            if container is None or container.status != "running":  # the next `up` starts it anew
                return dynamic.ReadResult("", {})
            return dynamic.ReadResult(id_, {**props, "container_id": container.id})

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        with containers.connected() as client:
            containers.stop(client, id_, props["owner"])

    def _start(self, props: dict[str, Any]) -> dict[str, Any]:
        with containers.connected() as client:
            wanted = containers.Description(
                image=_image(client, props),
                name=props["container"],
                owner=props["owner"],
                env=props["settings"],
                mounts={RELEASE_MOUNT: props["release"]},
                port=int(props["port"]),
                cpu=float(props["cpu"]),
                memory=int(props["memory_mib"]) << 20,
            )
            container_id = containers.start(client, wanted)
        return {**props, "container_id": container_id, "url": f"http://{LOOPBACK}:{wanted.port}"}


def _image(client: Any, props: dict[str, Any]) -> str:
    archive = props.get("archive")
    return containers.have_image(client, props["image"], Path(archive) if archive else None)


class ServerContainer(dynamic.Resource, module="local", name="ServerContainer"):
    """The container as a resource of its own."""

    container: pulumi.Output[str]
    container_id: pulumi.Output[str]
    url: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        image: str,
        archive: str | None,
        name_of_container: str,
        owner: str,
        settings: Mapping[str, pulumi.Input[str]],
        release: pulumi.Input[str],
        port: int,
        cpu: float,
        memory_mib: int,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "image": image,
            "archive": archive,
            "container": name_of_container,
            "owner": owner,
            "settings": dict(settings),
            "release": release,
            "port": port,
            "cpu": cpu,
            "memory_mib": memory_mib,
            "container_id": None,
            "url": None,
        }
        super().__init__(_ServerContainerProvider(), name, props, opts)
