"""Runs the serving image with Vertex AI's SDK as a local endpoint, asks it, and prints what it answered as JSON.

Run by the environment of tests/environments/vertex-local.txt: `python vertex_local.py IMAGE RELEASE`, a request body on
standard input. Uses nothing of this project.
"""

import json
import sys

from google.cloud.aiplatform.prediction import LocalModel  # pyright: ignore[reportMissingImports] # in its environment

ROUTE = "/v1/endpoints/1/deployedModels/2"


def main():
    image, release = sys.argv[1:]
    body = sys.stdin.read()
    model = LocalModel(
        serving_container_image_uri=image,
        serving_container_predict_route=f"{ROUTE}:predict",
        serving_container_health_route=ROUTE,
        serving_container_ports=[8085],
    )
    with model.deploy_to_local_endpoint(artifact_uri=release, container_ready_timeout=90) as endpoint:
        health = endpoint.run_health_check()
        answer = endpoint.predict(body, headers={"content-type": "application/json"})
        said = {"health": health.status_code, "status": answer.status_code, "answer": answer.json()}
    json.dump(said, sys.stdout)


main()
