"""The life of a stack, step by step, each with what must be true after it."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable
from typing import Any

from engine.standin import Failure, StandIn
from engine.standin.__main__ import types_without_rows
from engine.standin.drift import DriftError, add_existing, drift, matching
from operations.errors import OperationError
from operations.rehearsal import consistency
from operations.rehearsal.engines import Engine, Outcome
from operations.rehearsal.program import Program
from operations.rehearsal.report import Report, StepReport, some
from operations.rehearsal.settings import KINDS, Change, Settings


class Life:
    """Runs the steps of a rehearsal and writes them into a report.

    begin: told the name of each step as it begins. allow_real: go on though some types are no stand-in's.
    """

    def __init__(
        self,
        engine: Engine,
        program: Program,
        stand_in: StandIn,
        settings: Settings,
        *,
        begin: Callable[[str], None] = lambda _: None,
        allow_real: bool = False,
    ) -> None:
        self.engine, self.program, self.stand_in, self.settings = engine, program, stand_in, settings
        self.report = Report(program.name, program.stack, engine.title)
        self._begin = begin
        self._allow_real = allow_real
        self._retained = set(settings.retained)

    def run(self) -> Report:
        """All steps; stops where going on makes no sense (the stack cannot even be made)."""
        self.program.configure(self.settings.config)
        for thing in self.settings.existing:
            add_existing(self.stand_in.cloud, thing.type, thing.id, thing.outputs)
        if self._new():
            self._unchanged()
            for kind in dict.fromkeys([*self.settings.changes, *KINDS]):
                self._change(kind)
            self._drift()
            if self._destroyed("destroyed"):
                self._interrupted()
                self._destroyed("destroyed after that")
        self._notes()
        return self.report

    # --- steps ---------------------------------------------------------------------------------------------------

    def _new(self) -> bool:
        self._begin("new")
        planned = self.engine.run("preview")
        if planned.ok:
            self._refuse_real(planned)
        problems = self._failed(planned) or [
            f"{op} of {_short(urn)} in a new stack" for op, urn in planned.steps if op != "create"
        ]
        if planned.ok and not planned.steps:
            problems.append("the program makes nothing")
        done = None
        if not problems:
            done = self.engine.run("up")
            problems = self._failed(done) or [*_same_steps(planned, done), *self._settled()]
        self._add("new", "everything is created, as the preview said", done or planned, problems, planned)
        return not problems

    def _unchanged(self) -> None:
        self._begin("unchanged")
        again = self.engine.run("preview")
        self._add("unchanged", "the preview is empty", again, self._failed(again) or _not_empty(again))

    def _change(self, kind: str) -> None:
        change = self.settings.changes.get(kind)
        wishes = KINDS.get(kind, {})
        expected = _in_words(kind, change)
        if change is None:
            self.report.steps.append(StepReport(kind, expected, "not in rehearsal.yaml", "not defined"))
            return
        self._begin(kind)
        self.program.configure(change.config)
        planned = self.engine.run("preview")
        done = planned
        problems = self._failed(planned)
        if not problems:
            done = self.engine.run("up")
            problems = self._failed(done) or _same_steps(planned, done)
        if not problems:
            problems = [*_unmet(done, change, wishes), *self._stateful(done), *self._settled()]
            after = self.engine.run("preview")
            problems += self._failed(after) or [f"afterwards: {problem}" for problem in _not_empty(after)]
        self._add(kind, expected, done, problems, planned)

    def _drift(self) -> None:
        self._begin("drift")
        wishes = self.settings.drift
        expected = "refresh sees exactly what was changed behind the program's back; up restores it"
        if not wishes:
            self.report.steps.append(StepReport("drift", expected, "not in rehearsal.yaml", "not defined"))
            return
        if self.settings.apis:
            # What the program's own resources changed through an API since is no drift, and adopted first.
            self.engine.run("refresh")
        wanted: set[tuple[str, str]] = set()
        cloud = self.stand_in.cloud
        for wish in wishes:
            touched = [one for one in matching(cloud.objects(), wish.match) if one.managed]
            wanted |= {("delete" if wish.delete else "update", one.urn) for one in touched}
            try:
                drift(cloud, wish.match, wish.set, delete=wish.delete)
            except DriftError as error:
                raise OperationError(f"rehearsal.yaml, drift: {error}") from None
        seen = self.engine.run("refresh")
        problems = self._failed(seen)
        if not problems:
            found = set(seen.steps)
            problems = [f"refresh did not see the {op} of {_short(urn)}" for op, urn in sorted(wanted - found)]
            problems += [f"refresh says {op} of {_short(urn)}" for op, urn in sorted(found - wanted)]
        restored = None
        if not problems:
            restored = self.engine.run("up")
            problems = self._failed(restored)
            mended = set(restored.urns("create", "update", "replace"))
            problems += [f"{_short(urn)} was not restored" for _, urn in sorted(wanted) if urn not in mended]
            problems += self._settled()
            after = self.engine.run("preview")
            problems += self._failed(after) or _not_empty(after)
        happened = f"refresh: {seen.counted()}; up: {restored.counted() if restored else 'not run'}"
        self._add("drift", expected, restored or seen, problems, happened=happened)

    def _interrupted(self) -> None:
        self._begin("failed in the middle")
        planned = self.engine.run("preview")
        count = len(planned.urns("create"))
        # At least one before it, where there is more than one.
        middle = min(max(count // 3, 1), max(count - 1, 0))
        self.stand_in.failures.add(Failure("denied", operation="create", skip=middle))
        broken = self.engine.run("up")
        self.stand_in.failures.clear()
        problems = ["the up ended well, though a creation was refused"] if broken.ok else []
        problems += self._known()
        self._add(
            "failed in the middle",
            "one creation is refused: the up fails, and the state knows all that exists",
            broken,
            problems,
            happened=f"failed as asked: {broken.message[:160]}" if not broken.ok else "it did not fail",
        )
        self._begin("resumed")
        resumed = self.engine.run("up")
        after = self.engine.run("preview") if resumed.ok else resumed
        problems = self._failed(resumed) or [*self._settled(), *(self._failed(after) or _not_empty(after))]
        made = resumed.urns("create", "update", "replace")
        if resumed.ok and not made:
            problems.append("nothing was left to do, so nothing was resumed")
        self._add("resumed", "the next up makes the rest; the preview after it is empty", resumed, problems)

    def _destroyed(self, name: str) -> bool:
        self._begin(name)
        self._remember_retained()
        gone = self.engine.run("destroy")
        problems = self._failed(gone)
        if not problems:
            left = consistency.strangers(self.stand_in.cloud, [], self._retained)
            problems = [f"the cloud still holds {some(left)}"] if left else []
            known = [one["urn"] for one in self.engine.resources() if one.get("custom")]
            problems += [f"the state still knows {some(map(_short, known))}"] if known else []
        self._add(name, "nothing is left in the cloud nor in the state", gone, problems)
        if not problems:
            self._forget_retained()
        return not problems

    # --- what must be true ---------------------------------------------------------------------------------------

    def _stateful(self, done: Outcome) -> list[str]:
        return [
            f"{_short(urn)} holds data and was replaced"
            for urn in done.urns("replace")
            if any(fnmatch.fnmatchcase(_type(urn), glob) for glob in self.settings.stateful)
        ]

    def _known(self) -> list[str]:
        self._remember_retained()
        left = consistency.strangers(self.stand_in.cloud, self.engine.resources(), self._retained)
        return [f"the cloud holds what the state does not know: {some(left)}"] if left else []

    def _settled(self) -> list[str]:
        problems = self._known()
        ghosts = consistency.ghosts(self.stand_in.cloud, self.engine.resources())
        if ghosts:
            problems.append(f"the state knows what the cloud does not hold: {some(ghosts)}")
        half = consistency.incomplete(self.stand_in.cloud)
        if half:
            problems.append(f"never finished: {some(half)}")
        return problems

    def _failed(self, outcome: Outcome) -> list[str]:
        return [] if outcome.ok else [f"{outcome.operation} failed: {outcome.message}"]

    def _refuse_real(self, planned: Outcome) -> None:
        real = sorted(
            {
                token
                for _, urn in planned.steps
                for token in [_type(urn)]
                if not self.settings.plays(token)
                and token.split(":")[0] in ("pulumi-python", "command", "random", "tls", "local", "null")
            }
        )
        if real and not self._allow_real:
            raise OperationError(
                f"the program makes {some(real)}, which no stand-in plays: a rehearsal would do it in earnest. "
                "Use --allow-real if that is harmless."
            )

    def _remember_retained(self) -> None:
        """Types that the program keeps on purpose when it deletes them (retain_on_delete)."""
        kept = {one["type"] for one in self.engine.resources() if one.get("retainOnDelete")}
        self._retained |= kept - set(self.settings.removed)

    def _forget_retained(self) -> None:
        """Clear away what was kept, as its owner would, so that the next step starts from an empty cloud."""
        with self.stand_in.cloud.change() as objects:
            for key in [key for key, one in objects.items() if one.managed]:
                del objects[key]

    # --- report --------------------------------------------------------------------------------------------------

    def _add(
        self,
        name: str,
        expected: str,
        outcome: Outcome,
        problems: list[str],
        planned: Outcome | None = None,
        happened: str = "",
    ) -> None:
        seconds = outcome.seconds + (planned.seconds if planned is not None and planned is not outcome else 0)
        verdict = "failed" if problems else "passed"
        self.report.steps.append(
            StepReport(name, expected, happened or outcome.counted(), verdict, tuple(problems), seconds, outcome.steps)
        )

    def _notes(self) -> None:
        generic = types_without_rows(self.stand_in.cloud)
        journal = self.stand_in.cloud.journal()
        made = {(entry["type"]) for entry in journal if entry["operation"] == "create" and "failure" not in entry}
        generic = sorted({*generic, *(token for token in made if token in _without_rows(made))})
        if generic:
            self.report.notes.append(f"played without a row of their own: {some(generic, 20)}")
        unknown = sorted({f"{e['type']}.{e['property']}" for e in journal if e.get("replacement") == "unknown"})
        if unknown:
            self.report.notes.append(f"replacement unknown, played as an update: {some(unknown, 20)}")
        if self._retained:
            self.report.notes.append(f"kept on purpose when deleted: {some(sorted(self._retained), 20)}")
        self.report.notes.append("a rehearsal shows wiring, order and recovery; not that a vendor accepts the values")


def _without_rows(tokens: set[str]) -> set[str]:
    from engine.standin.rules import PACKAGES, load

    return {
        token
        for token in tokens
        if token.split(":")[0] in PACKAGES and not load(token.split(":")[0]).type_rule(token).known
    }


def _in_words(kind: str, change: Change | None) -> str:
    wishes = KINDS.get(kind, {})
    words = ["at least one " + " or ".join(wishes["any"])] if wishes.get("any") else []
    words += ["no " + " or ".join(wishes["never"])] if wishes.get("never") else []
    if change is not None:
        for op in ("create", "update", "replace", "delete"):
            words += [f"{op} of {token.split(':')[-1]}" for token in getattr(change.expect, op)]
    return "; ".join(words) or "as the preview said"


def _unmet(done: Outcome, change: Change, wishes: dict[str, tuple[str, ...]]) -> list[str]:
    problems = []
    if wishes.get("any") and not done.urns(*wishes["any"]):
        problems.append(f"no {' or '.join(wishes['any'])} happened")
    for urn in done.urns(*wishes.get("never", ())):
        problems.append(f"{next(op for op, one in done.steps if one == urn)} of {_short(urn)}")
    for op in ("create", "update", "replace", "delete"):
        happened = [_type(urn) for urn in done.urns(op)]
        for wanted in getattr(change.expect, op):
            if not any(fnmatch.fnmatchcase(token, wanted) for token in happened):
                problems.append(f"no {op} of {wanted}; there was {some(happened) or 'none at all'}")
    return problems


def _same_steps(planned: Outcome, done: Outcome) -> list[str]:
    before, after = set(planned.steps), set(done.steps)
    problems = [f"planned, but not done: {op} of {_short(urn)}" for op, urn in sorted(before - after)]
    return problems + [f"done, but not planned: {op} of {_short(urn)}" for op, urn in sorted(after - before)]


def _not_empty(outcome: Outcome) -> list[str]:
    return [f"an unchanged preview says {op} of {_short(urn)}" for op, urn in outcome.steps]


def _type(urn: str) -> str:
    return urn.split("::")[2].split("$")[-1]


def _short(urn: str) -> str:
    return f"{_type(urn)} {urn.split('::', 3)[-1]}"


def steps_by_name(report: Report) -> dict[str, Any]:
    """Step name → what was done, to compare two engines."""
    return {step.name: json.loads(json.dumps(step.steps)) for step in report.steps}
