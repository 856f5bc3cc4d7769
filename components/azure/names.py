"""Names within Azure's limits, without Pulumi: the same parts give the same name, other parts another one.

Limits: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["storage_account", "vault", "registry", "ml_workspace", "ml_endpoint"]

#: Digits of the hash that ends a name: of a thousand names with the same beginning two are equal once in 8,600 times.
HASH_DIGITS = 8
#: What the provider itself appends to a name that it makes up, in hexadecimal digits.
PROVIDER_DIGITS = 8


@dataclass(frozen=True)
class Limit:
    """What Azure takes as the name of a kind of thing.

    least, most: characters. dashes: whether hyphens are allowed, else letters and digits only. everywhere: whether the
    name is one of all of Azure, as it is a host name. kept: whether a name stays taken for days after its end, so that
    a thing that is made again needs another one.
    """

    least: int
    most: int
    dashes: bool
    everywhere: bool
    kept: bool
    page: str


_RULES = "https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules"
LIMITS: dict[Kind, Limit] = {
    "storage_account": Limit(3, 24, dashes=False, everywhere=True, kept=False, page=f"{_RULES}#microsoftstorage"),
    # Soft delete with purge protection: nobody can free the name earlier.
    "vault": Limit(3, 24, dashes=True, everywhere=True, kept=True, page=f"{_RULES}#microsoftkeyvault"),
    "registry": Limit(5, 50, dashes=False, everywhere=True, kept=False, page=f"{_RULES}#microsoftcontainerregistry"),
    # Soft-deleted for 14 days: https://learn.microsoft.com/azure/machine-learning/concept-soft-delete
    "ml_workspace": Limit(
        3, 33, dashes=True, everywhere=False, kept=True, page=f"{_RULES}#microsoftmachinelearningservices"
    ),
    # Of all endpoints in a region.
    "ml_endpoint": Limit(
        3,
        32,
        dashes=True,
        everywhere=True,
        kept=False,
        page="https://learn.microsoft.com/azure/machine-learning/how-to-manage-quotas",
    ),
}


def unique(kind: Kind, *parts: str, salt: str) -> str:
    """A name that nobody else has: the parts as far as there is room, and a hash of all of them and the salt.

    salt: what tells this thing from one of the same parts elsewhere: subscription, project, stack. Of a kind whose
    names stay taken this is a stem, with room for what the provider appends.
    Raises ValueError for parts that begin with no letter.
    """
    limit = LIMITS[kind]
    room = limit.most - (PROVIDER_DIGITS if limit.kept else 0) - HASH_DIGITS
    digest = hashlib.sha256("\0".join((kind, *parts, salt)).encode()).hexdigest()[:HASH_DIGITS]
    between = "-" if limit.dashes else ""
    words = [word for part in parts for word in re.findall(r"[a-z0-9]+", part.lower())]
    readable = between.join(words)[: room - len(between)].rstrip("-")
    if not readable[:1].isalpha():
        raise ValueError(f"a name of {kind} is made from {parts}; allowed: parts that begin with a letter: rename it")
    return f"{readable}{between}{digest}"
