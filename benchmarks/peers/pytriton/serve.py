"""PyTriton: NVIDIA's Triton in front of a Python function, with its dynamic batching."""

import os
import sys

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import predictor

predict_rows = predictor.load()
shape = (32, 32, 3) if predictor.WORK == "cnn" else (64,)


@batch
def infer(input):
    return {"label": np.array(predict_rows(input), dtype=np.int64)[:, np.newaxis]}


if __name__ == "__main__":
    config = TritonConfig(
        http_port=predictor.PORT,
        grpc_port=predictor.PORT + 1,
        metrics_port=predictor.PORT + 2,
        http_address="127.0.0.1",
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name="digits",
            infer_func=infer,
            inputs=[Tensor(name="input", dtype=np.float32, shape=shape)],
            outputs=[Tensor(name="label", dtype=np.int64, shape=(1,))],
            config=ModelConfig(max_batch_size=64, batcher=DynamicBatcher(max_queue_delay_microseconds=0)),
        )
        triton.serve()
