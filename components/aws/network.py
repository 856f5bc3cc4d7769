"""A private network: one that is there, or one made for the service."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.aws.account import Account
from components.aws.grants import Grant
from components.aws.identity import Permissions, PermissionsArgs, Role, RoleArgs
from spec.places import Network as ExistingNetwork

#: Addresses of a network that is made, and bits of a subnet: sixteen subnets of 4,096 addresses.
CIDR = "10.64.0.0/16"
SUBNET_BITS = 20
#: Zones that a network spans: two are the least that keep a service up when one fails.
ZONES = 2


def subnets(cidr: str, bits: int, count: int) -> list[str]:
    """The first `count` subnets of a network, as CIDR. Raises ValueError where so many do not fit."""
    network = ipaddress.ip_network(cidr)
    found = [str(subnet) for subnet, _ in zip(network.subnets(new_prefix=bits), range(count), strict=False)]
    if len(found) < count:
        raise ValueError(f"network {cidr} has room for {len(found)} subnets of /{bits}, not {count}")
    return found


@dataclass(frozen=True)
class NetworkArgs:
    """Which network.

    account: whose. existing: a VPC and its subnets, used as they are; None: a VPC is made. services: AWS services that
    what runs inside calls, such as `ecr.api`; each becomes an interface endpoint of a VPC that is made, so that nothing
    needs a way to the internet. log_key_arn: encrypts the flow logs. log_days: how long these are kept. public: a
    network that is made gets public subnets as well, for a load balancer that the internet reaches.
    """

    account: Account
    existing: ExistingNetwork | None
    services: Sequence[str]
    log_key_arn: pulumi.Input[str] | None
    log_days: int
    public: bool = False


class Network(pulumi.ComponentResource):
    """Private subnets in two zones without a way to the internet, or the given ones.

    vpc_id, subnet_ids: of the network. security_group_id: for what runs inside; lets nothing in by itself.
    endpoint_ids: interface endpoints by service; none in a network that was there, whose owner decides.
    public_subnet_ids: with a way to and from the internet, one in each zone; None unless they were asked for, and in a
    network that was there.
    """

    vpc_id: pulumi.Output[str]
    subnet_ids: pulumi.Output[list[str]]
    security_group_id: pulumi.Output[str]
    endpoint_ids: dict[str, pulumi.Output[str]]
    public_subnet_ids: pulumi.Output[list[str]] | None

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:Network", name, {}, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self.endpoint_ids = {}
        self.public_subnet_ids = None
        if args.existing is not None:
            self.vpc_id = pulumi.Output.from_input(args.existing.vpc_id)
            self.subnet_ids = pulumi.Output.from_input(list(args.existing.subnet_ids))
        else:
            vpc = aws.ec2.Vpc(
                f"{name}-vpc",
                cidr_block=CIDR,
                enable_dns_support=True,
                enable_dns_hostnames=True,  # interface endpoints answer under the services' own host names
                tags={"Name": name},
                opts=self._child,
            )
            self.vpc_id = vpc.id
        group = aws.ec2.SecurityGroup(
            f"{name}-service",
            description="What runs the service; no rule lets anything in",
            vpc_id=self.vpc_id,
            opts=self._child,
        )
        self.security_group_id = group.id
        aws.vpc.SecurityGroupEgressRule(
            f"{name}-service-https-out",
            security_group_id=group.id,
            description="HTTPS to services of AWS and to the object store",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            cidr_ipv4="0.0.0.0/0",
            opts=self._child,
        )
        if args.existing is None:
            self._make(name, args)
        self.register_outputs({"vpcId": self.vpc_id, "subnetIds": self.subnet_ids})

    def _make(self, name: str, args: NetworkArgs) -> None:
        region = args.account.region
        zones = aws.get_availability_zones_output(state="available", opts=pulumi.InvokeOutputOptions(parent=self)).names
        table = aws.ec2.RouteTable(f"{name}-private", vpc_id=self.vpc_id, tags={"Name": name}, opts=self._child)
        blocks = subnets(CIDR, SUBNET_BITS, 2 * ZONES)
        self.subnet_ids = self._subnets(f"{name}-private", blocks[:ZONES], zones, table)
        if args.public:
            self.public_subnet_ids = self._public(name, blocks[ZONES:], zones)
        aws.ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=self.vpc_id,
            service_name=f"com.amazonaws.{region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id],
            opts=self._child,
        )
        inside = aws.ec2.SecurityGroup(
            f"{name}-endpoints", description="Services of AWS, from inside only", vpc_id=self.vpc_id, opts=self._child
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-endpoints-https-in",
            security_group_id=inside.id,
            description="HTTPS from the network",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            cidr_ipv4=CIDR,
            opts=self._child,
        )
        for service in args.services:
            self.endpoint_ids[service] = aws.ec2.VpcEndpoint(
                f"{name}-{service.replace('.', '-')}",
                vpc_id=self.vpc_id,
                service_name=f"com.amazonaws.{region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=self.subnet_ids,
                security_group_ids=[inside.id],
                opts=self._child,
            ).id
        self._flow_logs(name, args)

    def _public(self, name: str, cidrs: Sequence[str], zones: pulumi.Output[Sequence[str]]) -> pulumi.Output[list[str]]:
        gateway = aws.ec2.InternetGateway(f"{name}-internet", vpc_id=self.vpc_id, tags={"Name": name}, opts=self._child)
        table = aws.ec2.RouteTable(
            f"{name}-public", vpc_id=self.vpc_id, tags={"Name": f"{name}-public"}, opts=self._child
        )
        aws.ec2.Route(
            f"{name}-internet",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway.id,
            opts=self._child,
        )
        return self._subnets(f"{name}-public", cidrs, zones, table)

    def _subnets(
        self,
        prefix: str,
        cidrs: Sequence[str],
        zones: pulumi.Output[Sequence[str]],
        table: aws.ec2.RouteTable,
    ) -> pulumi.Output[list[str]]:
        """One subnet in each zone, with one table of routes. A public one gives no addresses by itself either."""
        made = []
        for index, cidr in enumerate(cidrs):
            subnet = aws.ec2.Subnet(
                f"{prefix}-{index}",
                vpc_id=self.vpc_id,
                cidr_block=cidr,
                availability_zone=zones[index],
                map_public_ip_on_launch=False,
                tags={"Name": f"{prefix}-{index}"},
                opts=self._child,
            )
            aws.ec2.RouteTableAssociation(
                f"{prefix}-{index}", subnet_id=subnet.id, route_table_id=table.id, opts=self._child
            )
            made.append(subnet.id)
        return pulumi.Output.all(*made).apply(list)

    def _flow_logs(self, name: str, args: NetworkArgs) -> None:
        logs = aws.cloudwatch.LogGroup(
            f"{name}-flow",
            retention_in_days=args.log_days,
            kms_key_id=args.log_key_arn,
            opts=self._child,
        )
        role = Role(
            f"{name}-flow",
            RoleArgs(
                args.account,
                "vpc-flow-logs.amazonaws.com",
                "Writes the network's flow logs",
                f"ec2:{args.account.region}:{{account}}:vpc-flow-log/*",
            ),
            self._child,
        )
        allowed = Permissions(f"{name}-flow", PermissionsArgs(role.name, (write_logs(logs.arn),)), self._child)
        aws.ec2.FlowLog(
            f"{name}-flow",
            vpc_id=self.vpc_id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=logs.arn,
            iam_role_arn=role.arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[allowed]),
        )


def write_logs(group_arn: pulumi.Input[str], sid: str = "WriteLogs") -> Grant:
    """Permission to write to a log group that is there."""
    streams = pulumi.Output.concat(group_arn, ":log-stream:*")
    return Grant(
        sid,
        ("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"),
        (pulumi.Output.from_input(group_arn), streams),
    )
