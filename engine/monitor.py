"""The gRPC services that the program speaks to: `ResourceMonitor` and `Engine`."""
# ruff: noqa: N802, ARG002 # names and parameters of the methods are the protocol's

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, resource_pb2, resource_pb2_grpc

from engine import wire
from engine.children import PARALLEL
from engine.errors import EngineError, Unsupported
from engine.goal import Goal
from engine.plan_provider import PlanProvider
from engine.providers import CHANNEL_OPTIONS, ProviderError
from engine.run import Run
from engine.steps import Steps

#: Features the SDK may use. Several are listed only so that their use reaches us, and is refused by name: without
#: them the SDK would ask for a newer CLI, or drop them silently.
_FEATURES = (
    "SECRETS",
    "RESOURCE_REFERENCES",
    "ALIAS_SPECS",
    "DELETED_WITH",
    "REPLACEMENT_TRIGGER",
    "REPLACE_WITH",
    "TRANSFORMS",
    "INVOKE_TRANSFORMS",
    "PARAMETERIZATION",
    "RESOURCE_HOOKS",
    "ERROR_HOOKS",
    "INVOKE_DEPENDS_ON",
    "INVOKE_PARENT",
    "STATE_MIGRATIONS",
)
_SEVERITIES = {0: "debug", 1: "info", 2: "warning", 3: "error"}


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    """Answers registrations with what the steps make of them."""

    def __init__(self, run: Run, steps: Steps, project: str, stack: str, config: dict[str, str], secrets: set[str]):
        self._run, self._steps = run, steps
        self._project, self._stack = project, stack
        self._config, self._secrets = config, secrets
        self._packages: dict[str, str] = {}

    def GetDeploymentInfo(self, request: Any, context: Any) -> Any:
        names = resource_pb2.ResourceMonitorFeature.keys()
        wanted = [f"RESOURCE_MONITOR_FEATURE_{name}" for name in _FEATURES]
        return resource_pb2.DeploymentInfo(
            project=self._project,
            stack=self._stack,
            organization="organization",
            config=self._config,
            configSecretKeys=sorted(self._secrets),
            dryRun=self._run.preview,
            parallel=PARALLEL,
            supportedFeatures=[resource_pb2.ResourceMonitorFeature.Value(name) for name in wanted if name in names],
        )

    def SupportsFeature(self, request: Any, context: Any) -> Any:
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id != "outputValues")

    def RegisterResource(self, request: Any, context: Any) -> Any:
        try:
            goal = Goal.read(request, self._project, self._stack)
            if request.packageRef:
                goal = self._with_package(goal, request.packageRef)
        except EngineError as error:
            self._run.fail(str(error))
            return self._failed(wire.make_urn(self._stack, self._project, request.parent, request.type, request.name))
        resource = self._steps.register(goal)
        if resource is None:
            return self._failed(goal.urn)
        return resource_pb2.RegisterResourceResponse(
            urn=resource.urn, id=resource.id, object=wire.to_struct(resource.outputs if resource.custom else {})
        )

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:
        outputs = {key: value for key, value in wire.from_struct(request.outputs).items() if value is not None}
        self._steps.outputs(request.urn, outputs)
        return empty_pb2.Empty()

    def ReadResource(self, request: Any, context: Any) -> Any:
        registration = resource_pb2.RegisterResourceRequest(
            type=request.type,
            name=request.name,
            parent=request.parent,
            custom=True,
            object=request.properties,
            dependencies=request.dependencies,
            provider=request.provider,
            version=request.version,
            additionalSecretOutputs=request.additionalSecretOutputs,
        )
        try:
            if request.type == "pulumi:pulumi:StackReference":
                raise Unsupported("stack references", request.name)
            goal = Goal.read(registration, self._project, self._stack)
            resource = self._steps.read(goal, request.id)
        except EngineError as error:
            self._run.fail(str(error))
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            raise  # abort() has raised already
        assert resource is not None  # noqa: S101 # a failure raises
        return resource_pb2.ReadResourceResponse(urn=resource.urn, properties=wire.to_struct(resource.outputs))

    def Invoke(self, request: Any, context: Any) -> Any:
        try:
            if wire.package_of(request.tok) == "pulumi":
                raise Unsupported(f"the function {request.tok}")
            version = self._packages.get(request.packageRef) or request.version
            _, provider = self._steps.provider_for(request.tok, request.provider, version, request.tok)
            args = wire.from_struct(request.args)
            if isinstance(provider, PlanProvider):
                return self._planned_result(provider, request.tok, args)
            answer = provider.invoke(request.tok, args)
        except ProviderError as error:
            # As with the CLI it is the program's to deal with, and its end where it does not.
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
            raise
        except EngineError as error:
            self._run.fail(str(error))
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            raise  # abort() has raised already
        failures = [provider_pb2.CheckFailure(property=f.property, reason=f.reason) for f in answer.failures]
        return resource_pb2.ResourceInvokeResponse(**{"return": getattr(answer, "return")}, failures=failures)

    def RegisterPackage(self, request: Any, context: Any) -> Any:
        if request.HasField("parameterization"):
            self._refuse(context, f"parameterized packages ({request.name})")
        reference = f"{request.name}@{request.version}"
        self._packages[reference] = request.version
        return resource_pb2.RegisterPackageResponse(ref=reference)

    def Call(self, request: Any, context: Any) -> Any:
        self._refuse(context, f"methods of remote resources ({request.tok})")

    def RegisterStackTransform(self, request: Any, context: Any) -> Any:
        self._refuse(context, "transforms")

    def RegisterStackInvokeTransform(self, request: Any, context: Any) -> Any:
        self._refuse(context, "invoke transforms")

    def RegisterResourceHook(self, request: Any, context: Any) -> Any:
        self._refuse(context, f"resource hooks ({request.name!r})")

    def RegisterErrorHook(self, request: Any, context: Any) -> Any:
        self._refuse(context, f"error hooks ({request.name!r})")

    def SignalAndWaitForShutdown(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()  # nothing of the program's is called after its end

    def _refuse(self, context: Any, feature: str) -> None:
        error = Unsupported(feature)
        self._run.fail(str(error))
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

    def _with_package(self, goal: Goal, reference: str) -> Goal:
        return replace(goal, version=self._packages.get(reference, goal.version))

    @staticmethod
    def _failed(urn: str) -> Any:
        return resource_pb2.RegisterResourceResponse(urn=urn, result=resource_pb2.FAIL)

    def _planned_result(self, provider: PlanProvider, token: str, args: dict[str, Any]) -> Any:
        """What the stand-in cloud would answer, noted as an assumption; unknown where it has no answer."""
        answer = None if wire.has_unknown(args) else provider.answer(token, args)
        if answer is None:
            return self._unknown_result(token)
        with self._run.lock:
            self._run.assumed[token] = answer
        answered: dict[str, Any] = {"return": wire.to_struct(answer)}  # `return` is a word of Python
        return resource_pb2.ResourceInvokeResponse(**answered)

    @staticmethod
    def _unknown_result(token: str) -> Any:
        if "unknown" not in resource_pb2.ResourceInvokeResponse.DESCRIPTOR.fields_by_name:
            raise Unsupported(f"the function {token} in a plan without a provider (this Pulumi SDK is too old)")
        return resource_pb2.ResourceInvokeResponse(unknown=True)


class Log(engine_pb2_grpc.EngineServicer):
    """Takes what the program logs."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._root = ""

    def Log(self, request: Any, context: Any) -> Any:
        severity = _SEVERITIES.get(request.severity, "info")
        if severity == "error":
            self._run.fail(request.message, request.urn)
        elif severity != "debug":
            self._run.log(severity, request.message, request.urn)
        return empty_pb2.Empty()

    def GetRootResource(self, request: Any, context: Any) -> Any:
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: Any, context: Any) -> Any:
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    def RequirePulumiVersion(self, request: Any, context: Any) -> Any:
        error = Unsupported(f"require_pulumi_version ({request.pulumi_version_range!r})")
        self._run.fail(str(error))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))


@contextlib.contextmanager
def serve(log: Log) -> Iterator[tuple[grpc.Server, str]]:
    """A server on a free loopback port, with the `Engine` service: (server, address). Stops when all calls are over."""
    with ThreadPoolExecutor(2 * PARALLEL) as pool:
        server = grpc.server(pool, options=CHANNEL_OPTIONS)
        engine_pb2_grpc.add_EngineServicer_to_server(log, server)
        port = server.add_insecure_port("127.0.0.1:0")
        yield server, f"127.0.0.1:{port}"
        server.stop(grace=None).wait()
