"""What stands between callers and servers in a network: a load balancer, and an API or a domain before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws

from components.aws.account import Account
from components.aws.api import PREDICT, Api, ApiArgs, Balancer, Visibility
from components.aws.grants import Grant
from components.aws.network import Network
from components.aws.token import SecretToken, SecretTokenArgs

#: TLS 1.3, and 1.2 with forward secrecy and authenticated ciphers
#: (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html).
TLS = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
#: Addresses of private networks (RFC 1918): who may ask an internal balancer, beside the network itself what is
#: connected to it.
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
#: Seconds between two health checks, and of waiting for an answer.
CHECK_SECONDS, CHECK_TIMEOUT = 10, 5
#: Seconds in which a target that leaves ends what it has begun.
LEAVING_SECONDS = 30


@dataclass(frozen=True)
class FrontDoorArgs:
    """Who may call, and what answers.

    account: whose. service: begins names, unique in account and region. network: of the servers. visibility: whether
    the internet reaches it. domain: host name of one's own, in a public zone of Route 53 that is named as the domain
    less its first label; None: an API with signed requests. port, health_path: of the servers; a 200 there is healthy.
    key_arn: encrypts token and logs. log_days: of the API's access log. target_type: `ip` (tasks, pods) or `instance`.
    target_groups: two where the platform shifts traffic between two sets of servers. idle_timeout: seconds that a
    connection without traffic stays open, so the longest that a prediction may take.
    """

    account: Account
    service: str
    network: Network
    visibility: Visibility
    port: int
    health_path: str
    log_days: int
    domain: str | None = None
    key_arn: pulumi.Input[str] | None = None
    target_type: Literal["ip", "instance"] = "ip"
    target_groups: Literal[1, 2] = 1
    idle_timeout: int = 60

    def __post_init__(self) -> None:
        if self.domain is None and self.visibility == "private" and "execute-api" not in self.network.endpoint_ids:
            raise ValueError(
                "network of a private front door has no interface endpoint for execute-api; allowed without a domain: "
                "a network made with services (…, 'execute-api'): add it, or give a domain"
            )
        if self.domain is not None and self.visibility == "public" and self.network.public_subnet_ids is None:
            raise ValueError(
                f"domain is {self.domain!r} with visibility public in a network without public subnets; allowed: a "
                "network made with public=True, or visibility private"
            )


#: Services that have to be endpoints of the network of a private front door without a domain.
ENDPOINT_SERVICES = ("execute-api",)


class FrontDoor(pulumi.ComponentResource):
    """An Application Load Balancer with one rule; before it an API (IAM) or a certificate and a name (token).

    Without a domain the balancer is internal and speaks HTTP to the API only, through the API's way into the network.
    With one it speaks TLS and the server asks for the token, since a balancer checks no IAM.
    url: where it answers, without a slash at the end. invoke: a command that works. target_group_arns, listener_arn,
    rule_arn: of the balancer; the rule's shares belong to whoever shifts traffic where there are two groups.
    balancer_suffix, target_group_suffixes: dimensions of their metrics. security_group_id: of the balancer. token: what
    the server has to ask for; None with an API. certificate_arn: None with an API.
    """

    url: pulumi.Output[str]
    invoke: pulumi.Output[str]
    target_group_arns: list[pulumi.Output[str]]
    target_group_suffixes: list[pulumi.Output[str]]
    listener_arn: pulumi.Output[str]
    rule_arn: pulumi.Output[str]
    balancer_suffix: pulumi.Output[str]
    security_group_id: pulumi.Output[str]
    certificate_arn: pulumi.Output[str] | None
    token: SecretToken | None

    def __init__(self, name: str, args: FrontDoorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:FrontDoor", name, {}, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self.security_group_id = self._group("balancer", "Load balancer")
        outside = args.domain is not None and args.visibility == "public"
        balancer = aws.lb.LoadBalancer(
            f"{name}-balancer",
            # The whole name may have 32 characters, so that only a prefix of its own fits every service.
            name_prefix="model-",
            load_balancer_type="application",
            internal=not outside,
            subnets=args.network.public_subnet_ids if outside else args.network.subnet_ids,
            security_groups=[self.security_group_id],
            idle_timeout=args.idle_timeout,
            drop_invalid_header_fields=True,
            enable_deletion_protection=False,  # it holds nothing that would be lost
            tags={"Name": args.service},
            opts=self._child,
        )
        self.balancer_suffix = balancer.arn_suffix
        groups = [self._targets(index) for index in range(args.target_groups)]
        self.target_group_suffixes = [group.arn_suffix for group in groups]
        self.certificate_arn = None if args.domain is None else self._certificate(args.domain, balancer)
        listener = self._listener(balancer)
        self.listener_arn = listener.arn
        self.rule_arn = self._rule(listener, groups).arn
        # A platform refuses a group that no balancer uses yet, so whoever gets one waits for the rule.
        self.target_group_arns = [
            pulumi.Output.all(group.arn, self.rule_arn).apply(lambda known: known[0]) for group in groups
        ]
        self.token = None
        self._api = None
        if args.domain is None:
            self._api = self._before(balancer)
            self.url, self.invoke = self._api.url, self._api.invoke
        else:
            self.token = SecretToken(name, SecretTokenArgs(args.account, args.service, args.key_arn), self._child)
            self._let_in(PRIVATE if args.visibility == "private" else ("0.0.0.0/0",))
            self.url = pulumi.Output.from_input(f"https://{args.domain}")
            self.invoke = pulumi.Output.concat(
                'curl -H "authorization: Bearer $(aws secretsmanager get-secret-value --query SecretString --output '
                f"text --region {args.account.region} --secret-id ",
                self.token.arn,
                ')" -H "content-type: application/json" --data @instances.json ',
                self.url,
                PREDICT,
            )
        self.register_outputs({"url": self.url, "invoke": self.invoke})

    @property
    def grants(self) -> tuple[Grant, ...]:
        """What a caller needs: to call the API, or to read the token."""
        if self._api is not None:
            return self._api.grants
        return () if self.token is None else self.token.read()

    def reaches(self, name: str, group_id: pulumi.Input[str]) -> list[pulumi.Resource]:
        """Let the balancer, and nobody else, reach the servers' port. name: unique. group_id: of the servers."""
        return self._way(name, self.security_group_id, group_id, self._args.port, "Requests and health checks")

    def _way(
        self, name: str, source: pulumi.Input[str], to: pulumi.Input[str], port: int, what: str
    ) -> list[pulumi.Resource]:
        """Both halves of a way from one security group into another."""
        egress = aws.vpc.SecurityGroupEgressRule(
            f"{name}-out",
            security_group_id=source,
            referenced_security_group_id=to,
            description=what,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            opts=self._child,
        )
        ingress = aws.vpc.SecurityGroupIngressRule(
            f"{name}-in",
            security_group_id=to,
            referenced_security_group_id=source,
            description=what,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            opts=self._child,
        )
        return [egress, ingress]

    def _group(self, key: str, what: str) -> pulumi.Output[str]:
        return aws.ec2.SecurityGroup(
            f"{self._name}-{key}",
            description=f"{what} of {self._args.service}",
            vpc_id=self._args.network.vpc_id,
            opts=self._child,
        ).id

    def _let_in(self, ranges: tuple[str, ...]) -> None:
        for index, cidr in enumerate(ranges):
            aws.vpc.SecurityGroupIngressRule(
                f"{self._name}-callers-{index}",
                security_group_id=self.security_group_id,
                description="HTTPS of callers",
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                cidr_ipv4=cidr,
                opts=self._child,
            )

    def _targets(self, index: int) -> aws.lb.TargetGroup:
        args = self._args
        return aws.lb.TargetGroup(
            f"{self._name}-targets" if index == 0 else f"{self._name}-targets-{index + 1}",
            name_prefix="model-",
            vpc_id=args.network.vpc_id,
            port=args.port,
            protocol="HTTP",
            target_type=args.target_type,
            deregistration_delay=LEAVING_SECONDS,
            # A slow prediction keeps a server busy; the next one is for whoever has the fewest open.
            load_balancing_algorithm_type="least_outstanding_requests",
            health_check=aws.lb.TargetGroupHealthCheckArgs(
                path=args.health_path,
                protocol="HTTP",
                matcher="200",
                interval=CHECK_SECONDS,
                timeout=CHECK_TIMEOUT,
                healthy_threshold=2,
                unhealthy_threshold=3,
            ),
            tags={"Name": args.service},
            opts=self._child,
        )

    def _listener(self, balancer: aws.lb.LoadBalancer) -> aws.lb.Listener:
        secure = self.certificate_arn is not None
        nothing = aws.lb.ListenerDefaultActionFixedResponseArgs(
            content_type="application/json", message_body='{"error": "not found"}', status_code="404"
        )
        return aws.lb.Listener(
            f"{self._name}-listener",
            load_balancer_arn=balancer.arn,
            port=443 if secure else 80,
            protocol="HTTPS" if secure else "HTTP",
            ssl_policy=TLS if secure else None,
            certificate_arn=self.certificate_arn,
            default_actions=[aws.lb.ListenerDefaultActionArgs(type="fixed-response", fixed_response=nothing)],
            opts=self._child,
        )

    def _rule(self, listener: aws.lb.Listener, groups: Sequence[aws.lb.TargetGroup]) -> aws.lb.ListenerRule:
        """A rule of its own, since a platform that shifts traffic changes a rule's shares and no default action."""
        shares = [
            aws.lb.ListenerRuleActionForwardTargetGroupArgs(arn=group.arn, weight=100 if index == 0 else 0)
            for index, group in enumerate(groups)
        ]
        forward = (
            aws.lb.ListenerRuleActionArgs(
                type="forward", forward=aws.lb.ListenerRuleActionForwardArgs(target_groups=shares)
            )
            if len(shares) > 1
            else aws.lb.ListenerRuleActionArgs(type="forward", target_group_arn=groups[0].arn)
        )
        everything = aws.lb.ListenerRuleConditionPathPatternArgs(values=["/*"])
        return aws.lb.ListenerRule(
            f"{self._name}-rule",
            listener_arn=listener.arn,
            priority=1,
            conditions=[aws.lb.ListenerRuleConditionArgs(path_pattern=everything)],
            actions=[forward],
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["actions"] if len(shares) > 1 else None),
        )

    def _certificate(self, domain: str, balancer: aws.lb.LoadBalancer) -> pulumi.Output[str]:
        """The certificate once it is valid; and the name that leads to the balancer."""
        name = self._name
        zone = aws.route53.get_zone_output(
            name=zone_of(domain), private_zone=False, opts=pulumi.InvokeOutputOptions(parent=self)
        ).zone_id
        certificate = aws.acm.Certificate(
            f"{name}-certificate", domain_name=domain, validation_method="DNS", opts=self._child
        )
        proof = certificate.domain_validation_options[0]
        record = aws.route53.Record(
            f"{name}-proof",
            zone_id=zone,
            name=proof.resource_record_name.apply(str),
            type=proof.resource_record_type.apply(str),
            records=[proof.resource_record_value.apply(str)],
            ttl=300,
            opts=self._child,
        )
        valid = aws.acm.CertificateValidation(
            f"{name}-valid",
            certificate_arn=certificate.arn,
            validation_record_fqdns=[record.fqdn],
            opts=self._child,
        )
        aws.route53.Record(
            f"{name}-name",
            zone_id=zone,
            name=domain,
            type="A",
            aliases=[
                aws.route53.RecordAliasArgs(
                    name=balancer.dns_name, zone_id=balancer.zone_id, evaluate_target_health=True
                )
            ],
            opts=self._child,
        )
        return valid.certificate_arn

    def _before(self, balancer: aws.lb.LoadBalancer) -> Api:
        args = self._args
        link = self._group("link", "Way of the API into the network")
        ways = self._way(f"{self._name}-link", link, self.security_group_id, 80, "Requests from the API")
        to = Balancer(self.listener_arn, balancer.arn, balancer.dns_name, args.network.subnet_ids, link)
        return Api(
            self._name,
            ApiArgs(
                args.account,
                args.service,
                args.visibility,
                to,
                args.log_days,
                endpoint_id=args.network.endpoint_ids.get("execute-api") if args.visibility == "private" else None,
                key_arn=args.key_arn,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=ways),
        )


def zone_of(domain: str) -> str:
    """The hosted zone that a domain has to be in: model.example.com -> example.com."""
    return domain.partition(".")[2]
