"""LitServe with its batching, as its README writes it."""

import os
import sys

import litserve as ls
import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import predictor


class Digits(ls.LitAPI):
    def setup(self, device):
        self.model = predictor.load()

    def decode_request(self, request):
        return np.array(request["instances"], dtype=np.float32)

    def predict(self, x):
        return self.model(x)

    def encode_response(self, output):
        return {"predictions": output}


if __name__ == "__main__":
    ls.LitServer(Digits(), accelerator="cpu", workers_per_device=1).run(
        port=predictor.PORT, generate_client_file=False, log_level="warning", num_api_servers=1
    )
