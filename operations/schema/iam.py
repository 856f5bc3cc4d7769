"""A linter for who may do what on AWS: parliament, cfn-lint's schemas of policies, and rules of our own.

Ours, each for what an account is lost by: no wildcard as action, none as resource but for actions that know no resource
(`components.aws.grants.NO_RESOURCE_LEVEL`), nothing granted by exception (Not…), no managed policy that allows
everything, no role for everybody, and a condition against the confused deputy wherever a service is trusted
(https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from components.aws.grants import NO_RESOURCE_LEVEL, SAID_BY_TAG, SENDS_NO_SOURCE
from operations.schema.aws_documents import documents
from operations.schema.findings import Finding, Record, shown
from operations.schema.models import table

SOURCE = "our rules on IAM"

#: Managed policies that allow all of a service, or all of an account.
FULL_ACCESS = re.compile(
    r"arn:aws[a-z-]*:iam::aws:policy/(.*/)?(\w*FullAccess\w*|AdministratorAccess\S*|PowerUserAccess)"
)
#: Keys of conditions that bind a service's call to an account or to resources, in lower case.
_BINDING = (
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceorgid",
    "kms:calleraccount",
    "kms:encryptioncontext:aws:logs:arn",
)


def lint(record: Record) -> list[Finding]:
    """What is wrong in one resource: its policies by parliament, cfn-lint and our rules, and its attached policies."""
    found = list(documents(record))
    for path, kind in _documents(record):
        document = record.inputs.get(path)
        if isinstance(document, str):
            found += [_finding(record, path, *one) for one in _statements(json.loads(document), kind)]
    for index, policy in enumerate(record.inputs.get("inlinePolicies") or ()):
        for one in _statements(json.loads(policy["policy"]), "identity"):
            found.append(_finding(record, f"inlinePolicies[{index}].policy", *one))
    for path in ("policyArn", "managedPolicyArns"):
        value = record.inputs.get(path)
        for arn in value if isinstance(value, list) else [value]:
            if isinstance(arn, str) and FULL_ACCESS.fullmatch(arn):
                found.append(_finding(record, path, "managed", f"{arn} allows more than any service needs"))
    return found


def policies(records: Iterable[Record]) -> list[Record]:
    """The records that hold a policy or attach one."""
    return [one for one in records if _documents(one) or "policyArn" in one.inputs or "managedPolicyArns" in one.inputs]


def _documents(record: Record) -> list[tuple[str, str]]:
    kinds = ("identity", "trust", "resource", "ecr")
    return [(path, kind) for path, kind in table("aws").row(record.token).documents.items() if kind in kinds]


def _finding(record: Record, path: str, rule: str, message: str) -> Finding:
    return Finding(record.token, record.name, path, shown(record.inputs.get(path)), rule, message, SOURCE)


def _statements(document: Mapping[str, Any], kind: str) -> Iterator[tuple[str, str]]:
    for statement in _list(document["Statement"]):
        if statement["Effect"] != "Allow":
            continue
        name = statement.get("Sid", "a statement")
        for key in ("NotAction", "NotResource", "NotPrincipal"):
            if key in statement:
                yield "exception", f"{name} allows by {key}, so everything else: name what it is for"
        if kind == "identity":
            yield from _identity(name, statement)
        else:
            yield from _principals(name, statement)


def _identity(name: str, statement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    actions = _list(statement.get("Action", []))
    for action in actions:
        if "*" in action:
            yield "action", f"{name} allows {action}: name each action"
    resources = [arn for arn in _list(statement.get("Resource", [])) if _everything(arn)]
    narrowable = sorted(action for action in actions if action not in NO_RESOURCE_LEVEL)
    if resources and narrowable:
        yield "resource", f"{name} allows {', '.join(narrowable)} on {', '.join(resources)}: name the resources"
    if "iam:PassRole" in actions and "iam:passedtoservice" not in _keys(statement):
        yield "pass-role", f"{name} passes a role to any service: add a condition on iam:PassedToService"


def _everything(arn: str) -> bool:
    """Whether an ARN stands for every resource of a service."""
    parts = arn.split(":", 5)
    return arn == "*" or (len(parts) == 6 and (parts[5].startswith("*") or parts[2] == "*"))


def _principals(name: str, statement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    principal = statement.get("Principal", {})
    if principal == "*" or "*" in _list(principal.get("AWS", [])):
        yield "everybody", f"{name} allows everybody: name the principals"
        return
    keys = _keys(statement)
    for service in _list(principal.get("Service", [])):
        tag = SAID_BY_TAG.get(service)
        if tag is not None:
            if f"aws:requesttag/{tag}" not in keys:
                yield "deputy", f"{name} trusts {service} for every account: add a condition on aws:RequestTag/{tag}"
        elif service not in SENDS_NO_SOURCE and not keys.intersection(_BINDING):
            yield "deputy", f"{name} trusts {service} for every account: add a condition on aws:SourceAccount"
    for provider in _list(principal.get("Federated", [])):
        subject = {key for key in keys if key.endswith(":sub")}
        audience = {key for key in keys if key.endswith(":aud")}
        if not subject or not audience or any(_everything(value) for value in _values(statement, subject)):
            yield "federated", f"{name} trusts all of {provider}: add conditions on its :sub and :aud"


def _keys(statement: Mapping[str, Any]) -> set[str]:
    """Keys of the conditions that have to hold; those of IfExists and Null also hold where nothing was sent."""
    conditions = statement.get("Condition", {})
    return {
        key.lower()
        for operator, keys in conditions.items()
        if not operator.endswith("IfExists") and operator != "Null" and "Not" not in operator
        for key in keys
    }


def _values(statement: Mapping[str, Any], keys: set[str]) -> Iterator[str]:
    for found in statement.get("Condition", {}).values():
        for key, value in found.items():
            if key.lower() in keys:
                yield from _list(value)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
