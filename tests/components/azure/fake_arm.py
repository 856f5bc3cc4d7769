"""Resource Manager with one Azure ML online endpoint and its deployments, over HTTP on this machine.

What it plays, from the REST reference (https://learn.microsoft.com/en-us/rest/api/azureml/online-endpoints) and Azure's
rules for operations (https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/async-operations): an
update goes on after the answer; what is being changed is refused (409), so is a change of another state than the one
named by `If-Match` (412); traffic is 100 together or empty and names deployments that exist; a deployment with traffic
is not deleted. Whether a PUT without traffic clears it or keeps it, the reference does not say: both are played.
What it does not play: instances, requests, permissions, time, Azure's own texts; it proves nothing about these.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

ENDPOINT = (
    "/subscriptions/0/resourceGroups/ml/providers/Microsoft.MachineLearningServices/workspaces/ml"
    "/onlineEndpoints/digits"
)

#: Of the next PUT of traffic: refused as busy; throttled; out of order; the answer lost after or before it was done;
#: accepted, then failed; accepted, and not over within anybody's patience; done, but its deployment vanished meanwhile.
Fault = Literal["busy", "throttled", "error", "lost", "cut", "failed", "endless", "vanished"]


class Refusal(Exception):
    """Azure says no. status: of the answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class FakeArm:
    """One endpoint.

    clears: whether a PUT without traffic clears it. lasting: looks that a change lasts. pause: milliseconds after which
    the service asks to look again; 0 asks for nothing. faults: of the next PUTs over HTTP. gets: statuses of the next
    GETs, 0 cuts the connection. refused: names of deployments whose deletion was asked for while they had traffic.
    broken: names of deployments whose creation fails, which leaves them there, as Azure does.
    """

    def __init__(self, *, clears: bool = True, lasting: int = 2, pause: int = 0) -> None:
        self.clears, self.lasting, self.pause = clears, lasting, pause
        self.endpoint: dict[str, Any] | None = None
        self.deployments: dict[str, str] = {}
        self.faults: list[Fault] = []
        self.gets: list[int] = []
        self.refused: list[str] = []
        self.broken: set[str] = set()
        self.puts = 0
        self._coming: dict[str, Any] | None = None
        self._left = 0
        self._serial = 0
        self._ended: dict[int, str] = {}
        self._operation = 0
        self._fault: Fault | None = None
        self._lock = threading.RLock()

    @property
    def traffic(self) -> dict[str, int]:
        """What is live."""
        return dict(self.endpoint["properties"].get("traffic") or {}) if self.endpoint else {}

    def put_endpoint(self, body: Mapping[str, Any], etag: str = "", fault: Fault | None = None) -> int:
        """Begin a change of the whole endpoint; the number of the operation."""
        with self._lock:
            self._idle()
            if etag and etag != self.etag():
                raise Refusal(412, "PreconditionFailed", "the endpoint has changed since")
            properties = dict(body["properties"])
            if not self.clears and "traffic" not in properties and self.endpoint:
                properties["traffic"] = self.traffic
            self._allowed(properties.get("traffic") or {})
            new = {**body, "properties": {**properties, "scoringUri": "https://digits.example/score"}}
            self._serial, self._operation = self._serial + 1, self._operation + 1
            self._coming, self._left, self._fault = new, self.lasting, fault
            if self.endpoint is None:
                self.endpoint = {**new, "properties": {**new["properties"], "traffic": {}}}
            return self._operation

    def delete_endpoint(self) -> None:
        """With all of it, at once."""
        self._idle()
        self.endpoint, self.deployments = None, {}

    def delete_deployment(self, name: str) -> None:
        """At once; refused while it has traffic."""
        self._idle()
        if self.traffic.get(name) or (self.endpoint and self.endpoint["properties"].get("mirrorTraffic", {}).get(name)):
            self.refused.append(name)
            raise Refusal(400, "UserError", f"deployment {name} has traffic")
        self.deployments.pop(name, None)

    def etag(self) -> str:
        return f'"{self._serial}"'

    def calm(self) -> None:
        """No more faults, and what goes on is over."""
        with self._lock:
            self.faults, self.gets = [], []
            if self._fault == "endless":
                self._fault = None
            while self._coming is not None:
                self.step()

    def step(self) -> None:
        """Somebody looks: what goes on comes nearer to its end."""
        with self._lock:
            if self._coming is None or self._fault == "endless":
                return
            self._left -= 1
            if self._left > 0:
                return
            coming, self._coming = self._coming, None
            if self._fault == "vanished" and coming["properties"].get("traffic"):
                # Azure's own loss of a deployment leaves no traffic to it either.
                gone = sorted(coming["properties"]["traffic"])[0]
                self.deployments.pop(gone, None)
            ended = "Failed" if self._fault in ("failed", "vanished") else "Succeeded"
            if ended == "Succeeded":
                self.endpoint = coming
            elif self.endpoint and not set(self.traffic) <= set(self.deployments):
                self.endpoint["properties"]["traffic"] = {}
            self._ended[self._operation], self._serial, self._fault = ended, self._serial + 1, None

    def shown(self) -> dict[str, Any]:
        """The endpoint as a GET shows it."""
        if self.endpoint is None:
            raise Refusal(404, "ResourceNotFound", "no such endpoint")
        state = "Updating" if self._coming is not None else "Succeeded"
        return {**self.endpoint, "properties": {**self.endpoint["properties"], "provisioningState": state}}

    def status(self, operation: int) -> dict[str, Any]:
        """Of an operation, as Azure-AsyncOperation answers."""
        ended = self._ended.get(operation, "InProgress")
        error = {"error": {"code": "UserError", "message": "the update failed"}} if ended == "Failed" else {}
        return {"status": ended, **error}

    def _idle(self) -> None:
        if self._coming is not None:
            raise Refusal(409, "Conflict", "the endpoint is being changed")

    def _allowed(self, traffic: Mapping[str, int]) -> None:
        if unknown := set(traffic) - set(self.deployments):
            raise Refusal(400, "UserError", f"traffic names {sorted(unknown)}, which do not exist")
        if sum(traffic.values()) not in (0, 100):
            raise Refusal(400, "UserError", f"traffic is {dict(traffic)}, which is not 100 together")

    @contextmanager
    def server(self) -> Iterator[str]:
        """Serves while the `with` block lasts; gives the address."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()


def _handler(fake: FakeArm) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            with fake._lock:
                status = fake.gets.pop(0) if fake.gets else 200
                if status == 0:
                    self.close_connection = True
                elif status != 200:
                    self._refuse(Refusal(status, "Played", "an error on request"))
                else:
                    self._guarded(self._get)

        def do_PUT(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with fake._lock:
                self._guarded(lambda: self._put(body))

        def do_DELETE(self) -> None:
            with fake._lock:
                self._guarded(self._delete)

        def _get(self) -> None:
            path = self.path.partition("?")[0]
            fake.step()
            if path.startswith("/operations/"):
                self._answer(200, fake.status(int(path.rpartition("/")[2])))
            elif path == ENDPOINT:
                self._answer(200, fake.shown(), ETag=fake.etag())
            elif path == f"{ENDPOINT}/deployments":
                fake.shown()
                listed = [
                    {"name": name, "properties": {"provisioningState": state}}
                    for name, state in fake.deployments.items()
                ]
                # One on a page, so that pages are followed.
                at = int(self.path.partition("skip=")[2] or 0)
                more = f"http://{self.headers['host']}{path}?api-version=1&skip={at + 1}"
                self._answer(200, {"value": listed[at : at + 1], "nextLink": more if at + 1 < len(listed) else None})
            else:
                raise Refusal(404, "NotPlayed", path)

        def _put(self, body: dict[str, Any]) -> None:
            path = self.path.partition("?")[0]
            if path != ENDPOINT:
                fake.shown()
                fake._idle()
                name = path.rpartition("/")[2]
                fake.deployments[name] = "Failed" if name in fake.broken else "Succeeded"
                if name in fake.broken:
                    raise Refusal(400, "UserError", "the deployment's container does not start")
                self._answer(200, body)
                return
            fake.puts += 1
            fault = fake.faults.pop(0) if fake.faults else None
            if fault == "busy":
                raise Refusal(409, "Conflict", "somebody else is at it")
            if fault == "throttled":
                raise Refusal(429, "TooManyRequests", "too many requests")
            if fault == "error":
                raise Refusal(503, "ServiceUnavailable", "out of order")
            if fault == "cut":
                self.close_connection = True
                return
            operation = fake.put_endpoint(body, self.headers.get("if-match", ""), fault)
            if fault == "lost":
                self.close_connection = True
                return
            where = f"http://{self.headers['host']}/operations/{operation}"
            self._answer(200, fake.shown(), **{"Azure-AsyncOperation": where})

        def _delete(self) -> None:
            path = self.path.partition("?")[0]
            if path == ENDPOINT:
                fake.delete_endpoint()
            else:
                fake.delete_deployment(path.rpartition("/")[2])
            self._answer(200, {})

        def _guarded(self, run: Any) -> None:
            try:
                run()
            except Refusal as error:
                self._refuse(error)

        def _refuse(self, error: Refusal) -> None:
            more = {"Retry-After": "1"} if error.status == 429 and not fake.pause else {}
            self._answer(error.status, {"error": {"code": error.code, "message": str(error)}}, **more)

        def _answer(self, status: int, content: Mapping[str, Any], **headers: str) -> None:
            text = json.dumps(content).encode()
            self.send_response(status)
            pause = {"x-ms-retry-after-ms": str(fake.pause)} if fake.pause else {}
            sent = {"content-type": "application/json", "content-length": str(len(text)), **pause, **headers}
            for name, value in sent.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: requests are not news."""

    return Handler
