"""What is done for one registered resource: same, create, update or replace, with the state written around each call.

The rules are those of the CLI (`pkg/resource/deploy/step_generator.go` tells them); a preview walks the same path with
a state that is not written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace as with_changes
from typing import Any

from engine import wire
from engine.clearing import Clearing
from engine.errors import EngineError
from engine.events import Step
from engine.goal import Goal
from engine.provider_resources import ProviderResources
from engine.providers import Diff, Provider, ProviderError, diff_of
from engine.resource import Resource
from engine.run import Run


class Steps:
    """Registrations of one run, in whatever order and however many at once."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._state, self._registry = run.state, run.registry
        #: Live entries of the state as the run found it, by URN.
        self._olds = {resource.urn: resource for resource in run.state.resources() if not resource.delete}
        self._claimed: set[str] = set()
        self._failed: set[str] = set()
        self._adopted: dict[str, str] = {}
        self._replaced: set[str] = set()
        self.registered: dict[str, Resource] = {}
        self._clearing = Clearing(run, self._claimed)
        self._providers = ProviderResources(run, self._olds, self.registered, self._claimed)

    # -- entry points -------------------------------------------------------------------------------------------------

    def register(self, goal: Goal) -> Resource | None:
        """Bring one resource to its goal. None where that failed or what it depends on has failed."""
        run = self._run
        with run.lock:
            if goal.urn in self._claimed:
                run.fail(f"{goal.urn}: the program registers two resources with this type, name and parent", goal.urn)
                return None
            self._claimed.add(goal.urn)
        try:
            resource = None if run.stopping.is_set() or self._blocked(goal) else self._register(goal)
        except EngineError as error:
            run.fail(str(error), goal.urn)
            resource = None
        with run.lock:
            if resource is None:
                self._failed.add(goal.urn)
            else:
                self.registered[goal.urn] = resource
        return resource

    def outputs(self, urn: str, outputs: Mapping[str, Any]) -> None:
        """Outputs of a component, or of the stack: what is unknown after a failure is left out."""
        resource = self.registered.get(urn)
        if resource is None:
            return
        known = dict(outputs) if self._run.preview else wire.without_unknowns(outputs)
        if resource.outputs != known:
            with self._state.lock:
                resource.outputs = known
                resource.touch()
            self._state.save()

    def provider_for(self, type_: str, reference: str, version: str, where: str) -> tuple[str, Provider]:
        """The reference and the provider that serve a type: the one named, else the package's default."""
        self._registry.demand(type_, where)
        if not reference:
            resource = self._providers.default(type_, version)
            reference = f"{resource.urn}::{resource.id}"
        return reference, self._registry.of(reference)

    def read(self, goal: Goal, id_: str) -> Resource | None:
        """A resource that exists and is not managed here (`Type.get`)."""
        new = goal.resource(self.registered.get(goal.parent))
        new.provider, provider = self.provider_for(goal.type, goal.provider, goal.version, goal.urn)
        new.external = True
        old = self._find(goal)
        new.id, inputs, outputs = provider.read(goal.urn, id_, goal.inputs, {})
        if not new.id:
            raise EngineError(f"{goal.urn}: there is no resource with the id {id_!r}")
        new.inputs, new.outputs = inputs or goal.inputs, wire.mark_secret(outputs, goal.additional_secret_outputs)
        with self._run.lock:
            self._claimed.add(goal.urn)
        if old is not None and not old.external:
            raise EngineError(f"{goal.urn}: it was managed here and is now only read; remove it from the program first")
        self._run.settle(old, new)
        self._run.record(Step("read", goal.urn, goal.parent))
        self.registered[goal.urn] = new
        return new

    # -- one registration ---------------------------------------------------------------------------------------------

    def _blocked(self, goal: Goal) -> bool:
        needed = {goal.parent, *goal.dependencies}
        needed.update(*goal.property_dependencies.values())
        return not needed.isdisjoint(self._failed)

    def _register(self, goal: Goal) -> Resource:
        old = self._find(goal)
        new = goal.resource(self.registered.get(goal.parent))
        if old is not None:
            new.rest = old.rest
        if not goal.custom:
            return self._component(goal, old, new)
        if goal.type.startswith(wire.PROVIDER_PREFIX):
            self._registry.demand(goal.type, goal.urn)
            return self._providers.register(old, new, Step("same", new.urn, new.parent))
        new.provider, provider = self.provider_for(goal.type, goal.provider, goal.version, goal.urn)
        return self._custom(goal, old, new, provider)

    def _find(self, goal: Goal) -> Resource | None:
        """The entry this resource has in the state, under its own URN or a former one."""
        with self._run.lock:
            old = self._olds.get(goal.urn)
            if old is not None:
                return old
            for urn in goal.former_urns(self._adopted):
                old = self._olds.get(urn)
                if old is None:
                    continue
                if urn in self._claimed:
                    raise EngineError(f"{goal.urn}: its alias {urn} is itself registered by the program")
                self._claimed.add(urn)
                self._adopted[goal.urn] = urn
                self._state.rename(urn, goal.urn)
                return old
            return None

    def _component(self, goal: Goal, old: Resource | None, new: Resource) -> Resource:
        if old is not None:
            new.outputs = old.outputs
        diff = diff_of(old.inputs, new.inputs) if old is not None else Diff(True)
        op = "create" if old is None else "update" if diff.changes else "same"
        step = self._step(op, goal, old, new, diff)
        if op == "same":
            return self._same(step, old, new)
        return self._run.do(step, lambda: self._run.settle(old, new))

    def _custom(self, goal: Goal, old: Resource | None, new: Resource, provider: Provider) -> Resource:
        cleared = self._clearing.take(goal.urn)
        if cleared is not None or old is None or old.external:
            # What an earlier run may have created keeps its made-up name: a second one beside it would go unnoticed.
            new.inputs = self._check(goal, provider, self._state.half_made.get(goal.urn, {}), goal.inputs)
            if cleared is None:
                return self._create(self._step("create", goal, None, new), old, new, provider)
            step = self._step("replace", goal, cleared, new, delete_first=True)
            return self._create(step, cleared, new, provider)
        news = _ignoring(goal, old)
        new.inputs = self._check(goal, provider, old.inputs, news)
        diff = self._diff(goal, old, new, provider)
        if diff.replaces or old.pending_replacement:
            return self._replace(goal, old, new, provider, diff)
        if diff.changes or old.init_errors:
            return self._update(self._step("update", goal, old, new, diff), old, new, provider)
        new.id, new.outputs = old.id, wire.mark_secret(old.outputs, new.additional_secret_outputs)
        return self._same(self._step("same", goal, old, new), old, new)

    def _check(
        self, goal: Goal, provider: Provider, olds: Mapping[str, Any], news: Mapping[str, Any]
    ) -> dict[str, Any]:
        return provider.check(goal.urn, olds, news)

    def _diff(self, goal: Goal, old: Resource, new: Resource, provider: Provider) -> Diff:
        if old.taint:
            return Diff(True, replaces=("taint",))
        if new.deleted_with in self._replaced:
            return Diff(True, replaces=("deletedWith",))
        if self._provider_changed(old, new, provider):
            return Diff(True, replaces=("provider",))
        diff = provider.diff(old, new.inputs, goal.ignore_changes, goal.urn, moved_inputs(old, new, self._replaced))
        forced = goal.replace_on_changes
        if diff.changes and forced:
            more = [key for key in diff.named if key in forced or "*" in forced]
            diff = with_changes(diff, replaces=tuple(dict.fromkeys([*diff.replaces, *more])))
        return diff

    def _provider_changed(self, old: Resource, new: Resource, provider: Provider) -> bool:
        """Whether another provider manages it now, and one that cannot go on with what the old one made."""
        if old.provider == new.provider:
            return False
        if not old.provider:
            return True
        before, after = wire.split_reference(old.provider)[0], wire.split_reference(new.provider)[0]
        olds = next((r for r in self._state.resources() if r.urn == before), None) or self._olds.get(before)
        news = self._registry.registered[after]
        if olds is None:
            return True
        return bool(provider.diff_config(after, olds, news.inputs).replaces)

    # -- what is done -------------------------------------------------------------------------------------------------

    def _create(self, step: Step, old: Resource | None, new: Resource, provider: Provider) -> Resource:
        """Create; `old` is the entry that the new one takes the place of, or that waits for deletion."""
        state, preview = self._state, self._run.preview

        def act() -> Resource:
            new.rest = {}
            state.begin(new, "creating")
            try:
                timeout = new.custom_timeouts.get("create", 0)
                new.id, outputs = provider.create(new.urn, new.inputs, timeout, preview=preview)
            except ProviderError as error:
                if error.partial and error.partial[0]:
                    new.id, outputs, new.init_errors = error.partial
                    new.outputs = wire.mark_secret(outputs, new.additional_secret_outputs)
                    self._keep(step, old, new)
                elif error.lost:
                    state.lose(new)
                else:
                    state.end(new)
                raise
            except BaseException:
                state.end(new)
                raise
            new.outputs = wire.mark_secret(outputs, new.additional_secret_outputs)
            return self._keep(step, old, new)

        return self._run.do(step, act)

    def _keep(self, step: Step, old: Resource | None, new: Resource) -> Resource:
        """Enter a created resource into the state, in one write with what becomes of the old one."""
        new.touch()
        if old is not None and step.op == "replace" and not step.delete_first:
            return self._run.settle_replaced(old, new)
        self._state.end(new, add=new, remove=old)
        return new

    def _update(self, step: Step, old: Resource, new: Resource, provider: Provider) -> Resource:
        state, preview = self._state, self._run.preview
        new.id = old.id

        def act() -> Resource:
            state.begin(new, "updating")
            try:
                timeout = new.custom_timeouts.get("update", 0)
                outputs = provider.update(new.urn, old, new.inputs, new.ignore_changes, timeout, preview=preview)
            except ProviderError as error:
                if error.partial:
                    _, outputs, new.init_errors = error.partial
                    new.outputs = wire.mark_secret(outputs, new.additional_secret_outputs)
                    new.touch()
                    state.end(new, add=new, remove=old)
                else:
                    state.end(new)
                raise
            except BaseException:
                state.end(new)
                raise
            new.outputs = wire.mark_secret(outputs, new.additional_secret_outputs)
            new.touch()
            state.end(new, add=new, remove=old)
            return new

        return self._run.do(step, act)

    def _same(self, step: Step, old: Resource | None, new: Resource) -> Resource:
        assert old is not None  # noqa: S101 # only what is in state can be the same
        self._run.record(step)
        return self._run.settle(old, new)

    def _replace(self, goal: Goal, old: Resource, new: Resource, provider: Provider, diff: Diff) -> Resource:
        if old.protect and new.protect:
            raise EngineError(
                f"{goal.urn}: a change of {', '.join(diff.replaces)} replaces it, and it is protected: "
                "remove protect from the program first"
            )
        with self._run.lock:
            self._replaced.add(goal.urn)
        # Defaults that were carried over from the old one do not hold for a new one.
        new.inputs = self._check(goal, provider, {}, goal.inputs)
        delete_first = diff.delete_before_replace
        if goal.delete_before_replace is not None:
            delete_first = goal.delete_before_replace
        step = self._step("replace", goal, old, new, diff, delete_first=delete_first or old.pending_replacement)
        if step.delete_first and not old.pending_replacement:
            self._clearing.clear(old, provider)
        return self._create(step, old, new, provider)

    # -- steps --------------------------------------------------------------------------------------------------------

    def _step(
        self,
        op: str,
        goal: Goal,
        old: Resource | None,
        new: Resource,
        diff: Diff | None = None,
        *,
        delete_first: bool = False,
    ) -> Step:
        diff = diff or Diff(None)
        hidden = set(goal.hide_diffs)
        return Step(
            op=op,
            urn=goal.urn,
            parent=goal.parent,
            keys=tuple(key for key in diff.keys if key not in hidden) if old is not None else (),
            replaces=diff.replaces,
            detailed={path: kind for path, kind in diff.detailed.items() if path not in hidden},
            replacement_known=diff.replacement_known,
            properties=diff.properties,
            delete_first=delete_first,
            inputs=_shown(new.inputs),
            olds=_shown(old.inputs) if old is not None else {},
        )


def moved_inputs(old: Resource, new: Resource, replaced: Collection[str]) -> set[str]:
    """Inputs that come from other resources than before, or from replaced ones."""
    befores, nows = old.property_dependencies, new.property_dependencies
    return {key for key, urns in nows.items() if befores.get(key, []) != urns or not set(replaced).isdisjoint(urns)}


def _ignoring(goal: Goal, old: Resource) -> dict[str, Any]:
    """The goal's inputs with ignored properties as the state has them."""
    inputs = dict(goal.inputs)
    keys: Iterable[str] = {*inputs, *old.inputs} if "*" in goal.ignore_changes else goal.ignore_changes
    for key in keys:
        if key in old.inputs:
            inputs[key] = old.inputs[key]
        elif key in inputs:
            # The CLI resets what both sides have; something new under an ignored name is not taken up either.
            del inputs[key]
    return inputs


def _shown(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {key: wire.mask(value) for key, value in inputs.items() if key != "__provider"}
