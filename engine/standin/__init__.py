"""Stand-in cloud: one process that plays the providers of AWS, Azure, Google Cloud, Kubernetes and image builds.

It holds a fake cloud in a file and speaks Pulumi's own provider protocol, so both engines drive it exactly as they
drive the vendors' providers: the Pulumi CLI through ``PULUMI_DEBUG_PROVIDERS``, the embedded engine through
``providers=``. No account, no plugin, no network.

    with StandIn(folder / "cloud.json") as stand_in:
        run_pulumi(env=stand_in.environment)

What it knows about types is in ``data/``; what it does not know it plays generically and can list
(``python -m engine.standin types``). It proves that a program is wired soundly and lives through failures, not that
a vendor accepts its values.
"""

from engine.standin.cloud import CloudError, CloudObject, FakeCloud
from engine.standin.failures import KINDS, Failure, FailureRuleError, Failures
from engine.standin.server import Servers, StandIn, StandInError

__all__ = [
    "KINDS",
    "CloudError",
    "CloudObject",
    "Failure",
    "FailureRuleError",
    "Failures",
    "FakeCloud",
    "Servers",
    "StandIn",
    "StandInError",
]
