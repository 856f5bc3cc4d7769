"""pytest plugin: how the tests are spread over several processes (`pytest -n auto`, pytest-xdist).

The tests of a file stay together, in one process. Files that need the same costly part (`SHARED`) stay together too: it
is made once, and no two processes fight for it. Files that take long come first, by `tests/durations.json`, so that all
processes end at about the same time; `--durations-record` writes it anew.

Tests marked `alone` wait until nothing else runs: those that measure, or whose load would disturb everybody else. They
run last, in one process, once all others have ended.

Without `-n` this plugin does nothing. CI runs with it: in two processes the suite takes two thirds of the time.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from model_server import limits
from xdist.scheduler import LoadScopeScheduling  # pyright: ignore[reportPrivateImportUsage]

#: Costly part -> the fixtures that give it. The names are used for nothing else in tests.
SHARED = {
    # One container engine, registry, builder, image; and the networks, which some run in containers.
    "containers": {"registry", "builder", "base", "server_image", "cnn", "torch"},
    # Packages of functions, built into this tree.
    "functions": {"built", "unpacked"},
}
#: Seconds per file, of those that take some.
DURATIONS = Path("tests/durations.json")
#: A file that takes less is not worth a line there.
LEAST_SECONDS = 4.0
#: What a file that is not listed is taken for; of those that are, few take less.
UNKNOWN_SECONDS = 4.0
#: More have not been tried, and each starts parts of its own.
MOST_PROCESSES = 4
#: Memory that the tests of one process and what they start may take.
MEMORY_OF_ONE = 3 << 30
ALONE = "alone: "
_INPUT = "spread"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--durations-record", action="store_true", help=f"write what each file took to {DURATIONS}")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "alone: runs while no other test does, after all others")
    # A test that ends its process would end each one that takes its place; xdist may then wait for ever.
    if getattr(config.option, "maxworkerrestart", "") is None:
        config.option.maxworkerrestart = "0"
    config.pluginmanager.register(Spread(config), "spread")


def unit_names(tests: Iterable[tuple[str, set[str], bool]]) -> list[str]:
    """What each test runs together with: its file, the part it shares with other files, or those that are alone.

    tests: file, fixtures, and whether it is to be alone.
    """
    tests = list(tests)
    shared: dict[str, str] = {}
    for file, fixtures, _ in tests:
        for name, parts in SHARED.items():
            if parts & fixtures:
                shared.setdefault(file, name)
    return [f"{ALONE}{file}" if alone else shared.get(file, file) for file, _, alone in tests]


def processes() -> int:
    """How many make sense here: the CPUs that may be used, as far as there is memory for them."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(limits.cpus(), math.floor(memory / MEMORY_OF_ONE), MOST_PROCESSES))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` means."""
    return processes()


class Scheduler(LoadScopeScheduling):
    """Hands out units in the order of the tests, and those that are to be alone to the last process there is."""

    def __init__(self, config: pytest.Config, log: Any, units: Path) -> None:
        super().__init__(config, log)
        self._folder = units
        self._units: dict[str, str] = {}
        config.option.loadscopereorder = False  # the tests come in the right order

    def schedule(self) -> None:
        """Learn from a process that has collected the tests which belong together."""
        if not self._units:
            self._units = json.loads(next(iter(sorted(self._folder.glob("*.json")))).read_text())
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return self._units[nodeid]

    def _next_is_alone(self) -> bool:
        return next(iter(self.workqueue), "").startswith(ALONE)

    def _assign_work_unit(self, node: Any) -> None:
        if self._next_is_alone() and len(self.nodes) > 1:
            # The others finish what they have and end; remove_node then asks again for the one that stays.
            if any(other is not node and not other.shutting_down for other in self.nodes):
                node.shutdown()
            return
        super()._assign_work_unit(node)

    def remove_node(self, node: Any) -> str | None:
        """A process has ended: whoever waited for that may go on. Returns the test that it died of."""
        work = self.assigned_work.pop(node)
        died_of = next((test for unit in work.values() for test, done in unit.items() if not done), None)
        if died_of is not None:
            self.workqueue.clear()  # nobody takes its place: what is left of the run ends
        for other in self.nodes:
            self._reschedule(other)
        return died_of


class Spread:
    """Orders the tests in each process, tells the first one what belongs together, and adds up what files take."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._seconds: dict[str, float] = defaultdict(float)
        self._folder: Path | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Scheduler | None:
        if config.getoption("dist") != "load" or self._folder is None:
            return None  # another way was asked for
        return Scheduler(config, log, self._folder)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="spread-"))
        node.workerinput[_INPUT] = str(self._folder)

    @pytest.hookimpl(trylast=True)  # once everything that is not asked for was taken out
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        told: dict[str, Any] | None = getattr(self._config, "workerinput", None)
        if told is None or _INPUT not in told:
            return
        names = unit_names(
            (_file(item), set(getattr(item, "fixturenames", ())), item.get_closest_marker("alone") is not None)
            for item in items
        )
        taken: dict[str, float] = defaultdict(float)
        for file, name in {(_file(item), name) for item, name in zip(items, names, strict=True)}:
            taken[name] += self._known().get(file, UNKNOWN_SECONDS)
        order = sorted(range(len(items)), key=lambda at: (names[at].startswith(ALONE), -taken[names[at]], names[at]))
        units = {items[at].nodeid: names[at] for at in order}
        items[:] = [items[at] for at in order]
        whole = Path(told[_INPUT]) / f"{told['workerid']}.new"
        whole.write_text(json.dumps(units))
        whole.rename(whole.with_suffix(".json"))

    def _known(self) -> dict[str, float]:
        file = self._config.rootpath / DURATIONS
        return json.loads(file.read_text()) if file.exists() else {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid.split("::", 1)[0]] += report.duration

    def pytest_sessionfinish(self) -> None:
        if hasattr(self._config, "workerinput") or not self._config.getoption("--durations-record"):
            return
        # What a part of the tests took does not make the others' figures wrong.
        found = {**self._known(), **self._seconds}
        worth = {file: round(seconds) for file, seconds in sorted(found.items()) if seconds >= LEAST_SECONDS}
        (self._config.rootpath / DURATIONS).write_text(json.dumps(worth, indent=2) + "\n")

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        if self._folder is not None:
            for file in self._folder.iterdir():
                file.unlink()
            self._folder.rmdir()


def _file(item: pytest.Item) -> str:
    return item.nodeid.split("::", 1)[0]
