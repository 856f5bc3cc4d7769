"""What a user of SageMaker's inference toolkit writes for an ONNX model. Run by the toolkit, never by the tests."""

import os

import numpy as np
import onnxruntime
from sagemaker_inference import decoder, encoder  # pyright: ignore[reportMissingImports] # in its own environment


def model_fn(model_dir, context=None):
    return onnxruntime.InferenceSession(os.path.join(model_dir, "model.onnx"))  # noqa: PTH118


def input_fn(data, content_type, context=None):
    return decoder.decode(data, content_type)


def predict_fn(data, model, context=None):
    return model.run(None, {model.get_inputs()[0].name: np.asarray(data, np.float32)})[0]


def output_fn(prediction, accept, context=None):
    return encoder.encode(prediction, accept)
