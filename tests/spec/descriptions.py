"""Service descriptions that the tests vary."""

from __future__ import annotations

import copy
from typing import Any


def local(**changes: Any) -> dict[str, Any]:
    """The smallest good description, for the local process, with top-level changes."""
    return {
        "name": "digits",
        "release": "digits@latest",
        "deploy_to": [{"cloud": "local", "target": "process"}],
        **copy.deepcopy(changes),
    }


def at(place: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The smallest good description for one place."""
    return local(deploy_to=[place], **changes)


AWS = {"cloud": "aws", "region": "eu-central-1"}
DIGEST = "sha256:" + "0123456789abcdef" * 4

#: What a place has to say about its region, per cloud.
REGION: dict[str, dict[str, str]] = {
    "aws": {"region": "us-east-1"},
    "azure": {"region": "westeurope"},
    "gcp": {"region": "us-central1"},
    "local": {},
}
