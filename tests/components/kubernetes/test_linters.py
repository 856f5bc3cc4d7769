"""Tools of the ecosystem over the golden manifests: kube-score for pods and policies, promtool for the rules.

Proves that somebody else's rules find nothing but what is explained in linter_exceptions.yaml. Does not prove that the
cluster takes the manifests; kube-score's own schemas are older than the newest Kubernetes.
"""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.components.kubernetes.examples import FOLDER, examples, text
from tests.real_parts import need

EXCEPTIONS: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "linter_exceptions.yaml").read_text())
#: What kube-score looks at only when asked to.
MORE_CHECKS = (
    "container-resource-requests-equal-limits",
    "container-ephemeral-storage-request-equals-limit",
    "container-ports-check",
    "container-seccomp-profile",
)
#: The best grade: nothing to say.
ALL_OK = 10
WITH_RULES = [name for name in examples() if "kind: PrometheusRule" in (FOLDER / f"{name}.yaml").read_text()]


@pytest.fixture(scope="module")
def kube_score() -> Path:
    return need("kube-score", "bash .ci/install builds it from its Go module")


def said(kube_score: Path, content: str) -> set[str]:
    """Ids of the checks that are not content."""
    more = [word for check in MORE_CHECKS for word in ("--enable-optional-test", check)]
    command = [str(kube_score), "score", "--kubernetes-version", "v1.37", "--output-format", "json", *more, "-"]
    ran = subprocess.run(command, input=content, capture_output=True, text=True, timeout=120, check=False)
    objects = json.loads(ran.stdout)
    assert objects, ran.stderr
    checks = [one for scored in objects for one in scored["checks"] or [] if not one["skipped"]]
    assert len(checks) > 20
    return {one["check"]["id"] for one in checks if one["grade"] < ALL_OK}


def allowed(name: str) -> set[str]:
    return {one["check"] for one in EXCEPTIONS if name in one.get("only", [name])}


@pytest.mark.parametrize("name", examples())
def test_kube_score_says_nothing_that_is_not_explained(name: str, kube_score: Path) -> None:
    assert said(kube_score, (FOLDER / f"{name}.yaml").read_text()) <= allowed(name)


def test_each_exception_is_explained_and_still_needed(kube_score: Path) -> None:
    found = {name: said(kube_score, (FOLDER / f"{name}.yaml").read_text()) for name in examples()}
    for one in EXCEPTIONS:
        assert set(one) <= {"check", "only", "why"}
        assert len(one["why"]) > 40
        named = set(one.get("only", examples()))
        needed = {name for name, checks in found.items() if one["check"] in checks}
        assert needed, f"{one['check']}: no example needs it any more"
        assert "only" not in one or named == needed, f"{one['check']}: needed by {sorted(needed)}"


def _container(deployment: dict[str, Any]) -> dict[str, Any]:
    return deployment["spec"]["template"]["spec"]["containers"][0]


MISTAKES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "container-security-context-readonlyrootfilesystem": lambda d: _container(d)["securityContext"].update(
        readOnlyRootFilesystem=False
    ),
    "container-resources": lambda d: _container(d).pop("resources"),
    "container-image-tag": lambda d: _container(d).update(image="registry.example.com/server:latest"),
    "pod-probes": lambda d: _container(d).pop("readinessProbe"),
    "service-targets-pod": lambda d: d["spec"]["template"]["metadata"].update(labels={"app": "other"}),
    "container-security-context-user-group-id": lambda d: _container(d)["securityContext"].update(runAsUser=0),
    "container-seccomp-profile": lambda d: (
        _container(d)["securityContext"].pop("seccompProfile"),
        d["spec"]["template"]["spec"]["securityContext"].pop("seccompProfile"),
    ),
}


@pytest.mark.parametrize("check", MISTAKES)
def test_kube_score_finds_what_is_done_wrong_on_purpose(check: str, kube_score: Path) -> None:
    objects = [copy.deepcopy(one) for one in yaml.safe_load_all((FOLDER / "everything.yaml").read_text())]
    (deployment,) = (one for one in objects if one["kind"] == "Deployment")
    MISTAKES[check](deployment)
    assert check in said(kube_score, text(objects))


@pytest.mark.parametrize("name", WITH_RULES)
def test_promtool_takes_the_rules(name: str, tmp_path: Path) -> None:
    promtool = need("promtool", "Debian: prometheus")
    for one in yaml.safe_load_all((FOLDER / f"{name}.yaml").read_text()):
        if one["kind"] == "PrometheusRule":
            file = tmp_path / "rules.yaml"
            file.write_text(yaml.safe_dump(one["spec"]))
            ran = subprocess.run(
                [str(promtool), "check", "rules", str(file)], capture_output=True, text=True, check=False
            )
            assert ran.returncode == 0, ran.stdout + ran.stderr
            rules = sum(len(group["rules"]) for group in one["spec"]["groups"])
            assert f"SUCCESS: {rules} rules found" in ran.stdout
            return
    pytest.fail("no rules")


def test_there_are_rules_to_look_at() -> None:
    assert "everything" in WITH_RULES
