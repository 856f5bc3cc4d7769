"""JSON documents in inputs of AWS types, and rules across several inputs of one."""

from __future__ import annotations

import functools
import importlib
import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from operations.schema import json_schemas
from operations.schema.aws import schemas
from operations.schema.findings import Finding, Record, shown
from operations.schema.models import Model, table
from operations.schema.translate import parsed_document
from operations.schema.values import Branch, Placed, Row, leaves, plain, steps

#: parliament's opinions, as against errors: a key policy must name "*", for instance.
_OPINIONS = frozenset(
    {
        "CREDENTIALS_EXPOSURE",
        "NO_VERSION",
        "PERMISSIONS_MANAGEMENT_ACTIONS",
        "PRIVILEGE_ESCALATION",
        "RESOURCE_STAR",
        "SENSITIVE_ACCESS",
        "SINGLE_VALUE_CONDITION_TOO_PERMISSIVE",
    }
)
#: What parliament does not know, by its finding -> the page whose example has it.
_GAPS = {
    re.compile(r"(MISMATCHED_TYPE|UNKNOWN_CONDITION_FOR_ACTION): .* s3:TlsVersion .*"): (
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html"
    ),
    re.compile(r"UNKNOWN_CONDITION_FOR_ACTION: .* kms:EncryptionContext:\S+ for action kms:DescribeKey"): (
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html"
    ),
    re.compile(
        r"UNKNOWN_FEDERATION_SOURCE: arn:\S+:oidc-provider/\S+"
        r"|UNKNOWN_CONDITION_FOR_ACTION: .* \S+:(sub|aud) for action sts:AssumeRoleWithWebIdentity"
    ): "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html",
}
#: It takes the value of this condition for text, whose operator is ArnLike on the same page.
_ARN_AS_TEXT = ("kms:EncryptionContext:aws:logs:arn", "ArnLike requires a value of type Arn but given String")
_REGION = "us-east-1"


def documents(record: Record) -> Iterator[Finding]:
    """Findings in the policies, dashboards and other documents of one resource."""
    for path, kind in table("aws").row(record.token).documents.items():
        value = record.inputs.get(path)
        if not isinstance(value, str):
            continue
        parsed = parsed_document(value)
        if parsed is None:
            yield _finding(record, path, "type", "must be a JSON document", "AWS", value)
            continue
        yield from _READERS[kind](record, path, parsed)
        if kind in _POLICIES:
            yield from _accounts(record, path, parsed)


def _finding(record: Record, path: str, rule: str, message: str, source: str, value: Any = "") -> Finding:
    return Finding(record.token, record.name, path, shown(value) if value != "" else "", rule, message, source)


def _schema(record: Record, path: str, document: Any, schema: Any, source: str, shared: str = "") -> Iterator[Finding]:
    for where, rule, message in json_schemas.errors(schema, document, shared=shared):
        yield _finding(record, _joined(path, where), rule, message, source)


def _joined(path: str, where: list[Any]) -> str:
    return path + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)


def _iam(name: str, *, analysed: bool) -> Callable[[Record, str, Any], Iterator[Finding]]:
    def read(record: Record, path: str, document: Any) -> Iterator[Finding]:
        folder = schemas() / "other" / "iam"
        schema = json_schemas.from_file(folder / f"policy_{name}.json")
        source = f"cfn-lint's schema of {name} policies"
        found = list(_schema(record, path, document, schema, source, str(folder)))
        yield from found
        if not found:
            yield from _parliament(record, path, document, with_resource=analysed)

    return read


def _parliament(record: Record, path: str, document: Mapping[str, Any], *, with_resource: bool) -> Iterator[Finding]:
    analyse = _parliament_analyser()
    if not with_resource:  # a trust policy's resource is the role itself
        statements = document["Statement"]
        statements = statements if isinstance(statements, list) else [statements]
        document = {**document, "Statement": [{"Resource": "*", **one} for one in statements]}
    text = json.dumps(document)
    for found in analyse(text).findings:
        if found.issue in _OPINIONS or (not with_resource and found.issue == "RESOURCE_MISMATCH"):
            continue
        if found.issue == "RESOURCE_MISMATCH" and _fits_one_kind(found.detail):
            continue
        message = f"{found.issue}: {str(found.detail)[:160]}"
        if any(gap.fullmatch(message) for gap in _GAPS):
            continue
        if message.endswith(_ARN_AS_TEXT[1]) and _ARN_AS_TEXT[0] in text:
            continue
        yield _finding(record, path, "document", message, "parliament")


def _fits_one_kind(detail: Any) -> bool:
    """Whether only balancers of the other kind are missed: for a listener or rule one kind is enough, app or net.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html
    """
    if not isinstance(detail, list):
        return False
    missed = {(one["action"], one["required_format"]) for one in detail}
    other = {"/app/": "/net/", "/net/": "/app/"}
    return all(
        any(
            kind in form and (action, form.replace(kind, sibling)) not in missed
            for kind, sibling in other.items()
            if re.search(r":listener(-rule)?/", form)
        )
        for action, form in missed
    )


@functools.cache
def _parliament_analyser() -> Callable[[str], Any]:
    logging.getLogger("parliament").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves its configuration file open
        return importlib.import_module("parliament").analyze_policy_string


def _accounts(record: Record, path: str, document: Any) -> Iterator[Finding]:
    """Conditions on an account hold for twelve digits, which parliament takes any text for."""
    for where, value in leaves(document):
        key = steps(where).rpartition(".")[2]
        if (
            ".Condition." in f".{where}"
            and _ACCOUNT.search(key)
            and not re.fullmatch(r"\d{12}|\*|\$\{.*\}", str(value))
        ):
            yield _finding(record, f"{path}.{where}", "pattern", "an account's id has 12 digits", _ACCOUNT_PAGE, value)


_POLICIES = ("identity", "resource", "ecr", "trust")
_ACCOUNT = re.compile(r"^(aws:(Source|Principal|Resource)Account|kms:CallerAccount)$")
_ACCOUNT_PAGE = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"


def _ours(name: str) -> Callable[[Record, str, Any], Iterator[Finding]]:
    def read(record: Record, path: str, document: Any) -> Iterator[Finding]:
        yield from _schema(record, path, document, json_schemas.own(name), f"our schema of {name}")

    return read


_READERS: dict[str, Callable[[Record, str, Any], Iterator[Finding]]] = {
    "identity": _iam("identity", analysed=True),
    "resource": _iam("resource", analysed=True),
    "ecr": _iam("resource_ecr", analysed=False),
    "trust": _iam("trust", analysed=False),
    "ecr-lifecycle": _ours("ecr-lifecycle"),
    "cloudwatch-dashboard": _ours("cloudwatch-dashboard"),
}


def together(record: Record, model: Model, placed: Placed) -> Iterator[Finding]:
    """Rules across inputs that cfn-lint holds for a CloudFormation type, from its own files."""
    if model.key != "cfn":
        return
    values = plain(placed)
    for entry in table("aws").together.get(model.source.split()[-1], ()):
        file, _, pointer = entry.partition("#")
        schema = json_schemas.from_file(schemas() / "extensions" / f"{file}.json")
        schema = schema.get(_REGION, schema)
        for where, value in _at(values, [part for part in pointer.split("/") if part]):
            for below, rule, message in json_schemas.errors(schema, value):
                path = origin(placed, [*where, *below])
                yield _finding(record, path, rule, message, f"cfn-lint {file.split('/')[-1]}")


def _at(value: Any, parts: list[str]) -> Iterator[tuple[list[Any], Any]]:
    if not parts:
        yield [], value
    elif parts[0] == "*" and isinstance(value, list):
        for number, item in enumerate(value):
            for where, found in _at(item, parts[1:]):
                yield [number, *where], found
    elif isinstance(value, Mapping) and parts[0] in value:
        for where, found in _at(value[parts[0]], parts[1:]):
            yield [parts[0], *where], found


def origin(placed: Placed, where: list[Any]) -> str:
    """The input's path for a path in the vendor's form."""
    for part in where:
        if isinstance(placed, Branch) and part in placed.children:
            placed = placed.children[part]
        elif isinstance(placed, Row) and isinstance(part, int) and part < len(placed.items):
            placed = placed.items[part]
        else:
            break
    return placed.path


__all__ = ["documents", "origin", "steps", "together"]
