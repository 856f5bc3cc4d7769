"""How long a plan of 100 resources over three clouds takes: `python -m benchmarks.plan [runs]`.

The program is written here: a bucket, a role, an alarm and so on per copy, of 21 types from 14 modules of the three
clouds' SDKs, wired to each other. What is timed is the command a user runs, from its start to its end, with the files
of the SDKs in the page cache (one run before is not counted). Beside the wall clock stands the CPU time of the command
and its children: on a busy machine that is the figure to compare.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
WANTED = 100
BAR_SECONDS = 3.0
PROGRAM = """
import pulumi
import pulumi_aws as aws
import pulumi_azure_native as azure
import pulumi_gcp as gcp

TRUST = '{"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]}'


def on_aws(name):
    key = aws.kms.Key(f"{name}-key", enable_key_rotation=True)
    store = aws.s3.Bucket(f"{name}-store")
    role = aws.iam.Role(f"{name}-role", assume_role_policy=TRUST)
    policy = store.arn.apply(lambda arn: '{"Statement": [{"Action": "s3:GetObject", "Resource": "%s/*"}]}' % arn)
    aws.iam.RolePolicy(f"{name}-read", role=role.name, policy=policy)
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/server@sha256:0"
    model = aws.sagemaker.Model(
        f"{name}-model", execution_role_arn=role.arn, primary_container={"image": image}
    )
    variant = {
        "variant_name": "main", "model_name": model.name, "instance_type": "ml.m5.large", "initial_instance_count": 1
    }
    settings = aws.sagemaker.EndpointConfiguration(
        f"{name}-settings", kms_key_arn=key.arn, production_variants=[variant]
    )
    endpoint = aws.sagemaker.Endpoint(f"{name}-endpoint", endpoint_config_name=settings.name)
    aws.cloudwatch.MetricAlarm(
        f"{name}-alarm", comparison_operator="GreaterThanThreshold", evaluation_periods=1, metric_name="ModelLatency",
        namespace="AWS/SageMaker", period=60, statistic="Average", threshold=1e6,
        dimensions={"EndpointName": endpoint.name},
    )


def on_azure(name):
    group = azure.resources.ResourceGroup(f"{name}-group", location="westeurope")
    identity = azure.managedidentity.UserAssignedIdentity(f"{name}-identity", resource_group_name=group.name)
    store = azure.storage.StorageAccount(
        f"{name}store", resource_group_name=group.name, kind="StorageV2", sku={"name": "Standard_LRS"}
    )
    azure.storage.BlobContainer(f"{name}-models", resource_group_name=group.name, account_name=store.name)
    azure.authorization.RoleAssignment(
        f"{name}-read", principal_id=identity.principal_id, role_definition_id="reader", scope=store.id
    )
    place = azure.app.ManagedEnvironment(f"{name}-place", resource_group_name=group.name)
    azure.app.ContainerApp(
        f"{name}-app", resource_group_name=group.name, managed_environment_id=place.id,
        template={"containers": [{"name": "server", "image": "server@sha256:0"}]},
    )


def on_google(name):
    account = gcp.serviceaccount.Account(f"{name}-account", account_id=f"{name}-account")
    store = gcp.storage.Bucket(f"{name}-store", location="EU")
    member = account.email.apply(lambda email: f"serviceAccount:{email}")
    gcp.storage.BucketIAMMember(f"{name}-read", bucket=store.name, role="roles/storage.objectViewer", member=member)
    service = gcp.cloudrunv2.Service(
        f"{name}-service", location="europe-west1",
        template={"containers": [{"image": "server@sha256:0"}], "service_account": account.email},
    )
    gcp.cloudrunv2.ServiceIamMember(
        f"{name}-invoke", name=service.name, location="europe-west1", role="roles/run.invoker", member=member
    )
    gcp.monitoring.NotificationChannel(f"{name}-mail", type="email", labels={"email_address": "nobody@example.com"})


for copy in range(5):
    on_aws(f"a{copy}")
for copy in range(4):
    on_azure(f"z{copy}")
for copy in range(5):
    on_google(f"g{copy}")
for copy in range(2):
    aws.s3.Bucket(f"extra-{copy}")
"""


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder)
        (program / "__main__.py").write_text(PROGRAM)
        (program / "Pulumi.yaml").write_text(
            f"name: bench\nruntime: {{name: python, options: {{virtualenv: {sys.prefix}}}}}\n"
        )
        (program / "Pulumi.bench.yaml").write_text("config: {}\n")
        timed(program)  # brings the SDKs' files into the page cache
        measured = [timed(program) for _ in range(runs)]
    walls, cpus = zip(*measured, strict=True)
    load = os.getloadavg()[0]
    print(f"{WANTED} resources, three clouds, {runs} runs, load {load:.1f} on {os.cpu_count()} cores")
    print(f"  wall: {min(walls):.2f} s at best, {statistics.median(walls):.2f} s median; the bar is {BAR_SECONDS} s")
    print(f"  CPU:  {min(cpus):.2f} s at best, {statistics.median(cpus):.2f} s median")


def timed(program: Path) -> tuple[float, float]:
    """Wall and CPU seconds of one plan; it must hold all resources."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "operations", "plan", "--program", str(program), "--stack", "bench", "--format", "json"],
        cwd=TREE, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"the plan failed:\n{done.stdout}\n{done.stderr}")
    found = json.loads(done.stdout)["plans"][0]["counts"]
    if found != {"create": WANTED}:
        raise SystemExit(f"the plan holds {found}, not {WANTED} resources")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
