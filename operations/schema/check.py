"""The checks of one resource and of a whole program."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence

from operations.schema import aws, aws_documents, azure, google, kubernetes, own, references, sdk
from operations.schema.findings import Finding, Record, Recording, Report, unique
from operations.schema.models import Model
from operations.schema.translate import Names
from operations.schema.validate import problems
from operations.schema.values import Placed

#: Package → the models for a type token.
READERS: dict[str, Callable[[str], list[Model]]] = {
    "aws": aws.models,
    "azure-native": azure.models,
    "gcp": google.models,
}
#: Package → the checks of documents in its inputs.
DOCUMENTS: dict[str, Callable[[Record], Iterable[Finding]]] = {
    "aws": aws_documents.documents,
    "gcp": google.documents,
    "kubernetes": kubernetes.documents,
}


@functools.cache
def models(token: str) -> tuple[Model, ...]:
    """Every vendor model that a type is held against."""
    reader = READERS.get(token.split(":")[0])
    return tuple(reader(token)) if reader else ()


def check(recording: Recording) -> Report:
    """Every recorded input against all that is published about it."""
    report = Report(resources=len(recording.records), problems=list(recording.refused))
    index = references.index(recording)
    found: list[Finding] = []
    for record in recording.records:
        found += resource(record, report)
        found += references.dangling(record, index)
    found += kubernetes.sums(recording.records)
    report.findings = unique(found)
    return report


def resource(record: Record, report: Report | None = None) -> list[Finding]:
    """The findings about one resource by itself."""
    found = [*_sdk(record), *own.findings(record)]
    unmapped: list[set[str]] = []
    kinds = models(record.token)
    for model in kinds:
        placed, without = translated(model, record)
        unmapped.append(without)
        found += [
            Finding(record.token, record.name, path, value, rule, message, model.source)
            for path, value, rule, message in problems(model.node, placed, model.supplied)
        ]
        if record.package == "aws":
            found += aws_documents.together(record, model, placed)
    if record.package in DOCUMENTS:
        found += DOCUMENTS[record.package](record)
    if report is not None:
        api = kubernetes.source(record.token) if record.package == "kubernetes" else ""
        report.sources[record.token] = (*(model.source for model in kinds), *([api] if api else []))
        if not kinds and not api:
            report.without_model.add(record.token)
        left = set.intersection(*unmapped) if unmapped else set()
        if left:
            report.unmapped.setdefault(record.token, set()).update(left)
    return found


def translated(model: Model, record: Record) -> tuple[Placed, set[str]]:
    """The inputs in the vendor's form, and which have none."""
    names = Names(model.aliases, model.subject, model.hoist, lone_items=model.lone_items, fold=model.key == "cfn")
    return names.place(model.node, record.inputs), names.unmapped


def _sdk(record: Record) -> Sequence[Finding]:
    node = sdk.model(record.token)
    if node is None:
        return ()
    placed = Names(exact=True).place(node, record.inputs)
    source = f"{record.package} SDK"
    return [
        Finding(record.token, record.name, path, value, rule, message, source)
        for path, value, rule, message in problems(node, placed)
    ]
