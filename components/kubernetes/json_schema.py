"""What we use of jsonschema, without its checkers of formats, none of which is asked for here.

For one of them it imports `rfc3987_syntax` where another package has installed it, and that one spends a second on a
grammar each time: in every run of a program (https://github.com/python-jsonschema/jsonschema, `jsonschema/_format.py`).
"""

from __future__ import annotations

import sys

_GRAMMAR = "rfc3987_syntax"
_kept_out = _GRAMMAR not in sys.modules
if _kept_out:
    sys.modules[_GRAMMAR] = None  # pyright: ignore[reportArgumentType] # an import of it fails, which jsonschema allows for
try:
    from jsonschema import Draft202012Validator, ValidationError
finally:
    if _kept_out:
        del sys.modules[_GRAMMAR]

__all__ = ["Draft202012Validator", "ValidationError"]
