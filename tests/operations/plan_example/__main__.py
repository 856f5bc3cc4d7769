"""The program of the example in docs/plan.md: one endpoint on SageMaker."""

import pulumi
import pulumi_aws as aws

config = pulumi.Config()


class Endpoint(pulumi.ComponentResource):
    """A model behind an endpoint."""

    def __init__(self, name: str, release: str, instances: int) -> None:
        super().__init__("example:index:Endpoint", name, None, None)
        below = pulumi.ResourceOptions(parent=self)
        store = aws.s3.Bucket(f"{name}-store", opts=below)
        role = aws.iam.Role(f"{name}-role", assume_role_policy="{}", opts=below)
        model = aws.sagemaker.Model(
            f"{name}-model",
            execution_role_arn=role.arn,
            primary_container={
                "image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/server:1",
                "model_data_url": store.bucket.apply(lambda bucket: f"s3://{bucket}/digits/{release}/"),
                "environment": {"TOKEN": config.require_secret("token")},
            },
            opts=below,
        )
        settings = aws.sagemaker.EndpointConfiguration(
            f"{name}-settings",
            production_variants=[
                {"model_name": model.name, "instance_type": "ml.m5.large", "initial_instance_count": instances}
            ],
            opts=below,
        )
        self.endpoint = aws.sagemaker.Endpoint(f"{name}-endpoint", endpoint_config_name=settings.name, opts=below)
        self.register_outputs({})


made = Endpoint("digits", config.require("release"), config.require_int("instances"))
pulumi.export("arn", made.endpoint.arn)
