"""What stands where no provider is attached, in a plan."""
# ruff: noqa: ARG002 # the methods are those of a provider, whatever this one makes of their parameters

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.providers import Diff, Provider, diff_of
from engine.resource import Resource


class PlanProvider(Provider):
    """Echoes inputs and knows nothing else: no computed value, and of a change not whether it replaces."""

    def __init__(self, package: str) -> None:
        super().__init__(package, None)
        self.accept_secrets = True
        self.accept_resources = True
        self.supports_preview = False

    def configure(self, inputs: Mapping[str, Any], resource: Resource) -> None:
        pass

    def check_config(self, urn: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
        return dict(news)

    def check(self, urn: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
        return dict(news)

    def diff_config(self, urn: str, old: Resource, news: Mapping[str, Any]) -> Diff:
        return diff_of(old.inputs, news)

    def diff(self, old: Resource, news: Mapping[str, Any], ignore: list[str], urn: str) -> Diff:
        found = diff_of(old.inputs, news)
        return replace(found, replacement_known=not found.changes)
