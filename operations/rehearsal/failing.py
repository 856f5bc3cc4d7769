"""Every kind of failure at every step of a life: does the next run converge, and does the state know all there is?"""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable

from engine.standin import KINDS, Failure, StandIn
from operations.rehearsal import consistency
from operations.rehearsal.engines import Engine, Operation, Outcome
from operations.rehearsal.program import Program
from operations.rehearsal.report import StepReport, some
from operations.rehearsal.settings import Settings

#: The kinds after which the next run has nothing to ask people for. ``crash_after`` leaves an object whose id nobody
#: was told: no engine can find it, so somebody has to look for it and remove it, which the rehearsal does for them.
RECOVERABLE = tuple(kind for kind in KINDS if kind != "crash_after")
_CALLS = {"create": ("create",), "update": ("update",), "replace": ("create", "delete"), "delete": ("delete",)}


class Failing:
    """Lets each resource of a program fail once, in each of its steps, and runs on until all is well.

    A run goes on past a failed resource with those that do not need it, so one run meets several failures; each run
    that fails must have met at least one of them, or the life does not converge.
    """

    def __init__(
        self,
        engine: Engine,
        program: Program,
        stand_in: StandIn,
        settings: Settings,
        *,
        begin: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.engine, self.program, self.stand_in, self.settings = engine, program, stand_in, settings
        self._begin = begin

    def run(self, kind: str, change: str = "key rotated") -> list[StepReport]:
        """Create, change and delete the whole stack with one kind of failure; a report per stage."""
        first = dict(self.program.config)
        reports = [self._stage(kind, "create", "up")]
        if change in self.settings.changes and reports[-1].verdict == "passed":
            self.program.configure(self.settings.changes[change].config)
            reports.append(self._stage(kind, "change", "up"))
        if reports[-1].verdict == "passed":
            reports.append(self._stage(kind, "delete", "destroy"))
        self.program.configure(first)
        return reports

    def _stage(self, kind: str, stage: str, operation: Operation) -> StepReport:
        name = f"{kind} at each {stage}"
        self._begin(name)
        problems: list[str] = []
        asked = self._ask(kind, operation)
        met = runs = removed = 0
        seconds = 0.0
        while True:
            before = len(self.stand_in.failures.rules())
            done = self.engine.run(operation)
            crashed = not self.stand_in.alive()
            self.stand_in.ensure()
            runs, seconds = runs + 1, seconds + done.seconds
            used = before - len(self.stand_in.failures.rules())
            met += used
            removed += self._orphans_removed() if kind == "crash_after" and crashed else 0
            problems += self._strangers(f"after run {runs}")
            if done.ok or problems:
                break
            if not used and not crashed:
                problems.append(f"run {runs} failed without a failure that was asked for: {done.message}")
                break
        self.stand_in.failures.clear()
        if not problems:
            problems = [f"{asked - met} of {asked} failures were never met"] if met < asked else []
            problems += self._settled(operation)
        expected = f"each of {asked} steps goes wrong once; the runs after it converge"
        verdict = "failed" if problems else "passed"
        happened = f"{met} failures in {runs} runs"
        if removed:
            happened += f"; {removed} objects, named by the engine's state, removed by hand"
        return StepReport(name, expected, happened, verdict, tuple(problems), seconds)

    def _ask(self, kind: str, operation: Operation) -> int:
        """One failure rule per call that the operation will make; how many."""
        if operation == "destroy":
            steps: Iterable[tuple[str, str]] = [
                ("delete", one["urn"]) for one in self.engine.resources() if one.get("custom")
            ]
        else:
            steps = self.engine.run("preview").steps
        asked = 0
        for op, urn in steps:
            if urn.split("::")[2].split("$")[-1].startswith("pulumi:"):
                continue
            for call in _CALLS[op]:
                rule = Failure(kind, glob.escape(urn), call, seconds=0.1)
                if rule.fits(call, [urn]):
                    self.stand_in.failures.add(rule)
                    asked += 1
        return asked

    def _orphans_removed(self) -> int:
        """Do what the engine's warning asks people for: remove what the state names as perhaps created; how many."""
        pending = self.engine.pending()
        left = consistency.unknown(self.stand_in.cloud, self.engine.resources(), self.settings.retained)
        with self.stand_in.cloud.change() as objects:
            for one in left:
                if one.urn in pending:
                    del objects[one.key]
        return sum(one.urn in pending for one in left)

    def _strangers(self, when: str) -> list[str]:
        left = consistency.strangers(self.stand_in.cloud, self.engine.resources(), self.settings.retained)
        return [f"{when} the cloud holds what the state does not know: {some(left)}"] if left else []

    def _settled(self, operation: Operation) -> list[str]:
        ghosts = consistency.ghosts(self.stand_in.cloud, self.engine.resources())
        problems = [f"the state knows what the cloud does not hold: {some(ghosts)}"] if ghosts else []
        half = consistency.incomplete(self.stand_in.cloud)
        problems += [f"never finished: {some(half)}"] if half else []
        if operation == "destroy":
            return problems
        after: Outcome = self.engine.run("preview")
        if not after.ok:
            return [*problems, f"the preview afterwards failed: {after.message}"]
        return [*problems, *(f"the preview afterwards says {op} of {urn}" for op, urn in after.steps)]
