"""The server's page in a real browser (Debian's Chromium), against a real server.

What it does not prove: that other browsers show the same, or that every hand's digits are recognised.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright import sync_api as playwright
from sklearn.datasets import load_digits

from tests.ports import free_port
from tests.real_parts import find, need
from tests.serving_image.conftest import Digits
from tests.serving_image.server_process import ServerProcess, running

Point = tuple[float, float]

#: File that says where an Alertmanager is.
ADDRESS = "alertmanager.url"
#: A plot of at least six points.
MOVES = re.compile("M(.*L){5}")

#: Strokes as points of a unit square, as a hand would draw them.
STROKES: dict[str, list[list[Point]]] = {
    "0": [[(0.5 + 0.26 * math.sin(a / 20 * math.tau), 0.5 - 0.42 * math.cos(a / 20 * math.tau)) for a in range(21)]],
    "4": [[(0.45, 0.08), (0.2, 0.6), (0.8, 0.6)], [(0.6, 0.35), (0.55, 0.95)]],
    "7": [[(0.2, 0.1), (0.8, 0.1), (0.45, 0.95)], [(0.3, 0.5), (0.75, 0.5)]],
}

#: Milliseconds that the page may take to show something; generous, as a test is not a measurement.
PATIENCE = 90_000
#: Chromium without what would ask hosts on the internet.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


#: A browser has time limits of its own.
pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    chromium = find("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed (Debian: chromium)")
    with playwright.sync_playwright() as runner:
        playwright.expect.set_options(timeout=PATIENCE)
        made = runner.chromium.launch(executable_path=str(chromium), args=QUIET, timeout=PATIENCE)
        yield made
        made.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server looks for an Alertmanager's address, and keeps its log."""
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def server(digits: Digits, digits_again: Digits, folder: Path) -> Iterator[ServerProcess]:
    """Two releases, a quarter of the traffic to the second."""
    env = {
        "MODEL_URI": str(digits.path),
        "CANARY_URI": str(digits_again.path),
        "CANARY_PERCENT": "25",
        "ALERTS_URL_FILE": str(folder / ADDRESS),
    }
    with running(env, folder) as made:
        yield made


@pytest.fixture
def page(browser: playwright.Browser, server: ServerProcess) -> Iterator[playwright.Page]:
    """The page, loaded. Fails the test for any error in its console and any request to somewhere else."""
    made = browser.new_page(viewport={"width": 1000, "height": 900})
    problems: list[str] = []
    made.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: problems.append(str(error)))
    made.on("request", lambda request: problems.append(request.url) if _elsewhere(request.url, server) else None)
    made.goto(server.url, timeout=PATIENCE)
    playwright.expect(made.locator("#draw")).to_be_visible()
    yield made
    made.close()
    assert problems == []


def _elsewhere(url: str, server: ServerProcess) -> bool:
    return not url.startswith((f"{server.url}/", "data:"))


def draw(page: playwright.Page, strokes: list[list[Point]]) -> None:
    page.locator("#clear").click()
    box = page.locator("#pad").bounding_box()
    assert box is not None
    for stroke in strokes:
        for index, (x, y) in enumerate(stroke):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
            if index == 0:
                page.mouse.down()
        page.mouse.up()


@pytest.mark.parametrize("digit", STROKES)
def test_a_drawn_digit_gets_its_label(page: playwright.Page, digit: str):
    draw(page, STROKES[digit])
    playwright.expect(page.locator("#label")).to_have_text(digit)
    shares = [float(cell) for cell in page.locator("#classes td:nth-child(2)").all_inner_texts()]
    assert len(shares) == 10
    assert sum(shares) == pytest.approx(1, abs=0.01)
    assert max(shares) == shares[int(digit)]


def test_a_digit_can_be_drawn_by_keyboard(page: playwright.Page):
    page.locator("#pad").focus()
    page.keyboard.press("Delete")
    for _ in range(13):
        page.keyboard.press("ArrowUp")
    page.keyboard.press(" ")
    for _ in range(26):
        page.keyboard.press("ArrowDown")
    page.keyboard.press(" ")
    playwright.expect(page.locator("#label")).not_to_have_text("–")
    assert page.locator("#classes tr").count() == 10


def test_plots_move_under_load_and_releases_are_named(
    page: playwright.Page, server: ServerProcess, digits: Digits, tmp_path: Path
):
    stop = threading.Event()

    def load() -> None:
        rows = itertools.cycle(load_digits().data.tolist())  # pyright: ignore[reportAttributeAccessIssue]
        with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
            while not stop.wait(0.005):
                tensor = {"name": digits.input, "shape": [1, 64], "datatype": "FP32", "data": next(rows)}
                assert client.post("/v2/models/digits/infer", json={"inputs": [tensor]}).status_code == 200

    worker = threading.Thread(target=load)
    worker.start()
    try:
        playwright.expect(page.locator("#rate")).to_have_text(re.compile(r"[1-9]"))
        playwright.expect(page.locator("#p99")).to_contain_text("ms")
        releases = page.locator("#releases tr")
        playwright.expect(releases).to_have_count(2)
        for plot in (
            page.locator("#rate-plot path"),
            page.locator("#p50-plot path"),
            page.locator("#errors-plot path"),
            page.locator("#drift-plot path"),
            releases.nth(0).locator("path"),
            releases.nth(1).locator("path"),
            page.locator("#features path").first,
        ):
            playwright.expect(plot).to_have_attribute("d", MOVES)
        draw(page, STROKES["4"])
        playwright.expect(page.locator("#label")).to_have_text("4")
        shares: list[float] = []
        shown = page.locator("#releases td").all_inner_texts()  # at one moment: they change
        for number in range(2):
            cells = shown[number * len(shown) // 2 :][: len(shown) // 2]
            assert cells[0] == f"digits@{number + 1}"
            loaded = server.metric("model_release_loaded_timestamp_seconds", release=cells[0])
            assert cells[2] == page.evaluate("time => new Date(time).toLocaleString()", loaded * 1000)
            shares.append(float(cells[3].removesuffix(" %")))
            assert float(cells[5]) > 0
            assert f"{cells[0]} since {cells[2]}" in page.locator("#status").inner_text()
        assert sum(shares) == pytest.approx(100, abs=1)
        page.screenshot(path=os.environ.get("PAGE_SCREENSHOT", tmp_path / "page.png"), full_page=True)
    finally:
        stop.set()
        worker.join()


@contextlib.contextmanager
def alertmanager(folder: Path, address: Path) -> Iterator[httpx.Client]:
    """A real Alertmanager whose address stands in the file, ready, with a client for it."""
    program = find("prometheus-alertmanager") or need("alertmanager", "Debian: prometheus-alertmanager")
    port = free_port()
    (folder / "alertmanager.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    command = [
        program,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with (
        (folder / "alertmanager.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        try:
            end = time.monotonic() + 120
            while not _answers(client):
                assert time.monotonic() < end, (folder / "alertmanager.log").read_text()
                time.sleep(0.05)
            address.write_text(f"http://127.0.0.1:{port}\n")
            yield client
        finally:
            process.kill()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").status_code == 200
    except httpx.TransportError:
        return False


def test_what_fires_is_shown_and_what_is_not_there_is_not(
    page: playwright.Page, server: ServerProcess, folder: Path, tmp_path: Path
):
    expect = playwright.expect
    expect(page.locator("#status")).to_contain_text("digits@1")
    expect(page.locator("#alerts")).to_be_hidden()
    with alertmanager(tmp_path, folder / ADDRESS) as client:
        expect(page.locator("#alerts-status")).to_have_text("nothing fires")
        alert = {
            "labels": {"alertname": "Drift", "severity": "ticket", "service": "digits"},
            "annotations": {"summary": "inputs <b>moved</b>", "runbook_url": "docs/runbook.md#drift"},
        }
        client.post("/api/v2/alerts", json=[alert]).raise_for_status()
        expect(page.locator("#alerts-status")).to_have_text("1 firing")
        shown = page.locator("#alerts-list li")
        expect(shown).to_contain_text("Drift (ticket) inputs <b>moved</b>, since ")
        expect(shown.locator("code")).to_have_text("docs/runbook.md#drift")
        ended = {**alert, "endsAt": "2020-01-01T00:00:00Z"}
        client.post("/api/v2/alerts", json=[ended]).raise_for_status()
        expect(page.locator("#alerts-status")).to_have_text("nothing fires")
        expect(shown).to_have_count(0)
    expect(page.locator("#alerts-status")).to_contain_text("does not answer")
    (folder / ADDRESS).write_text("https://alerts.example\n")
    expect(page.locator("#alerts-status")).to_contain_text("allowed: http://127.0.0.1:<port>")
    (folder / ADDRESS).unlink()
    expect(page.locator("#alerts")).to_be_hidden(timeout=20_000)


def test_the_page_fits_a_phone(browser: playwright.Browser, server: ServerProcess):
    phone = browser.new_page(viewport={"width": 360, "height": 740})
    phone.goto(server.url, timeout=PATIENCE)
    playwright.expect(phone.locator("#draw")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    phone.close()


def test_the_page_asks_for_the_token(browser: playwright.Browser, digits: Digits, tmp_path: Path):
    secret = "a-token-of-some-length-0123456789"
    file = tmp_path / "token"
    file.write_text(secret)
    with running({"MODEL_URI": str(digits.path), "AUTH_TOKEN_FILE": str(file)}, tmp_path) as guarded:
        page = browser.new_page()
        page.goto(guarded.url, timeout=PATIENCE)
        playwright.expect(page.locator("#login")).to_be_visible()
        page.locator("#token").fill(secret)
        page.locator("#login button").click()
        playwright.expect(page.locator("#status")).to_contain_text("digits@1")
        playwright.expect(page.locator("#login")).to_be_hidden()
        page.close()
