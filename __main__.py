"""The Pulumi program: stack config -> ServiceSpec -> one deployment per place -> exports.

A stack whose config is `bootstrap` makes what an account needs once before any service, instead.
"""

import pulumi

import stacks
from spec.bootstrap import BootstrapSpec
from spec.capabilities import check_capabilities
from spec.errors import SpecError
from stacks import bootstrap

try:
    described = stacks.described()
    if isinstance(described, BootstrapSpec):
        exports = bootstrap.deploy(described)
    else:
        check_capabilities(described)
        exports = stacks.deploy(described)
except SpecError as error:
    # A user's mistake deserves its message, not a traceback.
    raise pulumi.RunError(str(error)) from None

for name, outputs in exports.items():
    pulumi.export(name, outputs)
