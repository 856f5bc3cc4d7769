"""The front door of servers in a network, under mocks: exact inputs, who reaches whom; and by AWS's published models.

Whether AWS lets a request through is not shown here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.aws.account import Account
from components.aws.api import Api, ApiArgs, Function
from components.aws.front_door import ENDPOINT_SERVICES, TLS, FrontDoor, FrontDoorArgs, zone_of
from components.aws.keys import EncryptionKey, KeyArgs
from components.aws.network import Network, NetworkArgs
from operations.schema.check import check
from operations.schema.mocked import of_function
from spec.places import Network as ExistingNetwork
from tests.components.recording import ACCOUNT, Recording, record

REGION = "eu-central-1"
DOMAIN = "model.example.com"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
#: Types that AWS publishes no model of, as the provider makes them of several calls or of none.
WITHOUT_MODEL = {
    "aws:acm/certificateValidation:CertificateValidation",
    "aws:apigateway/methodSettings:MethodSettings",
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
}


def public(args: FrontDoorArgs) -> FrontDoorArgs:
    return args


def private(args: FrontDoorArgs) -> FrontDoorArgs:
    return replace(args, visibility="private")


def with_domain(args: FrontDoorArgs) -> FrontDoorArgs:
    return replace(args, domain=DOMAIN)


def private_with_domain(args: FrontDoorArgs) -> FrontDoorArgs:
    return replace(args, domain=DOMAIN, visibility="private")


def two_groups(args: FrontDoorArgs) -> FrontDoorArgs:
    return replace(args, target_groups=2)


def program(change: Callable[[FrontDoorArgs], FrontDoorArgs]) -> FrontDoor:
    provider = aws.Provider("aws", region=REGION)
    top = pulumi.ResourceOptions(provider=provider)
    account = Account.of(provider, REGION)
    key = EncryptionKey("digits", KeyArgs(account, "Data"), top)
    network = Network("digits", NetworkArgs(account, None, ENDPOINT_SERVICES, key.arn, 30, public=True), top)
    args = FrontDoorArgs(account, "digits-prod", network, "public", 8080, "/readyz", 30, key_arn=key.arn)
    door = FrontDoor("door", change(args), top)
    door.reaches("door-server", network.security_group_id)
    return door


def made(change: Callable[[FrontDoorArgs], FrontDoorArgs]) -> Recording:
    """What the program registers; what it returns is what the front door says of itself, known."""
    said: dict[str, Any] = {}

    def run() -> pulumi.Output[None]:
        door = program(change)
        outputs = {
            "url": door.url,
            "invoke": door.invoke,
            "suffix": door.balancer_suffix,
            "groups": door.target_group_arns,
            "token": door.token is not None,
            "certificate": door.certificate_arn,
            "grants": [grant.statement() for grant in door.grants],
        }
        return pulumi.Output.from_input(outputs).apply(said.update)

    recording = record(run)
    recording.returned = said
    return recording


def ways(recording: Recording) -> set[tuple[str, str, int]]:
    """Who lets whom in at which port, of the groups of the front door and of the servers."""
    return {
        (
            one.inputs.get("referencedSecurityGroupId") or one.inputs["cidrIpv4"],
            one.inputs["securityGroupId"],
            one.inputs["toPort"],
        )
        for one in recording.of(INGRESS)
        if one.inputs["securityGroupId"] != "digits-endpoints-id"
    }


@pytest.fixture(scope="module")
def without_domain() -> Recording:
    return made(public)


class TestWithoutDomain:
    def test_the_balancer_is_internal(self, without_domain: Recording) -> None:
        balancer = without_domain.one("aws:lb/loadBalancer:LoadBalancer").inputs
        assert balancer["internal"] is True
        assert balancer["subnets"] == ["digits-private-0-id", "digits-private-1-id"]
        assert balancer["dropInvalidHeaderFields"] is True
        listener = without_domain.one("aws:lb/listener:Listener").inputs
        assert (listener["protocol"], listener["port"]) == ("HTTP", 80)
        assert listener["defaultActions"][0]["fixedResponse"]["statusCode"] == "404"

    def test_only_the_api_reaches_it_and_only_it_reaches_the_servers(self, without_domain: Recording) -> None:
        assert ways(without_domain) == {
            ("door-link-id", "door-balancer-id", 80),
            ("door-balancer-id", "digits-service-id", 8080),
        }
        out = {(one.inputs["securityGroupId"], one.inputs["toPort"]) for one in without_domain.of(EGRESS)}
        assert out == {("door-link-id", 80), ("door-balancer-id", 8080), ("digits-service-id", 443)}

    def test_every_request_is_signed_and_noted(self, without_domain: Recording) -> None:
        routes = without_domain.of("aws:apigatewayv2/route:Route")
        assert [(one.inputs["routeKey"], one.inputs["authorizationType"]) for one in routes] == [
            ("ANY /{proxy+}", "AWS_IAM")
        ]
        integration = without_domain.one("aws:apigatewayv2/integration:Integration").inputs
        assert (integration["integrationType"], integration["connectionType"]) == ("HTTP_PROXY", "VPC_LINK")
        logs = without_domain.one("aws:cloudwatch/logGroup:LogGroup", "door-access").inputs
        assert logs["name"] == "/aws/apigateway/digits-prod"
        assert logs["retentionInDays"] == 30
        assert logs["kmsKeyId"].endswith("digits-key")
        noted = json.loads(without_domain.one("aws:apigatewayv2/stage:Stage").inputs["accessLogSettings"]["format"])
        assert "$context.identity.sourceIp" not in noted.values()

    def test_targets_are_ready_servers(self, without_domain: Recording) -> None:
        group = without_domain.one("aws:lb/targetGroup:TargetGroup").inputs
        assert (group["port"], group["targetType"]) == (8080, "ip")
        assert group["healthCheck"]["path"] == "/readyz"
        rule = without_domain.one("aws:lb/listenerRule:ListenerRule").inputs
        assert [one["type"] for one in rule["actions"]] == ["forward"]
        assert rule["conditions"] == [{"pathPattern": {"values": ["/*"]}}]

    def test_callers_sign(self, without_domain: Recording) -> None:
        said = without_domain.returned
        assert (said["token"], said["certificate"]) == (False, None)
        (grant,) = said["grants"]
        assert grant["Action"] == ["execute-api:Invoke"]
        assert grant["Resource"] == [f"arn:aws:execute-api:{REGION}:{ACCOUNT}:door-api-id/$default/*"]
        assert said["url"] == "https://api.example.com"
        assert said["invoke"].endswith("--data @instances.json https://api.example.com/invocations")
        assert said["suffix"] == "app/lb/1"

    def test_two_groups_for_a_platform_that_shifts_traffic(self) -> None:
        recording = made(two_groups)
        assert len(recording.of("aws:lb/targetGroup:TargetGroup")) == len(recording.returned["groups"]) == 2
        (action,) = recording.one("aws:lb/listenerRule:ListenerRule").inputs["actions"]
        assert [one["weight"] for one in action["forward"]["targetGroups"]] == [100, 0]


@pytest.fixture(scope="module")
def inside() -> Recording:
    return made(private)


class TestPrivate:
    def test_only_through_the_networks_endpoint(self, inside: Recording) -> None:
        api = inside.one("aws:apigateway/restApi:RestApi").inputs
        assert api["endpointConfiguration"] == {"types": "PRIVATE", "vpcEndpointIds": ["digits-execute-api-id"]}
        allow, deny = json.loads(api["policy"])["Statement"]
        assert (allow["Effect"], allow["Principal"]) == ("Allow", {"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
        assert allow["Condition"] == {"StringEquals": {"aws:SourceVpce": "digits-execute-api-id"}}
        assert (deny["Effect"], deny["Principal"]) == ("Deny", "*")
        assert deny["Condition"] == {"StringNotEquals": {"aws:SourceVpce": "digits-execute-api-id"}}

    def test_it_leads_to_the_balancer_itself(self, inside: Recording) -> None:
        assert inside.one("aws:apigateway/method:Method").inputs["authorization"] == "AWS_IAM"
        integration = inside.one("aws:apigateway/integration:Integration").inputs
        assert integration["uri"] == "http://lb.example.com/{proxy}"
        assert integration["integrationTarget"].endswith("door-balancer")
        assert integration["connectionId"] == "door-link-id"
        assert not inside.of("aws:apigatewayv2/api:Api")

    def test_its_deployment_knows_what_it_shows(self, inside: Recording) -> None:
        deployment = inside.one("aws:apigateway/deployment:Deployment")
        seen = json.loads(deployment.inputs["triggers"]["seen"])
        assert "digits-execute-api-id" in seen[0]
        assert {"door-any", "door-to"} <= {urn.rpartition("::")[2] for urn in deployment.depends_on}

    def test_a_function_is_called_by_this_api_only(self) -> None:
        def api() -> Api:
            account = Account.of(aws.Provider("aws", region=REGION), REGION)
            function = Function("arn:aws:apigateway:…/invocations", "digits-prod", "live")
            return Api("door", ApiArgs(account, "digits-prod", "private", function, 30, endpoint_id="vpce-1"))

        recording = record(api)
        assert recording.one("aws:apigateway/integration:Integration").inputs["type"] == "AWS_PROXY"
        permission = recording.one("aws:lambda/permission:Permission").inputs
        assert (permission["function"], permission["qualifier"]) == ("digits-prod", "live")
        assert permission["sourceArn"] == f"arn:aws:execute-api:{REGION}:{ACCOUNT}:door-api-id/live/*"


@pytest.fixture(scope="module")
def named() -> Recording:
    return made(with_domain)


class TestDomain:
    def test_tls_only(self, named: Recording) -> None:
        balancer = named.one("aws:lb/loadBalancer:LoadBalancer").inputs
        assert balancer["internal"] is False
        assert balancer["subnets"] == ["digits-public-0-id", "digits-public-1-id"]
        listener = named.one("aws:lb/listener:Listener").inputs
        assert (listener["protocol"], listener["port"], listener["sslPolicy"]) == ("HTTPS", 443, TLS)
        assert ways(named) == {
            ("0.0.0.0/0", "door-balancer-id", 443),
            ("door-balancer-id", "digits-service-id", 8080),
        }
        assert not named.of("aws:apigatewayv2/vpcLink:VpcLink")

    def test_certificate_and_names(self, named: Recording) -> None:
        assert named.one("aws:acm/certificate:Certificate").inputs == {
            "domainName": DOMAIN,
            "validationMethod": "DNS",
        }
        records = {one.inputs["name"]: one.inputs for one in named.of("aws:route53/record:Record")}
        assert set(records) == {"_proof", DOMAIN}
        assert {one["zoneId"] for one in records.values()} == {"zone-of-example.com"}
        assert records[DOMAIN]["aliases"] == [
            {"name": "lb.example.com", "zoneId": "zone-of-lb", "evaluateTargetHealth": True}
        ]
        listener = named.one("aws:lb/listener:Listener")
        assert "door-valid" in {urn.rpartition("::")[2] for urn in listener.depends_on}

    def test_callers_read_the_token(self, named: Recording) -> None:
        said = named.returned
        assert said["token"]
        assert named.one("aws:secretsmanager/secret:Secret").inputs["kmsKeyId"].endswith("digits-key")
        token, key = said["grants"]
        assert token["Action"] == ["secretsmanager:GetSecretValue"]
        assert token["Resource"][0].endswith(":door-secret")
        assert key["Action"] == ["kms:Decrypt"]
        assert key["Condition"] == {"StringEquals": {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}}
        assert said["url"] == f"https://{DOMAIN}"
        assert "authorization: Bearer $(aws secretsmanager get-secret-value" in said["invoke"]

    def test_a_private_one_is_reached_from_private_networks(self) -> None:
        recording = made(private_with_domain)
        assert recording.one("aws:lb/loadBalancer:LoadBalancer").inputs["internal"] is True
        callers = {source for source, group, _ in ways(recording) if group == "door-balancer-id"}
        assert callers == {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}

    def test_the_zone_of_a_domain(self) -> None:
        assert zone_of("model.eu.example.com") == "eu.example.com"


class TestRefusals:
    @staticmethod
    def given(change: Callable[[FrontDoorArgs], FrontDoorArgs]) -> Callable[[], FrontDoor]:
        def door() -> FrontDoor:
            account = Account.of(aws.Provider("aws", region=REGION), REGION)
            existing = ExistingNetwork(vpc_id="vpc-1", subnet_ids=("subnet-1", "subnet-2"))
            network = Network("digits", NetworkArgs(account, existing, (), None, 30))
            return FrontDoor("door", change(FrontDoorArgs(account, "d", network, "public", 8080, "/readyz", 30)))

        return door

    def test_private_without_an_endpoint(self) -> None:
        with pytest.raises(ValueError, match="no interface endpoint for execute-api"):
            record(self.given(private))

    def test_internet_facing_without_public_subnets(self) -> None:
        with pytest.raises(ValueError, match=r"domain is 'model\.example\.com' with visibility public"):
            record(self.given(with_domain))

    def test_a_private_api_without_an_endpoint(self) -> None:
        def api() -> Api:
            account = Account.of(aws.Provider("aws", region=REGION), REGION)
            return Api("door", ApiArgs(account, "digits-prod", "private", Function("a", "f", "live"), 30))

        with pytest.raises(ValueError, match="endpoint_id of API digits-prod is None"):
            record(api)


@pytest.mark.parametrize("change", [public, private, with_domain, private_with_domain, two_groups])
def test_every_input_is_right_by_awss_models(change: Callable[[FrontDoorArgs], FrontDoorArgs]) -> None:
    recording = of_function(lambda: program(change))
    assert recording.refused == []
    report = check(recording)
    assert [*report.problems, *report.findings] == []
    assert report.without_model <= WITHOUT_MODEL
    assert report.unmapped == {}
