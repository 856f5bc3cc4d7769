"""What is served: a stable release and perhaps a canary, and which of them a request gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from model_server.drift import Drift
from model_server.errors import RequestError
from model_server.http import HeaderList
from model_server.model import Model
from model_server.runner import Runner
from model_server.split import Split
from spec import contracts


@dataclass(frozen=True, eq=False)
class Served:
    """One release that answers requests. headers: what each of its answers carries. since: seconds since 1970."""

    model: Model
    runner: Runner
    drift: Drift
    headers: HeaderList
    since: float

    @property
    def reference(self) -> str:
        return self.model.reference

    @cached_property
    def lines(self) -> bytes:
        """Its headers as they stand on the wire."""
        return b"".join(b"%b: %b\r\n" % pair for pair in self.headers)


class Serving:
    """The releases of one moment. A new set replaces it as a whole, so that no request sees half of a change."""

    def __init__(self, stable: Model, canary: Model | None, split: Split, serve: Callable[[Model], Served]) -> None:
        self.split = split
        self.stable = serve(stable)
        self.canary = None if canary is None else serve(canary)
        self.name = stable.name

    @property
    def releases(self) -> list[Served]:
        return [self.stable] if self.canary is None else [self.stable, self.canary]

    @property
    def models(self) -> list[Model]:
        return [served.model for served in self.releases]

    def pick(self, names: Mapping[str, str], headers: Mapping[bytes, bytes]) -> Served:
        """The release that answers. Raises RequestError 404 for a name, version or label that is not served."""
        if names:
            served = self.named(names)
            if served is not None:
                return served
        if self.canary is not None and self.split.to_canary(headers):
            return self.canary
        return self.stable

    def named(self, names: Mapping[str, str]) -> Served | None:
        """The release that a path names; None where it names the model alone. Raises RequestError 404."""
        model = names.get("model")
        if model is not None and model != self.name:
            raise RequestError(404, f"no model {model!r}; this server serves {self.name!r}")
        version, label = names.get("version"), names.get("label")
        if version is not None:
            for served in self.releases:
                if served.model.version == version:
                    return served
            there = ", ".join(served.model.version for served in self.releases)
            raise RequestError(404, f"no version {version!r} of {self.name!r}; served: {there}")
        if label is not None:
            if label == contracts.STABLE_LABEL:
                return self.stable
            if label == contracts.CANARY_LABEL and self.canary is not None:
                return self.canary
            there = (
                contracts.STABLE_LABEL if self.canary is None else f"{contracts.STABLE_LABEL}, {contracts.CANARY_LABEL}"
            )
            raise RequestError(404, f"no label {label!r} of {self.name!r}; served: {there}")
        return None

    def close(self) -> None:
        """End the threads, once what waits for them is answered."""
        for served in self.releases:
            served.runner.close()
