"""One pod of a manifest on a container engine: what the kubelet does with a pod's spec, done with the engine's options.

Everything in the spec is either translated or named in :data:`OF_THE_CLUSTER`; a field that is neither is an error, so
that no test passes on what was left out. What stands between this and a node: the engine's defaults for seccomp, no
limit on ephemeral storage, an engine's own bridge instead of the cluster's network, probes looked at more often than
their period (the time that they allow in all is kept).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker.errors
import httpx

from components.kubernetes.quantities import quantity
from tests.containers import Engine

#: Of a pod's spec: what a scheduler, a service account or a registry does with it.
OF_THE_CLUSTER = {
    "serviceAccountName",
    "automountServiceAccountToken",
    "enableServiceLinks",
    "nodeSelector",
    "topologySpreadConstraints",
    "imagePullSecrets",
}
#: Seconds between two looks of a probe here.
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Ended:
    """How a container came to its end. killed: it did not end by itself in the grace period. out_of_memory: the kernel
    ended it for its memory limit.
    """

    code: int
    seconds: float
    killed: bool
    out_of_memory: bool


class Pod:
    """The pod of a Deployment, with one container and its init containers.

    images: reference in the manifest → what the engine has. secrets: content of Secrets that are not in the manifests.
    mounts: path in the containers → path here, read-only: what the image would hold. folder: for volumes.
    """

    def __init__(
        self,
        engine: Engine,
        manifests: Sequence[Mapping[str, Any]],
        folder: Path,
        *,
        images: Mapping[str, str],
        secrets: Mapping[str, Mapping[str, str]] | None = None,
        mounts: Mapping[str, str] | None = None,
    ) -> None:
        self._engine, self._images, self._mounts = engine, images, dict(mounts or {})
        self._secrets = dict(secrets or {})
        self._maps: dict[str, Mapping[str, str]] = {}
        for one in manifests:
            if one["kind"] == "Secret":
                self._secrets[one["metadata"]["name"]] = one["stringData"]
            elif one["kind"] == "ConfigMap":
                self._maps[one["metadata"]["name"]] = one["data"]
        (deployment,) = (one for one in manifests if one["kind"] == "Deployment")
        rest = dict(deployment["spec"]["template"]["spec"])
        self._early: list[Mapping[str, Any]] = rest.pop("initContainers", [])
        (self.spec,) = rest.pop("containers")
        self.grace: int = rest.pop("terminationGracePeriodSeconds")
        self._security: Mapping[str, Any] = rest.pop("securityContext", {})
        self.volumes = {one["name"]: self._volume(one, folder) for one in rest.pop("volumes", [])}
        assert rest.keys() <= OF_THE_CLUSTER, f"not translated: {rest.keys() - OF_THE_CLUSTER}"
        self.container: Any = None
        self.restarts = 0

    @property
    def url(self) -> str:
        """Base address of the pod's first port."""
        return f"http://{self.address}:{self.spec['ports'][0]['containerPort']}"

    @property
    def address(self) -> str:
        self.container.reload()
        return self.container.attrs["NetworkSettings"]["IPAddress"]

    def log(self) -> str:
        return self.container.logs().decode(errors="replace")

    def run(self, *command: str) -> tuple[int, str]:
        """Exit code and output of a command in the container, with its rights."""
        code, output = self.container.exec_run(list(command))
        return code, output.decode(errors="replace")

    def start(self) -> None:
        """The init containers, each to its end, and then the container. It is not waited for."""
        self.prepare()
        self.container = self._run(self.spec)

    def prepare(self) -> None:
        """The init containers alone, each to its end."""
        for spec in self._early:
            early = self._run(spec)
            try:
                code = early.wait(timeout=300)["StatusCode"]
                assert code == 0, f"init container {spec['name']} ended with {code}: {early.logs().decode()}"
            finally:
                early.remove(force=True)

    def wait_until_ready(self) -> None:
        """Until the startup probe and then the readiness probe are content, for as long as the first allows."""
        probe = self.spec["startupProbe"]
        end = time.monotonic() + probe["periodSeconds"] * probe["failureThreshold"]
        for name in ("startupProbe", "readinessProbe"):
            while not self.probe(name):
                self.container.reload()
                assert self.container.status == "running", f"it ended: {self.log()}"
                assert time.monotonic() < end, f"{name} does not succeed, the kubelet would kill it: {self.log()}"
                time.sleep(LOOK_SECONDS)

    def probe(self, name: str) -> bool:
        """One look, as the kubelet does it: 200 to 399 within the time is success."""
        probe = self.spec[name]
        known = {"httpGet", "periodSeconds", "timeoutSeconds", "failureThreshold", "successThreshold"}
        assert probe.keys() <= known, f"not translated: {probe.keys() - known}"
        get = probe["httpGet"]
        port = next((one["containerPort"] for one in self.spec["ports"] if one["name"] == get["port"]), get["port"])
        url = f"{get['scheme'].lower()}://{self.address}:{port}{get['path']}"
        try:
            return 200 <= httpx.get(url, timeout=probe["timeoutSeconds"], trust_env=False).status_code < 400
        except httpx.TransportError:
            return False

    def look_after(self, seconds: float) -> None:
        """What the kubelet does when the liveness probe has failed as often as it may, or the container has ended: a
        new container in the same volumes. seconds: the most that is waited for that.
        """
        end, failures = time.monotonic() + seconds, 0
        while True:
            assert time.monotonic() < end, "it lives"
            self.container.reload()
            if self.container.status != "running":
                break
            failures = 0 if self.probe("livenessProbe") else failures + 1
            if failures >= self.spec["livenessProbe"]["failureThreshold"]:
                self.container.kill("SIGKILL")
                self.container.wait(timeout=60)
                break
            time.sleep(LOOK_SECONDS)
        self.container.remove(force=True)
        self.container = self._run(self.spec)
        self.restarts += 1

    def ended(self, seconds: float) -> Ended:
        """Wait for the container's end by itself."""
        began = time.monotonic()
        code = self.container.wait(timeout=seconds)["StatusCode"]
        return self._end(code, began, killed=False)

    def terminate(self, meanwhile: Callable[[], None] = lambda: None) -> Ended:
        """The preStop hook, SIGTERM, and SIGKILL where the grace period was not enough.

        meanwhile: called again and again from SIGTERM until the end.
        """
        began = time.monotonic()
        lifecycle = self.spec.get("lifecycle", {})
        if lifecycle:
            assert set(lifecycle) == {"preStop"}, f"not translated: {lifecycle}"
            self._pre_stop(lifecycle["preStop"])
        if self._runs():
            with contextlib.suppress(docker.errors.APIError):  # it has just ended
                self.container.kill("SIGTERM")
        left = self.grace - (time.monotonic() - began)
        end = time.monotonic() + left
        while time.monotonic() < end:
            if not self._runs():
                return self._end(self.container.attrs["State"]["ExitCode"], began, killed=False)
            meanwhile()
            time.sleep(LOOK_SECONDS)
        self.container.kill("SIGKILL")
        return self._end(self.container.wait(timeout=60)["StatusCode"], began, killed=True)

    def _runs(self) -> bool:
        self.container.reload()
        return self.container.status == "running"

    def _pre_stop(self, hook: Mapping[str, Any]) -> None:
        assert hook.keys() in ({"sleep"}, {"exec"}), f"not translated: {hook}"
        if "sleep" in hook:
            time.sleep(hook["sleep"]["seconds"])
        else:
            self.container.exec_run(hook["exec"]["command"])

    def remove(self) -> None:
        if self.container is not None:
            self.container.remove(force=True, v=True)

    def _end(self, code: int, began: float, *, killed: bool) -> Ended:
        self.container.reload()
        return Ended(code, time.monotonic() - began, killed, self.container.attrs["State"]["OOMKilled"])

    def _run(self, spec: Mapping[str, Any]) -> Any:
        from docker.types import Mount

        rest = dict(spec)
        for name in (
            "name",
            "ports",
            "imagePullPolicy",
            "lifecycle",
            "startupProbe",
            "readinessProbe",
            "livenessProbe",
        ):
            rest.pop(name, None)
        image = self._images[rest.pop("image")]
        volumes = {one["mountPath"]: one for one in rest.pop("volumeMounts", [])}
        mounts = [
            Mount(path, str(self.volumes[one["name"]]), "bind", read_only=one.get("readOnly", False))
            for path, one in volumes.items()
        ]
        mounts += [Mount(path, source, "bind", read_only=True) for path, source in self._mounts.items()]
        options = {**self._secured(rest.pop("securityContext", {})), **_limited(rest.pop("resources"))}
        environment = self._environment(rest.pop("envFrom", []), rest.pop("env", []))
        command, arguments = rest.pop("command", None), rest.pop("args", None)
        assert not rest, f"not translated: {rest.keys()}"
        return self._engine.client.containers.run(
            image, arguments, entrypoint=command, detach=True, environment=environment, mounts=mounts, **options
        )

    def _environment(
        self, sources: Sequence[Mapping[str, Any]], variables: Sequence[Mapping[str, Any]]
    ) -> dict[str, str]:
        found: dict[str, str] = {}
        for one in sources:
            found |= self._secrets[one["secretRef"]["name"]]
        for one in variables:
            assert one.keys() == {"name", "value"}, f"not translated: {one}"
            found[one["name"]] = one["value"]
        return found

    def _secured(self, own: Mapping[str, Any]) -> dict[str, Any]:
        rest = {**self._security, **own}
        assert rest.pop("runAsNonRoot") is True
        user = rest.pop("runAsUser")
        assert user != 0
        assert rest.pop("privileged", False) is False
        assert rest.pop("seccompProfile") == {"type": "RuntimeDefault"}  # what engines do unless told otherwise
        assert rest.pop("allowPrivilegeEscalation") is False
        options: dict[str, Any] = {
            "user": f"{user}:{rest.pop('runAsGroup')}",
            "group_add": [str(rest.pop("fsGroup"))],
            "read_only": rest.pop("readOnlyRootFilesystem"),
            "cap_drop": rest["capabilities"]["drop"],
            "security_opt": ["no-new-privileges"],
        }
        assert rest.pop("capabilities").keys() == {"drop"}
        assert not rest, f"not translated: {rest}"
        return options

    def _volume(self, volume: Mapping[str, Any], folder: Path) -> Path:
        """A folder that the pod's group owns, as the kubelet makes it."""
        place = folder / volume["name"]
        place.mkdir(parents=True)
        group = self._security["fsGroup"]
        if "emptyDir" in volume:
            os.chown(place, 0, group)
            place.chmod(0o2777)
            return place
        secret = volume.get("secret")
        source = self._secrets[secret["secretName"]] if secret else self._maps[volume["configMap"]["name"]]
        mode = (secret or volume["configMap"])["defaultMode"]
        for key, content in source.items():
            (place / key).write_text(content)
            os.chown(place / key, 0, group)
            (place / key).chmod(mode)
        place.chmod(0o755)
        return place


def _limited(resources: Mapping[str, Any]) -> dict[str, Any]:
    """Swap is not more than memory, as on a node without."""
    limits, requests = resources["limits"], resources["requests"]
    assert limits.keys() <= {"cpu", "memory", "ephemeral-storage"}
    memory = int(quantity(limits["memory"]))
    return {
        "nano_cpus": int(quantity(limits["cpu"]) * 10**9),
        "cpu_shares": max(2, int(quantity(requests["cpu"]) * 1024)),
        "mem_limit": memory,
        "memswap_limit": memory,
    }


@contextlib.contextmanager
def running(engine: Engine, manifests: Sequence[Mapping[str, Any]], folder: Path, **options: Any) -> Iterator[Pod]:
    """A pod that is ready; removed with its volumes at the end. options: those of :class:`Pod`."""
    place = folder / f"pod-{time.monotonic_ns()}"
    pod = Pod(engine, manifests, place, **options)
    try:
        pod.start()
        pod.wait_until_ready()
        yield pod
    finally:
        pod.remove()
        shutil.rmtree(place, ignore_errors=True)
