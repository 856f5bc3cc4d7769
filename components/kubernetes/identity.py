"""What each cloud's workload identity needs of the ServiceAccount, the pods and the network policy."""

from __future__ import annotations

from components.kubernetes.args import Egress, Identity, Late

_HTTP, _HTTPS = 80, 443


def eks() -> Identity:
    """EKS Pod Identity: an association in EKS names the ServiceAccount; the agent on the node hands out credentials.

    https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
    """
    return Identity(egress=(Egress("169.254.170.23/32", (_HTTP,)),))


def aks(client_id: Late) -> Identity:
    """Microsoft Entra Workload ID. client_id: of the managed identity, which trusts the ServiceAccount.

    https://learn.microsoft.com/azure/aks/workload-identity-overview
    """
    return Identity(
        annotations={"azure.workload.identity/client-id": client_id},
        pod_labels={"azure.workload.identity/use": "true"},
        # login.microsoftonline.com has public addresses.
        egress=(Egress("0.0.0.0/0", (_HTTPS,), ("169.254.0.0/16",)),),
    )


def gke(service_account: Late | None = None) -> Identity:
    """Workload Identity Federation for GKE. service_account: mail address of a Google service account to act as; None:
    the ServiceAccount is granted what it needs itself.

    https://cloud.google.com/kubernetes-engine/docs/how-to/network-policy (addresses of the metadata server)
    """
    return Identity(
        annotations={} if service_account is None else {"iam.gke.io/gcp-service-account": service_account},
        egress=(
            Egress("169.254.169.252/32", (988,)),
            # The same server on clusters with Dataplane V2. The node's own credentials do not come from it.
            Egress("169.254.169.254/32", (_HTTP,)),
        ),
    )
