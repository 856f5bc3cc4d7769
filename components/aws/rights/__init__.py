"""The permissions of those who deploy, and what they can hand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.aws.rights.boundary import WITHIN_BOUNDARY
from components.aws.rights.identity import IDENTITY
from components.aws.rights.keys import KEYS
from components.aws.rights.monitoring import MONITORING
from components.aws.rights.network import NETWORK
from components.aws.rights.right import Right
from components.aws.rights.serving import SERVING
from components.aws.rights.storage import STORAGE

#: Each becomes a policy of its own: one of all would be longer than IAM allows.
AREAS: Mapping[str, Sequence[Right]] = {
    "storage": STORAGE,
    "keys": KEYS,
    "identity": IDENTITY,
    "serving": SERVING,
    "monitoring": MONITORING,
    "network": NETWORK,
}

__all__ = ["AREAS", "WITHIN_BOUNDARY", "Right"]
