"""Pre- and post-processing of one's own around the server: a picture with values up to 255 in, a word out.

`POST /read {"picture": [[… 8 values …] … 8 rows …]}` -> `{"digit": "seven", "certainty": 0.98}`. Every other path is
the server's own, so each platform's contract still works.
"""

from __future__ import annotations

import json

import numpy as np
from model_server.embedded import EmbeddedApp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
#: The model was trained on values up to this.
BRIGHTEST = 16.0

# The release is loaded here, once per process; what MODEL_URI and the other settings say holds.
server = EmbeddedApp()


async def read(request: Request) -> JSONResponse:
    """Answer one picture. 400 for what is no picture."""
    try:
        picture = np.asarray(json.loads(await request.body())["picture"], dtype="f4")
    except (ValueError, KeyError, TypeError):
        return JSONResponse({"error": 'send {"picture": 8 rows of 8 numbers}'}, 400)
    if picture.shape != (8, 8) or not ((picture >= 0) & (picture <= 255)).all():
        return JSONResponse({"error": f"the picture has the shape {picture.shape}; allowed: 8 × 8, 0 to 255"}, 400)
    (wanted,) = server.model.inputs
    answers = server.model.run({wanted.name: picture.reshape(1, 64) / 255 * BRIGHTEST})
    found = dict(zip((output.name for output in server.model.outputs), answers, strict=True))
    label = int(found["label"][0])
    return JSONResponse({"digit": WORDS[label], "certainty": round(float(found["probabilities"][0].max()), 4)})


application = Starlette(routes=[Route("/read", read, methods=["POST"]), Mount("/", app=server)])
