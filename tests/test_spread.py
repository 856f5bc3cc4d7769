"""How tests are spread over processes: on small test suites of their own, run by real processes of pytest-xdist."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.spread import ALONE, unit_names

#: Each test of the suites below writes down its process, and when it began and ended.
NOTES = """
import os, time
from pathlib import Path
import pytest

@pytest.fixture(autouse=True)
def noted(request):
    began = time.monotonic()
    yield
    note = f"{request.node.name} {os.getpid()} {began} {time.monotonic()}\\n"
    with (Path(__file__).parent / "notes").open("a") as notes:
        notes.write(note)
"""


class Ran:
    """What a suite wrote down: test → process, begin, end; in the order of the ends."""

    def __init__(self, folder: Path, result: pytest.RunResult) -> None:
        rows = [line.split() for line in (folder / "notes").read_text().splitlines()]
        self.process = {row[0]: row[1] for row in rows}
        self.times = {row[0]: (float(row[2]), float(row[3])) for row in rows}
        self.result = result


def run(pytester: pytest.Pytester, files: dict[str, str], *arguments: str) -> Ran:
    """Run the files' tests in two processes."""
    (pytester.path / "conftest.py").write_text(NOTES)
    (pytester.path / "notes").unlink(missing_ok=True)
    for name, body in files.items():
        (pytester.path / name).write_text(f"import pytest, time\n{body}\n")
    options = ["-p", "tests.spread", "-p", "no:cacheprovider", "--strict-markers", *(arguments or ["-n", "2"])]
    return Ran(pytester.path, pytester.runpytest_inprocess(*options))


def several(prefix: str, number: int = 4, body: str = "pass") -> str:
    return "".join(f"def test_{prefix}{at}(): {body}\n" for at in range(number))


def test_the_tests_of_a_file_stay_together(pytester: pytest.Pytester) -> None:
    ran = run(pytester, {f"test_{name}.py": several(name) for name in "abcdef"})
    ran.result.assert_outcomes(passed=24)
    for name in "abcdef":
        assert len({ran.process[f"test_{name}{at}"] for at in range(4)}) == 1
    assert len(set(ran.process.values())) == 2
    assert " passed in " in ran.result.outlines[-1], "pytest's own line is the last one"


def test_files_that_need_a_shared_part_stay_together() -> None:
    names = unit_names(
        [
            ("a.py", {"tmp_path"}, False),
            ("a.py", {"server_image"}, False),
            ("b.py", {"cnn"}, False),
            ("c.py", set(), False),
            ("d.py", {"unpacked"}, False),
            ("c.py", set(), True),
        ]
    )
    assert names == ["containers", "containers", "containers", "c.py", "functions", f"{ALONE}c.py"]


def test_who_is_to_be_alone_is_alone(pytester: pytest.Pytester) -> None:
    alone = "@pytest.mark.alone\ndef test_alone{}(): time.sleep(0.2)\n"
    files = {
        "test_a.py": alone.format(1) + several("a", 4, "time.sleep(0.1)"),
        "test_b.py": several("b", 2) + alone.format(2) + alone.format(3),
        "test_c.py": several("c", 3, "time.sleep(0.2)"),
    }
    ran = run(pytester, files)
    ran.result.assert_outcomes(passed=12)
    for name in ("test_alone1", "test_alone2", "test_alone3"):
        began, ended = ran.times[name]
        for other, (its_begin, its_end) in ran.times.items():
            assert other == name or its_end <= began or ended <= its_begin, f"{other} ran beside {name}"


@pytest.mark.parametrize("others", [0, 1])
def test_hardly_anything_but_tests_that_are_to_be_alone(pytester: pytest.Pytester, others: int) -> None:
    alone = "@pytest.mark.alone\n@pytest.mark.parametrize('n', range(3))\ndef test_alone(n): time.sleep(0.1)\n"
    ran = run(pytester, {"test_a.py": alone, "test_b.py": alone + several("b", others)})
    ran.result.assert_outcomes(passed=6 + others)
    assert len({process for name, process in ran.process.items() if "alone" in name}) == 1


def test_one_process_needs_none_of_this(pytester: pytest.Pytester) -> None:
    body = several("a") + "@pytest.mark.alone\ndef test_alone(): pass\n"
    for arguments in (["-n", "0"], ["-n", "1"]):
        run(pytester, {"test_a.py": body}, *arguments).result.assert_outcomes(passed=5)


def test_a_process_that_dies_is_a_failure_and_the_run_ends(pytester: pytest.Pytester) -> None:
    files = {
        "test_a.py": "import os\ndef test_dies(): os._exit(1)\n",
        "test_b.py": several("b") + "@pytest.mark.alone\ndef test_alone(): pass\n",
    }
    ran = run(pytester, files)
    assert ran.result.ret != pytest.ExitCode.OK
    assert "test_dies" in "\n".join(ran.result.outlines)
    assert "test_alone" not in ran.process


def test_what_takes_long_comes_first(pytester: pytest.Pytester) -> None:
    (pytester.path / "tests").mkdir()
    file = pytester.path / "tests" / "durations.json"
    file.write_text(json.dumps({"test_f.py": 30, "test_d.py": 20, "gone.py": 9}))
    files = {f"test_{name}.py": several(name) for name in "abcdef"}
    ran = run(pytester, files, "-n", "1")
    begins = [name for name, _ in sorted(ran.times.items(), key=lambda row: row[1])]
    assert begins[:8] == [f"test_{name}{at}" for name in "fd" for at in range(4)]
    files["test_a.py"] = several("a", 1, "time.sleep(5)")
    run(pytester, files, "-n", "2", "--durations-record")
    assert json.loads(file.read_text()).keys() == {"test_a.py", "gone.py"}


def test_a_skip_in_another_process_fails_a_run_that_forbids_skips(pytester: pytest.Pytester) -> None:
    files = {
        "test_a.py": several("a") + "def test_skipped(): pytest.skip('no part')\n",
        "test_b.py": "@pytest.mark.engine\ndef test_cli(): pytest.skip('no CLI')\n",
    }
    pytester.makeini("[pytest]\nmarkers =\n  engine: needs the CLI")
    allowed = run(pytester, files, "-n", "2", "-p", "tests.skips")
    allowed.result.assert_outcomes(passed=4, skipped=2)
    refused = run(pytester, files, "-n", "2", "-p", "tests.skips", "--no-skips")
    refused.result.assert_outcomes(passed=4, failed=1, skipped=1)
    refused.result.stdout.fnmatch_lines(["*skips are forbidden in this run: *no part*"])
