"""A BentoML service, as its documents write one."""

import os
import sys

import bentoml
import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import predictor


@bentoml.service(workers=1, metrics={"enabled": False})
class Digits:
    def __init__(self):
        self.model = predictor.load()

    @bentoml.api
    def predict(self, instances: list) -> dict:
        return {"predictions": self.model(np.array(instances, dtype=np.float32))}
