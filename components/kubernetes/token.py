"""The token that callers show, made once and kept in the state as a secret."""

from __future__ import annotations

import secrets
from typing import Any

import pulumi
from pulumi import dynamic

#: Bytes of randomness.
_LENGTH = 32


class _TokenProvider(dynamic.ResourceProvider):
    """Nothing but the state holds it, so nothing is there to be read or deleted."""

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        return dynamic.CreateResult(str(props["purpose"]), {**props, "token": secrets.token_urlsafe(_LENGTH)})

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        changed = olds.get("purpose") != news["purpose"]
        return dynamic.DiffResult(changes=changed, replaces=["purpose"] if changed else [])


class Token(dynamic.Resource, module="kubernetes", name="Token"):
    """token: a secret. purpose: what it is for; another purpose, another token."""

    token: pulumi.Output[str]

    def __init__(self, name: str, *, purpose: str, opts: pulumi.ResourceOptions | None = None) -> None:
        secret = pulumi.ResourceOptions(additional_secret_outputs=["token"])
        super().__init__(
            _TokenProvider(),
            name,
            {"purpose": purpose, "token": None},
            pulumi.ResourceOptions.merge(opts, secret),
        )
