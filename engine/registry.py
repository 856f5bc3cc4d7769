"""Which provider manages which resource: default ones made as they are needed, explicit ones, and those of the past."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from engine import wire
from engine.errors import GET_CLI, EngineError
from engine.plan_provider import PlannedDynamic, PlanProvider
from engine.providers import Provider, connect
from engine.resource import Resource
from engine.state import State

#: Packages that live inside the CLI.
_BUILT_IN = "pulumi"


class Registry:
    """The providers of one run.

    attached: package → host:port. dynamic_address: starts the host of dynamic resources where it is needed. plan: stand
    in for missing providers, for a preview alone.
    """

    def __init__(
        self,
        state: State,
        project: str,
        stack: str,
        config: Mapping[str, str],
        secret_keys: set[str],
        attached: Mapping[str, str],
        dynamic_address: Callable[[], str],
        *,
        plan: bool = False,
    ) -> None:
        self.engine_address = ""
        self._state = state
        self._project, self._stack = project, stack
        self._config, self._secret_keys = config, secret_keys
        self._attached = attached
        self._plan = plan
        self._dynamic_address = dynamic_address
        self._closing = contextlib.ExitStack()
        self._lock = threading.RLock()
        self._stubs: dict[str, Any] = {}
        self._providers: dict[str, Provider] = {}
        #: Provider resources registered in this run, by URN.
        self.registered: dict[str, Resource] = {}

    def close(self) -> None:
        self._closing.close()

    # -- whether there is one -----------------------------------------------------------------------------------------

    def available(self, package: str) -> bool:
        return package == wire.DYNAMIC or package in self._attached

    def demand(self, type_: str, where: str) -> None:
        """Raise EngineError where the type's package has no provider and this is no plan."""
        package = wire.package_of(type_)
        if package == _BUILT_IN:
            raise EngineError(f"{where}: the embedded engine does not support the built-in type {type_}. {GET_CLI}")
        if not self._plan and not self.available(package):
            raise EngineError(
                f"{where}: {type_} needs the provider of the package {package!r}, which the embedded engine does not "
                f"run; it runs dynamic resources. {GET_CLI} Nothing was changed.",
                changed=False,
            )

    # -- default providers --------------------------------------------------------------------------------------------

    def default(self, type_: str, version: str) -> tuple[str, dict[str, Any]]:
        """URN and inputs of the default provider for a type of a package in some version."""
        package = wire.package_of(type_)
        name = "default" + (f"_{version.replace('.', '_')}" if version else "")
        urn = wire.make_urn(self._stack, self._project, "", f"{wire.PROVIDER_PREFIX}{package}", name)
        return urn, {**self._package_config(package), **({"version": version} if version else {})}

    def _package_config(self, package: str) -> dict[str, Any]:
        """A package's provider gets its namespace; that of dynamic resources gets all, with namespaces."""
        chosen: dict[str, Any] = {}
        for key, value in sorted(self._config.items()):
            namespace, short = key.split(":", 1)
            if package == wire.DYNAMIC or namespace == package:
                chosen[key if package == wire.DYNAMIC else short] = (
                    wire.secret(value) if key in self._secret_keys else value
                )
        return chosen

    # -- providers ----------------------------------------------------------------------------------------------------

    def bare(self, package: str) -> Provider:
        """A provider that is not configured yet, to check its configuration."""
        if not self.available(package):
            return PlanProvider(package)
        if self._plan and package == wire.DYNAMIC:
            return PlannedDynamic(package, self._stub(package))
        provider = Provider(package, self._stub(package))
        if package != wire.DYNAMIC:
            provider.attach(self.engine_address)
        return provider

    def configure(self, resource: Resource) -> Provider:
        """Configure the provider that a provider resource describes, and keep it under the resource's reference."""
        package = wire.package_of(resource.type)
        provider = self.bare(package)
        if package == wire.DYNAMIC:
            inputs = wire.reveal(resource.inputs)
        else:
            inputs = {
                key: value for key, value in resource.inputs.items() if key not in ("version", "pluginDownloadURL")
            }
        provider.configure(inputs, resource)
        with self._lock:
            self._providers[f"{resource.urn}::{resource.id}"] = provider
        return provider

    def of(self, reference: str) -> Provider:
        """The provider of a reference `<urn>::<id>`; one of an earlier run is configured as it was."""
        with self._lock:
            provider = self._providers.get(reference)
            if provider is not None:
                return provider
            urn, id_ = wire.split_reference(reference)
            resource = self.registered.get(urn)
            if resource is None or resource.id != id_:
                resource = next((r for r in self._state.resources() if (r.urn, r.id) == (urn, id_)), None)
            if resource is None:
                raise EngineError(f"the provider {reference} is not in the state: it was removed by hand?")
            return self.configure(resource)

    def _stub(self, package: str) -> Any:
        """The host of dynamic resources has one connection. An attached process serves every provider of its package,
        and tells by the connection which of them calls, as with the CLI: two clusters are two connections."""
        with self._lock:
            if package != wire.DYNAMIC:
                return self._closing.enter_context(connect(self._attached[package]))
            if package not in self._stubs:
                self._stubs[package] = self._closing.enter_context(connect(self._dynamic_address()))
            return self._stubs[package]


def new_id() -> str:
    return str(uuid.uuid4())
