"""Calls to providers: the host of dynamic resources, and providers attached by address.

Both speak `pulumirpc.ResourceProvider`. What a provider does not understand (secrets, resource references, previews)
is settled here, so that the steps above deal with plain values.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import errors_pb2, plugin_pb2, provider_pb2, provider_pb2_grpc

from engine import wire
from engine.errors import EngineError
from engine.events import PropertyChange
from engine.grpc_status import status_pb2
from engine.resource import Resource

#: State of a cloud may be megabytes; gRPC's own limit is four.
CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", 400 * 1024 * 1024),
    ("grpc.max_send_message_length", 400 * 1024 * 1024),
    # Each channel is a connection of its own; gRPC would share one between all channels to an address.
    ("grpc.use_local_subchannel_pool", 1),
)


class ProviderError(EngineError):
    """A provider refused or failed.

    partial: what exists nevertheless, where the provider says so: (id, outputs, reasons).
    lost: there was no answer, so that nobody knows whether it was done.
    """

    def __init__(
        self, message: str, partial: tuple[str, dict[str, Any], list[str]] | None = None, *, lost: bool = False
    ) -> None:
        super().__init__(message)
        self.partial = partial
        self.lost = lost


@dataclass(frozen=True)
class Diff:
    """What a provider says of a change.

    changes: None where it does not know. keys: changed properties. replaces: those that force a replacement.
    named: those that the provider itself names; the CLI holds only these against `replace_on_changes`.
    detailed: property path → kind, where the provider gives it.
    replacement_known: False in a plan, where no table says whether the change replaces. properties: for a plan.
    """

    changes: bool | None
    keys: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    detailed: Mapping[str, str] = field(default_factory=dict)
    delete_before_replace: bool = False
    replacement_known: bool = True
    properties: tuple[PropertyChange, ...] = ()


def diff_of(old: Mapping[str, Any], new: Mapping[str, Any]) -> Diff:
    """Top-level difference of two sets of inputs."""
    before, after = wire.reveal(dict(old)), wire.reveal(dict(new))
    keys = tuple(sorted(key for key in {*before, *after} if before.get(key) != after.get(key)))
    kinds = {key: "add" if key not in before else "delete" if key not in after else "update" for key in keys}
    return Diff(bool(keys), keys, named=keys, detailed=kinds)


class Provider:
    """One configured provider."""

    def __init__(self, package: str, stub: Any) -> None:
        self.package = package
        self._stub = stub
        self.accept_secrets = False
        self.accept_resources = False
        self.supports_preview = False

    def attach(self, engine_address: str) -> None:
        """Introduce the engine to a provider that somebody else started."""
        attach = plugin_pb2.PluginAttach(address=engine_address)
        handshake = provider_pb2.ProviderHandshakeRequest(engine_address=engine_address)
        for call in (lambda: self._stub.Attach(attach), lambda: self._stub.Handshake(handshake)):
            try:
                call()
            except grpc.RpcError as error:
                if not _missing(error):
                    _fail("attach", self.package, error)

    def configure(self, inputs: Mapping[str, Any], resource: Resource) -> None:
        request = provider_pb2.ConfigureRequest(
            args=wire.to_struct(inputs),
            variables={
                f"{self.package}:config:{key}": value if isinstance(value, str) else str(value)
                for key, value in wire.reveal(dict(inputs)).items()
                if not wire.has_unknown(value)
            },
            acceptSecrets=True,
            acceptResources=True,
        )
        if resource.id and not wire.is_unknown(resource.id):
            _set(request, id=resource.id, urn=resource.urn, name=resource.name, type=resource.type)
        answer = self._call("configure", resource.urn, self._stub.Configure, request)
        self.accept_secrets = answer.acceptSecrets
        self.accept_resources = answer.acceptResources
        self.supports_preview = answer.supportsPreview

    def check_config(self, urn: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
        request = provider_pb2.CheckRequest(urn=urn, olds=wire.to_struct(olds), news=wire.to_struct(news))
        try:
            answer = self._stub.CheckConfig(request)
        except grpc.RpcError as error:
            if _missing(error):
                return dict(news)
            _fail("check", urn, error)
        _raise_failures(urn, answer.failures)
        return {**{k: v for k, v in news.items() if k == "version"}, **wire.from_struct(answer.inputs)}

    def diff_config(self, urn: str, old: Resource, news: Mapping[str, Any]) -> Diff:
        request = provider_pb2.DiffRequest(
            id=old.id,
            urn=urn,
            olds=wire.to_struct(old.outputs),
            old_inputs=wire.to_struct(old.inputs),
            news=wire.to_struct(news),
        )
        try:
            return _diff(self._stub.DiffConfig(request), old.inputs, news)
        except grpc.RpcError as error:
            if _missing(error):
                return diff_of(old.inputs, news)
            _fail("diff", urn, error)

    def check(self, urn: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
        """Checked inputs, defaults filled in. Raises ProviderError with every failure it names."""
        request = provider_pb2.CheckRequest(
            urn=urn, olds=self._out(olds), news=self._out(news), randomSeed=os.urandom(32)
        )
        _name(request, urn)
        answer = self._call("check", urn, self._stub.Check, request)
        _raise_failures(urn, answer.failures)
        return self._back(answer.inputs, news)

    def diff(
        self,
        old: Resource,
        news: Mapping[str, Any],
        ignore: list[str],
        urn: str,
        moved: Collection[str] = (),  # noqa: ARG002 # a provider is asked with values; a plan may have none
    ) -> Diff:
        """What a change does. moved: properties that come from something else now, for where no value is known."""
        request = provider_pb2.DiffRequest(
            id=old.id,
            urn=urn,
            olds=self._out(old.outputs),
            old_inputs=self._out(old.inputs),
            news=self._out(news),
            ignoreChanges=ignore,
        )
        _name(request, urn)
        return _diff(self._call("diff", urn, self._stub.Diff, request), old.inputs, news)

    def create(
        self, urn: str, inputs: Mapping[str, Any], timeout: float, *, preview: bool
    ) -> tuple[str, dict[str, Any]]:
        """Id and outputs. In a preview the id is empty and outputs hold what is known already."""
        if preview and not self.supports_preview:
            return "", dict(inputs)
        request = provider_pb2.CreateRequest(urn=urn, properties=self._out(inputs), timeout=timeout, preview=preview)
        _name(request, urn)
        answer = self._call("create", urn, self._stub.Create, request, inputs)
        if not answer.id and not preview:
            raise ProviderError(f"{urn}: the provider created it but gave no id")
        return answer.id, self._back(answer.properties, inputs)

    def update(
        self, urn: str, old: Resource, news: Mapping[str, Any], ignore: list[str], timeout: float, *, preview: bool
    ) -> dict[str, Any]:
        if preview and not self.supports_preview:
            return dict(news)
        request = provider_pb2.UpdateRequest(
            id=old.id,
            urn=urn,
            olds=self._out(old.outputs),
            old_inputs=self._out(old.inputs),
            news=self._out(news),
            ignoreChanges=ignore,
            timeout=timeout,
            preview=preview,
        )
        _name(request, urn)
        return self._back(self._call("update", urn, self._stub.Update, request, news).properties, news)

    def delete(self, old: Resource, timeout: float) -> None:
        request = provider_pb2.DeleteRequest(id=old.id, urn=old.urn, properties=self._out(old.outputs), timeout=timeout)
        _set(request, old_inputs=self._out(old.inputs))
        _name(request, old.urn)
        self._call("delete", old.urn, self._stub.Delete, request)

    def read(
        self, urn: str, id_: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
    ) -> tuple[str, dict[str, Any] | None, dict[str, Any]]:
        """Id (empty: gone), inputs (None: as they were) and outputs as they are now."""
        request = provider_pb2.ReadRequest(id=id_, urn=urn, properties=self._out(outputs), inputs=self._out(inputs))
        _name(request, urn)
        answer = self._call("read", urn, self._stub.Read, request, inputs)
        found = self._back(answer.inputs, inputs) if answer.HasField("inputs") else None
        return answer.id, found, self._back(answer.properties, {**outputs, **inputs})

    def invoke(self, token: str, args: Mapping[str, Any]) -> provider_pb2.InvokeResponse:
        request = provider_pb2.InvokeRequest(tok=token, args=self._out(args))
        return self._call("invoke", token, self._stub.Invoke, request)

    def _out(self, values: Mapping[str, Any]) -> Any:
        plain = dict(values)
        if not self.accept_secrets:
            plain = wire.reveal(plain)
        if not self.accept_resources:
            plain = wire.resource_ids(plain)
        return wire.to_struct(plain)

    def _back(self, struct: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        # None stands for "nothing here" on the wire; the CLI keeps no such keys in state.
        values = {key: value for key, value in wire.from_struct(struct).items() if value is not None}
        return values if self.accept_secrets else wire.carry_secrets(values, inputs)

    def _call(
        self, what: str, where: str, call: Callable[..., Any], request: Any, inputs: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return call(request)
        except grpc.RpcError as error:
            _fail(what, where, error, lambda struct: self._back(struct, inputs or {}))


def _diff(answer: Any, olds: Mapping[str, Any], news: Mapping[str, Any]) -> Diff:
    states = provider_pb2.DiffResponse
    if answer.changes == states.DIFF_NONE:
        return Diff(changes=False)
    detailed = {path: _kind(change.kind) for path, change in answer.detailedDiff.items()}
    keys = tuple(answer.diffs) or tuple(sorted({re.split(r"[.\[]", path)[0] for path in detailed}))
    replaces = list(answer.replaces)
    replaces += [path for path, kind in detailed.items() if kind.endswith("replace") and path not in replaces]
    if answer.changes == states.DIFF_UNKNOWN and not replaces:
        return diff_of(olds, news)
    named = keys
    if not keys:
        keys = tuple(dict.fromkeys([*replaces, *diff_of(olds, news).keys]))
    return Diff(True, keys, tuple(replaces), named, detailed, answer.deleteBeforeReplace)


def _kind(kind: Any) -> str:
    return provider_pb2.PropertyDiff.Kind.Name(kind).lower()


def _raise_failures(urn: str, failures: Any) -> None:
    if failures:
        lines = [
            f"{failure.property}: {failure.reason}" if failure.property else failure.reason for failure in failures
        ]
        raise ProviderError(f"{urn}: the provider refuses its inputs:\n  " + "\n  ".join(lines))


def _name(request: Any, urn: str) -> None:
    parts = wire.parse_urn(urn)
    _set(request, name=parts.name, type=parts.type)


def _set(request: Any, **fields: Any) -> None:
    """Set fields that older versions of the protocol lack."""
    known = request.DESCRIPTOR.fields_by_name
    for name, value in fields.items():
        if name not in known:
            continue
        if known[name].message_type is not None:
            getattr(request, name).CopyFrom(value)
        else:
            setattr(request, name, value)


def _missing(error: Any) -> bool:
    """Whether the provider does not have the method that was called."""
    return error.code() == grpc.StatusCode.UNIMPLEMENTED


def _fail(what: str, where: str, error: grpc.RpcError, back: Callable[[Any], dict[str, Any]] | None = None) -> NoReturn:
    call: Any = error  # what a stub raises is a call as well, which the types do not say
    code, details = call.code(), call.details() or ""
    if code == grpc.StatusCode.UNAVAILABLE:
        raise ProviderError(
            f"{where}: the provider's process ended or cannot be reached during {what}", lost=True
        ) from error
    partial, lines = None, []
    for key, value in call.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        for detail in status_pb2.Status.FromString(value).details:
            failed = provider_pb2.ErrorResourceInitFailed()
            invalid = errors_pb2.InputPropertiesError()
            if detail.Unpack(failed) and back is not None:
                partial = (failed.id, back(failed.properties), list(failed.reasons))
                lines += failed.reasons
            elif detail.Unpack(invalid):
                lines += [f"{problem.property_path}: {problem.reason}" for problem in invalid.errors]
    text = "\n  ".join([f"{where}: {what} failed: {_last_line(details)}", *lines])
    raise ProviderError(text, partial) from error


def _last_line(details: str) -> str:
    """A dynamic provider answers with its whole traceback; its last paragraph is the exception."""
    if not details.startswith("Traceback"):
        return details
    lines = details.rstrip().splitlines()
    # The exception's own text may have indented lines: what counts is where the last frame ends.
    start = max((number for number, line in enumerate(lines) if line.startswith("  File ")), default=0) + 1
    while start < len(lines) and lines[start].startswith("    "):
        start += 1
    return "\n".join(lines[start:])


@contextlib.contextmanager
def connect(address: str) -> Any:
    """A stub for a provider listening at host:port."""
    with grpc.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        yield provider_pb2_grpc.ResourceProviderStub(channel)


def cancel(stub: provider_pb2_grpc.ResourceProviderStub) -> None:
    """Ask a provider to give up what it is doing."""
    with contextlib.suppress(grpc.RpcError):
        stub.Cancel(empty_pb2.Empty(), timeout=2)
