"""Data-source functions: ``aws.get_caller_identity()``, ``azure.storage.list_storage_account_keys()`` …

A row under ``invokes`` is one of: ``returns`` (a template over the arguments, ``in.…``), ``lookup`` (find one object:
``type``, ``by``: argument → output, and the object's outputs are returned; ``missing``: what the provider says where
there is none), ``list`` (find all objects: ``type``,
``where``: argument → output, ``returns``: output → template over ``all.<output>``), or ``function`` (a name in
:data:`FUNCTIONS`, for what no template can say).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from engine.standin import template
from engine.standin.cloud import CloudObject, FakeCloud
from engine.standin.objects import Scope
from engine.standin.rules import PackageRules, TypeRule
from engine.standin.template import Missing
from engine.standin.values import plain


class InvokeError(Exception):
    """A function cannot be answered; the text says why and what to do."""


def invoke(
    rules: PackageRules, token: str, args: Mapping[str, Any], config: Mapping[str, Any], cloud: FakeCloud
) -> dict[str, Any]:
    """The answer of a data-source function. Raises :class:`InvokeError`."""
    row = rules.invokes.get(token)
    scope = Scope(
        rules,
        TypeRule(token=token),
        args,
        config,
        seed=f"{cloud.salt}/{token}/{json.dumps(plain(dict(args)), sort_keys=True, default=str)}",
    )
    try:
        if row is None:
            return _by_name(rules, token, plain(dict(args)), cloud)
        if "function" in row:
            return FUNCTIONS[row["function"]](plain(dict(args)))
        if "lookup" in row:
            return _lookup(row["lookup"], plain(dict(args)), cloud, token)
        if "list" in row:
            return _list(row["list"], scope, cloud)
        return template.render(row["returns"], scope)
    except Missing as error:
        raise InvokeError(f"{token}: the row of this function asks for {error}, which the call does not give") from None


def _lookup(row: Mapping[str, Any], args: Mapping[str, Any], cloud: FakeCloud, token: str) -> dict[str, Any]:
    by = {arg: output for arg, output in row["by"].items() if args.get(arg) is not None}
    for one in cloud.objects().values():
        if one.type == row["type"] and by and all(_matches(one, output, args[arg]) for arg, output in by.items()):
            return {**args, **one.outputs, "id": one.id}
    if "missing" in row:
        raise InvokeError(row["missing"].format(**args))
    asked = ", ".join(f"{arg}={args[arg]!r}" for arg in by) or "nothing that identifies one"
    raise InvokeError(f"{token}: there is no {row['type']} with {asked} in the fake cloud")


def _matches(one: CloudObject, output: str, value: Any) -> bool:
    if output == "id":
        return one.id == value
    if output == "name":
        return value in (one.name, one.outputs.get("name"))
    return one.outputs.get(output) == value or one.inputs.get(output) == value


def _list(row: Mapping[str, Any], scope: Scope, cloud: FakeCloud) -> dict[str, Any]:
    args = plain(dict(scope.inputs))
    where = {arg: output for arg, output in row.get("where", {}).items() if args.get(arg) is not None}
    found = [
        one
        for one in cloud.objects().values()
        if one.type == row["type"] and all(_matches(one, output, args[arg]) for arg, output in where.items())
    ]
    answer = {**args, **template.render(row.get("fixed", {}), scope)}
    for name, output in row["returns"].items():
        answer[name] = [one.id if output == "id" else one.outputs.get(output) for one in found]
    return answer


def _by_name(rules: PackageRules, token: str, args: Mapping[str, Any], cloud: FakeCloud) -> dict[str, Any]:
    """``getThing`` without a row: the object of type ``Thing`` that the arguments name."""
    package, module, function = token.split(":")
    if not function.startswith("get"):
        raise _no_row(token, rules)
    kind = function.removeprefix("get")
    tokens = {f"{package}:{module}:{kind}", f"{package}:{module.split('/')[0]}/{kind[:1].lower()}{kind[1:]}:{kind}"}
    texts = {value for value in args.values() if isinstance(value, str)}
    candidates = [
        one for one in cloud.objects().values() if one.type in tokens and {one.id, one.name, *one.handles} & texts
    ]
    if not candidates:
        if any(one.type in tokens for one in cloud.objects().values()):
            raise InvokeError(f"{token}: no such object in the fake cloud: {json.dumps(dict(args), default=str)}")
        raise _no_row(token, rules)
    best = max(
        candidates, key=lambda one: len({one.id, one.name, *one.handles, *map(str, one.inputs.values())} & texts)
    )
    return {**args, **best.outputs, "id": best.id}


def _no_row(token: str, rules: PackageRules) -> InvokeError:
    return InvokeError(
        f"{token}: the stand-in has no answer for this function. Add a row under `invokes` in "
        f"engine/standin/data/{rules.package}/"
    )


def _policy_document(args: Mapping[str, Any]) -> dict[str, Any]:
    """IAM JSON from ``getPolicyDocument``'s statements, in the form Terraform's data source writes."""
    statements = []
    for given in args.get("statements") or []:
        statement: dict[str, Any] = {"Sid": given["sid"]} if given.get("sid") else {}
        statement["Effect"] = given.get("effect", "Allow")
        for ours, theirs in (
            ("actions", "Action"),
            ("notActions", "NotAction"),
            ("resources", "Resource"),
            ("notResources", "NotResource"),
        ):
            if given.get(ours):
                statement[theirs] = _one_or_many(given[ours])
        for ours, theirs in (("principals", "Principal"), ("notPrincipals", "NotPrincipal")):
            if given.get(ours):
                who: dict[str, Any] = {}
                for principal in given[ours]:
                    who.setdefault(principal["type"], []).extend(principal["identifiers"])
                statement[theirs] = (
                    "*" if who == {"*": ["*"]} else {key: _one_or_many(value) for key, value in who.items()}
                )
        conditions: dict[str, Any] = {}
        for condition in given.get("conditions") or []:
            conditions.setdefault(condition["test"], {})[condition["variable"]] = _one_or_many(condition["values"])
        if conditions:
            statement["Condition"] = conditions
        statements.append(statement)
    for source in args.get("sourcePolicyDocuments") or []:
        statements = [*json.loads(source).get("Statement", []), *statements]
    document = {"Version": args.get("version") or "2012-10-17", "Statement": statements}
    if args.get("policyId"):
        document["Id"] = args["policyId"]
    return {
        **args,
        "id": str(zlib.crc32(json.dumps(document, sort_keys=True).encode())),
        "json": json.dumps(document, indent=2),
        "minifiedJson": json.dumps(document, separators=(",", ":")),
    }


def _one_or_many(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _yaml_decode(args: Mapping[str, Any]) -> dict[str, Any]:
    return {"result": [one for one in yaml.safe_load_all(args.get("text", "")) if one]}


FUNCTIONS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "policy_document": _policy_document,
    "yaml_decode": _yaml_decode,
}
