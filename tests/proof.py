"""pytest plugin: which test proves which system, and how far. `pytest --proof` writes it down.

Workflow: a test that honestly shows something says so, `@pytest.mark.proof("Amazon S3", level="runtime")`; `make proof`
runs the tests and renews `docs/proof.json` and the page made from it. A pass raises or confirms the row, a failure
lowers it, a skip changes nothing. A run without `--proof` writes nothing.

Levels: `mocks` < `schema` < `engine` < `runtime` as docs/proof.md explains them; `model` stands beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.proof_record import ENGINES, LEVELS, MODEL, Claim, Record, load_systems

RECORD, PAGE, SYSTEMS = Path("docs/proof.json"), Path("docs/proof.md"), Path("tests/systems.yaml")
_PROPERTY = "proof"
#: Property that tests/skips.py gives a report which is a failure only because skips are forbidden.
SKIPPED = "skipped"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("proof")
    group.addoption("--proof", action="store_true", help=f"write what the tests of this run prove to {RECORD}")
    group.addoption(
        "--proof-verify", action="store_true", help=f"fail where {RECORD} names tests that do not claim what it says"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "proof(*systems, level, engine=''): a pass shows this much about these systems (docs/proof.md)"
    )
    config.pluginmanager.register(Proofs(config), "proofs")


def claims(item: pytest.Item, systems: set[str]) -> list[Claim]:
    """What a test claims. Raises UsageError for a claim of something unknown."""
    found = []
    for mark in item.iter_markers("proof"):
        level = mark.kwargs.get("level", "")
        given = getattr(item, "callspec", None)
        engine = mark.kwargs.get("engine") or (given.params.get("engine", "") if given is not None else "")
        problem = ""
        if not mark.args or not set(mark.args) <= systems:
            problem = f"{mark.args} is not among the systems of {SYSTEMS}"
        elif level not in (*LEVELS, MODEL) or set(mark.kwargs) - {"level", "engine"}:
            problem = f"level={level!r}; allowed are {', '.join((*LEVELS, MODEL))}, and engine= besides"
        elif (level == "engine") != (engine in ENGINES):
            problem = f"engine={engine!r}; the level 'engine' needs one of {', '.join(ENGINES)}, no other level has any"
        if problem:
            raise pytest.UsageError(f"{item.nodeid}: the proof marker says {problem}")
        found += [Claim(system, level, engine, function(item.nodeid)) for system in mark.args]
    return found


def function(nodeid: str) -> str:
    """A test without its parameters."""
    return nodeid.split("[", 1)[0]


class Proofs:
    """Collects claims and outcomes of one run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        root = config.rootpath
        self._record, self._page = root / RECORD, root / PAGE
        systems = root / SYSTEMS
        self._systems = load_systems(systems) if systems.exists() else {}
        self._claims: dict[str, list[Claim]] = {}
        self._collected: set[str] = set()
        self._outcomes: dict[tuple[Claim, str], bool] = {}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.passed:
            self._collected.add(report.nodeid)

    @pytest.hookimpl(tryfirst=True)  # before anything is deselected
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        known = {name for group in self._systems.values() for name in group}
        self._claims = {item.nodeid: claims(item, known) for item in items}

    def pytest_collection_finish(self) -> None:
        if not self._config.getoption("--proof-verify"):
            return
        there = {claim for listed in self._claims.values() for claim in listed}
        lost = Record.load(self._record).stale(there, files=None)
        if lost:
            raise pytest.UsageError(
                f"{RECORD} names tests that no longer claim this: "
                + "; ".join(f"{one.system} at {one.level} by {one.test}" for one in lost)
                + ". Renew it with `make proof`."
            )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[Any]:
        report = yield
        # With xdist the report reaches another process than the test ran in.
        report.user_properties.append((_PROPERTY, [list(claim) for claim in self._claims.get(item.nodeid, ())]))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        properties: dict[str, Any] = dict(report.user_properties)
        if report.skipped or SKIPPED in properties or hasattr(report, "wasxfail"):
            return
        for claim in properties.get(_PROPERTY, ()):
            key = (Claim(*claim), report.nodeid)
            if report.when == "call" or report.failed:
                self._outcomes[key] = report.passed and self._outcomes.get(key, True)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """With xdist this process collects nothing: what another one did is the whole."""
        told = getattr(node, "workeroutput", {}).get(_PROPERTY)
        if told is not None:
            self._collected.update(told["collected"])
            self._claims.update({nodeid: [Claim(*one) for one in found] for nodeid, found in told["claims"].items()})

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self._config.getoption("--proof"):
            return
        if hasattr(self._config, "workerinput"):
            claimed = {nodeid: [list(one) for one in found] for nodeid, found in self._claims.items()}
            self._config.workeroutput[_PROPERTY] = {"collected": sorted(self._collected), "claims": claimed}  # pyright: ignore[reportAttributeAccessIssue]
            return
        record = Record.load(self._record)
        for (claim, nodeid), passed in self._outcomes.items():
            record.note(claim, nodeid.removeprefix(claim.test), passed=passed)
        if not any("::" in argument for argument in self._config.args):
            # Whole files were collected: what they no longer hold was renamed or taken out.
            files = self._collected | {file for file in record.files() if not (self._config.rootpath / file).exists()}
            record.forget(record.stale({claim for listed in self._claims.values() for claim in listed}, files))
            record.forget_parameters(set(self._claims), files)
        record.save(self._record)
        self._page.write_text(record.page(self._systems))
