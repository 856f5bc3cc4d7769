"""The replace-or-update tables: every row exists in the SDK, has a source, and well-known facts come out right.

This does not prove that a cloud does what a row says: nothing here talks to one.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pulumi import _types

from engine.standin import replacement
from engine.standin.replacement import classify, differences

FILES = sorted(replacement.DATA.glob("*.json"))
PYTHON = {
    "aws": "pulumi_aws",
    "azure-native": "pulumi_azure_native",
    "gcp": "pulumi_gcp",
    "kubernetes": "pulumi_kubernetes",
    "docker-build": "pulumi_docker_build",
    "docker": "pulumi_docker",
}
KUBERNETES_MODULES = {
    "networking.k8s.io": "networking",
    "rbac.authorization.k8s.io": "rbac",
    "scheduling.k8s.io": "scheduling",
    "storage.k8s.io": "storage",
    "helm.sh": "helm",
}
KUBERNETES_OWN = ("core", "apps", "batch", "autoscaling", "policy")


def inputs_class(token: str) -> type | None:
    """The SDK's inputs class of a type; None for a custom resource of Kubernetes, which has none."""
    package, module, kind = token.split(":")
    if package == "kubernetes":
        group, version = module.split("/")
        if group not in KUBERNETES_MODULES and group not in KUBERNETES_OWN:
            return None
        found = importlib.import_module(f"pulumi_kubernetes.{KUBERNETES_MODULES.get(group, group)}.{version}.{kind}")
    else:
        name = module.split("/")[0]
        name = {"lambda": "lambda_", "index": ""}.get(name, name)
        sdk = importlib.import_module(".".join(filter(None, (PYTHON[package], name))))
        found = importlib.import_module(getattr(sdk, kind).__module__)
    # A nested type can carry the resource's name; then the SDK calls the resource's inputs InitArgs.
    for name in (f"{kind}InitArgs", f"{kind}Args"):
        candidate = getattr(found, name, None)
        if candidate is not None and candidate.__module__ == found.__name__:
            return candidate
    raise AssertionError(f"{token} has no inputs class in the SDK")


@cache
def inputs(of: type) -> Mapping[str, str]:
    """Names of an inputs class: on the wire, and in Python."""
    return {wire: name for name, wire in _types.input_type_py_to_pulumi_names(of).items()}


@cache
def declared_types(of: type) -> Mapping[str, Any]:
    """Types of an inputs class, by the name on the wire or in Python. Slow: only for what has nested rows."""
    return _types.input_type_types(of)


def nested(declared: Any, owner: type) -> Iterator[tuple[type, bool]]:
    """Inputs classes inside a declared type, and whether they are items of a list."""
    if isinstance(declared, typing.ForwardRef):
        declared = declared.__forward_arg__
    if isinstance(declared, str):
        declared = getattr(sys.modules[owner.__module__], declared.split(".")[-1], None)
    if inspect.isclass(declared) and _types.is_input_type(declared):
        yield declared, False
    many = typing.get_origin(declared) in (list, importlib.import_module("collections.abc").Sequence)
    for argument in typing.get_args(declared):
        for found, listed in nested(argument, owner):
            yield found, listed or many


def missing(of: type, path: str) -> str | None:
    """What is wrong with a path in an inputs class; None if every step of it exists."""
    step, _, rest = path.partition(".")
    name, listed = step.removesuffix("[]"), step.endswith("[]")
    if name not in inputs(of):
        return f"{of.__name__} has no {name}"
    if not rest:
        return None
    types = declared_types(of)
    found = [inner for inner, many in nested(types.get(name, types.get(inputs(of)[name])), of) if many == listed]
    if not found:
        return f"{of.__name__}.{name} holds no {'list of blocks' if listed else 'block'}"
    wrong = [missing(inner, rest) for inner in found]
    return None if None in wrong else wrong[0]


def read(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    table = json.loads(file.read_text())
    return table.pop("_sources"), table


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_property_of_a_row_is_an_input_in_the_sdk(file: Path) -> None:
    _, table = read(file)
    wrong: list[str] = []
    for token, rows in table.items():
        assert token.split(":")[0] == file.stem
        of = inputs_class(token)
        if of is None:
            assert {path.split(".")[0] for path in rows} <= {"metadata", "spec"}
            continue
        wrong += [f"{token} {path}: {problem}" for path in rows if (problem := missing(of, path))]
    assert not wrong


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_row_has_a_source_and_an_answer(file: Path) -> None:
    sources, table = read(file)
    assert all(source["page"].startswith("https://") for source in sources.values())
    used: set[str] = set()
    for token, rows in table.items():
        assert rows, token
        for path, row in rows.items():
            where = f"{token} {path}"
            assert set(row) <= {"change", "source", "when"}, where
            assert row["change"] in ("replace", "update", "depends", "unknown"), where
            assert row["source"] in sources, where
            assert row["change"] not in ("depends", "unknown") or row.get("when"), where
            used.add(row["source"])
    assert used == set(sources)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_nested_row_says_something_else_than_the_row_above(file: Path) -> None:
    _, table = read(file)
    for token, rows in table.items():
        for path, row in rows.items():
            above = path
            while "." in above:
                above = above[: above.rindex(".")].removesuffix("[]")
                if above in rows:
                    assert rows[above]["change"] != row["change"], f"{token} {path}"
                    assert rows[above]["change"] != "replace", f"{token} {path}: {above} replaces as a whole"
                    break


@pytest.mark.parametrize(("package", "floor"), [("aws", 0.99), ("gcp", 0.98), ("azure-native", 0.90)])
def test_nearly_every_input_of_a_listed_type_has_a_row(package: str, floor: float) -> None:
    """A newer SDK brings inputs that the source didn't know; below the floor the table is to be made anew."""
    _, table = read(replacement.DATA / f"{package}.json")
    all_inputs = [(token, name) for token in table for name in inputs(inputs_class(token) or object)]
    without = [f"{token} {name}" for token, name in all_inputs if name not in table[token]]
    assert len(without) <= (1 - floor) * len(all_inputs), without


CFN = "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-"
GCP = "https://cloud.google.com/"
AZURE = "https://learn.microsoft.com/azure/"
K8S = "https://kubernetes.io/docs/"
# Well-known facts, written down without the tables at hand: (token, property, change, page to look it up on).
FACTS = [
    ("aws:s3/bucket:Bucket", "bucket", "replace", f"{CFN}s3-bucket.html"),
    ("aws:s3/bucket:Bucket", "tags", "update", f"{CFN}s3-bucket.html"),
    ("aws:kms/alias:Alias", "name", "replace", f"{CFN}kms-alias.html"),
    ("aws:kms/alias:Alias", "targetKeyId", "update", f"{CFN}kms-alias.html"),
    ("aws:kms/key:Key", "enableKeyRotation", "update", f"{CFN}kms-key.html"),
    ("aws:iam/role:Role", "name", "replace", f"{CFN}iam-role.html"),
    ("aws:iam/role:Role", "assumeRolePolicy", "update", f"{CFN}iam-role.html"),
    ("aws:ecr/repository:Repository", "name", "replace", f"{CFN}ecr-repository.html"),
    ("aws:ecr/repository:Repository", "imageTagMutability", "update", f"{CFN}ecr-repository.html"),
    ("aws:sagemaker/model:Model", "executionRoleArn", "replace", f"{CFN}sagemaker-model.html"),
    ("aws:sagemaker/model:Model", "primaryContainer.image", "replace", f"{CFN}sagemaker-model.html"),
    ("aws:sagemaker/endpoint:Endpoint", "endpointConfigName", "update", f"{CFN}sagemaker-endpoint.html"),
    ("aws:sagemaker/endpoint:Endpoint", "name", "replace", f"{CFN}sagemaker-endpoint.html"),
    ("aws:lambda/function:Function", "name", "replace", f"{CFN}lambda-function.html"),
    ("aws:lambda/function:Function", "packageType", "replace", f"{CFN}lambda-function.html"),
    ("aws:lambda/function:Function", "imageUri", "update", f"{CFN}lambda-function.html"),
    ("aws:lambda/function:Function", "memorySize", "update", f"{CFN}lambda-function.html"),
    ("aws:ec2/launchTemplate:LaunchTemplate", "name", "replace", f"{CFN}ec2-launchtemplate.html"),
    ("aws:ec2/launchTemplate:LaunchTemplate", "imageId", "update", f"{CFN}ec2-launchtemplate.html"),
    ("aws:ec2/subnet:Subnet", "availabilityZone", "replace", f"{CFN}ec2-subnet.html"),
    ("aws:ecs/taskDefinition:TaskDefinition", "containerDefinitions", "replace", f"{CFN}ecs-taskdefinition.html"),
    ("aws:ecs/service:Service", "taskDefinition", "update", f"{CFN}ecs-service.html"),
    ("aws:lb/targetGroup:TargetGroup", "port", "replace", f"{CFN}elasticloadbalancingv2-targetgroup.html"),
    ("aws:lb/targetGroup:TargetGroup", "healthCheck.path", "update", f"{CFN}elasticloadbalancingv2-targetgroup.html"),
    ("aws:cloudwatch/logGroup:LogGroup", "retentionInDays", "update", f"{CFN}logs-loggroup.html"),
    ("aws:cloudwatch/logGroup:LogGroup", "name", "replace", f"{CFN}logs-loggroup.html"),
    ("aws:eks/cluster:Cluster", "version", "update", f"{CFN}eks-cluster.html"),
    ("gcp:storage/bucket:Bucket", "location", "replace", f"{GCP}storage/docs/moving-buckets"),
    ("gcp:storage/bucket:Bucket", "labels", "update", f"{GCP}storage/docs/tags-and-labels"),
    ("gcp:vertex/aiEndpoint:AiEndpoint", "location", "replace", f"{GCP}vertex-ai/docs/reference/rest"),
    ("gcp:vertex/aiEndpoint:AiEndpoint", "displayName", "update", f"{GCP}vertex-ai/docs/reference/rest"),
    ("gcp:kms/keyRing:KeyRing", "location", "replace", f"{GCP}kms/docs/resource-hierarchy"),
    ("gcp:kms/cryptoKey:CryptoKey", "rotationPeriod", "update", f"{GCP}kms/docs/key-rotation"),
    ("gcp:serviceaccount/account:Account", "accountId", "replace", f"{GCP}iam/docs/service-accounts-create"),
    ("gcp:cloudrunv2/service:Service", "location", "replace", f"{GCP}run/docs/locations"),
    ("gcp:cloudrunv2/service:Service", "template.containers[0].image", "update", f"{GCP}run/docs/deploying"),
    (
        "gcp:compute/instanceTemplate:InstanceTemplate",
        "machineType",
        "replace",
        f"{GCP}compute/docs/instance-templates",
    ),
    ("gcp:artifactregistry/repository:Repository", "format", "replace", f"{GCP}artifact-registry/docs/repositories"),
    ("gcp:storage/bucketIAMMember:BucketIAMMember", "role", "replace", f"{GCP}storage/docs/access-control/iam"),
    (
        "azure-native:storage:StorageAccount",
        "accountName",
        "replace",
        f"{AZURE}storage/common/storage-account-overview",
    ),
    ("azure-native:storage:StorageAccount", "location", "replace", f"{AZURE}storage/common/storage-account-move"),
    ("azure-native:storage:StorageAccount", "kind", "unknown", f"{AZURE}storage/common/storage-account-upgrade"),
    (
        "azure-native:storage:StorageAccount",
        "isHnsEnabled",
        "replace",
        f"{AZURE}storage/blobs/upgrade-to-data-lake-storage-gen2-how-to",
    ),
    (
        "azure-native:storage:StorageAccount",
        "tags",
        "update",
        f"{AZURE}azure-resource-manager/management/tag-resources",
    ),
    (
        "azure-native:resources:ResourceGroup",
        "location",
        "replace",
        f"{AZURE}azure-resource-manager/management/overview",
    ),
    (
        "azure-native:machinelearningservices:OnlineEndpoint",
        "endpointName",
        "replace",
        f"{AZURE}machine-learning/concept-endpoints-online",
    ),
    (
        "azure-native:machinelearningservices:OnlineEndpoint",
        "tags",
        "update",
        f"{AZURE}machine-learning/concept-endpoints-online",
    ),
    (
        "azure-native:app:ContainerApp",
        "managedEnvironmentId",
        "replace",
        f"{AZURE}templates/microsoft.app/containerapps",
    ),
    ("azure-native:app:ContainerApp", "template", "update", f"{AZURE}container-apps/revisions"),
    (
        "azure-native:authorization:RoleAssignment",
        "principalId",
        "replace",
        f"{AZURE}role-based-access-control/troubleshooting",
    ),
    (
        "azure-native:containerservice:ManagedCluster",
        "dnsPrefix",
        "replace",
        f"{AZURE}templates/microsoft.containerservice/managedclusters",
    ),
    (
        "kubernetes:apps/v1:Deployment",
        "spec.selector.matchLabels.app",
        "replace",
        f"{K8S}concepts/workloads/controllers/deployment/",
    ),
    ("kubernetes:apps/v1:Deployment", "spec.replicas", "update", f"{K8S}concepts/workloads/controllers/deployment/"),
    (
        "kubernetes:apps/v1:Deployment",
        "metadata.labels.app",
        "update",
        f"{K8S}concepts/overview/working-with-objects/labels/",
    ),
    ("kubernetes:core/v1:Service", "metadata.name", "replace", f"{K8S}concepts/overview/working-with-objects/names/"),
    (
        "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding",
        "roleRef",
        "replace",
        f"{K8S}reference/access-authn-authz/rbac/",
    ),
    ("kubernetes:batch/v1:Job", "spec.template", "replace", f"{K8S}concepts/workloads/controllers/job/"),
]


@pytest.mark.parametrize(("token", "path", "change", "page"), FACTS, ids=lambda value: str(value).split("/")[-1])
def test_well_known_facts(token: str, path: str, change: str, page: str) -> None:
    assert classify(token, [path])[path].change == change, f"expected {change}: see {page}"


def test_of_an_endpoint_configuration_everything_but_its_tags_replaces() -> None:
    token = "aws:sagemaker/endpointConfiguration:EndpointConfiguration"
    of = inputs_class(token)
    assert of is not None
    said = {name: one.change for name, one in classify(token, inputs(of)).items()}
    assert {name for name, change in said.items() if change != "replace"} == {"tags"}
    assert said["tags"] == "update"


@pytest.mark.parametrize(
    ("token", "path", "reason"),
    [
        ("aws:nowhere/thing:Thing", "name", "no table has a row for aws:nowhere/thing:Thing"),
        ("aws:s3/bucket:Bucket", "notAnInput", "has no row for notAnInput"),
        ("aws:lb/loadBalancer:LoadBalancer", "subnets", "a network load balancer is replaced"),
        ("aws:eks/cluster:Cluster", "kubernetesNetworkConfig", "which part of kubernetesNetworkConfig changes"),
    ],
)
def test_unknown_stays_unknown_and_says_why(token: str, path: str, reason: str) -> None:
    said = classify(token, [path])[path]
    assert said.change == "unknown"
    assert reason in said.reason


def test_an_answer_names_its_page() -> None:
    said = classify("gcp:storage/bucket:Bucket", ["location"])["location"]
    assert (
        said.source
        == "https://registry.terraform.io/providers/hashicorp/google-beta/latest/docs/resources/storage_bucket"
    )


def test_a_block_that_comes_replaces_when_a_property_in_it_does() -> None:
    added = {"kubernetesNetworkConfig": {"ipFamily": "ipv6"}}
    (one,) = differences("aws:eks/cluster:Cluster", {}, added)
    assert (one.path, one.kind, one.change) == ("kubernetesNetworkConfig", "add", "replace")
    (gone,) = differences("aws:eks/cluster:Cluster", added, {})
    assert (gone.kind, gone.change) == ("delete", "replace")
    added = {"kubernetesNetworkConfig": {"elasticLoadBalancing": {"enabled": True}}}
    (one,) = differences("aws:eks/cluster:Cluster", {}, added)
    assert one.change == "update"
