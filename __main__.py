"""The Pulumi program: stack config -> ServiceSpec -> one deployment per place -> exports."""

import pulumi

import stacks
from spec.capabilities import check_capabilities
from spec.errors import SpecError
from spec.service import load_service

try:
    service = load_service(pulumi.Config().require_object("service"), stack=pulumi.get_stack())
    check_capabilities(service)
except SpecError as error:
    # A user's mistake deserves its message, not a traceback.
    raise pulumi.RunError(str(error)) from None

for place, outputs in stacks.deploy(service).items():
    pulumi.export(place, outputs)
