"""A component under Pulumi's mocks, and what it registered.

What this does not prove: mocks accept anything and answer at once, so it shows the exact inputs that the component
sends, and nothing about whether the vendor takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import pulumi
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime.proto import provider_pb2, resource_pb2

ACCOUNT = "123456789012"


def _no_provider(_: Mapping[str, Any]) -> NoReturn:
    raise LookupError("reading IAM OIDC Provider: couldn't find resource")


#: What the data sources answer, by token; each gets its arguments.
INVOKES: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": lambda _: {
        "accountId": ACCOUNT,
        "arn": f"arn:aws:iam::{ACCOUNT}:root",
    },
    "aws:index/getPartition:getPartition": lambda _: {"partition": "aws", "dnsSuffix": "amazonaws.com"},
    "aws:index/getAvailabilityZones:getAvailabilityZones": lambda _: {
        "names": ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
    },
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": lambda args: {
        "userName": "AWS",
        "password": f"short-lived-of-{args['region']}",
    },
    "aws:iam/getOpenIdConnectProvider:getOpenIdConnectProvider": _no_provider,
    "aws:route53/getZone:getZone": lambda args: {"zoneId": f"zone-of-{args['name']}"},
}
#: What a type has beside its name and ARN, of what others are made from.
MADE: Mapping[str, Mapping[str, Any]] = {
    "aws:acm/certificate:Certificate": {
        "domainValidationOptions": [
            {"resourceRecordName": "_proof", "resourceRecordType": "CNAME", "resourceRecordValue": "_value"}
        ]
    },
    "aws:apigateway/restApi:RestApi": {"rootResourceId": "root"},
    "aws:apigatewayv2/api:Api": {"apiEndpoint": "https://api.example.com"},
    "aws:lb/loadBalancer:LoadBalancer": {"arnSuffix": "app/lb/1", "dnsName": "lb.example.com", "zoneId": "zone-of-lb"},
    "aws:lb/targetGroup:TargetGroup": {"arnSuffix": "targetgroup/tg/1"},
}


@dataclass
class Recorded:
    """One resource as it was registered. inputs: by their names on the wire, outputs resolved."""

    type: str
    name: str
    inputs: dict[str, Any]
    parent: str
    protect: bool
    retain: bool
    depends_on: set[str]
    custom: bool


@dataclass
class Recording:
    """Every resource of a program, in the order of registration, and what the program returned."""

    resources: list[Recorded] = field(default_factory=list)
    returned: Any = None

    def __iter__(self) -> Iterator[Recorded]:
        return iter(self.resources)

    def of(self, type_: str) -> list[Recorded]:
        """Resources of a type."""
        return [one for one in self.resources if one.type == type_]

    def one(self, type_: str, name: str | None = None) -> Recorded:
        """The only resource of a type, or the one with that name."""
        found = [one for one in self.of(type_) if name in (None, one.name)]
        assert len(found) == 1, f"{type_} {name or ''}: {[one.name for one in self.of(type_)]}"
        return found[0]

    @property
    def custom(self) -> dict[str, str]:
        """Name -> type of what is no component, no provider and no stack."""
        return {
            f"{one.type} {one.name}": one.type
            for one in self.resources
            if one.custom and not one.type.startswith("pulumi:")
        }


#: Regions by the code that stacks write into names: the mocks are not told which provider a resource has.
_REGIONS = {"euc1": "eu-central-1", "use1": "us-east-1"}


class _Mocks(mocks.Mocks):
    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        known: dict[str, Any] = {"name": args.name, "bucket": args.name, "keyId": f"{args.name}-id"}
        known["arn"] = f"arn:aws:{args.typ.split(':')[1].split('/')[0]}:eu-central-1:{ACCOUNT}:{args.name}"
        if args.typ.startswith("aws:ecr"):
            region = next((region for code, region in _REGIONS.items() if f"-{code}-" in args.name), "eu-central-1")
            known["repositoryUrl"] = f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com/{args.name}"
        if args.typ == "aws:eks/cluster:Cluster":
            known |= {"endpoint": "https://api.eks.example", "certificateAuthority": {"data": "Y2E="}}
        if args.typ == "aws:lambda/function:Function":
            known["version"] = "1"
        if args.typ == "aws:lambda/functionUrl:FunctionUrl":
            known["functionUrl"] = f"https://{args.name}.lambda-url.eu-central-1.on.aws/"
        if args.typ == "docker-build:index:Image":
            known["digest"] = f"sha256:{'cd' * 32}"
        if args.typ.startswith("docker:index/registryImage"):
            known["sha256Digest"] = args.inputs.get("triggers", {}).get("digest")
        if args.typ.startswith("docker:index/remoteImage"):
            known["imageId"] = f"sha256:{args.inputs['name'][-64:]}"
        return f"{args.name}-id", {**known, **MADE.get(args.typ, {}), **args.inputs}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]]]:
        return INVOKES[args.token](args.args), []


class _Monitor(mocks.MockMonitor):
    def __init__(self, recording: Recording, answers: mocks.Mocks) -> None:
        super().__init__(answers)
        self.recording = recording

    def Invoke(self, request: Any) -> Any:
        try:
            return super().Invoke(request)
        except LookupError as error:  # as a provider says that there is nothing
            failure = provider_pb2.CheckFailure(property="", reason=str(error))
            return resource_pb2.ResourceInvokeResponse(failures=[failure])

    def RegisterResource(self, request: Any) -> Any:
        self.recording.resources.append(
            Recorded(
                type=request.type,
                name=request.name,
                inputs=_whole(rpc.deserialize_properties(request.object, keep_unknowns=False)),
                parent=request.parent,
                protect=request.protect,
                retain=request.retainOnDelete,
                depends_on=set(request.dependencies),
                custom=request.custom,
            )
        )
        return super().RegisterResource(request)


def record(
    program: Callable[[], Any],
    *,
    project: str = "cloud-ml-deployment",
    name: str = "test",
    answers: mocks.Mocks | None = None,
) -> Recording:
    """Run a program's resources under mocks. What it raises, this raises. answers: None for those of this module."""
    recording = Recording()
    answers = answers or _Mocks()
    settings.set_root_resource(None)  # pyright: ignore[reportArgumentType] # else the stack of an earlier test goes on collecting
    mocks.set_mocks(answers, project=project, stack=name, preview=False, monitor=_Monitor(recording, answers))

    @pulumi.runtime.test
    def run() -> None:
        recording.returned = program()

    run()
    return recording


def _whole(value: Any) -> Any:
    """Integers as integers: on the wire every number is a float."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return value
