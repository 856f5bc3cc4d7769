# The framework is in an environment of its own, where the type checker does not look.
# pyright: reportMissingImports=false
"""Runs inside TorchServe: rows in, probabilities out. Imports TorchServe's own base class and nothing of this project.

A request is JSON: one row of numbers, or `{"instances": [row, …]}`. The answer to one row is its probabilities, to
instances a list of them. See https://pytorch.org/serve/custom_service.html.
"""

from __future__ import annotations

import json

import torch
from ts.torch_handler.base_handler import BaseHandler


class RowsHandler(BaseHandler):
    """Each request keeps its own number of rows; all rows of a batch of requests go through the network at once."""

    def preprocess(self, data):
        rows, self.requests = [], []
        for request in data:
            body = request.get("data") or request.get("body")
            if isinstance(body, (bytes, bytearray)):
                body = json.loads(body)
            many = isinstance(body, dict)
            given = body["instances"] if many else [body]
            self.requests.append((many, len(given)))
            rows += given
        return torch.as_tensor(rows, dtype=torch.float32, device=self.device)

    def postprocess(self, data):
        answers, rows = [], data.tolist()
        for many, count in self.requests:
            own, rows = rows[:count], rows[count:]
            answers.append({"predictions": own} if many else own[0])
        return answers
