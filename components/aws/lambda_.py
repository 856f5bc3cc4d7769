"""A model service on AWS Lambda, behind a function URL."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.aws.autoscaling import Scalable, scaled
from components.aws.functions import ALIAS, Function, FunctionArgs
from components.aws.grants import Grant
from spec.fields import Scaling
from spec.metrics import TargetMetrics, target_metrics

#: Share of the provisioned environments that is busy when more are provisioned. Lambda allows 0.1 to 0.9
#: (https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html).
BUSY = 0.7
#: What the caller signs for, and where it sends a prediction.
PREDICT = "invocations"

_SCALING_NAMESPACE = "lambda"
_SCALING_DIMENSION = "lambda:function:ProvisionedConcurrency"


@dataclass(frozen=True)
class LambdaArgs:
    """function: what runs. scaling: environments that are kept ready; the most is the function's `reserved`."""

    function: FunctionArgs
    scaling: Scaling


class LambdaService(pulumi.ComponentResource):
    """A function with its URL, and the environments that are kept ready.

    The URL asks for signed requests (IAM) and answers with TLS only; it is reached from the internet only. Its callers'
    own policies allow the calls: within an account that is enough
    (https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html).
    url: where it answers, without a slash at the end. invoke: a command that works.
    """

    url: pulumi.Output[str]
    invoke: pulumi.Output[str]

    def __init__(self, name: str, args: LambdaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloud-ml-deployment:aws:LambdaService", name, {}, opts)
        self._args = args
        account = args.function.account
        self.function = Function(name, args.function, pulumi.ResourceOptions(parent=self))
        url = aws.lambda_.FunctionUrl(
            f"{name}-url",
            function_name=self.function.name,
            qualifier=self.function.alias,
            authorization_type="AWS_IAM",
            invoke_mode="BUFFERED",
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._ready(name)
        self.url = url.function_url.apply(lambda text: text.rstrip("/"))
        self.invoke = pulumi.Output.concat(
            f"curl --aws-sigv4 aws:amz:{account.region}:lambda "
            "--user $AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY "
            '-H "x-amz-security-token: $AWS_SESSION_TOKEN" -H "content-type: application/json" '
            "--data @instances.json ",
            self.url,
            f"/{PREDICT}",
        )
        self.register_outputs({"url": self.url, "invoke": self.invoke})

    @property
    def grants(self) -> tuple[Grant, ...]:
        """What a caller needs: since October 2025 the URL's own permission, and the function's through its URL."""
        function = self._args.function
        alias = function.account.arn("lambda", f"function:{function.function}:{ALIAS}")
        return (
            Grant(
                "InvokeUrl",
                ("lambda:InvokeFunctionUrl",),
                (alias,),
                {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}},
            ),
            Grant(
                "InvokeThroughUrl",
                ("lambda:InvokeFunction",),
                (alias,),
                {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}},
            ),
        )

    def _ready(self, name: str) -> None:
        """Keep `scaling.min` environments ready, and more while these are busy."""
        scaling = self._args.scaling
        provisioned: list[pulumi.Resource] = []
        if scaling.min > 0:
            provisioned = [
                aws.lambda_.ProvisionedConcurrencyConfig(
                    f"{name}-ready",
                    function_name=self.function.name,
                    qualifier=self.function.alias,
                    provisioned_concurrent_executions=scaling.min,
                    opts=pulumi.ResourceOptions(parent=self),
                )
            ]
        if not scaling.schedule and (scaling.min == 0 or scaling.max == scaling.min):
            return
        resource = pulumi.Output.concat("function:", self.function.name, ":", self.function.alias)
        prefix = "PolicyTargetTrackingScalingPolicyConfiguration"
        predefined = getattr(aws.appautoscaling, f"{prefix}PredefinedMetricSpecificationArgs")
        tracking = aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs(
            target_value=BUSY,
            predefined_metric_specification=predefined(
                predefined_metric_type="LambdaProvisionedConcurrencyUtilization"
            ),
        )
        what = Scalable(_SCALING_NAMESPACE, _SCALING_DIMENSION, resource, self._args.function.function)
        scaled(name, what, scaling, tracking, parent=self, after=provisioned)


def metrics(function: str, *, percentile: float = 99) -> TargetMetrics:
    """What is measured of the alias, known before it exists. Raises spec.metrics.MetricsError."""
    names = {"function": function, "function_alias": f"{function}:{ALIAS}"}
    return target_metrics("aws", "lambda", names, percentile=percentile)
