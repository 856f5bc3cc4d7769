"""What roles of a stack may at most be given."""

from __future__ import annotations

from collections.abc import Sequence

from components.aws.rights.right import OURS, Right, actions, ec2

#: What roles of a stack may at most be given: what the grants of all components ask for.
WITHIN_BOUNDARY: Sequence[Right] = (
    Right("Objects", ("s3:::{service}-*/*",), change=actions("s3", "GetObject PutObject"), everywhere=True),
    Right("Listing", ("s3:::{service}-*",), change=actions("s3", "ListBucket"), everywhere=True),
    Right("Keys", ("kms:*:{account}:key/*",), change=actions("kms", "Decrypt DescribeKey GenerateDataKey"), when=OURS),
    Right("RegistryLogin", change=("ecr:GetAuthorizationToken",)),
    Right(
        "PullImages",
        ("ecr:*:{account}:repository/*",),
        change=actions("ecr", "BatchCheckLayerAvailability BatchGetImage GetDownloadUrlForLayer"),
    ),
    Right(
        "WriteLogs",
        (
            "logs:*:{account}:log-group:{service}-*",
            "logs:*:{account}:log-group:/aws/sagemaker/Endpoints/{service}-*",
            "logs:*:{account}:log-group:/aws/sagemaker/TrainingJobs",
            "logs:*:{account}:log-group:/aws/sagemaker/TrainingJobs:*",
        ),
        change=actions("logs", "CreateLogGroup CreateLogStream DescribeLogStreams PutLogEvents"),
    ),
    Right("Metrics", change=("cloudwatch:PutMetricData",)),
    Right(
        "NetworkInterfaces",
        ec2("network-interface", "security-group", "subnet"),
        change=actions(
            "ec2",
            "CreateNetworkInterface CreateNetworkInterfacePermission DeleteNetworkInterface "
            "DeleteNetworkInterfacePermission",
        ),
    ),
    Right(
        "LookAtNetwork",
        change=actions(
            "ec2",
            "DescribeDhcpOptions DescribeNetworkInterfaces DescribeSecurityGroups DescribeSubnets DescribeVpcs",
        ),
    ),
)
