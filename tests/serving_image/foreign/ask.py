"""Asks a model server with clients that nobody here wrote, and prints what they got as JSON.

Run by the environment of tests/environments/clients.txt: `python ask.py URL`, the release's rows as JSON on standard
input. Uses nothing of this project.
"""

import asyncio
import json
import sys

import numpy as np
import tritonclient.http as triton  # pyright: ignore[reportMissingImports] # in the environment that runs this
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig  # pyright: ignore[reportMissingImports]
from kserve.protocol.infer_type import RequestedOutput  # pyright: ignore[reportMissingImports]


def outputs(result, names=("label", "probabilities")):
    return {name: np.asarray(result.as_numpy(name)).tolist() for name in names if result.as_numpy(name) is not None}


def ask_triton(url, name, rows):
    client = triton.InferenceServerClient(url.removeprefix("http://"))
    data = np.array(rows, np.float32)
    said = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model ready": client.is_model_ready("digits"),
        "version ready": client.is_model_ready("digits", "1"),
        "other model ready": client.is_model_ready("other"),
        "server": client.get_server_metadata(),
        "model": client.get_model_metadata("digits"),
        "model version": client.get_model_metadata("digits", "1"),
    }

    def infer(binary_in, binary_out, version="", data=data, **options):
        tensor = triton.InferInput(name, list(data.shape), "FP32")
        tensor.set_data_from_numpy(data, binary_data=binary_in)
        asked = [triton.InferRequestedOutput(output, binary_data=binary_out) for output in ("label", "probabilities")]
        return client.infer("digits", [tensor], model_version=version, outputs=asked, **options)

    for binary_in in (False, True):
        for binary_out in (False, True):
            said[f"infer binary {binary_in} {binary_out}"] = outputs(infer(binary_in, binary_out))
    result = infer(True, True, "1", request_id="mine")
    said["id"] = result.get_response()["id"]
    said["infer of a version"] = outputs(result)
    said["infer gzip"] = outputs(
        infer(True, True, request_compression_algorithm="gzip", response_compression_algorithm="gzip")
    )
    said["infer deflate"] = outputs(infer(False, False, request_compression_algorithm="deflate"))
    tensor = triton.InferInput(name, list(data.shape), "FP32")
    tensor.set_data_from_numpy(data)
    said["infer all outputs"] = outputs(client.infer("digits", [tensor]))  # asks for binary by itself
    said["infer async"] = outputs(client.async_infer("digits", [tensor]).get_result())
    said["infer many gzip"] = outputs(
        infer(True, True, data=np.repeat(data[:1], 500, axis=0), response_compression_algorithm="gzip")
    )["label"]
    try:
        infer(True, True, "9")
    except triton.InferenceServerException as error:
        said["no such version"] = {"status": error.status(), "message": error.message()}
    try:
        infer(True, True, data=data[:, :63].copy())
    except triton.InferenceServerException as error:
        said["wrong shape"] = {"status": error.status(), "message": error.message()}
    client.close()
    return said


async def ask_kserve(url, name, rows):
    said = {}
    data = np.array(rows, np.float32)
    v2 = InferenceRESTClient(RESTConfig(protocol="v2"))
    said["live"] = await v2.is_server_live(url)
    said["ready"] = await v2.is_server_ready(url)
    said["model ready"] = await v2.is_model_ready(url, "digits")
    said["other model ready"] = await v2.is_model_ready(url, "other")
    for binary_in in (False, True):
        for binary_out in (False, True):
            tensor = InferInput(name, list(data.shape), "FP32")
            tensor.set_data_from_numpy(data, binary_data=binary_in)
            asked = [RequestedOutput(output, {"binary_data": binary_out}) for output in ("label", "probabilities")]
            request = InferRequest("digits", [tensor], request_outputs=asked)
            response = await v2.infer(url, request, model_name="digits")
            said[f"infer binary {binary_in} {binary_out}"] = {
                output.name: np.asarray(output.as_numpy()).tolist() for output in response.outputs
            }
    try:
        await v2.infer(url, {"inputs": []}, model_name="digits")
    except Exception as error:
        said["bad request"] = str(error)
    await v2.close()
    v1 = InferenceRESTClient(RESTConfig(protocol="v1"))
    said["v1"] = await v1.infer(url, {"instances": rows}, model_name="digits")
    await v1.close()
    return said


def main():
    url = sys.argv[1]
    question = json.load(sys.stdin)
    said = {"triton": ask_triton(url, **question), "kserve": asyncio.run(ask_kserve(url, **question))}
    json.dump(said, sys.stdout)


main()
