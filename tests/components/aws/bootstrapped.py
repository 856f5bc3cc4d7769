"""The bootstrap of an AWS account in this process, under mocks, and a reader of IAM policies.

What this does not prove: the mocks accept anything, and the reader is a small part of what AWS does with a policy.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from spec.bootstrap import BootstrapSpec, load_bootstrap
from stacks import bootstrap
from tests.components import recording
from tests.components.recording import ACCOUNT, Recording, record

STACK = "bootstrap-aws"
LOOK = "aws:iam/getOpenIdConnectProvider:getOpenIdConnectProvider"
GITHUB_ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
STAGING = {"stacks": ["staging"], "services": ["trial"], "regions": ["eu-central-1", "eu-west-1"]}


def example(root: Path) -> dict[str, Any]:
    """The description in Pulumi.bootstrap-aws.yaml."""
    text = (root / f"Pulumi.{STACK}.yaml").read_text()
    return yaml.safe_load(text)["config"]["cloud-ml-deployment:bootstrap"]


def two(root: Path) -> BootstrapSpec:
    """The example with a second environment."""
    base = example(root)
    return load_bootstrap({**base, "environments": {**base["environments"], "staging": STAGING}})


def made(
    spec: BootstrapSpec,
    look: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
) -> Recording:
    """Everything that a description makes. look: answers the look-up of GitHub's provider; else there is none."""
    answers = recording.INVOKES if look is None else {**recording.INVOKES, LOOK: look}
    with patch.object(recording, "INVOKES", answers):
        return record(lambda: bootstrap.deploy(spec), name=STACK)


def statements(text: str | Iterable[str]) -> list[dict[str, Any]]:
    """The statements of one policy or of several."""
    texts = [text] if isinstance(text, str) else text
    return [statement for one in texts for statement in json.loads(one)["Statement"]]


def allows(policy: Iterable[Mapping[str, Any]], action: str, resource: str, **context: str | list[str]) -> bool:
    """Whether a policy allows an action on a resource: some statement does, and none denies it.

    context: values of condition keys, with `__` for `:` (`iam__PermissionsBoundary`). What is not given is absent.
    """
    keys = {key.replace("__", ":").lower(): value for key, value in context.items()}
    matching = [one for one in policy if _matches(one, action, resource, keys)]
    return any(one["Effect"] == "Allow" for one in matching) and not any(one["Effect"] == "Deny" for one in matching)


def _matches(one: Mapping[str, Any], action: str, resource: str, keys: Mapping[str, Any]) -> bool:
    return (
        any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in _list(one["Action"]))
        and any(fnmatch.fnmatchcase(resource, pattern) for pattern in _list(one["Resource"]))
        and all(
            _holds(operator, values, keys.get(key.lower()))
            for operator, wanted in one.get("Condition", {}).items()
            for key, values in wanted.items()
        )
    )


def _holds(operator: str, values: Any, given: Any) -> bool:
    if given is None:
        return operator.endswith("IfExists")
    exact = operator.removesuffix("IfExists") in ("StringEquals", "ArnEquals", "Bool")
    return any(
        value == one if exact else fnmatch.fnmatchcase(one, value) for value in _list(values) for one in _list(given)
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
