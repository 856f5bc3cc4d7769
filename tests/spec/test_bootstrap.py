"""What is wrong with a bootstrap's description is said with field, value, what is allowed, and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from spec.bootstrap import load_bootstrap, load_roles
from spec.errors import SpecError

PROD = {"stacks": ["aws"], "services": ["digits"], "regions": ["eu-central-1"]}
RIGHT: dict[str, Any] = {
    "name": "models",
    "cloud": "aws",
    "region": "eu-central-1",
    "github": {"repository": "example/digits"},
    "environments": {"prod": PROD},
}


def test_the_subject_is_the_repository_or_what_is_given() -> None:
    assert load_bootstrap(RIGHT).github.subject_prefix == "repo:example/digits"
    github = {"repository": "example/digits", "subject": "repo:example-1/digits-2"}
    assert load_bootstrap({**RIGHT, "github": github}).github.subject_prefix == "repo:example-1/digits-2"


def environments(**named: dict[str, Any]) -> dict[str, Any]:
    return {**RIGHT, "environments": {name: {**PROD, **changes} for name, changes in named.items()}}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({**RIGHT, "cloud": "azure"}, "bootstrap.cloud is 'azure'; allowed: aws."),
        ({**RIGHT, "region": "frankfurt"}, "bootstrap.region is 'frankfurt'; allowed: a region of aws, such as"),
        ({**RIGHT, "state": "mine"}, "bootstrap.state is not a field"),
        ({**RIGHT, "name": "ml"}, "bootstrap.name is 'ml'"),
        ({**RIGHT, "environments": {}}, "bootstrap.environments is {}"),
        ({**RIGHT, "github": {"repository": "digits"}}, "bootstrap.github.repository is 'digits'; allowed: The repos"),
        ({**RIGHT, "github": {"repository": "a/*"}}, "bootstrap.github.repository is 'a/*'"),
        (
            {**RIGHT, "github": {"repository": "a/b", "subject": "repo:*/b"}},
            "bootstrap.github.subject is 'repo:*/b'",
        ),
        (
            {**RIGHT, "github": {"repository": "a/b", "provider": "make"}},
            "bootstrap.github.provider is 'make'; allowed: made or taken. Did you mean made?",
        ),
        ({**RIGHT, "environments": {"prod:1": PROD}}, "bootstrap.environments.prod:1"),
        (environments(prod={"regions": ["here"]}), "bootstrap.environments.prod.regions[0] is 'here'"),
        (
            environments(prod={"service": ["digits"]}),
            "bootstrap.environments.prod.service is not a field; allowed: stacks, services, regions or callers. Did "
            "you mean services?",
        ),
        (
            environments(prod={}, Prod={"stacks": ["b"], "services": ["other"]}),
            "bootstrap.environments.Prod is 'Prod'; allowed: names that differ by more than capitals; there is prod",
        ),
        (
            environments(prod={}, test={"services": ["other"]}),
            "bootstrap.environments.test.stacks[0] is 'aws'; allowed: each of the stacks once",
        ),
        (
            environments(prod={}, test={"stacks": ["b"]}),
            "bootstrap.environments.test.services[0] is 'digits'; allowed: each of the services once",
        ),
        (
            environments(prod={}, test={"stacks": ["b"], "services": ["digits-test"]}),
            "bootstrap.environments.test.services[0] is 'digits-test'; allowed: a name that does not begin with ",
        ),
    ],
)
def test_a_mistake_is_named(config: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as refused:
        load_bootstrap(config)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "roles.boundary is missing"),
        (
            {"boundary": "prod"},
            "roles.boundary is 'prod'; allowed: ARN of the permissions boundary that each role gets",
        ),
        (
            {"boundary": "arn:aws:iam::123456789012:policy/b", "path": "services"},
            "roles.path is 'services'; allowed: Path of roles and policies, from / to /",
        ),
    ],
)
def test_a_mistake_in_what_roles_must_have_is_named(config: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as refused:
        load_roles(config)
    assert said in str(refused.value)
