"""A provider attached by address, on both engines: explicit and default providers, previews, detailed diffs, partly
failed creations, functions and secrets. The provider is a small real gRPC server of a package `shop`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2, empty_pb2, struct_pb2
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from engine.grpc_status import status_pb2
from tests.engine.drivers import Cli, Driver, Embedded, Workspace

SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}


class Shop(provider_pb2_grpc.ResourceProviderServicer):
    """Items with a price (updated), a shelf (replaced) and a computed label; calls are noted."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.towns: dict[str, str] = {}
        self.unwell = False

    def Attach(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Handshake(self, request: Any, context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=True)

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="1.2.3")

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_UNKNOWN)

    def Configure(self, request: Any, context: Any) -> Any:
        town = MessageToDict(request.args).get("town", "")
        self.calls.append(f"configure {town}")
        self.towns[context.peer()] = town
        return provider_pb2.ConfigureResponse(acceptSecrets=True, acceptResources=True, supportsPreview=True)

    def Check(self, request: Any, context: Any) -> Any:
        inputs = struct_pb2.Struct()
        inputs.CopyFrom(request.news)
        if "shelf" not in inputs.fields:
            inputs["shelf"] = "first"
        return provider_pb2.CheckResponse(inputs=inputs)

    def Diff(self, request: Any, context: Any) -> Any:
        olds, news = MessageToDict(request.old_inputs), MessageToDict(request.news)
        kinds = provider_pb2.PropertyDiff
        detailed = {
            key: kinds(kind=kinds.UPDATE_REPLACE if key == "shelf" else kinds.UPDATE, inputDiff=True)
            for key in ("price", "shelf")
            if olds.get(key) != news.get(key)
        }
        some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=some if detailed else none,
            detailedDiff=detailed,
            hasDetailedDiff=True,
            diffs=list(detailed),
            replaces=["shelf"] if "shelf" in detailed else [],
        )

    def Create(self, request: Any, context: Any) -> Any:
        outputs = self._outputs(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(id="", properties=outputs)
        self.calls.append(f"create {request.urn.rsplit('::', 1)[1]} {request.timeout:g}")
        if "town" in request.properties.fields:
            assert request.properties["town"] == self.towns[context.peer()]
        if self.unwell:
            failed = provider_pb2.ErrorResourceInitFailed(id="item", properties=outputs, reasons=["it wobbles"])
            self._abort(context, failed)
        return provider_pb2.CreateResponse(id="item", properties=outputs)

    def Update(self, request: Any, context: Any) -> Any:
        if not request.preview:
            self.calls.append(f"update {request.urn.rsplit('::', 1)[1]}")
        return provider_pb2.UpdateResponse(properties=self._outputs(request.news))

    def Delete(self, request: Any, context: Any) -> Any:
        self.calls.append(f"delete {request.urn.rsplit('::', 1)[1]}")
        return empty_pb2.Empty()

    def Read(self, request: Any, context: Any) -> Any:
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Invoke(self, request: Any, context: Any) -> Any:
        response = provider_pb2.InvokeResponse()
        getattr(response, "return")["sum"] = MessageToDict(request.args)["price"] * 2
        return response

    @staticmethod
    def _outputs(inputs: struct_pb2.Struct) -> struct_pb2.Struct:
        outputs = struct_pb2.Struct()
        outputs.CopyFrom(inputs)
        outputs["label"] = "made"
        return outputs

    @staticmethod
    def _abort(context: Any, detail: Any) -> None:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message="unwell", details=[packed])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, "unwell")


@pytest.fixture
def shop() -> Iterator[tuple[Shop, str]]:
    servicer = Shop()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"127.0.0.1:{port}"
    server.stop(None).wait()


class Attached:
    """A driver with the shop attached."""

    def __init__(self, engine: Driver, address: str) -> None:
        self._engine, self._address = engine, address

    def __call__(self, operation: str) -> Any:
        if isinstance(self._engine, Embedded):
            return self._engine(operation, providers={"shop": self._address})
        return self._engine(operation)


@pytest.fixture
def attached(engine: Driver, shop: tuple[Shop, str], monkeypatch: pytest.MonkeyPatch) -> Attached:
    if isinstance(engine, Cli):
        monkeypatch.setenv("PULUMI_DEBUG_PROVIDERS", f"shop:{shop[1].rsplit(':', 1)[1]}")
    return Attached(engine, shop[1])


PROGRAM = """
    town = pulumi.ProviderResource("shop", "town", {{"town": "{town}"}})
    def item(name, price, shelf=None, **options):
        props = {{"price": price, "label": None, **({{"shelf": shelf}} if shelf else {{}})}}
        return pulumi.CustomResource("shop:index:Item", name, props, pulumi.ResourceOptions(**options))
    a = item("a", {price}, "{shelf}", provider=town)
    doubled = pulumi.runtime.invoke("shop:index:double", {{"price": 4}}).value["sum"]
    b = item("b", doubled, custom_timeouts=pulumi.CustomTimeouts(create="90s"), depends_on=[a])
    pulumi.export("id", b.id)
    pulumi.export("secret", item("c", pulumi.Output.secret(42)).id)
"""


def test_an_attached_provider_serves_a_whole_life(
    attached: Attached, shop: tuple[Shop, str], workspace: Workspace
) -> None:
    servicer, _ = shop
    workspace.program(PROGRAM.format(town="Ulm", price=1, shelf="left"))
    preview = attached("preview")
    assert preview.changes == {"create": 5}, preview.log
    assert not [call for call in servicer.calls if not call.startswith("configure")]
    up = attached("up")
    assert up.changes == {"create": 5}, up.log
    assert "configure Ulm" in servicer.calls
    assert "create b 90" in servicer.calls
    inputs = {resource["urn"].rsplit("::", 1)[1]: resource.get("inputs") for resource in workspace.resources()}
    assert inputs["b"] == {"price": 8, "shelf": "first"}
    assert inputs["c"] is not None
    assert "ciphertext" in inputs["c"]["price"]
    assert attached("up").changes == {}

    workspace.program(PROGRAM.format(town="Ulm", price=2, shelf="left"))
    assert attached("up").changes == {"update": 1}
    workspace.program(PROGRAM.format(town="Ulm", price=2, shelf="right"))
    assert attached("up").changes == {"replace": 1}
    workspace.program(PROGRAM.format(town="Bonn", price=2, shelf="right"))
    assert attached("up").changes == {"update": 1}
    assert attached("refresh").changes == {}
    servicer.calls.clear()
    assert attached("destroy").ok
    deleted = [call for call in servicer.calls if call.startswith("delete")]
    assert sorted(deleted) == ["delete a", "delete b", "delete c"]
    assert deleted.index("delete b") < deleted.index("delete a"), "b depends on a; c stands for itself"
    assert "configure Bonn" in servicer.calls


def test_a_creation_that_half_failed_is_known_and_mended(
    attached: Attached, shop: tuple[Shop, str], workspace: Workspace
) -> None:
    servicer, _ = shop
    workspace.program("""
        pulumi.CustomResource("shop:index:Item", "a", {"price": 1})
    """)
    servicer.unwell = True
    failed = attached("up")
    assert not failed.ok
    assert "it wobbles" in failed.log
    item = next(resource for resource in workspace.resources() if resource["urn"].endswith("::a"))
    assert (item["id"], item["initErrors"]) == ("item", ["it wobbles"])
    servicer.unwell = False
    assert attached("up").changes == {"update": 1}
    assert servicer.calls[-1] == "update a"
    assert attached("up").changes == {}


def test_each_provider_of_a_package_has_a_connection_of_its_own(
    attached: Attached, shop: tuple[Shop, str], workspace: Workspace
) -> None:
    """One process plays them all (two clusters, two regions) and can tell them apart by nothing else."""
    workspace.program("""
        towns = {name: pulumi.ProviderResource("shop", name, {"town": name}) for name in ("Ulm", "Bonn", "Trier")}
        for number in range(9):
            name = list(towns)[number % 3]
            options = pulumi.ResourceOptions(provider=towns[name])
            pulumi.CustomResource("shop:index:Item", f"item-{number}", {"price": 1, "town": name}, options)
    """)
    up = attached("up")
    assert up.changes == {"create": 13}, up.log  # three providers, nine items, the stack
    assert sorted(set(shop[0].towns.values())) == ["Bonn", "Trier", "Ulm"]


def test_a_provider_that_does_not_listen_is_told(embedded: Embedded, workspace: Workspace) -> None:
    workspace.program("""
        pulumi.CustomResource("shop:index:Item", "a", {"price": 1})
    """)
    refused = embedded("up", providers={"shop": "127.0.0.1:9"})
    assert not refused.ok
    assert "cannot be reached" in refused.log
    assert not workspace.state_file.exists()


def test_the_engine_lives_in_one_process_with_googles_libraries() -> None:
    """Pulumi's SDK has a copy of a message of Google's; protobuf takes one of them only."""
    modules = ("engine.session", "engine.standin.server", "google.cloud.storage", "google.api_core.exceptions")
    for order in (modules, modules[::-1]):
        subprocess.run([sys.executable, "-c", f"import {', '.join(order)}"], check=True, cwd=Path(__file__).parents[2])
