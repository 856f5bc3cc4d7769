"""What target kubernetes can honour: a cluster that one has already. Part of `spec.capabilities`."""

from __future__ import annotations

from spec.cells import EVERYWHERE, SCRAPED_LATENCY, Column, Mapped, Rejected
from spec.contracts import STICKY_HEADER

_STEPS = "a Deployment replaces its pods one by one; nothing shifts traffic in steps"
_ALERTMANAGER = "the cluster's own Alertmanager sends alarms to whom its configuration says"

OWN_CLUSTER = Column(
    {
        **EVERYWHERE,
        "tags": Mapped("labels of every object; a value begins and ends with a letter or digit"),
        "protect": Mapped("nothing to keep: releases are in a store of one's own", (False,), "no object holds data"),
        "deploy_to[].region": Rejected("the cluster is where it is"),
        "deploy_to[].port": Rejected("the Service's port is 80, and HTTPS port 443 where it is public"),
        "deploy_to[].instance_type": Mapped("pods run on nodes with this label node.kubernetes.io/instance-type"),
        "deploy_to[].network": Rejected("pods are in the cluster's network"),
        "deploy_to[].cluster.kubeconfig": Mapped("the provider's kubeconfig"),
        "deploy_to[].cluster.context": Mapped("the provider's context"),
        "deploy_to[].cluster.models": Mapped("where pods fetch releases; required"),
        "deploy_to[].cluster.store_secret": Mapped("environment variables of what fetches the release"),
        "deploy_to[].cluster.store_endpoint": Mapped(
            "environment variable of what fetches, and the way out to its port"
        ),
        "deploy_to[].cluster.quota": Mapped("ResourceQuota; default: what the most pods need"),
        "deploy_to[].cluster.custom_metrics": Mapped("lets scaling follow concurrency or requests_per_second"),
        "deploy_to[].cluster.prometheus_operator": Mapped("PodMonitor and PrometheusRule"),
        "deploy_to[].cluster.monitoring_namespace": Mapped("may fetch metrics"),
        "deploy_to[].cluster.gateway_api": Mapped("a public service has a Gateway and an HTTPRoute, no Ingress"),
        "deploy_to[].cluster.gateway_class": Mapped("GatewayClass of the Gateway"),
        "deploy_to[].cluster.ingress_class": Mapped("IngressClass of the Ingress"),
        "deploy_to[].cluster.ingress_namespace": Mapped("may call a public service"),
        "deploy_to[].cluster.cert_manager": Mapped("lets issuer be named"),
        "deploy_to[].cluster.issuer": Mapped("ClusterIssuer of the Certificate"),
        "deploy_to[].cluster.tls_secret": Mapped("certificate of Ingress or Gateway"),
        "deploy_to[].cluster.keda": Rejected("nothing here uses KEDA"),
        "canary": Mapped(
            f"the server in each pod holds both releases and splits; a value of `{STICKY_HEADER}` keeps its release; "
            "runtime onnx only"
        ),
        "image.build": Mapped(
            "`make image` builds and pushes it", (False,), "name what `make image` pushed in image.ref"
        ),
        "image.ref": Mapped("image of the pods; with another runtime of what fetches and verifies the release"),
        "image.runtime_ref": Mapped("image of the other runtime's server"),
        "resources.cpu": Mapped("request and limit of each pod"),
        "resources.memory_gib": Mapped("request and limit of each pod"),
        "scaling.scale_to_zero": Mapped(
            "at least one pod runs",
            (False,),
            "a HorizontalPodAutoscaler leaves one pod, and nothing would hold requests",
        ),
        "scaling.min": Mapped("least pods"),
        "scaling.max": Mapped("most pods; a HorizontalPodAutoscaler where it is above min"),
        "scaling.metric": Mapped(
            "what the HorizontalPodAutoscaler follows; without cluster.custom_metrics only cpu, then the default"
        ),
        "scaling.target": Mapped("value per pod that the HorizontalPodAutoscaler holds"),
        "scaling.schedule": Rejected("a HorizontalPodAutoscaler has no times"),
        "rollout.strategy": Mapped("one new pod is ready before an old one ends", ("all_at_once",), _STEPS),
        "rollout.step_percent": Rejected(_STEPS),
        "rollout.bake_minutes": Rejected(_STEPS),
        "rollout.rollback_on_alarm": Mapped("no rollback", (False,), "nothing rolls a Deployment back on an alarm"),
        "slo": Mapped("a PrometheusRule made from it; needs cluster.prometheus_operator and runtime onnx"),
        "slo.latency_ms": Mapped(
            "a PrometheusRule made from it",
            SCRAPED_LATENCY,
            "the server counts fast requests at these bounds of its histogram only",
        ),
        "access.visibility": Mapped(
            "public: an Ingress or a Gateway with TLS; private: the Service's name in the cluster"
        ),
        "access.auth": Mapped(
            "token: made once, in a Secret; none: network policies alone",
            ("token", "none"),
            "there is no cloud whose identities could be checked",
        ),
        "access.principals": Mapped("namespaces whose pods may call, beside the service's own"),
        "access.domain": Mapped("host name of the Ingress or Gateway; only with visibility public"),
        "capture": Rejected("pods keep nothing, and the store of releases is only read"),
        "logging.level": Mapped("level of the server, which writes to standard error; runtime onnx only"),
        "logging.retention_days": Rejected("the cluster keeps its pods' logs"),
        "encryption.customer_managed_key": Mapped(
            "nothing is stored", (False,), "there is no key service, and nothing is stored"
        ),
        "notify": Rejected(_ALERTMANAGER),
        "budget": Rejected("the cluster's nodes cost what they cost, with this service or without"),
        "runtime": Mapped("this project's own server, or the official image of the other"),
    }
)
