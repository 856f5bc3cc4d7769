"""An endpoint and its deployments as azure-native makes them, for a program against a played Resource Manager."""

from __future__ import annotations

import os
import urllib.request
from typing import Any

import pulumi
from pulumi import dynamic

from components.azure.arm import connect
from components.azure.online_endpoint import API_VERSION
from components.azure.traffic import Drained, Restored, Traffic
from components.rest.patience import Patience
from tests.components.azure.fake_arm import ENDPOINT


class _Provider(dynamic.ResourceProvider):
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        return dynamic.DiffResult(changes=olds["tag"] != news["tag"])

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        self._put(props)
        return dynamic.CreateResult(props["path"], props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        self._put(news)
        return dynamic.UpdateResult(news)

    def delete(self, id_: str, _props: dict[str, Any]) -> None:
        url = f"{os.environ['AZURE_RESOURCE_MANAGER_ENDPOINT']}{id_}"
        urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=60).close()

    @staticmethod
    def _put(props: dict[str, Any]) -> None:
        with connect(API_VERSION, Patience("it", 60)) as arm:
            arm.put(props["path"], {"location": "here", "tags": {"t": props["tag"]}, "properties": {}}, "")


class Thing(dynamic.Resource, module="played", name="Thing"):
    """What a PUT without traffic makes."""

    def __init__(self, name: str, path: str, tag: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(_Provider(), name, {"path": path, "tag": tag}, opts)


def program(tag: str, shares: dict[str, int]) -> None:
    """The whole of it, in the order that `components.azure.traffic` asks for."""
    endpoint = Thing("endpoint", ENDPOINT, tag)
    restored = Restored("restored", endpoint=endpoint.id, shares=shares, after=tag)
    drained = []
    for name in shares:
        opts = pulumi.ResourceOptions(depends_on=[restored])
        deployment = Thing(name, f"{ENDPOINT}/deployments/{name}", "same", opts)
        drained.append(Drained(f"{name}-drained", deployment=deployment.id))
    opts = pulumi.ResourceOptions(depends_on=drained)
    Traffic("traffic", endpoint=endpoint.id, shares=shares, after=tag, opts=opts)
