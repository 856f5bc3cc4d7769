"""The record of what tests have proved, and the page made from it. No pytest here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

#: From the weakest to the strongest.
LEVELS = ("mocks", "schema", "engine", "runtime")
#: An evaluator of ours, where no code of the vendor's can be had: beside the others, not above or below them.
MODEL = "model"
ENGINES = {"cli": "Pulumi CLI", "embedded": "embedded engine"}


class Claim(NamedTuple):
    """A test (without its parameters) that shows something about a system. engine: at the level `engine` alone."""

    system: str
    level: str
    engine: str
    test: str


def load_systems(file: Path) -> dict[str, list[str]]:
    """Group → names of systems."""
    return yaml.safe_load(file.read_text())


class Record:
    """Claims, each with the parameters under which its test failed; none of them: it holds."""

    def __init__(self, failed: Mapping[Claim, Iterable[str]] | None = None) -> None:
        self._failed: dict[Claim, set[str]] = {claim: set(names) for claim, names in (failed or {}).items()}

    @classmethod
    def load(cls, file: Path) -> Record:
        """The record in a file; an empty one where there is none."""
        if not file.exists():
            return cls()
        rows = json.loads(file.read_text())["proofs"]
        return cls({Claim(r["system"], r["level"], r.get("engine", ""), r["test"]): r.get("failed", ()) for r in rows})

    def save(self, file: Path) -> None:
        """Write it in an order that does not depend on the run's."""
        rows = []
        for claim, failed in sorted(self._failed.items()):
            row = {key: value for key, value in claim._asdict().items() if value}
            rows.append({**row, **({"failed": sorted(failed)} if failed else {})})
        lines = ",\n".join(f"    {json.dumps(row, ensure_ascii=False)}" for row in rows)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'{{\n  "written by": "make proof",\n  "proofs": [\n{lines}\n  ]\n}}\n')

    def claims(self) -> list[Claim]:
        """All claims, whether they hold or not."""
        return sorted(self._failed)

    def files(self) -> set[str]:
        """Files of the tests."""
        return {claim.test.split("::")[0] for claim in self._failed}

    def note(self, claim: Claim, parameters: str, *, passed: bool) -> None:
        """One outcome. A test of several parameters holds where none of them failed last."""
        failed = self._failed.setdefault(claim, set())
        if passed:
            failed.discard(parameters)
        else:
            failed.add(parameters)

    def stale(self, there: set[Claim], files: set[str] | None) -> list[Claim]:
        """Claims that no test makes any more. files: those to look at; None: all."""
        return [
            one for one in self.claims() if one not in there and (files is None or one.test.split("::")[0] in files)
        ]

    def forget_parameters(self, there: set[str], files: set[str]) -> None:
        """Failures of parameters that are no more: nobody could make them good. there: ids of tests."""
        for claim, failed in self._failed.items():
            if claim.test.split("::")[0] in files:
                failed.intersection_update({one for one in failed if claim.test + one in there})

    def forget(self, claims: Iterable[Claim]) -> None:
        """Take claims out."""
        for claim in claims:
            del self._failed[claim]

    def state(self, system: str, level: str) -> bool | None:
        """Whether a level is proved: None where no test says anything, False where one failed."""
        outcomes = [
            not failed for claim, failed in self._failed.items() if (claim.system, claim.level) == (system, level)
        ]
        return all(outcomes) if outcomes else None

    def level(self, system: str) -> str:
        """The strongest level that is proved; empty for none."""
        return next((level for level in (*reversed(LEVELS), MODEL) if self.state(system, level)), "")

    def page(self, systems: Mapping[str, list[str]]) -> str:
        """docs/proof.md."""
        lines = [_HEAD]
        for group, names in systems.items():
            columns = (*LEVELS, MODEL)
            lines += ["", f"## {group}", "", f"| system | proof level | {' | '.join(columns)} |"]
            lines.append("|---|---|" + "---|" * len(columns))
            for name in names:
                cells = [{None: "–", True: "✓", False: "✗"}[self.state(name, level)] for level in columns]
                lines.append(f"| {name} | {self.level(name) or 'none yet'} | {' | '.join(cells)} |")
            lines += ["", *self._tests(names)]
        return "\n".join(lines).rstrip() + "\n"

    def _tests(self, names: list[str]) -> list[str]:
        lines = []
        for name in names:
            for level in (*reversed(LEVELS), MODEL):
                mine = {c: failed for c, failed in self._failed.items() if (c.system, c.level) == (name, level)}
                if not mine:
                    continue
                lines.append(f"- {name}, {level}: {_told(mine)}")
        return lines


def _told(failed: Mapping[Claim, set[str]]) -> str:
    """Tests by file, those of one engine together, and those that failed."""
    groups: dict[tuple[str, str], list[str]] = {}
    for claim in sorted(failed):
        file, _, name = claim.test.partition("::")
        groups.setdefault((file, claim.engine), []).append(f"`{name}`" + (" **failed**" if failed[claim] else ""))
    return "; ".join(
        f"`{file}`{f' on the {ENGINES[engine]}' if engine else ''}: {', '.join(names)}"
        for (file, engine), names in groups.items()
    )


_HEAD = """# What is proved, and by which tests

Written by `make proof` from the tests that ran; not by hand. A pass raises or confirms a level, a failure lowers it, a
skipped test changes nothing. Nothing here was run against a cloud account.

| level | means |
|---|---|
| mocks | the exact inputs are recorded |
| schema | the inputs are accepted by what the vendor publishes |
| engine | through its whole life on an engine (named with the test) with the stand-in cloud |
| runtime | the artefact ran in the platform's own code, or in an emulator that speaks the vendor's interface |
| model | an evaluator of ours says so, where no code of the vendor's can be had |

✓ proved · ✗ a test of this level failed when it last ran · – no test says anything"""
