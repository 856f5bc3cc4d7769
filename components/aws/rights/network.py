"""EC2: networks, and what is in them."""

from __future__ import annotations

from collections.abc import Sequence

from components.aws.rights.right import BECOMES_OURS, OURS, SERVICES, Right, actions, ec2

_MADE_IN_NETWORK = ("route-table", "security-group", "subnet", "vpc", "vpc-endpoint", "vpc-flow-log")


NETWORK: Sequence[Right] = (
    Right(
        "LookAtNetwork",
        see=actions(
            "ec2",
            "DescribeAvailabilityZones DescribeFlowLogs DescribeNetworkAcls DescribeNetworkInterfaces "
            "DescribePrefixLists DescribeRouteTables DescribeSecurityGroupRules DescribeSecurityGroups DescribeSubnets "
            "DescribeVpcEndpoints DescribeVpcs",
        ),
    ),
    Right("LookAtVpc", ec2("vpc"), see=("ec2:DescribeVpcAttribute",)),
    # EC2 asks for a creation once for what is made, which gets tags, and once for what it is made in, which has some.
    Right(
        "NewInNetwork",
        ec2(*_MADE_IN_NETWORK),
        change=actions(
            "ec2", "CreateFlowLogs CreateRouteTable CreateSubnet CreateVpc CreateVpcEndpoint"
        ),
        when=BECOMES_OURS,
    ),
    Right(
        "InOurNetwork",
        ec2(*_MADE_IN_NETWORK),
        change=actions("ec2", "CreateFlowLogs CreateRouteTable CreateSubnet CreateVpcEndpoint"),
        when=OURS,
    ),
    # Also in a network that was there, where a new one harms nothing.
    Right("SecurityGroups", ec2("security-group", "vpc"), change=("ec2:CreateSecurityGroup",)),
    Right(
        "Network",
        ec2(*_MADE_IN_NETWORK, "security-group-rule"),
        change=actions(
            "ec2",
            "AssociateRouteTable DeleteFlowLogs DeleteRouteTable DeleteSecurityGroup DeleteSubnet DeleteTags DeleteVpc "
            "DeleteVpcEndpoints DisassociateRouteTable ModifySecurityGroupRules ModifySubnetAttribute "
            "ModifyVpcAttribute ModifyVpcEndpoint RevokeSecurityGroupEgress RevokeSecurityGroupIngress",
        ),
        when=OURS,
    ),
    Right(
        "Rules",
        ec2("security-group"),
        change=actions("ec2", "AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress"),
        when=OURS,
    ),
    Right(
        "NewRules",
        ec2("security-group", "security-group-rule"),
        change=actions("ec2", "AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress"),
        when=BECOMES_OURS,  # a group is not tagged by the request, so that none passes by this
    ),
    Right("TagOurs", ec2(*_MADE_IN_NETWORK, "security-group-rule"), change=("ec2:CreateTags",), when=OURS),
    Right(
        "TagNew",
        ec2(*_MADE_IN_NETWORK, "security-group-rule"),
        change=("ec2:CreateTags",),
        when={
            "StringEquals": {
                "aws:RequestTag/service": SERVICES,
                "ec2:CreateAction": (
                    "AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress", "CreateFlowLogs",
                    "CreateRouteTable", "CreateSecurityGroup", "CreateSubnet", "CreateVpc", "CreateVpcEndpoint",
                ),
            }
        },
    ),
)  # fmt: skip
