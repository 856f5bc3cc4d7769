"""Deploys the serving image with SageMaker's SDK in its local mode, asks it, and prints what it answered as JSON.

Run by the environment of tests/environments/sagemaker-local.txt: `python sagemaker_local.py IMAGE MODEL_DATA FOLDER
PORT`, a request body on standard input. Uses nothing of this project.
"""

import json
import sys

import boto3  # pyright: ignore[reportMissingImports] # in the environment that runs this
from botocore.config import Config  # pyright: ignore[reportMissingImports]
from sagemaker.local import LocalSession  # pyright: ignore[reportMissingImports]
from sagemaker.model import Model  # pyright: ignore[reportMissingImports]
from sagemaker.predictor import Predictor  # pyright: ignore[reportMissingImports]

REGION = "eu-central-1"


def main():
    image, model_data, folder, port = sys.argv[1:]
    body = sys.stdin.read()
    account = boto3.Session("testing", "testing", region_name=REGION)
    account._session.set_default_client_config(Config(retries={"max_attempts": 0}))
    # Nothing listens there: whatever is asked of S3 fails at once and does not leave this machine.
    session = LocalSession(boto_session=account, s3_endpoint_url="http://127.0.0.1:1")
    limits = {"read_only": True, "tmpfs": ["/tmp"], "cap_drop": ["ALL"], "mem_limit": "512m"}
    session.config = {"local": {"container_root": folder, "serving_port": int(port), "container_config": limits}}
    model = Model(
        image,
        model_data,
        role="arn:aws:iam::123456789012:role/digits",
        name="digits",
        predictor_cls=Predictor,
        sagemaker_session=session,
    )
    predictor = model.deploy(1, "local", endpoint_name="digits")
    try:
        said = {"status": session.sagemaker_client.describe_endpoint(EndpointName="digits")["EndpointStatus"]}
        said["json"] = json.loads(
            predictor.predict(body, initial_args={"ContentType": "application/json", "Accept": "application/json"})
        )
        rows = json.loads(body)["instances"]
        csv = "\n".join(",".join(map(str, row)) for row in rows)
        said["csv"] = predictor.predict(csv, initial_args={"ContentType": "text/csv", "Accept": "text/csv"}).decode()
    finally:
        predictor.delete_endpoint()
    json.dump(said, sys.stdout)


main()
