"""The manifests of each example are what their golden file holds, and keep what every service relies on.

Plain values only: whether a cluster takes them is for the schema checks, what a server makes of them for its runs.
"""

from __future__ import annotations

from typing import Any

import pytest

from components.kubernetes.args import DRAIN_SECONDS, GRACE_SECONDS, ModelServiceArgs
from components.kubernetes.manifests import deployment, manifests, resources
from tests.components.kubernetes.examples import FOLDER, examples, text

RENEW = "renew it with `python -m tests.components.kubernetes.examples`, and look at the difference"
EXAMPLES = examples()
ALL = pytest.mark.parametrize("args", EXAMPLES.values(), ids=EXAMPLES.keys())


@pytest.mark.parametrize("name", EXAMPLES)
def test_golden(name: str) -> None:
    assert text(manifests(EXAMPLES[name])) == (FOLDER / f"{name}.yaml").read_text(), RENEW


def test_each_file_is_of_an_example() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == set(EXAMPLES)


def one(args: ModelServiceArgs, kind: str, name: str | None = None) -> dict[str, Any]:
    (found,) = [each for each in manifests(args) if each["kind"] == kind and name in (None, each["metadata"]["name"])]
    return found


@ALL
def test_both_files_hold_each_object_once_in_the_namespace(args: ModelServiceArgs) -> None:
    every = [*resources(args), *deployment(args)]
    assert every == manifests(args)
    keys = [(each["kind"], each["metadata"]["name"]) for each in every]
    assert len(set(keys)) == len(keys)
    assert every[0]["kind"] == "Namespace"
    assert {each["metadata"]["namespace"] for each in every[1:]} == {args.namespace}


@ALL
def test_pods_are_found_by_what_selects_them(args: ModelServiceArgs) -> None:
    labels = one(args, "Deployment")["spec"]["template"]["metadata"]["labels"].items()
    spec = one(args, "Deployment")["spec"]
    selectors = [
        spec["selector"]["matchLabels"],
        one(args, "Service")["spec"]["selector"],
        one(args, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one(args, "NetworkPolicy", args.name)["spec"]["podSelector"]["matchLabels"],
        *(each["labelSelector"]["matchLabels"] for each in spec["template"]["spec"]["topologySpreadConstraints"]),
    ]
    for selector in selectors:
        assert selector.items() <= labels


@ALL
def test_every_container_is_as_locked_up_as_restricted_asks(args: ModelServiceArgs) -> None:
    pod = one(args, "Deployment")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        security = container["securityContext"]
        assert security["runAsNonRoot"]
        assert security["runAsUser"] > 0
        assert security["readOnlyRootFilesystem"]
        assert not security["allowPrivilegeEscalation"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert "@sha256:" in container["image"]
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}


@ALL
def test_a_pod_gets_the_time_that_its_drain_takes(args: ModelServiceArgs) -> None:
    pod = one(args, "Deployment")["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > DRAIN_SECONDS + GRACE_SECONDS
    (server,) = pod["containers"]
    env = {each["name"]: each["value"] for each in server["env"]}
    hook = server.get("lifecycle", {}).get("preStop", {})
    (shell,) = [each[-1] for each in [hook.get("exec", {}).get("command")] if each] or [""]
    sleeps = hook.get("sleep", {}).get("seconds") or (
        int(shell.split(";")[0].removeprefix("sleep ")) if shell else None
    )
    # This project's server drains by itself; the others have to be kept from ending at once.
    assert (env.get("DRAIN_SECONDS"), sleeps) in ((str(DRAIN_SECONDS), None), (None, DRAIN_SECONDS))


@ALL
def test_volumes_and_mounts_belong_together(args: ModelServiceArgs) -> None:
    pod = one(args, "Deployment")["spec"]["template"]["spec"]
    mounted = {
        mount["name"] for each in [*pod["containers"], *pod.get("initContainers", [])] for mount in each["volumeMounts"]
    }
    assert mounted == {volume["name"] for volume in pod["volumes"]}


@ALL
def test_nobody_gets_in_or_out_but_by_a_rule(args: ModelServiceArgs) -> None:
    deny = one(args, "NetworkPolicy", f"{args.name}-deny")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    allowed = one(args, "NetworkPolicy", args.name)["spec"]
    for rule in allowed["ingress"]:
        assert rule["ports"]
        assert rule["from"]
    for rule in allowed["egress"]:
        assert rule["ports"]
        assert rule["to"]


@ALL
def test_no_way_to_the_nodes_own_credentials(args: ModelServiceArgs) -> None:
    """The metadata server hands out the node's identity, and is left out of whatever is open to all addresses."""
    for rule in one(args, "NetworkPolicy", args.name)["spec"]["egress"]:
        for peer in rule["to"]:
            block = peer.get("ipBlock", {})
            if block.get("cidr") == "0.0.0.0/0":
                assert "169.254.0.0/16" in block["except"]


def test_changes_of_a_runtimes_files_restart_its_pods() -> None:
    found = [one(EXAMPLES[name], "Deployment")["spec"]["template"] for name in ("tensorflow-serving", "torchserve")]
    marks = {each["metadata"]["annotations"]["cloud-ml-deployment/config"] for each in found}
    assert len(marks) == 2


def test_the_number_of_replicas_has_one_master() -> None:
    for args in EXAMPLES.values():
        scaled = any(each["kind"] == "HorizontalPodAutoscaler" for each in manifests(args))
        assert scaled != ("replicas" in one(args, "Deployment")["spec"])


def test_a_certificate_authority_gets_to_the_pod_that_answers_it() -> None:
    """cert-manager runs that pod in the service's namespace, where nobody gets in and quotas count."""
    issued, given = EXAMPLES["everything"], EXAMPLES["gateway"]
    allowed = one(issued, "NetworkPolicy", "digits-challenges")["spec"]
    assert [port["port"] for rule in allowed["ingress"] for port in rule["ports"]] == [8089]
    assert one(issued, "ResourceQuota")["spec"]["hard"]["pods"] == str(issued.most_pods + 1)
    assert one(issued, "ResourceQuota")["spec"]["hard"]["services.nodeports"] == "1"
    assert not any(each["metadata"]["name"] == "digits-challenges" for each in manifests(given))
    assert one(given, "ResourceQuota")["spec"]["hard"]["services.nodeports"] == "0"
