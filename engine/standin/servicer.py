"""The provider protocol: one servicer plays one package."""

# ruff: noqa: N802, ARG002 # the protocol fixes the methods' names and arguments

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
)

from engine.grpc_status import status_pb2
from engine.standin import invokes, naming, objects, shapes
from engine.standin.cloud import FakeCloud
from engine.standin.failures import Failures
from engine.standin.lifecycle import FLIGHT, Call, Incomplete, Lifecycle, Refused
from engine.standin.replacement import Difference, differences
from engine.standin.rules import PackageRules
from engine.standin.template import Missing, render
from engine.standin.values import UNKNOWN, from_struct, plain, to_struct

_KIND = provider_pb2.PropertyDiff.Kind


class StandInProvider(provider_pb2_grpc.ResourceProviderServicer):
    """Plays one package against a fake cloud.

    version: what ``GetPluginInfo`` answers; engines compare it with the SDK's.
    """

    def __init__(self, rules: PackageRules, cloud: FakeCloud, failures: Failures, version: str) -> None:
        self.rules = rules
        self.cloud = cloud
        self.life = Lifecycle(rules, cloud, failures)
        self.version = version
        self._configs: dict[str, dict[str, Any]] = {}
        self._last_config: dict[str, Any] = {}
        self._engine_address = ""
        self._warned: set[tuple[str, str]] = set()
        self._guard = threading.Lock()

    # --- the provider itself -------------------------------------------------------------------------------------

    def Handshake(self, request, context):
        self._engine_address = request.engine_address
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True, accept_resources=False, accept_outputs=False, supports_autonaming_configuration=True
        )

    def Attach(self, request, context):
        self._engine_address = request.address
        return empty_pb2.Empty()

    def GetPluginInfo(self, request, context):
        return plugin_pb2.PluginInfo(version=self.version)

    def GetSchema(self, request, context):
        return provider_pb2.GetSchemaResponse(schema="{}")

    def CheckConfig(self, request, context):
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request, context):
        olds = from_struct(request.old_inputs) or from_struct(request.olds)
        found = differences(request.type, olds, from_struct(request.news))
        some = provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=some, diffs=[one.path for one in found])

    def Configure(self, request, context):
        config = {key: value for key, value in plain(from_struct(request.args)).items() if value is not UNKNOWN}
        with self._guard:
            # One address serves every provider instance of the package; its connection tells which one calls.
            self._configs[context.peer()] = config
            self._last_config = config
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True,
            supportsPreview=True,
            acceptResources=False,
            acceptOutputs=False,
            supports_autonaming_configuration=True,
        )

    def Cancel(self, request, context):
        return empty_pb2.Empty()

    # --- resources -----------------------------------------------------------------------------------------------

    def Check(self, request, context):
        token, logical = _token(request), _logical(request)
        rule = self.life.rule(token)
        news, olds = from_struct(request.news), from_struct(request.olds)
        failures = self._input_failures(token, news)
        options = request.autonaming if request.HasField("autonaming") else None
        disabled = options is not None and options.mode == provider_pb2.CheckRequest.AutonamingOptions.DISABLE
        try:
            named = naming.with_name(
                rule,
                news,
                olds,
                logical=logical,
                seed=bytes(request.randomSeed) or request.urn.encode(),
                proposed=options.proposed_name if options is not None else "",
                may_make_up=not disabled,
            )
        except naming.NamingError as error:
            return _check_response(news, [*failures, (rule.name, str(error))])
        scope = self._scope_config(context)
        for name, value in rule.defaults.items():
            if naming.get(named, name) is None:
                try:
                    naming.put(named, name, render(value, _Config(self.rules, named, scope)))
                except Missing:
                    continue
        return _check_response(named, failures)

    def Diff(self, request, context):
        token = _token(request)
        rule = self.life.rule(token)
        olds = from_struct(request.old_inputs)
        news = from_struct(request.news)
        if not olds:
            olds = {key: value for key, value in from_struct(request.olds).items() if key in news}
        found = differences(token, olds, news)
        answer = provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE,
            hasDetailedDiff=True,
        )
        for one in found:
            answer.diffs.append(one.path)
            answer.detailedDiff[one.path].CopyFrom(_property_diff(one))
            if one.change == "replace":
                answer.replaces.append(one.path)
            elif one.change == "unknown":
                self._warn_unknown(request.urn, token, one)
        made_up = rule.name in (plain(news.get(naming.FILLED)) or [])
        name = naming.get(news, rule.name) if rule.name else None
        # Two objects cannot have one given name at the same time: the old one goes first, as in the bridged providers.
        kept = name is not None and not made_up and plain(naming.get(olds, rule.name)) == plain(name)
        answer.deleteBeforeReplace = bool(answer.replaces) and kept
        return answer

    def Create(self, request, context):
        call = self._call(request, from_struct(request.properties), context)
        if request.preview:
            return provider_pb2.CreateResponse(id="", properties=to_struct(self._known(call)))
        try:
            with FLIGHT:
                object_id, outputs = self.life.create(call)
        except Refused as error:
            _refuse(context, str(error))
        except Incomplete as error:
            _incomplete(context, error, call.inputs)
        return provider_pb2.CreateResponse(id=object_id, properties=to_struct(outputs))

    def Read(self, request, context):
        inputs = from_struct(request.inputs)
        state = from_struct(request.properties)
        call = self._call(request, inputs or state, context, object_id=request.id)
        try:
            found = self.life.read(call, state, inputs)
        except Refused as error:
            _refuse(context, str(error))
        if found is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(id=request.id, properties=to_struct(found[0]), inputs=to_struct(found[1]))

    def Update(self, request, context):
        call = self._call(request, from_struct(request.news), context, object_id=request.id)
        try:
            if request.preview:
                outputs = self.life.preview_update(call, from_struct(request.olds))
            else:
                with FLIGHT:
                    outputs = self.life.update(call)
        except Refused as error:
            _refuse(context, str(error))
        except Incomplete as error:
            _incomplete(context, error, call.inputs)
        return provider_pb2.UpdateResponse(properties=to_struct(outputs))

    def Delete(self, request, context):
        inputs = from_struct(request.old_inputs) or from_struct(request.properties)
        try:
            with FLIGHT:
                self.life.delete(self._call(request, inputs, context, object_id=request.id))
        except Refused as error:
            _refuse(context, str(error))
        return empty_pb2.Empty()

    def Invoke(self, request, context):
        try:
            answer = invokes.invoke(
                self.rules, request.tok, from_struct(request.args), self._scope_config(context), self.cloud
            )
        except invokes.InvokeError as error:
            _refuse(context, str(error))
        answered: dict[str, Any] = {"return": to_struct(answer)}  # `return` is a word of Python
        return provider_pb2.InvokeResponse(**answered)

    # --- helpers -------------------------------------------------------------------------------------------------

    def _scope_config(self, context: grpc.ServicerContext) -> dict[str, Any]:
        return self._configs.get(context.peer(), self._last_config)

    def _call(self, request: Any, inputs: dict[str, Any], context: grpc.ServicerContext, object_id: str = "") -> Call:
        return Call(
            token=_token(request),
            urn=request.urn,
            logical=_logical(request),
            inputs=inputs,
            config=self._scope_config(context),
            timeout=getattr(request, "timeout", 0.0) or 0.0,
            object_id=object_id,
        )

    def _known(self, call: Call) -> dict[str, Any]:
        """Outputs that are known before the creation: the inputs that come back."""
        rule = self.life.rule(call.token)
        described = shapes.shape(call.token)
        return {
            key: objects.as_answered(key, value)
            for key, value in call.inputs.items()
            if key != naming.FILLED
            and key not in rule.outputs
            and (rule.echo or described is None or key in described.outputs or key in described.optional)
        }

    def _input_failures(self, token: str, news: Mapping[str, Any]) -> list[tuple[str, str]]:
        described = shapes.shape(token)
        if described is None or not described.inputs:
            return []
        given = {key for key, value in news.items() if value is not None}
        failures = [(name, f"{name} is required") for name in sorted(described.required - given)]
        for name in sorted(given - described.inputs - {naming.FILLED, "__internal"}):
            near = ", ".join(sorted(described.inputs))
            failures.append((name, f"{token} has no input {name!r}; it has {near}"))
        return failures

    def _warn_unknown(self, urn: str, token: str, one: Difference) -> None:
        top = one.path.split(".")[0].split("[")[0]
        with self._guard:
            if (urn, top) in self._warned:
                return
            self._warned.add((urn, top))
        self.cloud.write_journal(operation="diff", type=token, urn=urn, property=one.path, replacement="unknown")
        if not self._engine_address:
            return
        text = f"replacement unknown: no table says whether changing {token}.{top} replaces it; played as an update"
        try:
            with grpc.insecure_channel(self._engine_address) as channel:
                engine_pb2_grpc.EngineStub(channel).Log(
                    engine_pb2.LogRequest(severity=engine_pb2.WARNING, message=text, urn=urn), timeout=2
                )
        except grpc.RpcError:
            return  # an engine without a log is no reason to fail


class _Config:
    """Scope of a default's template: inputs, provider configuration and the package's context."""

    def __init__(self, rules: PackageRules, inputs: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        self._rules, self._inputs, self._config = rules, inputs, config

    def lookup(self, path: str) -> Any:
        from engine.standin.template import dig

        head, _, rest = path.partition(".")
        if head in ("in", "config"):
            return dig(self._inputs if head == "in" else self._config, rest)
        if head in self._rules.context:
            return render(self._rules.context[head], self)
        raise Missing(path)


def _token(request: Any) -> str:
    return request.type or request.urn.split("::")[2].split("$")[-1]


def _logical(request: Any) -> str:
    return request.name or request.urn.split("::", 3)[-1]


def _check_response(inputs: Mapping[str, Any], failures: list[tuple[str, str]]) -> provider_pb2.CheckResponse:
    answer = provider_pb2.CheckResponse(inputs=to_struct(inputs))
    answer.failures.extend(provider_pb2.CheckFailure(property=name, reason=reason) for name, reason in failures)
    return answer


def _property_diff(one: Difference) -> provider_pb2.PropertyDiff:
    name = one.kind.upper() + ("_REPLACE" if one.change == "replace" else "")
    return provider_pb2.PropertyDiff(kind=_KIND.Value(name), inputDiff=True)


def _refuse(context: grpc.ServicerContext, message: str) -> NoReturn:
    context.abort(grpc.StatusCode.UNKNOWN, message)
    raise AssertionError("abort raises")


def _incomplete(context: grpc.ServicerContext, error: Incomplete, inputs: Mapping[str, Any]) -> NoReturn:
    """The protocol's way to say "it exists, but something went wrong": an error that carries id and state."""
    detail = provider_pb2.ErrorResourceInitFailed(
        id=error.object_id, properties=to_struct(error.outputs), inputs=to_struct(inputs), reasons=[str(error)]
    )
    packed = any_pb2.Any()
    packed.Pack(detail)
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error), details=[packed])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, str(error))
    raise AssertionError("abort raises")
