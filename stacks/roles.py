"""What the account's bootstrap asks of every role that a stack makes (AWS): the config `roles`."""

from __future__ import annotations

import pulumi

from spec.bootstrap import Roles, load_roles
from spec.errors import SpecError
from stacks import ROLES


def roles_config() -> Roles | None:
    """Boundary and path of the stack's roles; None where the account asks for none. Raises pulumi.RunError."""
    given = pulumi.Config().get_object(ROLES)
    if given is None:
        return None
    try:
        return load_roles(given)
    except SpecError as error:
        raise pulumi.RunError(str(error)) from None
