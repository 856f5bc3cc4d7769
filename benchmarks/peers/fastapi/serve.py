"""FastAPI as people write it: a pydantic model, a plain `def` endpoint."""

import os
import sys

import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import predictor

app = FastAPI()
predict_rows = predictor.load()


class Request(BaseModel):
    instances: list


class Answer(BaseModel):
    predictions: list[int]


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/predict")
def predict(request: Request) -> Answer:
    return Answer(predictions=predict_rows(np.array(request.instances, dtype=np.float32)))


if __name__ == "__main__":
    uvicorn.run(
        "serve:app",
        app_dir=os.path.dirname(os.path.abspath(__file__)),
        port=predictor.PORT,
        workers=int(os.environ.get("WORKERS", "1")),
        access_log=False,
        log_level="warning",
    )
