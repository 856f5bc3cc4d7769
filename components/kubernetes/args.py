"""What the model service on a cluster is asked to be. Plain values, without Pulumi.

A value of type `Late` may be known only in an `up` (a `pulumi.Output`): it is put where it belongs, never looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from spec.fields import Slo

#: Text, or a `pulumi.Output` of text.
Late: TypeAlias = Any
Runtime: TypeAlias = Literal["onnx", "tensorflow_serving", "torchserve"]

#: Seconds. From SIGTERM on a pod answers for DRAIN while load balancers learn that it is leaving; then what it has
#: accepted gets GRACE; MARGIN more until the kubelet kills it.
DRAIN_SECONDS, GRACE_SECONDS, MARGIN_SECONDS = 10, 20, 10
#: Seconds that a pod may take until it is ready: it pulls the release over the network first.
START_SECONDS = 300
#: Pods beside the replicas during an update: one that starts (`maxSurge`), and one that still ends.
SURGE, ENDING = 1, 1
#: The Service's port.
SERVICE_PORT = 80


@dataclass(frozen=True)
class Served:
    """One release. uri: where a pod fetches it: `s3://`, `gs://` or `az://`, the folder of one version. model, version:
    its name, and the number that the runtime shows.
    """

    model: str
    version: int
    uri: Late


@dataclass(frozen=True)
class Canary:
    """A second release in the same pods; the server splits. percent: share of requests that it answers."""

    served: Served
    percent: int


@dataclass(frozen=True)
class Capture:
    """Requests and answers that are kept. uri: of a store. percent: share of the requests."""

    uri: Late
    percent: int


@dataclass(frozen=True)
class Size:
    """Of one pod; requests and limits are the same, so that a pod is never the first to go. cpu: cores. memory_mib,
    scratch_mib: memory; room for temporary files and the fetched release.
    """

    cpu: float
    memory_mib: int
    scratch_mib: int = 1024


@dataclass(frozen=True)
class Replicas:
    """How many pods run. metric, target: what the autoscaler holds per pod: `cpu` in percent of the request; the other
    two through the cluster's custom metrics API.
    """

    min: int = 1
    max: int = 1
    metric: Literal["cpu", "concurrency", "requests_per_second"] = "cpu"
    target: float = 60.0


@dataclass(frozen=True)
class Quota:
    """The most that all pods of the namespace may ask for together. cpu: cores."""

    cpu: float
    memory_mib: int


@dataclass(frozen=True)
class Egress:
    """Where pods may connect to. except_: parts of `cidr` that are left out."""

    cidr: str
    ports: tuple[int, ...]
    except_: tuple[str, ...] = ()


@dataclass(frozen=True)
class Identity:
    """How a pod gets its cloud's identity; see `identity`.

    annotations: of the ServiceAccount. pod_labels: of the pods. egress: addresses that hand out credentials.
    """

    annotations: Mapping[str, Late] = field(default_factory=dict)
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    egress: tuple[Egress, ...] = ()


@dataclass(frozen=True)
class Certificate:
    """TLS for the domain. secret: name of the Secret that holds it. issuer: cert-manager's ClusterIssuer that fills the
    Secret; None: somebody else does.
    """

    secret: str
    issuer: str | None = None


@dataclass(frozen=True)
class Public:
    """Reached from outside the cluster, by TLS only.

    domain: host name. way: an Ingress, or a Gateway with an HTTPRoute. class_name: which controller serves it; None:
    the cluster's default (an Ingress only). from_namespace: where the controller's pods run; None where they are not in
    the cluster, and `from_cidrs` says where connections come from.
    """

    domain: str
    way: Literal["ingress", "gateway"]
    certificate: Certificate
    class_name: str | None = None
    from_namespace: str | None = None
    from_cidrs: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Monitoring:
    """The Prometheus operator watches. namespace: where its Prometheus runs. slo: None: only the alarms that need none.

    concurrency: requests at once that a pod is meant to hold. runbook_base: put before paths of the runbook.
    """

    namespace: str = "monitoring"
    slo: Slo | None = None
    concurrency: float = 4.0
    runbook_base: str = ""


@dataclass(frozen=True)
class StoreAccess:
    """How pods reach the store, beside their identity.

    secret: name of a Secret in the namespace whose keys become environment variables (such as AWS_ACCESS_KEY_ID).
    settings: environment variables that are no secret, such as AWS_ENDPOINT_URL. egress: where the store answers.
    """

    secret: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    # Object stores of clouds have public addresses; the link-local ones hand out the node's own credentials.
    egress: tuple[Egress, ...] = (Egress("0.0.0.0/0", (443,), ("169.254.0.0/16",)),)


@dataclass(frozen=True)
class ModelServiceArgs:
    """The whole service.

    name: of every object; the Prometheus label `service` too. namespace: made for this service alone. image: this
    project's server, by digest. runtime: what serves. runtime_image: the official image of another runtime, by digest.
    callers: namespaces whose pods may call, beside the service's own. token: what callers must show; kept in a Secret.
    token_secret: True: the Secret is there already. pull_secrets: Secrets for the registry. node_selector: beside
    linux/amd64. labels: of every object. settings: further environment variables of the server.
    """

    name: str
    namespace: str
    image: Late
    served: Served
    size: Size
    replicas: Replicas = field(default_factory=Replicas)
    canary: Canary | None = None
    capture: Capture | None = None
    runtime: Runtime = "onnx"
    runtime_image: Late | None = None
    identity: Identity = field(default_factory=Identity)
    store: StoreAccess = field(default_factory=StoreAccess)
    quota: Quota | None = None
    callers: tuple[str, ...] = ()
    public: Public | None = None
    monitoring: Monitoring | None = None
    log_level: str = "info"
    token: Late | None = None
    token_secret: bool = False
    pull_secrets: tuple[str, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs_token(self) -> bool:
        """Whether callers must show a token."""
        return self.token is not None or self.token_secret

    @property
    def most_pods(self) -> int:
        """Pods that there may be at once: the most replicas, and those of an update."""
        return self.replicas.max + SURGE + ENDING
