"""The model as a peer's own program holds it: scikit-learn for `rf`, ONNX Runtime for the rest, one thread each."""

import os
from pathlib import Path

FOLDER = Path(os.environ["MODEL_FOLDER"])
WORK = os.environ["WORK"]
PORT = int(os.environ["PORT"])


def load():
    """A function from rows (float32) to class labels (ints)."""
    if WORK == "rf":
        import joblib

        model = joblib.load(FOLDER / "model.joblib")
        return lambda rows: model.predict(rows).tolist()
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(FOLDER / "model.onnx"), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda rows: session.run(["label"], {name: rows})[0].tolist()
