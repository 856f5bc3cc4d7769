"""Where an image goes, and what the registry there is logged in to with. Loads no SDK of a container engine."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True)
class Login:
    """What a registry is logged in to with.

    address: its host, with its port. password: a short-lived token; it is not part of what decides whether an image
    changed.
    """

    address: pulumi.Input[str]
    username: pulumi.Input[str]
    password: pulumi.Input[str]


@dataclass(frozen=True)
class Registry:
    """Where the image goes. repository: with its registry, without a tag."""

    repository: pulumi.Input[str]
    login: Login
