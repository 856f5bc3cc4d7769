"""The first prediction: a real sample of the release, sent to the service that was just deployed."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from operations.errors import OperationError
from spec import release as releases

#: Up to this many numbers a request is printed inline; larger ones go to a file that curl reads.
INLINE_VALUES = 128


@dataclass(frozen=True)
class Prediction:
    """What was asked, what came back.

    curl: a command that asks the same again.
    answer: the server's whole answer.
    label: what the answer says, expected: what the release's sample says.
    """

    curl: str
    answer: dict[str, Any]
    label: Any
    expected: Any

    @property
    def correct(self) -> bool:
        return self.label == self.expected


def first_prediction(invoke: dict[str, Any], release: Path, request_file: Path) -> Prediction:
    """Send the release's first sample to the service, in the Open Inference Protocol's JSON.

    Raises OperationError where the service does not answer 200.
    """
    metadata = json.loads((release / releases.METADATA_FILE).read_text())
    sample = json.loads((release / releases.SAMPLES_FILE).read_text())["samples"][0]
    body = {"inputs": [_tensor(metadata["inputs"][0], sample["inputs"][metadata["inputs"][0]["name"]])]}
    text = json.dumps(body, separators=(",", ":"))
    request_file.parent.mkdir(parents=True, exist_ok=True)
    request_file.write_text(text)
    try:
        response = httpx.request(invoke["method"], invoke["url"], headers=invoke["headers"], content=text, timeout=30)
        response.raise_for_status()
    except httpx.HTTPStatusError as error:
        raise OperationError(f"{invoke['url']} answered {error.response.status_code}: {error.response.text}") from None
    except httpx.HTTPError as error:
        raise OperationError(f"{invoke['url']} did not answer: {error}; `make outputs` names its log file") from None
    answer = response.json()
    inline = len(body["inputs"][0]["data"]) <= INLINE_VALUES
    data = text if inline else f"@{request_file}"
    headers = [word for name, value in invoke["headers"].items() for word in ("-H", f"{name}: {value}")]
    curl = shlex.join(["curl", "-s", invoke["url"], *headers, "-d", data])
    return Prediction(curl, answer, *_labels(metadata, answer, sample))
