"""All of Azure's components together, as a stack puts them."""

from __future__ import annotations

import functools

from components.azure.keys import EncryptionKey, KeyArgs
from tests.components.azure.recorded import Answered, account, answered, logs


def program() -> None:
    """What a service needs before it runs anywhere."""
    ours = account()
    kept = logs(ours)
    EncryptionKey("digits-weu", KeyArgs(ours, kept))


@functools.cache
def everything() -> Answered:
    """Everything that `program` makes, recorded once."""
    return answered(program)
