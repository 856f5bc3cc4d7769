"""A model server on one cluster or two, small: what the rehearsal's own tests run on Kubernetes."""

import pulumi
import pulumi_kubernetes as k8s

config = pulumi.Config()
release = config.require("release")

for cluster in config.require_object("clusters"):
    provider = k8s.Provider(f"cluster-{cluster}", context=cluster)
    options = pulumi.ResourceOptions(provider=provider)
    labels = {"app": "server"}
    place = k8s.core.v1.Namespace(f"place-{cluster}", metadata={"name": "serving"}, opts=options)
    secret = k8s.core.v1.Secret(
        f"token-{cluster}-{config.require('key')}",
        metadata={"namespace": place.metadata.name},
        string_data={"token": config.require_secret("token")},
        opts=options,
    )
    settings = k8s.core.v1.ConfigMap(
        f"settings-{cluster}",
        metadata={"namespace": place.metadata.name},
        data={"RELEASE": release},
        opts=options,
    )
    server = k8s.apps.v1.Deployment(
        f"server-{cluster}",
        metadata={"namespace": place.metadata.name},
        spec={
            "replicas": config.require_int("replicas"),
            "selector": {"match_labels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "containers": [
                        {
                            "name": "server",
                            "image": f"registry.k8s.io/pause:{release}",
                            "env_from": [
                                {"config_map_ref": {"name": settings.metadata.name}},
                                {"secret_ref": {"name": secret.metadata.name}},
                            ],
                        }
                    ]
                },
            },
        },
        opts=options,
    )
    if "service" in config.require_object("targets"):
        service = k8s.core.v1.Service(
            f"service-{cluster}",
            metadata={"namespace": place.metadata.name},
            spec={"type": "LoadBalancer", "selector": labels, "ports": [{"port": 80, "target_port": 8080}]},
            opts=options,
        )
        pulumi.export(f"address-{cluster}", service.status.load_balancer.ingress[0].ip)
    if "autoscaler" in config.require_object("targets"):
        k8s.autoscaling.v2.HorizontalPodAutoscaler(
            f"autoscaler-{cluster}",
            metadata={"namespace": place.metadata.name},
            spec={
                "max_replicas": 3,
                "scale_target_ref": {"api_version": "apps/v1", "kind": "Deployment", "name": server.metadata.name},
            },
            opts=options,
        )
