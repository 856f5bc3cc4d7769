"""What a user of TorchServe writes for an ONNX model, as a plain function. Run by TorchServe, never by the tests."""

import json
import os

import numpy as np
import onnxruntime

_model = None


def handle(data, context):
    global _model
    if _model is None:
        folder = context.system_properties["model_dir"]
        _model = onnxruntime.InferenceSession(os.path.join(folder, "model.onnx"))  # noqa: PTH118
    if data is None:
        return None
    bodies = [request.get("data") or request.get("body") for request in data]
    rows = [json.loads(body) if isinstance(body, (bytes, bytearray, str)) else body for body in bodies]
    labels, *_ = _model.run(None, {_model.get_inputs()[0].name: np.asarray(rows, np.float32)})
    return np.asarray(labels).tolist()
