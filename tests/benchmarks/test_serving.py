"""The benchmark's own machinery, with our server alone and the shortest of loads. It proves no speed."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.serving import floor, measure, report, work
from benchmarks.serving.contestants import CONTESTANTS
from benchmarks.serving.record import Record
from tests.real_parts import need
from training import train_and_release

#: The load takes the whole machine.
pytestmark = pytest.mark.alone

OURS = CONTESTANTS[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> work.Work:
    folder = tmp_path_factory.mktemp("bench")
    release = train_and_release("forest", folder / "models")
    return work.make(folder / "work", release.path, "rf-ort")


def test_requests_are_distinct_and_answers_are_checked(made: work.Work, tmp_path: Path):
    bodies = made.bodies(OURS.body(made))
    assert len(set(bodies)) == len(bodies) == work.REQUESTS
    with measure.serving(OURS, made, tmp_path / "log") as server:
        server.check(bodies)
        wrong = [bodies[(index + 1) % len(bodies)] for index in range(len(bodies))]
        with pytest.raises(AssertionError, match="wrong answers"):
            server.check(wrong)


def test_a_load_counts_right_answers_and_refusals(made: work.Work, tmp_path: Path):
    need("wrk", "Debian: wrk")
    good, bad = tmp_path / "good", tmp_path / "bad"
    measure.write_bodies(good, made.bodies(OURS.body(made)))
    measure.write_bodies(bad, [b"{}"])
    with measure.serving(OURS, made, tmp_path / "log") as server:
        served = server.load(good, 0, 4, 1)
        assert served.rate > 0
        assert served.refused == 0
        assert 0 < served.p50 <= served.p99
        refused = server.load(bad, 0, 4, 1)
        assert refused.refused > 0
        assert refused.rate == 0
        assert server.memory_mb() > 10


def test_a_bar_that_is_missed_says_so():
    def ran(rate: float, p99: float) -> dict[str, float]:
        figures = dict.fromkeys(report.COLUMNS, 1.0)
        return {**figures, "rate@64": rate, "rate@1": rate, "p99@64": p99}

    servers = {"ran": {"ours": ran(1000, 0.01), "a peer": ran(200, 0.02)}, "did not run": {}}
    lines = report.bars({"rf-ort": {"servers": servers, "floor": {}}})
    assert any("req/s at c=64" in line and "5.0× a peer" in line and line.endswith("| met |") for line in lines)
    assert any("p99" in line and "2.0× a peer" in line and "not met" in line for line in lines)


def test_a_run_that_was_ended_goes_on_where_it_was(tmp_path: Path):
    file, settings = tmp_path / "bench.json", {"seconds": 2}
    before = Record.open(file, settings)
    before.add("rf", "ours", 0, {"rate@1": 100.0})
    before.failed["rf"] = {"a peer": "no 200"}
    before.save()
    after = Record.open(file, settings)
    assert after.has("rf", "ours", 0)
    assert not after.has("rf", "ours", 1)
    assert after.has("rf", "a peer", 1), "what does not run is not tried again"
    assert not Record.open(file, {"seconds": 5}).runs, "figures of other settings are not mixed in"


def test_only_a_server_that_cannot_be_the_best_is_left_out_of_later_rounds(tmp_path: Path):
    record = Record(tmp_path / "bench.json", {})
    for server, rate, start in (("ours", 9.0, 1.0), ("best", 100.0, 9.0), ("slow", 49.0, 9.0), ("quick", 1.0, 2.0)):
        record.add("rf", server, 0, {"rate@1": rate, "rate@64": rate, "p99@64": 1 / rate, "start": start})
    racing = [name for name in ("ours", "best", "slow", "quick", "new") if record.in_the_race("rf", name)]
    assert racing == ["ours", "best", "quick", "new"]
    record.add("rf", "best", 1, {"rate@1": 200.0, "rate@64": 200.0, "p99@64": 0.1, "start": 9.0})
    assert record.medians("rf")["best"]["rate@1"] == 150.0
    assert record.medians("rf")["best"]["rounds"] == 2


def test_the_floor_is_above_nothing(made: work.Work):
    need("wrk", "Debian: wrk")
    found = floor.measure(made, 1)
    assert found["bare_http@64"] > 0
    assert found["model_in_process"] > 0
