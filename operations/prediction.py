"""The first prediction: a real sample of the release, sent to the service that was just deployed."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from operations.errors import OperationError
from operations.verification.compare import flat
from spec import release as releases

#: Up to this many numbers a request is printed inline; larger ones go to a file that curl reads.
INLINE_VALUES = 128


@dataclass(frozen=True)
class Prediction:
    """What was asked, what came back.

    curl: a command that asks the same again.
    answer: the server's whole answer. version: of the release that gave it.
    label: what the answer says, expected: what the release's sample says.
    """

    curl: str
    answer: dict[str, Any]
    version: str
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
    body = {"inputs": [_tensor(tensor, sample["inputs"][tensor["name"]]) for tensor in metadata["inputs"]]}
    text = json.dumps(body, separators=(",", ":"))
    request_file.parent.mkdir(parents=True, exist_ok=True)
    request_file.write_text(text)
    try:
        response = httpx.request(invoke["method"], invoke["url"], headers=_headers(invoke), content=text, timeout=30)
        response.raise_for_status()
    except httpx.HTTPStatusError as error:
        raise OperationError(f"{invoke['url']} answered {error.response.status_code}: {error.response.text}") from None
    except httpx.HTTPError as error:
        raise OperationError(f"{invoke['url']} did not answer: {error}; `make outputs` names its log file") from None
    answer = response.json()
    inline = sum(len(tensor["data"]) for tensor in body["inputs"]) <= INLINE_VALUES
    data = text if inline else f"@{request_file}"
    headers = [word for name, value in invoke["headers"].items() for word in ("-H", f"{name}: {value}")]
    curl = shlex.join(["curl", "-s", invoke["url"], *headers, "-d", data])
    if "token_file" in invoke:  # the shell reads it: the token is in no terminal's history
        curl += f' -H "authorization: Bearer $(cat {shlex.quote(invoke["token_file"])})"'
    answered = {output["name"]: output["data"] for output in answer["outputs"]}
    version = str(answer.get("model_version", ""))
    return Prediction(curl, answer, version, _label(metadata, answered), _label(metadata, sample["outputs"]))


def _headers(invoke: dict[str, Any]) -> dict[str, str]:
    """What to send: the service's headers, and its token where it asks for one. Raises OperationError."""
    if "token_file" not in invoke:
        return invoke["headers"]
    try:
        token = Path(invoke["token_file"]).read_text().strip()
    except OSError as error:
        raise OperationError(
            f"the token file {invoke['token_file']} cannot be read ({error.strerror}): `make up` makes it anew"
        ) from None
    return {**invoke["headers"], "authorization": f"Bearer {token}"}


def _tensor(tensor: dict[str, Any], row: Any) -> dict[str, Any]:
    """One row as a tensor of the Open Inference Protocol, its values flat."""
    values = flat(row)
    shape = [1, *(size or 1 for size in tensor["shape"][1:])]
    return {
        "name": tensor["name"],
        "shape": shape,
        "datatype": releases.OPEN_INFERENCE_DATATYPES[tensor["dtype"]],
        "data": [int(value) if isinstance(value, float) and value.is_integer() else value for value in values],
    }


def _label(metadata: dict[str, Any], outputs: dict[str, Any]) -> Any:
    """What a row's outputs say: the class a classifier names, else the most probable one, else the outputs."""
    for tensor in metadata["outputs"]:
        values = flat(outputs[tensor["name"]])
        if tensor["dtype"].startswith(("int", "uint", "str")):
            return values[0] if len(values) == 1 else values
    labels = metadata.get("class_labels") or []
    values = flat(outputs[metadata["outputs"][0]["name"]])
    return labels[values.index(max(values))] if len(labels) == len(values) else values
