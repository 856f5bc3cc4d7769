"""Each target's metrics as their vendors document them. Data only; `spec.metrics` says how it is used."""

from __future__ import annotations

from spec.targets import Cloud, Target
from spec.vendor_metrics import aws, azure, gcp, scraped
from spec.vendor_metrics.rows import Row

TABLE: dict[tuple[Cloud, Target], Row] = {
    ("aws", "sagemaker"): aws.sagemaker(),
    ("aws", "lambda"): aws.lambda_(),
    ("aws", "ecs"): aws.ecs(),
    ("aws", "eks"): scraped.server_metrics(certificates=True),
    ("aws", "ec2"): aws.ec2(),
    ("azure", "ml"): azure.ml(),
    ("azure", "functions"): azure.functions(),
    ("azure", "container_apps"): azure.container_apps(),
    ("azure", "aks"): scraped.server_metrics(certificates=True),
    ("azure", "vm"): azure.vm(),
    ("gcp", "vertex"): gcp.vertex(),
    # Functions of the second generation are Cloud Run services, and emit its metrics.
    ("gcp", "cloud_functions"): gcp.cloud_run(),
    ("gcp", "cloud_run"): gcp.cloud_run(),
    ("gcp", "gke"): scraped.server_metrics(certificates=True),
    ("gcp", "compute_engine"): gcp.compute_engine(),
    ("local", "process"): scraped.server_metrics(certificates=False),
    ("local", "container"): scraped.server_metrics(certificates=False),
    ("local", "kubernetes"): scraped.server_metrics(certificates=True),
}
