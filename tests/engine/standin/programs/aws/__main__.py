"""A model behind SageMaker or Lambda, small: what the rehearsal's own tests run on AWS."""

import json

import pulumi
import pulumi_aws as aws

config = pulumi.Config()
release = config.require("release")
instances = config.require_int("instances")
token = config.require_secret("token")

key = aws.kms.Key(f"key-{config.require('key')}", enable_key_rotation=True, deletion_window_in_days=7)
alias = aws.kms.Alias("key", name="alias/standin", target_key_id=key.key_id)
account = aws.get_caller_identity()

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "sagemaker.amazonaws.com"}}
        ],
    }
)

for region in config.require_object("regions"):
    store = aws.s3.Bucket(f"store-{region}", region=region, force_destroy=True, tags={"account": account.account_id})
    aws.s3.BucketServerSideEncryptionConfiguration(
        f"store-{region}",
        region=region,
        bucket=store.bucket,
        rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms", "kms_master_key_id": key.arn}}],
    )
    role = aws.iam.Role(
        f"role-{region}",
        assume_role_policy=TRUST,
    )
    aws.iam.RolePolicy(
        f"read-{region}",
        role=role.name,
        policy=pulumi.Output.json_dumps(
            {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": store.arn}]}
        ),
    )
    if "sagemaker" in config.require_object("targets"):
        model = aws.sagemaker.Model(
            f"model-{region}",
            region=region,
            execution_role_arn=role.arn,
            primary_container={
                "image": "public.ecr.aws/docker/library/python:3",
                "model_data_url": store.bucket.apply(lambda bucket: f"s3://{bucket}/digits/{release}/model.tar.gz"),
                "environment": {"RELEASE": release},
            },
        )
        settings = aws.sagemaker.EndpointConfiguration(
            f"settings-{region}",
            region=region,
            kms_key_arn=key.arn,
            production_variants=[
                {
                    "variant_name": "main",
                    "model_name": model.name,
                    "instance_type": "ml.t2.medium",
                    "initial_instance_count": instances,
                }
            ],
        )
        endpoint = aws.sagemaker.Endpoint(f"endpoint-{region}", region=region, endpoint_config_name=settings.name)
        pulumi.export(f"endpoint-{region}", endpoint.arn)
    if "lambda" in config.require_object("targets"):
        function = aws.lambda_.Function(
            f"function-{region}",
            region=region,
            role=role.arn,
            package_type="Image",
            image_uri="public.ecr.aws/docker/library/python:3",
            environment={"variables": {"TOKEN": token, "RELEASE": release}},
        )
        url = aws.lambda_.FunctionUrl(
            f"url-{region}", region=region, function_name=function.name, authorization_type="AWS_IAM"
        )
        pulumi.export(f"url-{region}", url.function_url)

secret = aws.secretsmanager.Secret("token", name="standin-token", recovery_window_in_days=0)
aws.secretsmanager.SecretVersion("token", secret_id=secret.id, secret_string=token)
pulumi.export("token", token)
