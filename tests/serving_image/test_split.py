"""The split between a stable release and a canary, counted over real requests to real processes.

Chi-square: with a right split the statistic exceeds the bound once in a thousand runs at most. The server deals its
requests out evenly instead of throwing dice, so that these tests do not fail by chance; what they would catch is a
share that is wrong, in one process or in the sum of several.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from model_server.shared import SharedState
from model_server.split import Split, point
from scipy import stats

from tests.serving_image.conftest import Digits
from tests.serving_image.load import Load, Outcome, post, under_load
from tests.serving_image.server_process import ServerProcess, running

SECRET = "a-token-of-some-length-0123456789"
#: Least probability at which a split still counts as right.
SIGNIFICANCE = 0.001
REQUESTS = 10_000
SHARES = {"1": 70.0, "2": 30.0}


def assert_split(counts: dict[str, int], percents: dict[str, float]) -> None:
    """The counts come from these shares. Raises AssertionError with the probability."""
    total = sum(counts.values())
    observed = [counts.get(name, 0) for name in percents]
    assert sum(observed) == total, f"answers of other releases: {counts}"
    expected = [total * percent / 100 for percent in percents.values()]
    probability = float(stats.chisquare(observed, expected).pvalue)
    assert probability > SIGNIFICANCE, f"{counts} is not {percents}: p = {probability:.2g}"


@pytest.fixture(scope="module", params=[1, 2], ids=["one process", "two processes"])
def server(
    request: pytest.FixtureRequest, digits: Digits, digits_again: Digits, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """A stable release and a canary, with administration."""
    folder = tmp_path_factory.mktemp("split")
    (folder / "token").write_text(SECRET)
    env = {
        "MODEL_URI": str(digits.path),
        "CANARY_URI": str(digits_again.path),
        "CANARY_PERCENT": str(SHARES["2"]),
        "CANARY_STICKY_HEADER": "x-user",
        "ADMIN": "on",
        "AUTH_TOKEN_FILE": str(folder / "token"),
        "WORKERS": str(request.param),
    }
    with running(env, folder) as process:
        process.client.headers["authorization"] = f"Bearer {SECRET}"
        yield process


def set_percent(server: ServerProcess, percent: float) -> None:
    answer = server.client.put("/admin/canary", json={"percent": percent})
    assert answer.status_code == 200
    assert [entry["percent"] for entry in answer.json()["releases"]] == [100 - percent, percent]


def ask(server: ServerProcess, digits: Digits, count: int, key: Callable[[int], str | None]) -> Outcome:
    """So many requests, each with its sticky key. Every one must be answered."""
    body = json.dumps({"instances": digits.rows[:1]}).encode()

    def request(number: int) -> bytes:
        user = key(number)
        sticky = {} if user is None else {"x_user": user, "x_request_id": user}
        return post("/invocations", body, authorization=f"Bearer {SECRET}", **sticky)

    load = Load(server.port, request, connections=16, stop_after=count)
    load.start()
    outcome = load.join()
    assert outcome.failed == []
    assert outcome.statuses == {200: count}
    return outcome


def test_ten_thousand_requests_fall_by_weight(server: ServerProcess, digits: Digits) -> None:
    set_percent(server, SHARES["2"])
    before = {version: server.metric("model_predictions_total", release=f"digits@{version}") for version in SHARES}
    outcome = ask(server, digits, REQUESTS, lambda _: None)
    assert_split(dict(outcome.versions()), SHARES)
    counted = {
        version: server.metric("model_predictions_total", release=f"digits@{version}") - before[version]
        for version in SHARES
    }
    assert counted == outcome.versions()


def test_sticky_keys_fall_by_weight_and_stay(server: ServerProcess, digits: Digits) -> None:
    """Each key gets one release, from every process and on every connection; many keys get their shares."""
    set_percent(server, SHARES["2"])
    keys = 1000
    outcome = ask(server, digits, 2 * keys, lambda number: f"user-{number % keys}")
    releases: dict[str, set[str]] = {}
    for answer in outcome.answered:
        releases.setdefault(answer.headers["x-request-id"], set()).add(answer.headers["x-model-version"])
    assert len(releases) == keys
    assert all(len(versions) == 1 for versions in releases.values())
    firsts = [next(iter(versions)) for versions in releases.values()]
    assert_split({version: firsts.count(version) for version in SHARES}, SHARES)


def test_a_larger_share_keeps_the_keys_that_the_canary_had(server: ServerProcess, digits: Digits) -> None:
    def canary(percent: float) -> set[str]:
        set_percent(server, percent)
        outcome = ask(server, digits, 200, lambda number: f"user-{number}")
        return {a.headers["x-request-id"] for a in outcome.answered if a.headers["x-model-version"] == "2"}

    few, more, fewer_again = canary(10), canary(60), canary(10)
    assert few < more
    assert few == fewer_again


def test_weights_change_without_a_failed_request(server: ServerProcess, digits: Digits) -> None:
    request = post("/invocations", json.dumps(digits.rows[:1]).encode(), authorization=f"Bearer {SECRET}")
    with under_load(server.port, lambda _: request, connections=16, pause=0) as load:
        for percent in (0.0, 100.0, 50.0, 1.0, 99.0, 0.0):
            before = len(load.outcome.answered)
            set_percent(server, percent)
            changed = time.monotonic()
            versions: list[str] = []
            while len(versions) < 300:  # of requests that were sent after the change
                load.wait_for_answers(50)
                answered = load.outcome.answered[before:]
                versions = [answer.headers["x-model-version"] for answer in answered if answer.sent > changed]
            if percent in (0.0, 100.0):
                assert set(versions) == {"2" if percent else "1"}
            else:
                counts = {version: versions.count(version) for version in SHARES}
                assert_split(counts, {"1": 100 - percent, "2": percent})
    assert load.outcome.failed == []
    assert load.outcome.refused == 0
    assert load.outcome.statuses.keys() == {200}


def test_every_stretch_of_requests_has_its_share() -> None:
    """Not only the sum: any hundred requests in a row have their five of the canary, or one more or less."""
    shared = SharedState(None)
    shared.percent = 5.0
    split = Split(shared, None)
    taken = [split.to_canary({}) for _ in range(5000)]
    assert {sum(taken[start : start + 100]) for start in range(4900)} <= {4, 5, 6}


def test_keys_are_spread_evenly() -> None:
    """Ten thousand keys over a hundred bins; the keys are fixed, so the result is."""
    counts = [0] * 100
    for number in range(REQUESTS):
        counts[int(point(f"user-{number}@example.org".encode()))] += 1
    assert stats.chisquare(counts).pvalue > SIGNIFICANCE


def test_the_check_itself_sees_a_wrong_share() -> None:
    with pytest.raises(AssertionError, match="p ="):
        assert_split({"1": 7200, "2": 2800}, SHARES)
    with pytest.raises(AssertionError, match="other releases"):
        assert_split({"1": 7000, "2": 3000, "": 1}, SHARES)


def test_keys_and_weights_without_a_server(tmp_path: Path) -> None:
    """A key in two processes that share a file: both see one share, and a change of it at once."""
    SharedState.create(tmp_path, 20.0)
    first, second = (Split(SharedState(tmp_path), "x-user") for _ in range(2))
    keys = [{b"x-user": b"%d" % number} for number in range(500)]
    before = [first.to_canary(key) for key in keys]
    assert before == [second.to_canary(key) for key in keys]
    first.percent = 70.0
    assert second.percent == 70.0
    after = [second.to_canary(key) for key in keys]
    assert all(now or not was for was, now in zip(before, after, strict=True))
    assert sum(after) > sum(before)
