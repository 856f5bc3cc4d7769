"""How a caller shows who it is: a bearer token, or a request signed for AWS."""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx

from operations.errors import OperationError


def bearer(variable: str) -> httpx.Auth:
    """The token in an environment variable: a command line is seen by others. Raises OperationError."""
    token = os.environ.get(variable, "").strip()
    if not token:
        raise OperationError(
            f"--token-variable is {variable!r}, and that variable is empty; allowed is the name of one that holds the "
            f"token: export {variable}=…"
        )
    return _Bearer(token)


class _Bearer(httpx.Auth):
    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # pyright: ignore[reportIncompatibleMethodOverride] # httpx's own form is a generator
        request.headers["authorization"] = f"Bearer {self._token}"
        yield request


def signed(service: str, region: str) -> httpx.Auth:
    """Signature version 4 with the credentials that AWS's own tools would find. Raises OperationError.

    service: as AWS's signature has it: sagemaker, lambda, execute-api.
    """
    try:
        from botocore.session import Session
    except ImportError:
        raise OperationError(
            "--aws-service needs the package botocore: pip install -r components/aws/requirements.txt"
        ) from None
    credentials = Session().get_credentials()
    if credentials is None:
        raise OperationError(
            "--aws-service asks for a signed request, and there are no credentials of AWS here; set AWS_PROFILE, or "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    return _Signed(credentials, service, region)


class _Signed(httpx.Auth):
    requires_request_body = True

    def __init__(self, credentials: object, service: str, region: str) -> None:
        from botocore.auth import SigV4Auth

        self._signer = SigV4Auth(credentials, service, region)

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # pyright: ignore[reportIncompatibleMethodOverride] # httpx's own form is a generator
        from botocore.awsrequest import AWSRequest

        # Signed are what has to be: headers that a proxy may change are left out.
        kept = {name: value for name, value in request.headers.items() if name in ("content-type", "host")}
        own = AWSRequest(request.method, str(request.url), headers=kept, data=request.content)
        self._signer.add_auth(own)
        request.headers.update(dict(own.headers.items()))
        yield request
