"""The whole stack of a cluster in this process; see `tests.components.whole`."""

from __future__ import annotations

from functools import partial

from tests.components import whole as any_stack

STACK = "kubernetes"

example = partial(any_stack.example, stack=STACK)
whole = partial(any_stack.whole, stack=STACK)
refused = partial(any_stack.refused, stack=STACK)
