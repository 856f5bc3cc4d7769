"""The plugin that writes down what tests prove, on small test suites of its own; and the record that is checked in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.proof_record import Claim, Record, load_systems

SYSTEMS = "AWS: [Amazon S3, AWS Lambda]\nServing: [FastAPI]\n"


class Suite:
    """A test suite in a folder of its own, run in this process."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester
        self.root = pytester.path
        (self.root / "tests").mkdir()
        (self.root / "tests" / "systems.yaml").write_text(SYSTEMS)

    def run(self, body: str, *arguments: str, proof: bool = True) -> pytest.RunResult:
        (self.root / "tests" / "test_it.py").write_text(f"import pytest\nproof = pytest.mark.proof\n{body}\n")
        options = ["-p", "tests.proof", "-p", "no:cacheprovider", "--strict-markers", *(["--proof"] if proof else [])]
        return self._pytester.runpytest_inprocess(*options, *(arguments or ["tests"]))

    def proofs(self) -> list[dict[str, object]]:
        return json.loads((self.root / "docs" / "proof.json").read_text())["proofs"]

    def row(self, system: str) -> list[str]:
        """Cells of a system's row on the page: level, mocks, schema, engine, runtime, model."""
        page = (self.root / "docs" / "proof.md").read_text()
        line = next(line for line in page.splitlines() if line.startswith(f"| {system} |"))
        return [cell.strip() for cell in line.split("|")[2:-1]]


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Suite:
    return Suite(pytester)


PASSES = "@proof('Amazon S3', level='mocks')\ndef test_a(): pass\n"
STRONGER = "@proof('Amazon S3', level='runtime')\ndef test_b(): pass\n"


def test_a_pass_raises_its_row_and_no_other(suite: Suite) -> None:
    suite.run(PASSES)
    assert suite.row("Amazon S3") == ["mocks", "✓", "–", "–", "–", "–"]
    assert suite.row("AWS Lambda") == ["none yet", "–", "–", "–", "–", "–"]
    suite.run(PASSES + STRONGER)
    assert suite.row("Amazon S3") == ["runtime", "✓", "–", "–", "✓", "–"]
    assert "- Amazon S3, runtime: `tests/test_it.py`: `test_b`\n" in (suite.root / "docs" / "proof.md").read_text()


def test_a_failure_lowers_its_row_to_what_still_holds(suite: Suite) -> None:
    suite.run(PASSES + STRONGER)
    suite.run(PASSES + STRONGER.replace("pass", "assert False"))
    assert suite.row("Amazon S3") == ["mocks", "✓", "–", "–", "✗", "–"]
    assert "`tests/test_it.py`: `test_b` **failed**" in (suite.root / "docs" / "proof.md").read_text()
    suite.run(PASSES + STRONGER)
    assert suite.row("Amazon S3")[0] == "runtime"


def test_what_fails_before_or_after_the_test_lowers_too(suite: Suite) -> None:
    for yields in ("assert False\n    yield", "yield\n    assert False"):
        suite.run(PASSES + STRONGER)
        fixture = f"@pytest.fixture\ndef part():\n    {yields}\n"
        suite.run(fixture + PASSES + STRONGER.replace("test_b()", "test_b(part)"))
        assert suite.row("Amazon S3") == ["mocks", "✓", "–", "–", "✗", "–"]


@pytest.mark.parametrize("how", ["pytest.skip('no part')", "pytest.xfail('known')"])
def test_a_skip_and_an_expected_failure_change_nothing(suite: Suite, how: str) -> None:
    suite.run(PASSES.replace("pass", how))
    assert suite.row("Amazon S3")[0] == "none yet"
    suite.run(PASSES)
    before = suite.proofs()
    suite.run(PASSES.replace("pass", how))
    assert suite.proofs() == before
    assert suite.row("Amazon S3")[0] == "mocks"


def test_one_of_two_tests_of_a_level_fails(suite: Suite) -> None:
    both = PASSES + PASSES.replace("test_a", "test_other")
    suite.run(both)
    assert suite.row("Amazon S3")[0] == "mocks"
    suite.run(PASSES + PASSES.replace("test_a", "test_other").replace("pass", "assert False"))
    assert suite.row("Amazon S3") == ["none yet", "✗", "–", "–", "–", "–"]


def test_a_failed_parameter_is_not_made_good_by_another(suite: Suite) -> None:
    body = "@proof('FastAPI', level='runtime')\n@pytest.mark.parametrize('n', [1, 2])\ndef test_n(n): assert n != {}\n"
    suite.run(body.format(2))
    assert suite.row("FastAPI") == ["none yet", "–", "–", "–", "✗", "–"]
    suite.run(body.format(3), "tests/test_it.py::test_n[1]")
    assert suite.row("FastAPI")[0] == "none yet"
    suite.run(body.format(3), "tests/test_it.py::test_n[2]")
    assert suite.row("FastAPI")[0] == "runtime"


def test_several_processes_write_the_same(suite: Suite) -> None:
    """What a process ran and what it collected reach the one that writes; a test that is gone counts no more."""
    failing = PASSES.replace("test_a", "test_c").replace("Amazon S3", "FastAPI").replace("pass", "assert False")
    body = PASSES + STRONGER + failing
    suite.run(body)
    alone = suite.proofs()
    (suite.root / "docs" / "proof.json").unlink()
    suite.run(body, "-n", "2", "tests").assert_outcomes(passed=2, failed=1)
    assert suite.proofs() == alone
    suite.run(PASSES + STRONGER.replace("pass", "assert False"), "-n", "2", "tests")
    assert suite.row("Amazon S3") == ["mocks", "✓", "–", "–", "✗", "–"]
    assert suite.row("FastAPI")[0] == "none yet"
    suite.run(PASSES, "-n", "2", "tests")
    assert suite.row("Amazon S3") == ["mocks", "✓", "–", "–", "–", "–"]


def test_a_failed_parameter_that_is_taken_out_counts_no_more(suite: Suite) -> None:
    body = "@proof('FastAPI', level='runtime')\n@pytest.mark.parametrize('n', {})\ndef test_n(n): assert n != 2\n"
    suite.run(body.format([1, 2]))
    assert suite.row("FastAPI")[0] == "none yet"
    suite.run(body.format([1, 3]))
    assert suite.row("FastAPI")[0] == "runtime"


def test_a_renamed_test_takes_its_claim_along(suite: Suite) -> None:
    suite.run(PASSES)
    suite.run(PASSES.replace("test_a", "test_renamed"))
    assert [row["test"] for row in suite.proofs()] == ["tests/test_it.py::test_renamed"]
    (suite.root / "tests" / "test_it.py").rename(suite.root / "tests" / "test_moved.py")
    suite.run("")
    assert [row["test"] for row in suite.proofs()] == ["tests/test_moved.py::test_renamed"]


def test_a_part_of_the_tests_forgets_nothing(suite: Suite) -> None:
    suite.run(PASSES + STRONGER)
    before = suite.proofs()
    for arguments in (["tests", "-k", "test_a"], ["tests/test_it.py::test_a"]):
        suite.run(PASSES + STRONGER, *arguments)
        assert suite.proofs() == before
    (suite.root / "other").mkdir()
    suite.run(PASSES + STRONGER, "other")
    assert suite.proofs() == before


def test_both_engines_are_named(suite: Suite) -> None:
    body = (
        "@proof('AWS Lambda', level='engine')\n"
        "@pytest.mark.parametrize('engine', ['embedded', 'cli'])\ndef test_life(engine): pass\n"
    )
    suite.run(body)
    assert {row["engine"] for row in suite.proofs()} == {"embedded", "cli"}
    page = (suite.root / "docs" / "proof.md").read_text()
    assert "on the Pulumi CLI: `test_life`; `tests/test_it.py` on the embedded engine: `test_life`" in page


def test_a_run_without_the_option_writes_nothing(suite: Suite) -> None:
    suite.run(PASSES, proof=False)
    assert not (suite.root / "docs").exists()


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        ("'Amazon S4', level='mocks'", "not among the systems"),
        ("level='mocks'", "not among the systems"),
        ("'Amazon S3', level='magic'", "allowed are mocks"),
        ("'Amazon S3', level='mocks', how='well'", "allowed are mocks"),
        ("'Amazon S3', level='engine'", "needs one of cli, embedded"),
        ("'Amazon S3', level='runtime', engine='cli'", "no other level has any"),
    ],
)
def test_a_claim_of_something_unknown_is_refused(suite: Suite, claim: str, says: str) -> None:
    result = suite.run(f"@proof({claim})\ndef test_a(): pass")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert says in "\n".join(result.errlines + result.outlines)


def test_a_record_of_tests_that_are_gone_is_refused(suite: Suite) -> None:
    suite.run(PASSES)
    assert suite.run(PASSES, "tests", "--proof-verify", "--collect-only", proof=False).ret == 0
    weaker = suite.run(PASSES.replace("mocks", "schema"), "tests", "--proof-verify", "--collect-only", proof=False)
    assert weaker.ret == pytest.ExitCode.USAGE_ERROR
    assert "Amazon S3 at mocks by tests/test_it.py::test_a" in "\n".join(weaker.errlines + weaker.outlines)


def test_the_checked_in_record_names_tests_that_claim_what_it_says(root: Path) -> None:
    record = Record.load(root / "docs" / "proof.json")
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "--proof-verify", *sorted(record.files())]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_checked_in_page_is_made_from_the_record(root: Path) -> None:
    systems = load_systems(root / "tests" / "systems.yaml")
    record = Record.load(root / "docs" / "proof.json")
    assert (root / "docs" / "proof.md").read_text() == record.page(systems), "run `make proof`"
    assert {claim.system for claim in record.claims()} <= {name for group in systems.values() for name in group}


def test_the_order_of_a_run_does_not_change_the_file(tmp_path: Path) -> None:
    made = [Claim(system, "mocks", "", f"tests/test_{n}.py::test") for system in ("b", "a") for n in range(3)]
    for number, order in enumerate((made, made[::-1])):
        record = Record()
        for claim in order:
            record.note(claim, "[x]", passed=False)
            record.note(claim, "[x]", passed=True)
        record.save(tmp_path / str(number))
    assert (tmp_path / "0").read_text() == (tmp_path / "1").read_text()
