"""Azure Resource Manager for the resources of our own: few calls, each with its errors as one family.

The vendor's pipeline does what is the same for every request: tokens with their challenges, `Retry-After`, throttling
(429), 5xx and lost connections (`RetryPolicy`), and operations that go on after the answer (`ARMPolling`:
`Azure-AsyncOperation`, `Location`, `provisioningState`). All its waits are taken from one `Patience`, since its own
limit, that of `LROPoller.result`, returns what there is as though it were the end.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from azure.core import AzureClouds, PipelineClient
from azure.core.credentials import AzureKeyCredential, TokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline import policies
from azure.core.pipeline.policies import RetryPolicy, SansIOHTTPPolicy
from azure.core.pipeline.transport import RequestsTransport
from azure.core.polling import LROPoller
from azure.core.rest import HttpRequest, HttpResponse
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
from azure.mgmt.core.polling.arm_polling import ARMPolling
from azure.mgmt.core.tools import get_arm_endpoints

from components.rest.patience import Patience

#: Names another Resource Manager than the cloud's own: a private one, or one that a rehearsal or a test plays.
ENDPOINT_VARIABLE = "AZURE_RESOURCE_MANAGER_ENDPOINT"
#: Names the cloud, as azure-native reads it (https://www.pulumi.com/registry/packages/azure-native/installation-configuration/).
CLOUD_VARIABLE = "ARM_ENVIRONMENT"
CLOUDS = {
    "public": AzureClouds.AZURE_PUBLIC_CLOUD,
    "usgovernment": AzureClouds.AZURE_US_GOVERNMENT,
    "china": AzureClouds.AZURE_CHINA_CLOUD,
}

#: Between two looks at what is under way, where the answer does not say when to come back.
POLL_SECONDS = 10.0
#: Of silence, after which an answer is taken for lost and the request is repeated.
READ_SECONDS = 60.0

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class ArmError(RuntimeError):
    """Resource Manager refused, or did not answer; the text says what was asked.

    status: of the answer, 0 without one. code: Azure's own word for it, empty without one.
    """

    def __init__(self, message: str, *, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status, self.code = status, code

    @property
    def is_meanwhile(self) -> bool:
        """Whether somebody else changes it right now (409), or has since it was read (412)."""
        return self.status in (409, 412)


@dataclass(frozen=True)
class Found:
    """A resource as it is. etag: empty where the service has none. again: seconds after which to look again."""

    body: Mapping[str, Any]
    etag: str
    again: float


class _Transport(RequestsTransport):
    """Every wait of the pipeline is one of the operation's."""

    def __init__(self, patience: Patience, **options: Any) -> None:
        super().__init__(**options)
        self._patience = patience

    def sleep(self, duration: float) -> None:
        self._patience.wait(duration)


class Arm:
    """Resource Manager for one operation; a context, which closes its connections.

    url: of the Resource Manager. authentication: adds the token. api_version: of every request. poll: seconds between
    two looks where the answers name none.
    """

    def __init__(
        self,
        url: str,
        authentication: Any,
        api_version: str,
        patience: Patience,
        *,
        poll: float = POLL_SECONDS,
        read: float = READ_SECONDS,
        use_proxies: bool = True,
    ) -> None:
        self._version, self._poll = api_version, poll
        self.patience = patience
        transport = _Transport(patience, read_timeout=read, use_env_settings=use_proxies)
        chain: list[Any] = [
            policies.RequestIdPolicy(),
            policies.UserAgentPolicy("cloud-ml-deployment", use_env=False),
            RetryPolicy(),
            authentication,
        ]
        self._client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
            url, policies=chain, transport=transport
        )

    def __enter__(self) -> Arm:
        self._client.__enter__()
        return self

    def __exit__(self, *_details: object) -> None:
        self._client.close()

    def wait(self, seconds: float) -> None:
        """Wait within the operation's time."""
        self.patience.wait(seconds)

    def get(self, path: str) -> Found | None:
        """The resource; None where there is none. Raises ArmError."""
        response = self._answer(HttpRequest("GET", self._url(path)))
        if response.status_code == 404:
            return None
        self._check(response)
        body = response.json()
        etag = response.headers.get("ETag") or body.get("etag") or ""
        return Found(body, etag, self._again(response))

    def list(self, path: str) -> Iterator[Mapping[str, Any]]:
        """The resources of a collection, page after page. Raises ArmError."""
        url: str | None = self._url(path)
        while url:
            response = self._answer(HttpRequest("GET", url))
            self._check(response)
            page = response.json()
            yield from page["value"]
            url = page.get("nextLink")

    def put(self, path: str, body: Mapping[str, Any], etag: str) -> None:
        """Put a resource and wait for the end of what that begins.

        etag: of the state that the body was made from; nothing is done where there is another one by now (412).
        Raises ArmError and TookTooLongError.
        """
        headers = {"If-Match": etag} if etag else {}
        request = HttpRequest("PUT", self._url(path), json=dict(body), headers=headers)
        try:
            # What every client of Azure's own does to poll; it has no public name.
            first: Any = self._client.send_request(request, _return_pipeline_response=True)
            self._check(first.http_response)
            method: Any = ARMPolling(self._poll, lro_options={"final-state-via": "original-uri"})
            LROPoller(self._client, first, lambda _answer: None, method).result()
        except HttpResponseError as error:
            raise _failed("PUT", path, error) from error
        except AzureError as error:
            raise ArmError(f"PUT {path}: {error}") from error

    def _answer(self, request: HttpRequest) -> HttpResponse:
        try:
            return self._client.send_request(request)
        except HttpResponseError as error:
            raise _failed(request.method, request.url, error) from error
        except AzureError as error:
            raise ArmError(f"{request.method} {request.url}: {error}") from error

    @staticmethod
    def _check(response: HttpResponse) -> None:
        try:
            response.raise_for_status()
        except HttpResponseError as error:
            raise _failed(response.request.method, response.request.url, error) from error

    def _url(self, path: str) -> str:
        return self._client.format_url(f"{path}?api-version={self._version}")

    def _again(self, response: HttpResponse) -> float:
        for header, unit in (("retry-after", 1.0), ("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001)):
            asked = response.headers.get(header, "")
            if re.fullmatch(r"0*[1-9]\d*", asked):  # 0 would be asking without a pause
                return int(asked) * unit
        return self._poll


def connect(api_version: str, patience: Patience) -> Arm:
    """Resource Manager of the cloud that the environment names, else of the public one.

    The identity is what `DefaultAzureCredential` finds: `AZURE_CLIENT_ID` and its like, a workload's or machine's own,
    or who is signed in by `az login`. An address in the environment must be `https`; only on this machine itself it
    may be `http`, and no token is sent there.
    """
    endpoint = os.environ.get(ENDPOINT_VARIABLE, "")
    if _is_loopback(endpoint):
        # Who plays Resource Manager on this machine may look for a token, and gets none that is worth anything.
        played = policies.AzureKeyCredentialPolicy(AzureKeyCredential("played"), "Authorization", prefix="Bearer")
        return Arm(endpoint, played, api_version, patience, use_proxies=False)
    if endpoint and urlsplit(endpoint).scheme != "https":
        raise ValueError(f"{ENDPOINT_VARIABLE} is {endpoint!r}; allowed: https://…, and http:// on 127.0.0.1 only")
    asked = os.environ.get(CLOUD_VARIABLE, "") or "public"
    if asked not in CLOUDS:
        raise ValueError(f"{CLOUD_VARIABLE} is {asked!r}; allowed: {', '.join(CLOUDS)}")
    known = get_arm_endpoints(CLOUDS[asked])
    return Arm(endpoint or known["resource_manager"], _signed_in(known["credential_scopes"]), api_version, patience)


def _signed_in(scopes: list[str]) -> SansIOHTTPPolicy[Any, Any] | Any:
    from azure.identity import DefaultAzureCredential  # reads the environment at once, and takes half a second

    credential: TokenCredential = DefaultAzureCredential()
    return ARMChallengeAuthenticationPolicy(credential, *scopes)


def _is_loopback(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in _LOOPBACK


def _failed(method: str, where: str, error: HttpResponseError) -> ArmError:
    status = error.status_code or 0
    code = error.error.code if error.error is not None else None
    text = (error.error.message if error.error is not None else None) or error.reason or str(error)
    # An operation that failed is told with 200 (OK) by who was asked how it is.
    said = " ".join(part for part in (str(status) if status >= 400 else "failed", str(code or "")) if part)
    return ArmError(f"{method} {where.partition('?')[0]}: {said}: {text}", status=status, code=str(code or ""))
