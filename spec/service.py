"""What a user asks for: one model release as a service, where, how big and how safe.

`load_service` turns the structured config of a stack into a `ServiceSpec`, or says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from spec import errors
from spec.errors import FieldError
from spec.fields import (
    Access,
    Budget,
    Canary,
    Capture,
    Encryption,
    Image,
    Logging,
    Notify,
    Resources,
    Rollout,
    Scaling,
    Slo,
    TagKey,
    TagValue,
)
from spec.places import DeployTo
from spec.release import ReleaseError, parse_reference
from spec.section import Section
from spec.validation import section_type, validate

__all__ = ["DeployTo", "ServiceSpec", "json_schema", "load_service", "section_type"]

#: The stack for trying things out: what it holds may be deleted.
UNPROTECTED_STACK = "dev"

# The shortest limit among the clouds (a storage account's 24 characters) holds for all, so a service can move.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,22}[a-z0-9]$")]


class ServiceSpec(Section):
    """A model service. Secure and cheap by default: private, encrypted with an own key, authenticated, one replica."""

    name: Name = Field(description="Name of the service: 3–24 lower-case letters, digits and hyphens, first a letter.")
    release: str = Field(description="The release to serve, as `model@version`, such as digits@3 or digits@latest.")
    tags: dict[TagKey, TagValue] = Field(
        default_factory=dict,
        max_length=30,
        description="Tags (labels) of everything made: lower-case letters, digits, _ and -.",
    )
    protect: bool = Field(
        default=True, description="Keep what holds data on destroy. Default: true, on stack dev false."
    )
    deploy_to: tuple[DeployTo, ...] = Field(min_length=1, description="The places where it runs, at least one.")
    canary: Canary | None = Field(default=None, description="A second release that answers part of the requests.")
    image: Image = Field(default_factory=Image, description="The server's container image.")
    resources: Resources = Field(default_factory=Resources, description="Size of one replica.")
    scaling: Scaling = Field(default_factory=Scaling, description="How many replicas run.")
    rollout: Rollout = Field(default_factory=Rollout, description="How the platform shifts traffic to a change.")
    slo: Slo | None = Field(default=None, description="Service level objective; alarms are made from it.")
    access: Access = Field(default_factory=Access, description="Who reaches the service.")
    capture: Capture | None = Field(default=None, description="Requests and answers kept for later.")
    logging: Logging = Field(default_factory=Logging, description="Logs of the server.")
    encryption: Encryption = Field(default_factory=Encryption, description="Encryption of what is stored.")
    notify: Notify = Field(default_factory=Notify, description="Who is told when an alarm fires.")
    budget: Budget | None = Field(default=None, description="What the service may cost.")
    runtime: Literal["onnx", "tensorflow_serving", "torchserve"] = Field(
        default="onnx", description="The server: onnx is this project's own; the others on Kubernetes targets only."
    )

    @model_validator(mode="after")
    def _releases(self) -> ServiceSpec:
        try:
            model = parse_reference(self.release).model
        except ReleaseError:
            allowed = "model@version with a version number or latest, such as digits@3 or digits@latest"
            raise FieldError(("release",), self.release, allowed, "Write it like digits@latest.") from None
        if self.canary is None:
            return self
        try:
            other = parse_reference(self.canary.release).model
        except ReleaseError:
            other = None
        if other != model:
            raise FieldError(
                ("canary", "release"),
                self.canary.release,
                f"a release of model {model}, such as {model}@2",
                "Name another release of the same model.",
            )
        if self.canary.release == self.release:
            raise FieldError(
                ("canary", "release"),
                self.canary.release,
                "another release than release",
                "Name another one, or remove canary.",
            )
        return self

    @model_validator(mode="after")
    def _places_differ(self) -> ServiceSpec:
        seen: dict[str, int] = {}
        ports: dict[int, int] = {}
        for index, where in enumerate(self.deploy_to):
            if where.name in seen:
                raise FieldError(
                    ("deploy_to", index),
                    where.name,
                    f"each cloud, target and region once; deploy_to[{seen[where.name]}] is the same place",
                    "Remove one of the two, or change its target or region.",
                )
            seen[where.name] = index
            if where.listens_here and where.port in ports:
                raise FieldError(
                    ("deploy_to", index, "port"),
                    where.port,
                    f"a port that no other place uses; deploy_to[{ports[where.port]}] uses it",
                    f"Set port: {where.port + 1}.",
                )
            if where.listens_here:
                ports[where.port] = index
        return self

    @model_validator(mode="after")
    def _image_of_another_runtime(self) -> ServiceSpec:
        if self.image.runtime_ref is not None and self.runtime == "onnx":
            raise FieldError(
                ("image", "runtime_ref"),
                self.image.runtime_ref,
                "nothing with runtime onnx, which image.ref runs",
                "Remove it, or set runtime: tensorflow_serving or torchserve.",
            )
        return self

    @model_validator(mode="after")
    def _needs_another_section(self) -> ServiceSpec:
        if self.rollout.rollback_on_alarm and self.slo is None:
            raise FieldError(
                ("rollout", "rollback_on_alarm"),
                True,
                "true only together with slo, which makes the alarms",
                "Add slo, or remove it.",
            )
        if self.budget is not None and not (self.notify.emails or self.notify.webhooks):
            raise FieldError(
                ("budget", "monthly_usd"),
                self.budget.monthly_usd,
                "an amount only where somebody is told",
                "Add notify.emails or notify.webhooks, or remove budget.",
            )
        return self


def load_service(config: Mapping[str, Any], *, stack: str) -> ServiceSpec:
    """The checked service description of a stack.

    config: the value of `cloud-ml-deployment:service` as read from the stack's file.
    stack: its name; on `dev`, `protect` is off unless asked for.
    Raises SpecError with every problem found, each with the path as it stands in the file.
    """
    spec = validate(ServiceSpec, config, root=errors.ROOT, what="the service description")
    if "protect" in spec.model_fields_set or stack != UNPROTECTED_STACK:
        return spec
    spec = spec.model_copy(update={"protect": False})
    spec.model_fields_set.discard("protect")  # a default is no wish of the user's (see spec.capabilities)
    return spec


def json_schema() -> dict[str, Any]:
    """JSON Schema of the description, for editors."""
    return ServiceSpec.model_json_schema()
