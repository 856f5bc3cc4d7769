"""Provider resources: entries of the state that say how a provider's process is configured."""

from __future__ import annotations

import threading
from dataclasses import replace as with_changes

from engine import wire
from engine.events import Step
from engine.providers import Diff, diff_of
from engine.registry import new_id
from engine.resource import Resource
from engine.run import Run


class ProviderResources:
    """Those of one run. olds: entries of the state as the run found it. registered, claimed: shared with the steps."""

    def __init__(self, run: Run, olds: dict[str, Resource], registered: dict[str, Resource], claimed: set[str]) -> None:
        self._run, self._olds, self._registered, self._claimed = run, olds, registered, claimed
        self._gates: dict[str, threading.Lock] = {}

    def default(self, type_: str, version: str) -> Resource:
        urn, inputs = self._run.registry.default(type_, version)
        with self._run.lock:
            gate = self._gates.setdefault(urn, threading.Lock())
        with gate:  # the first resource of a package makes it, the others wait
            if urn not in self._registered:
                package = wire.package_of(type_)
                new = Resource(urn, f"{wire.PROVIDER_PREFIX}{package}", custom=True, inputs=inputs)
                old = self._olds.get(urn)
                new.rest = old.rest if old else {}
                self._registered[urn] = self.register(old, new, None)
                with self._run.lock:
                    self._claimed.add(urn)
            return self._registered[urn]

    def register(self, old: Resource | None, new: Resource, step: Step | None) -> Resource:
        """A provider resource: it lives in the state alone, and configures the provider's process.

        step: None for a default provider, which people do not see.
        """
        checker = self._run.registry.bare(wire.package_of(new.type))
        if step is not None:
            new.inputs = checker.check_config(new.urn, old.inputs if old else {}, new.inputs)
        new.outputs = new.inputs
        diff = Diff(True)
        if old is not None:
            diff = diff_of(old.inputs, new.inputs)
            if diff.changes and step is not None:
                diff = with_changes(checker.diff_config(new.urn, old, new.inputs), changes=True)
        fresh = old is None or bool(diff.replaces)
        op = "create" if old is None else "replace" if fresh else "update" if diff.changes else "same"
        if old is not None and not fresh:
            new.id = old.id
        else:
            # A preview of a default provider may use it at once; an explicit one is known after `up` only.
            new.id = wire.UNKNOWN if self._run.preview and step is not None else new_id()
        self._run.registry.registered[new.urn] = new
        self._run.registry.configure(new)
        settle = self._run.settle_replaced if fresh else self._run.settle
        kept = settle(old, new)
        self._run.registry.registered[new.urn] = kept
        if step is not None:
            keys = diff.keys if old is not None else ()
            told = with_changes(
                step,
                op=op,
                keys=keys,
                replaces=diff.replaces,
                replacement_known=diff.replacement_known,
                properties=diff.properties,
            )
            if op == "same":
                self._run.record(told)
            else:
                self._run.do(told, lambda: None)
        return kept
