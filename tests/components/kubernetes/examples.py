"""Services whose manifests are checked in: `python -m tests.components.kubernetes.examples` writes them anew.

Look at the difference before it is committed, since it is what users will get.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from components.kubernetes.args import (
    Canary,
    Capture,
    Certificate,
    Egress,
    ModelServiceArgs,
    Monitoring,
    Public,
    Quota,
    Replicas,
    Served,
    Size,
    StoreAccess,
)
from components.kubernetes.identity import aks, eks, gke
from components.kubernetes.manifests import Manifest, manifests
from spec.fields import Slo

FOLDER = Path(__file__).parent / "golden"
IMAGE = f"registry.example.com/server@sha256:{'0' * 64}"
TENSORFLOW_IMAGE = f"docker.io/tensorflow/serving@sha256:{'1' * 64}"
TORCHSERVE_IMAGE = f"docker.io/pytorch/torchserve@sha256:{'2' * 64}"
_SLO = Slo(availability_percent=99.9, latency_ms=250)
_DIGITS = Served("digits", 2, "s3://bucket/models/digits/v2")
_SIZE = Size(cpu=1, memory_mib=1024)


def _digits(**more: object) -> ModelServiceArgs:
    plain = {"name": "digits", "namespace": "digits-prod", "image": IMAGE, "served": _DIGITS, "size": _SIZE}
    return ModelServiceArgs(**{**plain, **more})  # pyright: ignore[reportArgumentType]


def examples() -> dict[str, ModelServiceArgs]:
    """What is asked for, by the name of its file."""
    return {
        "minimal": _digits(),
        "everything": _digits(
            canary=Canary(Served("digits", 3, "s3://bucket/models/digits/v3"), 10),
            replicas=Replicas(2, 6, "concurrency", 4),
            store=StoreAccess(
                secret="store",
                settings={"AWS_ENDPOINT_URL": "https://minio.store.svc:9000"},
                egress=(Egress("10.0.0.0/8", (9000,)),),
            ),
            quota=Quota(cpu=10, memory_mib=10240),
            callers=("shop",),
            public=Public(
                "digits.example.com", "ingress", Certificate("digits-tls", "letsencrypt"), "nginx", "ingress-nginx"
            ),
            monitoring=Monitoring(slo=_SLO),
            token="only-an-example-of-a-token",
            labels={"team": "vision"},
            pull_secrets=("registry",),
            node_selector={"node.kubernetes.io/instance-type": "m5.large"},
            settings={"MAX_BATCH": "256"},
        ),
        "gateway": _digits(
            public=Public("digits.example.com", "gateway", Certificate("digits-tls"), "istio", "istio-system"),
            monitoring=Monitoring(),
        ),
        "eks": _digits(identity=eks(), replicas=Replicas(2, 4, "cpu", 60), capture=Capture("s3://bucket/captures", 5)),
        "aks": _digits(identity=aks("00000000-0000-0000-0000-000000000000")),
        "gke": _digits(identity=gke("server@project.iam.gserviceaccount.com")),
        "tensorflow-serving": _digits(
            runtime="tensorflow_serving",
            runtime_image=TENSORFLOW_IMAGE,
            served=Served("digits_cnn", 1, "gs://bucket/models/digits_cnn/v1"),
            monitoring=Monitoring(),
        ),
        "torchserve": _digits(
            runtime="torchserve",
            runtime_image=TORCHSERVE_IMAGE,
            served=Served("digits_torch", 1, "az://account/models/digits_torch/v1"),
            size=Size(cpu=2, memory_mib=4096),
            monitoring=Monitoring(),
        ),
    }


def text(objects: list[Manifest]) -> str:
    """As one file of YAML, which `kubectl apply` reads."""
    return "---\n".join(yaml.safe_dump(one, sort_keys=False, width=118) for one in objects)


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name, args in examples().items():
        (FOLDER / f"{name}.yaml").write_text(text(manifests(args)))


if __name__ == "__main__":
    main()
