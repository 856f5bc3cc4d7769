"""How each contract is asked for one sample, and how its answer is read: what a client of that platform sends.

The forms are those of `docs/contracts.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from operations.verification.compare import flat
from spec import contracts
from spec import release as releases

#: One sample: tensor name -> value of one row, as `samples.json` has it.
Row = Mapping[str, Any]
Schema = list[dict[str, Any]]


class AnswerError(ValueError):
    """An answer does not have its contract's form; the text says what is there."""


@dataclass(frozen=True)
class Dialect:
    """One contract from the client's side.

    path: of the prediction, with `{model}`; empty where the platform chooses it, so that the URL has to be whole.
    ready: path of the health check; None where callers of the platform cannot reach it.
    body: the request's JSON for a row. read: the outputs of that row in the answer's JSON.
    """

    contract: str
    path: str
    ready: str | None
    body: Callable[[Schema, Row], Any]
    read: Callable[[Schema, Any], Row]


def _instance(inputs: Schema, row: Row) -> Any:
    """A row as most contracts have it: the value of the one input, or the values by name."""
    return row[inputs[0]["name"]] if len(inputs) == 1 else {tensor["name"]: row[tensor["name"]] for tensor in inputs}


def _prediction(outputs: Schema, found: Any) -> Row:
    """The other way round: one output has no name in the answer."""
    if len(outputs) == 1:
        return {outputs[0]["name"]: found}
    if not isinstance(found, dict):
        raise AnswerError(f"an object with {', '.join(tensor['name'] for tensor in outputs)} was expected")
    return found


def _only(found: Any, where: str) -> Any:
    if not isinstance(found, list) or len(found) != 1:
        raise AnswerError(f"{where} with one entry was expected")
    return found[0]


def _of(answer: Any, key: str) -> Any:
    if not isinstance(answer, dict) or key not in answer:
        raise AnswerError(f"{key!r} was expected")
    return answer[key]


def _instances(inputs: Schema, row: Row) -> Any:
    return {"instances": [_instance(inputs, row)]}


def _predictions(outputs: Schema, answer: Any) -> Row:
    return _prediction(outputs, _only(_of(answer, "predictions"), "'predictions'"))


def _shape(value: Any) -> list[int]:
    return [len(value), *_shape(value[0])] if isinstance(value, list) and value else []


def _tensors(inputs: Schema, row: Row) -> Any:
    return {
        "inputs": [
            {
                "name": tensor["name"],
                "shape": [1, *_shape(row[tensor["name"]])],
                "datatype": releases.OPEN_INFERENCE_DATATYPES[tensor["dtype"]],
                "data": flat(row[tensor["name"]]),
            }
            for tensor in inputs
        ]
    }


def _from_tensors(outputs: Schema, answer: Any) -> Row:
    found: dict[str, Any] = {}
    for tensor in _of(answer, "outputs"):
        values = _of(tensor, "data")
        # A scalar per row comes as its batch of one.
        found[_of(tensor, "name")] = values[0] if len(_of(tensor, "shape")) == 1 and values else values
    if missing := [tensor["name"] for tensor in outputs if tensor["name"] not in found]:
        raise AnswerError(f"outputs {', '.join(missing)} were expected")
    return found


DIALECTS: Mapping[str, Dialect] = {
    one.contract: one
    for one in (
        Dialect(contracts.OIP, "/v2/models/{model}/infer", contracts.READY_PATH, _tensors, _from_tensors),
        Dialect(contracts.SAGEMAKER, "/invocations", "/ping", _instances, _predictions),
        Dialect(contracts.VERTEX, "", None, _instances, _predictions),
        Dialect(
            contracts.AZURE_ML,
            "/score",
            contracts.READY_PATH,
            lambda inputs, row: {"input_data": [_instance(inputs, row)]},
            lambda outputs, answer: _prediction(outputs, _only(answer, "an array")),
        ),
        Dialect(
            contracts.TENSORFLOW_SERVING,
            "/v1/models/{model}:predict",
            contracts.READY_PATH,
            _instances,
            _predictions,
        ),
        Dialect(contracts.TORCHSERVE, "/predictions/{model}", "/ping", _instance, _prediction),
    )
}
