"""API Gateway before a load balancer or a function: TLS and signed requests without a domain of one's own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal, TypeAlias

import pulumi
import pulumi_aws as aws

from components.aws.account import Account
from components.aws.grants import Grant, document

#: Longest that API Gateway waits for an answer, in milliseconds
#: (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html and limits.html beside it).
HTTP_TIMEOUT, REST_TIMEOUT = 30_000, 29_000
#: Stage of a private API; it is the first part of every path.
STAGE = "live"
#: Bodies that a REST API hands on as bytes instead of text.
BINARY = ("application/octet-stream", "application/x-npy")
#: Where signed requests go for a prediction.
PREDICT = "/invocations"

Visibility: TypeAlias = Literal["public", "private"]


@dataclass(frozen=True)
class Balancer:
    """An internal load balancer that listens on plain HTTP.

    listener_arn, alb_arn, dns_name: of it. subnet_ids: where the way into the network lies. security_group_id: of that
    way; the balancer lets it in.
    """

    listener_arn: pulumi.Input[str]
    alb_arn: pulumi.Input[str]
    dns_name: pulumi.Input[str]
    subnet_ids: pulumi.Input[list[str]]
    security_group_id: pulumi.Input[str]


@dataclass(frozen=True)
class Function:
    """An alias of a Lambda function. invoke_arn: of the alias, as API Gateway calls it. name: of the function."""

    invoke_arn: pulumi.Input[str]
    name: pulumi.Input[str]
    alias: pulumi.Input[str]


@dataclass(frozen=True)
class ApiArgs:
    """What is reached, and from where.

    account: whose. service: name of the API. visibility: private: through `endpoint_id` only, the network's interface
    endpoint for `execute-api`. to: what answers. log_days, key_arn: of the access log, which a public API has.
    """

    account: Account
    service: str
    visibility: Visibility
    to: Balancer | Function
    log_days: int
    endpoint_id: pulumi.Input[str] | None = None
    key_arn: pulumi.Input[str] | None = None


class Api(pulumi.ComponentResource):
    """An HTTP API, or a private REST API; both ask for signed requests (IAM) and answer with TLS only.

    A private API has no access log: API Gateway writes one only with a role that is set for the whole account and
    region, which is not a service's to set (https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html).
    url: where it answers; without a slash at the end. invoke: a command that works. Raises ValueError for a private API
    without an endpoint.
    """

    url: pulumi.Output[str]
    invoke: pulumi.Output[str]

    def __init__(self, name: str, args: ApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:Api", name, {}, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        link = None
        if isinstance(args.to, Balancer):
            link = aws.apigatewayv2.VpcLink(
                f"{name}-link",
                name=args.service,
                subnet_ids=args.to.subnet_ids,
                security_group_ids=[args.to.security_group_id],
                opts=self._child,
            )
        api_id, self.url = self._http(link) if args.visibility == "public" else self._rest(link)
        # Any method on any path of the stage, since the server has its own table.
        stage = "$default" if args.visibility == "public" else STAGE
        self._reach = args.account.arn("execute-api", pulumi.Output.concat(api_id, f"/{stage}/*"))
        if isinstance(args.to, Function):
            aws.lambda_.Permission(
                f"{name}-calls",
                action="lambda:InvokeFunction",
                function=args.to.name,
                qualifier=args.to.alias,
                principal="apigateway.amazonaws.com",
                source_arn=self._reach,
                opts=self._child,
            )
        self.invoke = pulumi.Output.concat(
            f"curl --aws-sigv4 aws:amz:{args.account.region}:execute-api "
            "--user $AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY "
            '-H "x-amz-security-token: $AWS_SESSION_TOKEN" -H "content-type: application/json" '
            "--data @instances.json ",
            self.url,
            PREDICT,
        )
        self.register_outputs({"url": self.url, "invoke": self.invoke})

    @property
    def grants(self) -> tuple[Grant, ...]:
        """What a caller needs."""
        return (Grant("Invoke", ("execute-api:Invoke",), (self._reach,)),)

    def _http(self, link: aws.apigatewayv2.VpcLink | None) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        name, args = self._name, self._args
        api = aws.apigatewayv2.Api(f"{name}-api", name=args.service, protocol_type="HTTP", opts=self._child)
        integration = aws.apigatewayv2.Integration(
            f"{name}-to",
            api_id=api.id,
            integration_type="HTTP_PROXY" if link is not None else "AWS_PROXY",
            integration_method="ANY" if link is not None else "POST",
            integration_uri=args.to.listener_arn if isinstance(args.to, Balancer) else args.to.invoke_arn,
            connection_type=None if link is None else "VPC_LINK",
            connection_id=None if link is None else link.id,
            payload_format_version="1.0" if link is not None else "2.0",
            timeout_milliseconds=HTTP_TIMEOUT,
            opts=self._child,
        )
        route = aws.apigatewayv2.Route(
            f"{name}-all",
            api_id=api.id,
            route_key="ANY /{proxy+}",
            authorization_type="AWS_IAM",
            target=pulumi.Output.concat("integrations/", integration.id),
            opts=self._child,
        )
        logs = aws.cloudwatch.LogGroup(
            f"{name}-access",
            name=access_log_group(args.service),
            retention_in_days=args.log_days,
            kms_key_id=args.key_arn,
            opts=self._child,
        )
        aws.apigatewayv2.Stage(
            f"{name}-stage",
            api_id=api.id,
            name="$default",
            auto_deploy=True,
            access_log_settings=aws.apigatewayv2.StageAccessLogSettingsArgs(
                destination_arn=logs.arn, format=json.dumps(_ACCESS)
            ),
            default_route_settings=aws.apigatewayv2.StageDefaultRouteSettingsArgs(detailed_metrics_enabled=True),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[route]),
        )
        return api.id, api.api_endpoint

    def _rest(self, link: aws.apigatewayv2.VpcLink | None) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        name, args = self._name, self._args
        if args.endpoint_id is None:
            raise ValueError(
                f"endpoint_id of API {args.service} is None with visibility private; allowed: the id of the network's "
                "interface endpoint for execute-api: give it"
            )
        api = aws.apigateway.RestApi(
            f"{name}-api",
            name=args.service,
            endpoint_configuration=aws.apigateway.RestApiEndpointConfigurationArgs(
                types="PRIVATE", vpc_endpoint_ids=[args.endpoint_id]
            ),
            binary_media_types=list(BINARY),
            policy=self._policy(args.endpoint_id),
            opts=self._child,
        )
        rest: aws.apigateway.RestApi = api
        everything = aws.apigateway.Resource(
            f"{name}-all", rest_api=rest.id, parent_id=api.root_resource_id, path_part="{proxy+}", opts=self._child
        )
        method = aws.apigateway.Method(
            f"{name}-any",
            rest_api=rest.id,
            resource_id=everything.id,
            http_method="ANY",
            authorization="AWS_IAM",
            request_parameters={"method.request.path.proxy": True},
            opts=self._child,
        )
        to = args.to
        integration = aws.apigateway.Integration(
            f"{name}-to",
            rest_api=rest.id,
            resource_id=everything.id,
            http_method=method.http_method,
            type="HTTP_PROXY" if isinstance(to, Balancer) else "AWS_PROXY",
            integration_http_method="ANY" if isinstance(to, Balancer) else "POST",
            uri=pulumi.Output.concat("http://", to.dns_name, "/{proxy}") if isinstance(to, Balancer) else to.invoke_arn,
            connection_type=None if link is None else "VPC_LINK",
            connection_id=None if link is None else link.id,
            integration_target=to.alb_arn if isinstance(to, Balancer) else None,
            request_parameters={"integration.request.path.proxy": "method.request.path.proxy"}
            if isinstance(to, Balancer)
            else None,
            timeout_milliseconds=REST_TIMEOUT,
            opts=self._child,
        )
        # A deployment is a picture of the API: another policy or another way to the server needs another one.
        seen = pulumi.Output.json_dumps([api.policy, method.id, integration.id, integration.uri])
        deployment = aws.apigateway.Deployment(
            f"{name}-deployment",
            rest_api=rest.id,
            triggers={"seen": seen},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[method, integration]),
        )
        stage = aws.apigateway.Stage(
            f"{name}-stage", rest_api=rest.id, deployment=deployment.id, stage_name=STAGE, opts=self._child
        )
        aws.apigateway.MethodSettings(
            f"{name}-metrics",
            rest_api=rest.id,
            stage_name=stage.stage_name,
            method_path="*/*",
            settings=aws.apigateway.MethodSettingsSettingsArgs(metrics_enabled=True),
            opts=self._child,
        )
        host = pulumi.Output.concat(api.id, f".execute-api.{args.account.region}.", args.account.dns)
        return api.id, pulumi.Output.concat("https://", host, f"/{STAGE}")

    def _policy(self, endpoint_id: pulumi.Input[str]) -> pulumi.Output[str]:
        """Only through the endpoint. The account is named and no caller, so that their own policies decide, too."""
        this = {"Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
        return document(
            {
                **this,
                "Sid": "Account",
                "Effect": "Allow",
                "Principal": {"AWS": self._args.account.root},
                "Condition": {"StringEquals": {"aws:SourceVpce": endpoint_id}},
            },
            {
                **this,
                "Sid": "EndpointOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Condition": {"StringNotEquals": {"aws:SourceVpce": endpoint_id}},
            },
        )


#: Fields of a line of the access log: no body, no header and no address of a caller.
_ACCESS = {
    "request": "$context.requestId",
    "time": "$context.requestTime",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "caller": "$context.identity.userArn",
    "latency_ms": "$context.responseLatency",
    "server_ms": "$context.integrationLatency",
    "error": "$context.error.message",
}


def access_log_group(service: str) -> str:
    """The log group of a public API's access log."""
    return f"/aws/apigateway/{service}"
