"""One module per contract: how its requests are read and its answers written."""

from __future__ import annotations

from model_server.codecs import azure_ml, open_inference, sagemaker, tensorflow_serving, torchserve, vertex
from model_server.codecs.base import Codec

#: Operation of the contracts table that predicts -> its codec.
CODECS: dict[str, Codec] = {
    "sagemaker_invoke": sagemaker.Invoke(),
    "vertex_predict": vertex.Predict(),
    "azure_score": azure_ml.Score(),
    "oip_infer": open_inference.Infer(),
    "tfs_predict": tensorflow_serving.Predict(),
    "tfs_classify": tensorflow_serving.Classify(),
    "torchserve_predict": torchserve.Predict(),
}
