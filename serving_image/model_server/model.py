"""A release, loaded: verified, in an ONNX Runtime session, proven right on a sample. No pickle is ever loaded."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import orjson

from model_server import transforms
from model_server.errors import Exit, RequestError, StartError
from model_server.tensors import DATATYPES, FROM_ONNX, Array, Arrays, TensorSpec
from spec import release as releases

log = logging.getLogger("model_server")

#: How far the warm prediction may be from the release's sample, on top of the sample's own tolerance: another CPU
#: rounds differently.
TOLERANCE = 1e-5
#: Rows of the batch that the cost of one more row is measured with.
PROBE_ROWS = 8

# Numbers too large for a datatype become infinite, which the check of finite values refuses: no warning needed.
np.seterr(all="ignore")


@dataclass(frozen=True)
class Cost:
    """What a run takes, measured when warm: `base` seconds, and `row` seconds for each row."""

    base: float
    row: float

    def seconds(self, rows: int) -> float:
        return self.base + self.row * rows

    @property
    def batching_pays(self) -> bool:
        """Whether a batch of many is clearly quicker than its rows one by one."""
        return self.row < 0.7 * self.seconds(1)


@dataclass(frozen=True)
class Model:
    """A release that predicts.

    name: what clients call it. version, digest, metadata: as the release says. inputs, outputs: the schema that clients
    see. labels: class names, empty where the model does not classify. statistics: histograms of the training data.
    steps: its transforms, None where it has none.
    """

    name: str
    version: str
    digest: str
    reference: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    labels: tuple[str, ...]
    metadata: Mapping[str, Any]
    statistics: Mapping[str, Any]
    session: ort.InferenceSession
    steps: transforms.Steps | None
    cost: Cost

    @cached_property
    def described(self) -> bytes:
        """The begin of an answer that names it, as the Open Inference Protocol writes it."""
        return b'{"model_name":%b,"model_version":%b' % (orjson.dumps(self.name), orjson.dumps(self.version))

    @cached_property
    def _output_names(self) -> list[str]:
        return [node.name for node in self.session.get_outputs()]

    @cached_property
    def inputs_by_name(self) -> dict[str, TensorSpec]:
        return {spec.name: spec for spec in self.inputs}

    @cached_property
    def outputs_by_name(self) -> dict[str, TensorSpec]:
        return {spec.name: spec for spec in self.outputs}

    @cached_property
    def _flexible(self) -> bool:
        """Whether clients choose sizes beyond the batch, so that a run may fail by what they sent."""
        return any(None in spec.row_shape for spec in self.inputs)

    def run(self, feeds: Arrays, names: Sequence[str] | None = None) -> list[Array]:
        """Outputs in the order of `names`, all of them without names.

        Raises RequestError where the sizes that a client chose do not fit the graph.
        """
        if self.steps is not None:
            answers = dict(zip(self._output_names, self._run_graph(self.steps.before(feeds), None), strict=True))
            answers = self.steps.after(answers)
            return [answers[name] for name in names or self.outputs_by_name]
        return self._run_graph(feeds, names)

    def _run_graph(self, feeds: Arrays, names: Sequence[str] | None) -> list[Array]:
        try:
            return self.session.run(names or self._output_names, feeds)  # pyright: ignore[reportReturnType]
        except Exception as error:  # ONNX Runtime's errors have no common base
            if self._flexible or type(error).__name__ == "InvalidArgument":
                log.info("a request did not fit the graph: %s", error)
                raise RequestError(400, "the sizes of the inputs do not fit this model") from None
            raise


def load(folder: Path, *, name: str | None, threads: int) -> Model:
    """Verify the release in `folder`, load it, and predict one of its samples.

    name: what clients call it; None: the release's own name. Raises StartError where a hash is wrong, the graph cannot
    be loaded or contradicts its metadata, or the answer is not the sample's.
    """
    try:
        metadata = releases.verify(folder)
        digest = releases.digest(folder)
    except releases.ReleaseError as error:
        raise StartError(Exit.TAMPERED, f"release refused: {error}") from None
    file = folder / releases.MODEL_FILE
    try:
        session = ort.InferenceSession(str(file), _options(threads), providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no common base
        raise StartError(Exit.TAMPERED, f"{file} cannot be loaded: {error}") from None
    inputs = _schema(file, session.get_inputs(), batched=True)
    outputs = _schema(file, session.get_outputs())
    _check_metadata(folder, metadata, inputs, outputs)
    steps = transforms.read(folder, metadata)
    model = Model(
        name=name or metadata["name"],
        version=str(metadata["version"]),
        digest=digest,
        reference=f"{metadata['name']}@{metadata['version']}",
        inputs=inputs if steps is None else steps.inputs,
        outputs=outputs if steps is None else steps.outputs,
        labels=tuple(str(label) for label in metadata.get("class_labels") or ()),
        metadata=metadata,
        statistics=json.loads((folder / releases.STATISTICS_FILE).read_text()),
        session=session,
        steps=steps,
        cost=Cost(0, 0),
    )
    feeds = _warm(folder, model)
    return _measure(model, feeds)


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads would take the CPU that requests need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def _schema(file: Path, nodes: Sequence[Any], *, batched: bool = False) -> tuple[TensorSpec, ...]:
    specs: list[TensorSpec] = []
    for node in nodes:
        if node.type not in FROM_ONNX:
            raise StartError(
                Exit.TAMPERED,
                f"{file}: {node.name!r} is {node.type}; this server serves tensors of {', '.join(DATATYPES)} "
                "(export a classifier with zipmap off)",
            )
        shape = tuple(size if isinstance(size, int) and size >= 0 else None for size in node.shape or ())
        if batched and not shape:
            raise StartError(Exit.TAMPERED, f"{file}: input {node.name!r} has no axes; its first one must be the batch")
        specs.append(TensorSpec(node.name, FROM_ONNX[node.type], shape))
    return tuple(specs)


def _check_metadata(
    folder: Path, metadata: Mapping[str, Any], inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> None:
    for kind, specs in (("inputs", inputs), ("outputs", outputs)):
        told = [(entry["name"], releases.OPEN_INFERENCE_DATATYPES[entry["dtype"]]) for entry in metadata[kind]]
        found = [(spec.name, spec.datatype) for spec in specs]
        if told != found:
            raise StartError(Exit.TAMPERED, f"{folder}: the metadata says {kind} {told}, the graph has {found}")


def _warm(folder: Path, model: Model) -> Arrays:
    """Predict the first sample; its answer must be right. Returns its inputs."""
    try:
        document = json.loads((folder / releases.SAMPLES_FILE).read_text())
        tolerance = float(document.get("tolerance", {}).get("absolute", 0)) + TOLERANCE
        sample = document["samples"][0]
        feeds = {spec.name: _sample_array(spec, sample["inputs"][spec.name]) for spec in model.inputs}
        right = {spec.name: _sample_array(spec, sample["outputs"][spec.name]) for spec in model.outputs}
    except (LookupError, TypeError, ValueError) as error:
        raise StartError(
            Exit.TAMPERED, f"{folder / releases.SAMPLES_FILE} holds no sample of this model: {error!r}"
        ) from None
    try:
        answers = model.run(feeds)
    except Exception as error:  # ONNX Runtime's errors have no common base
        raise StartError(Exit.TAMPERED, f"{folder}: the warm prediction failed: {error}") from None
    for spec, got in zip(model.outputs, answers, strict=True):
        want = right[spec.name]
        same = got.shape == want.shape and (
            np.allclose(got, want, rtol=TOLERANCE, atol=tolerance)
            if spec.dtype.kind == "f"
            else np.array_equal(got, want)
        )
        if not same:
            raise StartError(
                Exit.TAMPERED,
                f"{folder}: the warm prediction is wrong: output {spec.name!r} is {got.tolist()}, "
                f"{releases.SAMPLES_FILE} says {want.tolist()}; train and release the model again",
            )
    return feeds


def _sample_array(spec: TensorSpec, row: Any) -> Array:
    array = np.array(row, dtype=spec.dtype)
    return array[np.newaxis] if array.ndim == len(spec.shape) - 1 else array


def _measure(model: Model, feeds: Arrays) -> Model:
    """The model with its cost; one that cannot take two rows at once says so in its schema."""
    one = _seconds(model, feeds)
    if any(spec.shape[0] is not None for spec in model.inputs):
        return dataclasses.replace(model, cost=Cost(0, one))
    many = {name: np.repeat(array, PROBE_ROWS, axis=0) for name, array in feeds.items()}
    try:
        several = _seconds(model, many)
    except Exception as error:  # ONNX Runtime's errors have no common base
        log.warning("%s takes one row at a time: its graph fails on %d: %s", model.reference, PROBE_ROWS, error)
        single = tuple(dataclasses.replace(spec, shape=(1, *spec.row_shape)) for spec in model.inputs)
        return dataclasses.replace(model, inputs=single, cost=Cost(0, one))
    row = max((several - one) / (PROBE_ROWS - 1), 0.0)
    return dataclasses.replace(model, cost=Cost(max(one - row, 0.0), row))


def _seconds(model: Model, feeds: Arrays) -> float:
    """Seconds of a run: the best of three, as the first after a change of shape is slower."""
    taken: list[float] = []
    for _ in range(3):
        began = time.perf_counter()
        model.run(feeds)
        taken.append(time.perf_counter() - began)
    return min(taken)
