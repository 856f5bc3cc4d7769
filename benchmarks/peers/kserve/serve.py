"""A KServe custom predictor, as its documents write one."""

import os
import sys

import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import predictor


class Digits(Model):
    def __init__(self):
        super().__init__("digits")
        self.model = predictor.load()
        self.ready = True

    def predict(self, payload: InferRequest, headers=None, response_headers=None) -> InferResponse:
        labels = self.model(payload.inputs[0].as_numpy().astype(np.float32))
        output = InferOutput(name="label", shape=[len(labels)], datatype="INT64", data=labels)
        return InferResponse(model_name="digits", infer_outputs=[output], response_id=payload.id or "none")


if __name__ == "__main__":
    ModelServer(http_port=predictor.PORT, enable_grpc=False, workers=1, access_log_format=None).start([Digits()])
