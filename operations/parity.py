"""`docs/parity.md`: which target honours what, what stands around it on each cloud, how far each was shown to work.

Made from the capability table, the role files of `components/<cloud>/` and `docs/proof.json`; a target or a role that
is built appears by itself. `python -m operations.parity > docs/parity.md`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from spec.capabilities import COLUMNS, Cell, Column, Mapped, rows
from spec.errors import shown
from spec.service import ServiceSpec, section_type
from spec.targets import TARGETS, Cloud, Target

Proved = Mapping[str, tuple[str, ...]]

ROOT = Path(__file__).resolve().parents[1]

#: What a target is called in docs/proof.md and by its vendor.
PRODUCTS: dict[tuple[Cloud, Target], str] = {
    ("aws", "sagemaker"): "SageMaker",
    ("aws", "lambda"): "AWS Lambda",
    ("aws", "ecs"): "Amazon ECS",
    ("aws", "eks"): "Amazon EKS",
    ("aws", "ec2"): "Amazon EC2",
    ("azure", "ml"): "Azure ML",
    ("azure", "functions"): "Azure Functions",
    ("azure", "container_apps"): "Azure Container Apps",
    ("azure", "aks"): "Azure AKS",
    ("azure", "vm"): "Azure VMs",
    ("gcp", "vertex"): "Vertex AI",
    ("gcp", "cloud_functions"): "Cloud Functions",
    ("gcp", "cloud_run"): "Cloud Run",
    ("gcp", "gke"): "Google GKE",
    ("gcp", "compute_engine"): "Compute Engine",
    ("local", "process"): "Local process",
    ("local", "container"): "Local container",
    ("local", "kubernetes"): "Local Kubernetes",
}
#: Role file in components/<cloud>/ -> what it is for.
ROLES = {
    "keys": "encryption with a key of one's own",
    "storage": "stores for releases, captured requests and training data",
    "identity": "roles that may do what they need and nothing else",
    "registry": "where the server's image is kept",
    "network": "a private network",
    "monitoring": "alarms, dashboard, saved queries, budget",
}
#: The same as the vendors call it: the rows of docs/proof.md.
SERVICES: dict[tuple[Cloud, str], str] = {
    ("aws", "keys"): "AWS KMS",
    ("aws", "storage"): "Amazon S3",
    ("aws", "identity"): "AWS IAM",
    ("aws", "registry"): "Amazon ECR",
    ("aws", "network"): "Amazon VPC",
    ("aws", "monitoring"): "Amazon CloudWatch",
    ("azure", "keys"): "Azure Key Vault",
    ("azure", "storage"): "Azure Blob Storage",
    ("azure", "identity"): "Azure managed identities",
    ("azure", "registry"): "Azure Container Registry",
    ("azure", "network"): "Azure Virtual Network",
    ("azure", "monitoring"): "Azure Monitor",
    ("gcp", "keys"): "Cloud KMS",
    ("gcp", "storage"): "Cloud Storage",
    ("gcp", "identity"): "Google Cloud IAM",
    ("gcp", "registry"): "Artifact Registry",
    ("gcp", "network"): "Google Cloud VPC",
    ("gcp", "monitoring"): "Cloud Monitoring",
}
_CLOUDS: tuple[Cloud, ...] = ("aws", "azure", "gcp")
_CLOUD_NAMES: dict[Cloud, str] = {"aws": "AWS", "azure": "Azure", "gcp": "Google Cloud", "local": "this machine"}

#: Levels of docs/proof.md, strongest first, in the words of somebody who has not read it.
LEVELS = {
    "runtime": "ran in the platform's own code",
    "engine": "whole life rehearsed",
    "schema": "accepted by the vendor's model",
    "mocks": "inputs recorded",
    "model": "by a model of ours",
}

_HEAD = """# Parity: what works where

Written by `make docs`; do not edit. What a target refuses is refused at preview, with the reason:
[capabilities](capabilities.md) has each. What was shown, and by which tests: [proof](proof.md). Nothing was run against
a cloud account.

| it says | and means |
|---|---|
| ran in the platform's own code | ran there, or in an emulator that speaks the vendor's interface |
| whole life rehearsed | made, changed, broken, mended and removed by Pulumi against a stand-in for the cloud |
| accepted by the vendor's model | every value is held against what the vendor publishes |
| inputs recorded | tests compare what is asked for |
| by a model of ours | no code of the vendor's could be had |
"""


def markdown(root: Path = ROOT) -> str:
    """The page as text."""
    proved = levels(root)
    return "\n".join([_HEAD, *_targets(proved), "", *_roles(root, proved), "", *_fields(), ""])


def levels(root: Path) -> dict[str, tuple[str, ...]]:
    """System -> the levels at which every test of it holds, strongest first; systems without any are left out."""
    held: dict[tuple[str, str], bool] = {}
    for row in json.loads((root / "docs" / "proof.json").read_text())["proofs"]:
        key = (row["system"], row["level"])
        held[key] = held.get(key, True) and not row.get("failed")
    found = {system: tuple(one for one in LEVELS if held.get((system, one))) for system, _ in held}
    return {system: proved for system, proved in found.items() if proved}


def built() -> dict[tuple[Cloud, Target], Column]:
    """Targets that can be chosen, cloud by cloud."""
    return {key: column for key, column in COLUMNS.items() if isinstance(column, Column)}


def _targets(proved: Proved) -> Iterator[str]:
    yield from (
        "## Where it runs",
        "",
        "| cloud | target | product | built | how far it was shown |",
        "|---|---|---|---|---|",
    )
    there = built()
    for cloud, targets in TARGETS.items():
        for target in targets:
            name = PRODUCTS[cloud, target]
            # Of a target that cannot be deployed to yet, parts may be shown already.
            level = _said(proved, name, "" if (cloud, target) in there else "the server there: ")
            mark = "✓" if (cloud, target) in there else "not yet"
            yield f"| {_CLOUD_NAMES[cloud]} | `{target}` | {name} | {mark} | {level} |"


def _said(proved: Proved, system: str, first: str = "") -> str:
    """What ran in the platform's own code is often a part (the server); so the next level stands beside it."""
    held = proved.get(system, ())
    if not held:
        return "not yet"
    return first + "; ".join(LEVELS[one] for one in held[: 2 if held[0] == "runtime" else 1])


def _roles(root: Path, proved: Proved) -> Iterator[str]:
    yield from ("## What stands around it", "", "Shared by all targets of a cloud.", "")
    yield f"| | {' | '.join(_CLOUD_NAMES[cloud] for cloud in _CLOUDS)} |"
    yield "|---" * (len(_CLOUDS) + 1) + "|"
    for role, what in ROLES.items():
        cells = []
        for cloud in _CLOUDS:
            there = (root / "components" / cloud / f"{role}.py").is_file()
            service = SERVICES[cloud, role]
            cells.append(f"✓ {service}: {_said(proved, service)}" if there else "not yet")
        yield f"| {what} | {' | '.join(cells)} |"


def _fields() -> Iterator[str]:
    there = built()
    yield from (
        "## What you can ask for",
        "",
        "✓ honoured · some: only some values, the others are refused · – refused. Each field: [service](service.md).",
        "",
        f"| | | {' | '.join(f'{_CLOUD_NAMES[cloud]}: `{target}`' for cloud, target in there)} |",
        "|---" * (len(there) + 2) + "|",
    )
    described = descriptions()
    counts = dict.fromkeys(there, 0)
    every = list(rows())
    for row in every:
        cells = [column.cell(row) for column in there.values()]
        for key, cell in zip(there, cells, strict=True):
            counts[key] += isinstance(cell, Mapped) and cell.only is None
        yield f"| `{row}` | {described[row]} | {' | '.join(map(_mark, cells))} |"
    yield f"| | **honoured in full, of {len(every)}** | {' | '.join(f'**{count}**' for count in counts.values())} |"


def _mark(cell: Cell | None) -> str:
    if not isinstance(cell, Mapped):
        return "–"
    if cell.only is None:
        return "✓"
    # More than a few values are in the capability table.
    return "only " + ", ".join(f"`{_plain(value)}`" for value in cell.only) if len(cell.only) <= 2 else "some"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)


def descriptions(model: type[BaseModel] = ServiceSpec, prefix: str = "") -> dict[str, str]:
    """Field -> the first sentence of what it is."""
    found: dict[str, str] = {}
    for name, info in model.model_fields.items():
        section: Any = section_type(info.annotation)
        if section:
            listed = "[]" if "tuple" in str(info.annotation) else ""
            found |= descriptions(section, f"{prefix}{name}{listed}.")
        else:
            found[f"{prefix}{name}"] = (info.description or "").replace("|", "/").partition(". ")[0].rstrip(".")
    return found


if __name__ == "__main__":
    sys.stdout.write(markdown())
