"""What each example description makes: counts per type, names, and the values that somebody chose.

`python -m tests.components.aws.inventories` writes the files beside this one anew; look at the difference before it is
committed, since it is what users of that description will see.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.components.aws.bootstrapped import made, two
from tests.components.aws.eks_alone import program as cluster_alone
from tests.components.aws.whole import example, whole
from tests.components.recording import Recording, record
from tests.training.small import write_small

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(__file__).parent / "golden"
#: The inventory of an account's bootstrap with two environments.
BOOTSTRAP = Path(__file__).with_name("golden-bootstrap.json")
#: Of a cluster on EKS with nothing on it.
CLUSTER_ALONE = Path(__file__).with_name("golden-cluster.json")
PLACE = {"cloud": "aws", "target": "sagemaker", "region": "eu-central-1"}
NETWORK = {"vpc_id": "vpc-0a1b2c3d4e5f60718", "subnet_ids": ["subnet-0a1b2c3d4e5f60718", "subnet-1a1b2c3d4e5f60718"]}
CALLER = "arn:aws:iam::123456789012:role/caller"
#: What an image is built from.
SOURCES = ("serving_image", "spec")


#: For each other target a function: from a minimal description, those whose inventories are kept, by name.
OF_TARGETS: tuple[Callable[[dict[str, Any]], dict[str, dict[str, Any]]], ...] = ()


def descriptions() -> dict[str, dict[str, Any]]:
    """The example and its variants, by the name of their inventory."""
    base = example(ROOT)
    minimal = {key: base[key] for key in ("name", "release", "deploy_to", "image")}
    schedule = {"cron": "0 7 * * 1-5", "timezone": "Europe/Berlin", "min": 4, "max": 9}
    return {
        "example": base,
        "minimal": minimal,
        "canary": {**minimal, "release": "digits@1", "canary": {"release": "digits@2", "percent": 10}},
        "given-network": {**minimal, "deploy_to": [{**PLACE, "network": NETWORK}]},
        "no-own-key": {**minimal, "encryption": {"customer_managed_key": False}},
        "public-with-callers": {**minimal, "access": {"visibility": "public", "principals": [CALLER]}},
        "schedule": {**minimal, "scaling": {"min": 1, "max": 9, "schedule": [schedule]}},
        "image-built": {**minimal, "image": {"build": True}},
        # The image is in ECR in the first region, and copied into the second.
        "two-regions": {**base, "deploy_to": [PLACE, {**PLACE, "region": "us-east-1"}]},
        **{name: one for described in OF_TARGETS for name, one in described(minimal).items()},
    }


def write_tree(folder: Path) -> None:
    """A working tree for all of them: releases digits@1 and digits@2, and what the image is built from."""
    for features in (2, 3):
        write_small(folder / "models", "digits", features=features)
    for name in SOURCES:
        (folder / name).symlink_to(ROOT / name)


#: Input names whose values are chosen by somebody or decide about safety; ids, texts and policies are left out.
CHOSEN = frozenset(
    {
        "applyServerSideEncryptionByDefault",
        "deployment",
        "enableKeyRotation",
        "enableNetworkIsolation",
        "encryptionConfigurations",
        "forceDestroy",
        "imageTagMutability",
        "initialSamplingPercentage",
        "kmsKeyArn",
        "maxCapacity",
        "minCapacity",
        "productionVariants",
        "retentionInDays",
        "schedule",
        "scalableTargetAction",
        "targetTrackingScalingPolicyConfiguration",
        "vpcConfig",
        # of a cluster
        "accessConfig",
        "computeConfig",
        "deletionProtection",
        "enabledClusterLogTypes",
        "encryptionConfig",
        "kubernetesNetworkConfig",
        "storageConfig",
        "upgradePolicy",
        # of a bootstrap
        "clientIdLists",
        "maxSessionDuration",
        "path",
    }
)


def inventory(recording: Recording) -> dict[str, Any]:
    """A recording as it is kept: counts, then each resource with what was chosen for it."""
    made = [one for one in recording if one.custom and not one.type.startswith("pulumi:")]
    resources: dict[str, Any] = {}
    for one in sorted(made, key=lambda one: (one.type, one.name)):
        chosen: dict[str, Any] = {key: value for key, value in one.inputs.items() if key in CHOSEN}
        kept = {"protect": one.protect, "retain": one.retain}
        resources[f"{one.type} {one.name}"] = {**chosen, **{key: True for key, value in kept.items() if value}}
    return {"counts": dict(sorted(Counter(one.type for one in made).items())), "resources": resources}


def text(recording: Recording) -> str:
    return json.dumps(inventory(recording), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main() -> None:
    """Write all inventories."""
    FOLDER.mkdir(exist_ok=True)
    BOOTSTRAP.write_text(text(made(two(ROOT))))
    CLUSTER_ALONE.write_text(text(record(cluster_alone)))
    with tempfile.TemporaryDirectory() as folder:
        write_tree(Path(folder))
        for name, service in descriptions().items():
            (FOLDER / f"{name}.json").write_text(text(whole(service, Path(folder))))


if __name__ == "__main__":
    main()
