"""Files that are dropped into a bucket are scored by a function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.aws.account import Account
from components.aws.functions import Function, FunctionArgs
from components.aws.grants import Grant
from components.aws.storage import Bucket
from spec.serverless import Trigger

#: How often an event whose run failed is tried again, and for how long, in seconds: the most that Lambda does
#: (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html).
RETRIES, RETRY_SECONDS = 2, 6 * 3600
#: Where Lambda writes an event that failed to the end, as it names it
#: (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html).
FAILED = "aws/lambda/async/"


def grants(bucket: Bucket, trigger: Trigger) -> Sequence[Grant]:
    """What the function's role needs: read what was dropped and what is scored, write results and failed events."""
    return (
        *bucket.read("Files"),
        *bucket.write("Scored", trigger.results_prefix),
        *bucket.write("Failed", FAILED),
    )


@dataclass(frozen=True)
class DroppedFilesArgs:
    """account: whose. function: what scores. bucket: files are dropped into it. trigger: folders and endings of files.

    The function has `grants` before.
    """

    account: Account
    function: FunctionArgs
    bucket: Bucket
    trigger: Trigger


class DroppedFiles(pulumi.ComponentResource):
    """A function of its own, so that scoring takes nothing from those who wait for an answer.

    An event is tried three times within six hours; then it is written into the bucket, under `aws/lambda/async/`.
    """

    def __init__(self, name: str, args: DroppedFilesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:DroppedFiles", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.function = Function(name, args.function, child)
        on_failure = aws.lambda_.FunctionEventInvokeConfigDestinationConfigOnFailureArgs(destination=args.bucket.arn)
        aws.lambda_.FunctionEventInvokeConfig(
            f"{name}-events",
            function_name=self.function.name,
            qualifier=self.function.alias,
            maximum_retry_attempts=RETRIES,
            maximum_event_age_in_seconds=RETRY_SECONDS,
            destination_config=aws.lambda_.FunctionEventInvokeConfigDestinationConfigArgs(on_failure=on_failure),
            opts=child,
        )
        allowed = aws.lambda_.Permission(
            f"{name}-bucket",
            statement_id="DroppedFiles",
            action="lambda:InvokeFunction",
            function=self.function.name,
            qualifier=self.function.alias,
            principal="s3.amazonaws.com",
            source_arn=args.bucket.arn,
            source_account=args.account.id,  # a bucket's ARN names no account, and a name that is free is anybody's
            opts=child,
        )
        aws.s3.BucketNotification(
            f"{name}-notification",
            bucket=args.bucket.name,
            lambda_functions=[
                aws.s3.BucketNotificationLambdaFunctionArgs(
                    id=suffix.lstrip("."),
                    lambda_function_arn=self.function.alias_arn,
                    events=["s3:ObjectCreated:*"],
                    filter_prefix=args.trigger.prefix,
                    filter_suffix=suffix,
                )
                for suffix in args.trigger.suffixes
            ],
            # S3 tries the function before it takes the notification.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[allowed]),
        )
        self.register_outputs({})
