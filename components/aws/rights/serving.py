"""SageMaker, and Application Auto Scaling for it."""

from __future__ import annotations

from collections.abc import Sequence

from components.aws.rights.right import Right, actions

SERVING: Sequence[Right] = (
    Right("ListConfigurations", see=("sagemaker:ListEndpointConfigs",)),
    Right(
        "Serving",
        (
            "sagemaker:*:{account}:endpoint/{service}-*",
            "sagemaker:*:{account}:endpoint-config/{service}-*",
            "sagemaker:*:{account}:model/{service}-*",
        ),
        see=actions("sagemaker", "DescribeEndpoint DescribeEndpointConfig DescribeModel ListTags"),
        change=actions(
            "sagemaker",
            "AddTags CreateEndpoint CreateEndpointConfig CreateModel DeleteEndpoint DeleteEndpointConfig DeleteModel "
            "DeleteTags UpdateEndpoint UpdateEndpointWeightsAndCapacities",
        ),
    ),
    Right(
        "Training",
        ("sagemaker:*:{account}:training-job/{service}-*",),
        see=actions("sagemaker", "DescribeTrainingJob ListTags"),
        change=actions("sagemaker", "AddTags CreateTrainingJob DeleteTags StopTrainingJob UpdateTrainingJob"),
    ),
    Right(
        "LookAtScaling",
        see=actions(
            "application-autoscaling", "DescribeScalableTargets DescribeScalingPolicies DescribeScheduledActions"
        ),
    ),
    Right(
        "ScalingTags",
        ("application-autoscaling:*:{account}:scalable-target/*",),
        see=("application-autoscaling:ListTagsForResource",),
        change=actions("application-autoscaling", "TagResource UntagResource"),
    ),
    Right(
        "Scaling",
        ("application-autoscaling:*:{account}:scalable-target/*",),
        change=actions(
            "application-autoscaling",
            "DeleteScalingPolicy DeleteScheduledAction DeregisterScalableTarget PutScalingPolicy PutScheduledAction "
            "RegisterScalableTarget",
        ),
        when={"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}},
    ),
)
