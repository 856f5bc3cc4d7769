"""What a user of Azure ML's inference server writes for an ONNX model. Run by that server, never by the tests."""

import json
import os

import numpy as np
import onnxruntime


def init():
    global model
    model = onnxruntime.InferenceSession(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model.onnx"))  # noqa: PTH118


def run(raw_data):
    rows = json.loads(raw_data)["data"]
    labels, *_ = model.run(None, {model.get_inputs()[0].name: np.asarray(rows, np.float32)})
    return np.asarray(labels).tolist()
