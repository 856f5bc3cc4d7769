"""The serving image in a registry: built and pushed by `pulumi_docker_build`, or copied there by `pulumi_docker`.

Owns the image's place in one repository. Does not own the repository, nor the token that it is pushed with, which the
cloud's own component gets. Needs the Pulumi CLI with its plug-ins, and Docker with buildx.
An attestation would make the image an index, and the plug-in has no option against it: BUILDX_NO_DEFAULT_ATTESTATIONS=1
in the environment of `pulumi` keeps it out.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_docker as docker
import pulumi_docker_build as docker_build

from components.image.built import DEFAULT_BASE, source_digest
from components.image.references import split_reference, tag_of
from components.image.registry import Login, Registry

#: The one platform that SageMaker and Lambda take; the others take it too.
PLATFORM = "linux/amd64"
#: Variable that keeps attestations out of what BuildKit's client builds.
NO_ATTESTATIONS = "BUILDX_NO_DEFAULT_ATTESTATIONS"
#: Times within the image: the same for the same sources, whatever the commit, so that a commit alone replaces nothing.
EPOCH = "315532800"
CREATED = "1980-01-01T00:00:00Z"


@dataclass(frozen=True)
class BuiltImageArgs:
    """Build from the tree at `root`. base: image that it stands on, best by digest. cache: further repository (with a
    tag) that keeps the build's layers; None: no cache but the builder's own.
    """

    root: Path
    registry: Registry
    base: str = DEFAULT_BASE
    cache: str | None = None


class BuiltServingImage(pulumi.ComponentResource):
    """The image of this tree, pushed; built only in an `up`.

    ref: by digest.
    """

    ref: pulumi.Output[str]

    def __init__(self, name: str, args: BuiltImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:image:BuiltServingImage", name, {}, opts)
        # The plug-in has the environment that this program has: both are started by the CLI.
        attested = os.environ.get(NO_ATTESTATIONS, "").lower() not in ("1", "t", "true")
        if attested and not pulumi.runtime.is_dry_run():
            pulumi.log.warn(
                f"{NO_ATTESTATIONS} is {os.environ.get(NO_ATTESTATIONS, '')!r}; allowed: 1. Else the build may add "
                "an attestation, which makes the image an index, and SageMaker and AWS Lambda refuse indexes.",
                self,
            )
        sources = source_digest(args.root)
        revision = hashlib.sha256(f"{sources}\0{args.base}".encode()).hexdigest()
        registry = args.registry
        # The default provider records DOCKER_HOST, and another value of it would replace every image.
        provider = docker_build.Provider(
            f"{name}-builder",
            host="",
            registries=[
                docker_build.RegistryArgs(
                    address=registry.login.address,
                    username=registry.login.username,
                    password=pulumi.Output.secret(registry.login.password),
                )
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        tag = pulumi.Output.concat(registry.repository, ":", tag_of(revision))
        cache_from, cache_to = _cache(args.cache)
        tree = _from_here(args.root)
        self.image = docker_build.Image(
            f"{name}-image",
            push=False,  # the export pushes: only there can the media types be chosen
            build_on_preview=False,
            context=docker_build.BuildContextArgs(location=str(tree)),
            dockerfile=docker_build.DockerfileArgs(location=str(tree / "serving_image" / "Dockerfile")),
            platforms=[docker_build.Platform.LINUX_AMD64],
            build_args={
                "BASE": args.base,
                "REVISION": revision,
                "CREATED": CREATED,
                "SOURCE_DATE_EPOCH": EPOCH,
            },
            tags=[tag],
            exports=[
                docker_build.ExportArgs(
                    registry=docker_build.ExportRegistryArgs(names=[tag], oci_media_types=False, push=True)
                )
            ],
            cache_from=cache_from,
            cache_to=cache_to,
            # What was pushed stays: a release that is rolled back to may need it.
            opts=pulumi.ResourceOptions(parent=self, provider=provider, retain_on_delete=True),
        )
        self.ref = pulumi.Output.concat(registry.repository, "@", self.image.digest)
        self.register_outputs({"ref": self.ref})


@dataclass(frozen=True)
class CopiedImageArgs:
    """Copy an image that was built elsewhere. ref: by digest. source: the login of the registry that it is copied from;
    None for a public image, or one that the engine on this machine holds already. Raises ValueError for a tag.
    """

    ref: str
    registry: Registry
    source: Login | None = None

    def __post_init__(self) -> None:
        split_reference(self.ref)


class CopiedServingImage(pulumi.ComponentResource):
    """The same image in the registry that a platform takes images from: pulled by its digest, tagged, pushed, compared.

    ref: the copy by its digest, which may differ from the original's: Docker writes the manifest anew, with the same
    configuration and layers in it. So the copy is pulled by its digest too, and an `up` fails where what comes is not
    the same image. Where the engine keeps manifests (Docker with containerd's store), the digests are the same.
    """

    ref: pulumi.Output[str]

    def __init__(self, name: str, args: CopiedImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:image:CopiedServingImage", name, {}, opts)
        _, digest = split_reference(args.ref)
        registry = args.registry
        logins = [registry.login, *([] if args.source is None else [args.source])]
        provider = docker.Provider(
            f"{name}-engine",
            registry_auth=[
                docker.ProviderRegistryAuthArgs(
                    address=login.address, username=login.username, password=pulumi.Output.secret(login.password)
                )
                for login in logins
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        child = pulumi.ResourceOptions(parent=self, provider=provider)
        self.pulled = docker.RemoteImage(
            f"{name}-pulled", name=args.ref, platform=PLATFORM, keep_locally=True, opts=child
        )
        self.tagged = docker.Tag(
            f"{name}-tagged",
            source_image=self.pulled.image_id,
            target_image=pulumi.Output.concat(registry.repository, ":", tag_of(digest)),
            opts=child,
        )
        self.pushed = docker.RegistryImage(
            f"{name}-pushed", name=self.tagged.target_image, keep_remotely=True, triggers={"digest": digest}, opts=child
        )
        copied = pulumi.Output.concat(registry.repository, "@", self.pushed.sha256_digest)
        self.copied = docker.RemoteImage(
            f"{name}-copied", name=copied, platform=PLATFORM, keep_locally=True, opts=child
        )
        # An engine's id of an image is a hash over its configuration, which holds the hashes of its layers.
        self.ref = pulumi.Output.all(copied, self.copied.image_id, self.pulled.image_id).apply(
            lambda found: compared(*found, original=args.ref)
        )
        self.register_outputs({"ref": self.ref})


def compared(copy: str, found: str, wanted: str, *, original: str) -> str:
    """The copy's reference, where its id is the one of what was copied. Raises pulumi.RunError."""
    if found != wanted:
        raise pulumi.RunError(
            f"image.ref is {original!r}, an image with the id {wanted}; its copy {copy} has the id {found}, so the "
            "registry does not hold what was pushed. Copy it with a tool that keeps bytes (`docker buildx imagetools "
            "create --prefer-index=false`, `crane copy`) and name the copy in image.ref."
        )
    return copy


def _from_here(root: Path) -> Path:
    """`root` as seen from the program's folder, in which the plug-in runs: another checkout makes no other image."""
    here = Path(pulumi.get_root_directory())
    return root.relative_to(here) if root.is_relative_to(here) else root


def _cache(
    place: str | None,
) -> tuple[list[docker_build.CacheFromArgs] | None, list[docker_build.CacheToArgs] | None]:
    if place is None:
        return None, None
    return (
        [docker_build.CacheFromArgs(registry=docker_build.CacheFromRegistryArgs(ref=place))],
        [
            docker_build.CacheToArgs(
                registry=docker_build.CacheToRegistryArgs(ref=place, mode=docker_build.CacheMode.MAX)
            )
        ],
    )
