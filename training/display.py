"""What the commands print for people."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from spec import release as releases
from spec.release import Release
from training.data.check import Report
from training.errors import TrainingError
from training.releases.compare import METRIC, Difference


def trained(release: Release) -> str:
    """One sentence about a release that was just trained."""
    metadata = releases.read_metadata(release.path)
    return (
        f"{release} is in {release.path}: test accuracy {metadata['metrics'][METRIC]:.4f} on "
        f"{metadata['data']['held_out_rows']} held-out rows; ONNX differs from {metadata['framework']} by at most "
        f"{metadata['export']['largest_difference']:.2g}"
    )


def listing(models_dir: Path) -> list[dict[str, Any]]:
    """One entry a release; `latest` says whether it is."""
    rows = []
    for model in releases.models(models_dir):
        latest = releases.resolve(models_dir, f"{model}@{releases.LATEST}").version
        for version in releases.versions(models_dir, model):
            metadata = releases.read_metadata(models_dir / model / releases.version_folder(version))
            rows.append(
                {
                    "release": f"{model}@{version}",
                    "latest": version == latest,
                    METRIC: metadata.get("metrics", {}).get(METRIC),
                    "framework": metadata.get("framework"),
                    "created": metadata.get("created"),
                }
            )
    return rows


def table(rows: list[dict[str, Any]]) -> Table:
    """The listing as a table."""
    result = Table("release", "latest", "test accuracy", "framework", "created", box=None)
    for row in rows:
        accuracy = "" if row[METRIC] is None else f"{row[METRIC]:.4f}"
        latest = "yes" if row["latest"] else ""
        result.add_row(row["release"], latest, accuracy, str(row["framework"] or ""), str(row["created"] or ""))
    return result


def release(found: Release, metadata: dict[str, Any]) -> Table:
    """One release, field by field."""
    result = Table(show_header=False, box=None)
    result.add_row("release", f"{found} in {found.path}")
    for kind in ("inputs", "outputs"):
        result.add_row(kind, "\n".join(_tensor(tensor) for tensor in metadata[kind]))
    result.add_row("metrics", "\n".join(f"{name} {value:.4f}" for name, value in metadata.get("metrics", {}).items()))
    for field in ("class_labels", "framework", "export", "data", "code", "libraries", "created"):
        if metadata.get(field):
            result.add_row(field.replace("_", " "), _plain(metadata[field]))
    result.add_row("files", "\n".join(f"{sha[:12]}…  {name}" for name, sha in metadata["files"].items()))
    return result


def difference(old: Release, new: Release, found: Difference) -> RenderableType:
    """Metrics side by side, then what changed for clients."""
    metrics = Table("metric", str(old), str(new), "change", box=None)
    for name, (before, after) in found.metrics.items():
        change = f"{after - before:+.4f}" if before is not None and after is not None else ""
        metrics.add_row(name, _number(before), _number(after), change)
    changes = [*found.inputs, *found.outputs]
    return Group(metrics, Text("\n".join(changes) if changes else "the schema is the same"))


def report(found: Report) -> RenderableType:
    """A data engineer's report: what the data is, what is wrong with it, what to do."""
    good = found.dataset is not None
    verdict = Text(f"{found.source} {'can be used' if good else 'cannot be used'}", style="green" if good else "red")
    facts = Table(show_header=False, box=None)
    for name, value in found.facts.items():
        facts.add_row(name, escape(value))
    if not found.findings:
        return Group(verdict, facts)
    findings = Table("", "where", "found", "allowed", "what to do", box=None)
    for finding in found.findings:
        findings.add_row(*map(escape, (finding.level, finding.field, finding.found, finding.allowed, finding.fix)))
    return Group(verdict, facts, findings)


def report_as_json(found: Report) -> dict[str, Any]:
    """The same for a program."""
    return {
        "source": found.source,
        "usable": found.dataset is not None,
        "facts": found.facts,
        "findings": [asdict(finding) for finding in found.findings],
    }


def shape(text: str | None) -> tuple[int, ...] | None:
    """`32,32,3` as numbers. Raises TrainingError."""
    if text is None:
        return None
    sizes = [part.strip() for part in text.split(",")]
    if not all(size.isdecimal() and int(size) > 0 for size in sizes):
        raise TrainingError(f"row shape is {text!r}; allowed: sizes from 1 on with commas between, such as 32,32,3")
    return tuple(int(size) for size in sizes)


def _tensor(tensor: dict[str, Any]) -> str:
    return escape(f"{tensor['name']}: {tensor['dtype']} [{', '.join(str(size or 'any') for size in tensor['shape'])}]")


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name}: {_plain(entry)}" for name, entry in value.items())
    return escape(", ".join(map(str, value)) if isinstance(value, list) else str(value))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
