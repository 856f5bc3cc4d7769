"""Flask behind gunicorn, two sync workers, as Flask's own documents deploy it."""

import os
import sys

import numpy as np
from flask import Flask, jsonify, request

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import predictor

app = Flask(__name__)
predict_rows = predictor.load()


@app.get("/health")
def health():
    return jsonify(status="ok")


@app.post("/predict")
def predict():
    rows = np.array(request.get_json()["instances"], dtype=np.float32)
    return jsonify(predictions=predict_rows(rows))
