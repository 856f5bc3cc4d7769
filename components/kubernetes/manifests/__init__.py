"""The objects of the model service as plain mappings, in the order in which they are applied. Without Pulumi.

Values of type `Late` are put in as they are. `resources` is what the service stands on and what limits it,
`deployment` the service itself: the two files that `make manifests` writes.
"""

from __future__ import annotations

from components.kubernetes.args import ModelServiceArgs
from components.kubernetes.manifests import exposure, monitoring, place, workload
from components.kubernetes.manifests.common import Manifest, certificate_name, selector

__all__ = ["Manifest", "certificate_name", "deployment", "manifests", "resources", "selector"]


def resources(args: ModelServiceArgs) -> list[Manifest]:
    """Namespace, quota, limits, network policies, service account, configuration, token."""
    return [
        place.namespace(args),
        place.quota(args),
        place.limits(args),
        place.deny_all(args),
        place.allow(args),
        *place.allow_challenges(args),
        place.account(args),
        *place.configuration(args),
        *place.token(args),
    ]


def deployment(args: ModelServiceArgs) -> list[Manifest]:
    """Deployment, Service, disruption budget, autoscaler, the way in, monitoring."""
    return [
        workload.deployment(args),
        workload.service(args),
        workload.disruption_budget(args),
        *workload.autoscaler(args),
        *exposure.way_in(args),
        *monitoring.watched(args),
    ]


def manifests(args: ModelServiceArgs) -> list[Manifest]:
    """All of them."""
    return [*resources(args), *deployment(args)]
