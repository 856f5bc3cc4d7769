"""``python -m engine.standin``: serve the stand-in cloud, and do things to it while it runs.

Without a command it serves: one JSON line with package → port, then until its standard input closes or a signal ends
it. Attach the Pulumi CLI with ``PULUMI_DEBUG_PROVIDERS=aws:PORT,gcp:PORT``.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from engine.standin.cloud import CloudError, FakeCloud
from engine.standin.drift import DriftError, add_existing, drift
from engine.standin.failures import KINDS, OPERATIONS, Failure, FailureRuleError, Failures
from engine.standin.rules import PACKAGES, RuleError, load
from engine.standin.server import failures_path, serve_forever

_COMMANDS = ("serve", "drift", "add", "fail", "show", "types")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine.standin", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=text, description=text)
        one.add_argument("--cloud", required=name != "types", help="file of the fake cloud; made where it is missing")
        return one

    serve = command("serve", "serve, one port per package")
    serve.add_argument("--packages", default=",".join(PACKAGES), help="comma-separated; default: all")
    serve.add_argument("--failures", help="file of failure rules; default: <cloud>.failures.json")
    serve.add_argument("--version", action="append", default=[], metavar="PACKAGE=VERSION", help="instead of the SDK's")

    change = command("drift", "change or delete objects behind the program's back")
    change.add_argument("--match", required=True, help="glob over type, id, name or URN")
    change.add_argument("--set", action="append", default=[], metavar="PATH=JSON", help="property and its new value")
    change.add_argument("--delete", action="store_true")

    add = command("add", "put something there that the program did not make")
    add.add_argument("--type", required=True, help="type token: aws:ec2/vpc:Vpc")
    add.add_argument("--id", required=True)
    add.add_argument("--set", action="append", default=[], metavar="NAME=JSON", help="output and its value")

    fail = command("fail", "let calls fail: " + "; ".join(f"{kind}: {text}" for kind, text in KINDS.items()))
    fail.add_argument("--kind", required=True, choices=sorted(KINDS))
    fail.add_argument("--match", default="*", help="glob over type, URN, logical name or id")
    fail.add_argument("--operation", default="any", choices=OPERATIONS)
    fail.add_argument("--count", type=int, default=1, help="how many calls; 0 = all")
    fail.add_argument("--skip", type=int, default=0, help="how many go well before")
    fail.add_argument("--seconds", type=float, default=2.0, help="for slow")

    command("show", "list what is in the cloud")
    command("types", "list the types with a row, and those in the cloud without one")
    return parser


def _pairs(given: list[str], what: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals:
            raise SystemExit(f"error: --{what} {pair!r} must be NAME=VALUE")
        try:
            values[name] = json.loads(text)
        except ValueError:
            values[name] = text
    return values


def main(arguments: list[str] | None = None) -> None:
    """Run one command; a mistake of the caller is one line and exit status 1."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0].startswith("--") and given[0] != "--help"):
        given.insert(0, "serve")
    options = _parser().parse_args(given)
    try:
        _run(options)
    except (CloudError, DriftError, FailureRuleError, RuleError) as error:
        raise SystemExit(f"error: {error}") from None


def _run(options: argparse.Namespace) -> None:
    if options.command == "serve":
        versions = {name: str(value) for name, value in _pairs(options.version, "version").items()}
        serve_forever(options.cloud, options.packages.split(","), options.failures, versions)
    elif options.command == "drift":
        cloud = FakeCloud(options.cloud)
        _print(drift(cloud, options.match, _pairs(options.set, "set"), delete=options.delete))
    elif options.command == "add":
        _print(add_existing(FakeCloud(options.cloud), options.type, options.id, _pairs(options.set, "set")).id)
    elif options.command == "fail":
        Failures(failures_path(options.cloud)).add(
            Failure(options.kind, options.match, options.operation, options.count, options.seconds, options.skip)
        )
    elif options.command == "show":
        for one in FakeCloud(options.cloud).objects().values():
            state = "" if one.complete else "  (incomplete)"
            sys.stdout.write(f"{one.type}  {one.id}{state}\n")
    else:
        _types(options.cloud)


def _types(cloud: str | None) -> None:
    for package in PACKAGES:
        for token in load(package).known_types():
            sys.stdout.write(token + "\n")
    if cloud:
        for token in types_without_rows(FakeCloud(cloud)):
            sys.stdout.write(f"no row: {token}\n")


def types_without_rows(cloud: FakeCloud) -> list[str]:
    """Types in a cloud that are played generically."""
    tokens = {one.type: one.package for one in cloud.objects().values()}
    return sorted(token for token, package in tokens.items() if not load(package).type_rule(token).known)


def _print(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")


if __name__ == "__main__":
    main()
