"""An MLServer runtime for ONNX Runtime, as its documents write a custom one. `rf` uses mlserver-sklearn itself."""

import os
import sys

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import predictor


class Digits(MLModel):
    async def load(self) -> bool:
        self.model = predictor.load()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float32)
        labels = np.array(self.model(rows), dtype=np.int64)
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("label", labels)])
