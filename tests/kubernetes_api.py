"""A real Kubernetes API server for tests: admission, quota, Pod Security, schemas. No controllers, no nodes.

Built from Kubernetes' own Go modules (`bash .ci/kubernetes-api-server`). It takes objects and refuses them as a cluster
does; nothing comes of them, as there is nobody to make pods or to run them.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.containers import daemon
from tests.ports import free_port
from tests.real_parts import ROOT, need

DEFINITIONS = ROOT / ".local" / "crds"
_GET = "bash .ci/kubernetes-api-server builds it, five to ten minutes"
_TOKEN = "tests"


@dataclass(frozen=True)
class Cluster:
    """The API. paths: (apiVersion, kind) → (plural name, whether in a namespace)."""

    client: httpx.Client
    paths: Mapping[tuple[str, str], tuple[str, bool]]

    def create(self, manifest: Mapping[str, Any], *, dry: bool = False) -> httpx.Response:
        """Its answer to a new object, unknown fields refused; 201 is success. dry: nothing is kept."""
        url = self.url(manifest)
        asked = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry else {})}
        return self.client.post(url, params=asked, json=manifest)

    def url(self, manifest: Mapping[str, Any]) -> str:
        version, namespace = manifest["apiVersion"], manifest["metadata"].get("namespace")
        plural, namespaced = self.paths[version, manifest["kind"]]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        return f"{root}/namespaces/{namespace}/{plural}" if namespaced else f"{root}/{plural}"

    def set_quota(self, quota: Mapping[str, Any]) -> None:
        """What the quota controller does first: the API server refuses pods until a quota's use is known."""
        hard = quota["spec"]["hard"]
        status = {"status": {"hard": hard, "used": dict.fromkeys(hard, "0")}}
        url = f"{self.url(quota)}/{quota['metadata']['name']}/status"
        headers = {"content-type": "application/merge-patch+json"}
        self.client.patch(url, content=json.dumps(status), headers=headers).raise_for_status()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """An API server of its own, with the operators' definitions installed."""
    etcd, server = need("etcd", _GET), need("kube-apiserver", _GET)
    if not any(DEFINITIONS.glob("*.yaml")):
        pytest.skip("the operators' definitions are not here (bash .ci/kubernetes-definitions)")
    folder = tmp_path_factory.mktemp("kubernetes")
    with _etcd(etcd, folder) as store, _server(server, store, folder) as client:
        for file in sorted(DEFINITIONS.glob("*.yaml")):
            definition = yaml.safe_load(file.read_text())
            url = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
            client.post(url, json=definition).raise_for_status()
        yield Cluster(client, _all_paths(client))


@contextlib.contextmanager
def _etcd(program: Path, folder: Path) -> Iterator[str]:
    mine, peers = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    command = [str(program), "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync"]
    command += ["--listen-client-urls", mine, "--advertise-client-urls", mine, "--listen-peer-urls", peers]
    command += ["--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}"]
    with daemon(command, folder / "etcd.log", lambda: _answers(httpx.Client(base_url=mine), "/health")):
        yield mine


@contextlib.contextmanager
def _server(program: Path, store: str, folder: Path) -> Iterator[httpx.Client]:
    key, tokens, port = folder / "key.pem", folder / "tokens.csv", free_port()
    subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    tokens.write_text(f'{_TOKEN},admin,admin,"system:masters"\n')
    command = [str(program), "--etcd-servers", store, "--secure-port", str(port), "--bind-address", "127.0.0.1"]
    command += ["--cert-dir", str(folder / "certificates"), "--token-auth-file", str(tokens)]
    command += ["--service-account-issuer", "https://tests.invalid", "--service-account-key-file", str(key)]
    command += ["--service-account-signing-key-file", str(key), "--service-cluster-ip-range", "10.0.0.0/16"]
    # No controller makes the service accounts' tokens that this plugin waits for.
    command += ["--authorization-mode", "RBAC", "--disable-admission-plugins", "ServiceAccount"]
    headers = {"authorization": f"Bearer {_TOKEN}"}
    url = f"https://127.0.0.1:{port}"
    # Its certificate is its own, made at start; it listens on the loopback address.
    with (
        httpx.Client(base_url=url, headers=headers, verify=False, timeout=60, trust_env=False) as client,
        daemon(command, folder / "apiserver.log", lambda: _answers(client, "/readyz"), seconds=300),
    ):
        yield client


def _answers(client: httpx.Client, path: str) -> bool:
    try:
        return client.get(path).status_code == 200
    except httpx.TransportError:
        return False


def _all_paths(client: httpx.Client) -> dict[tuple[str, str], tuple[str, bool]]:
    """The paths of everything, once the operators' resources are served too."""
    defined = [yaml.safe_load(file.read_text())["spec"] for file in DEFINITIONS.glob("*.yaml")]
    wanted = {
        (f"{spec['group']}/{one['name']}", spec["names"]["kind"])
        for spec in defined
        for one in spec["versions"]
        if one["served"]
    }
    end = time.monotonic() + 120
    while True:
        with contextlib.suppress(httpx.HTTPStatusError):  # a group that is just being added
            found = _paths(client)
            if wanted <= found.keys():
                return found
        assert time.monotonic() < end, f"not served: {wanted}"
        time.sleep(0.1)


def _paths(client: httpx.Client) -> dict[tuple[str, str], tuple[str, bool]]:
    groups = client.get("/apis").raise_for_status().json()["groups"]
    versions = ["v1", *(one["groupVersion"] for group in groups for one in group["versions"])]
    found: dict[tuple[str, str], tuple[str, bool]] = {}
    for version in versions:
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        for one in client.get(root).raise_for_status().json()["resources"]:
            if "/" not in one["name"]:
                found[version, one["kind"]] = (one["name"], one["namespaced"])
    return found
