"""Releases of models that nobody here trained: an ONNX file, or a fitted estimator of scikit-learn."""

from __future__ import annotations

import importlib
import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from spec import release as releases
from spec.release import Release
from spec.transforms import Transforms
from training import preparation, provenance, statistics
from training.data.dataset import Array, Dataset
from training.errors import TrainingError
from training.onnx_model import OnnxModel, Tensor, largest_difference
from training.preparation import Preparation
from training.releases import adapting
from training.releases.write import write, write_json
from training.trainers import LABEL, PROBABILITIES, SEED

#: Rows made up where nobody gives any.
GENERATED_ROWS = 5

#: How far a served answer may be from a sample of an imported graph: another CPU rounds differently.
TOLERANCE = 1e-4

#: Largest difference allowed between an estimator and its export.
ESTIMATOR_TOLERANCE = 1e-5


def import_onnx(
    file: Path,
    model: str,
    models_dir: Path,
    *,
    data: Dataset | None = None,
    schema: Mapping[str, Any] | None = None,
    labels: Sequence[str] | None = None,
    transforms: Path | None = None,
) -> Release:
    """Write the next release of ``model`` from someone's graph.

    data: rows that the model never saw, with right labels; they give the samples, the statistics and the accuracy.
    Without them rows are made up: the samples then show that a copy answers as this graph does, not that it is right.
    schema: `inputs` and `outputs` as in a release's metadata, to fill in what the graph leaves open; inferred without.
    labels: names of the classes. transforms: a transforms.yaml.

    Raises TrainingError naming what the graph lacks to be served.
    """
    releases.check_name(model)
    prepared = Preparation.read(transforms) if transforms else None
    with tempfile.TemporaryDirectory(prefix="import-") as temporary:
        whole = Path(temporary) / releases.MODEL_FILE
        loaded = adapting.load_whole(file)
        named = adapting.without_maps(loaded)
        changes = ["outputs that were lists of maps are tensors"] if named else []
        onnx.save(loaded, str(whole))
        graph = given = OnnxModel(whole, shown=str(file))
        size = adapting.fixed_batch(loaded)
        if size is not None:
            adapting.open_batch(loaded)
            onnx.save(loaded, str(whole))
            graph = OnnxModel(whole, shown=str(file))
            changes.append(f"the batch axis of {size} is one of any size")
        inputs = _completed(graph.inputs, (schema or {}).get("inputs"), "inputs")
        outputs = _completed(graph.outputs, (schema or {}).get("outputs"), "outputs")
        for tensor in (*inputs, *outputs):
            if not tensor.shape or tensor.shape[0] is not None:
                raise TrainingError(
                    f"{file}: {tensor.name!r} has shape {_shown(tensor)}; allowed: a first axis of any size, as "
                    "requests hold any number of rows. Export it again with a dynamic batch axis"
                )
        plan = prepared.plan(inputs, outputs) if prepared else None
        sent, origin = _rows(file, inputs, plan, data)
        feeds = preparation.before(plan, sent)
        if size is not None:
            adapting.prove_open_batch(file, given, graph, size, feeds)
        answers = _answers(file, graph, feeds)
        metrics = _metrics(answers, data)
        numbered = _labels(outputs)
        if labels and numbered and len(labels) != len(numbered):
            raise TrainingError(f"labels: {len(labels)} names; the model answers with {len(numbered)} classes")
        names = list(labels or named or numbered)

        def fill(folder: Path, _version: int) -> dict[str, Any]:
            (folder / releases.MODEL_FILE).write_bytes(whole.read_bytes())
            if prepared:
                (folder / releases.TRANSFORMS_FILE).write_text(prepared.text, encoding="utf-8")
            rows = range(min(len(next(iter(sent.values()))), statistics.SAMPLES))
            document = statistics.samples(
                sent, preparation.after(plan, answers), rows, tolerance=TOLERANCE, origin=origin
            )
            write_json(folder / releases.SAMPLES_FILE, document)
            seen = statistics.statistics(sent, data.y) if data is not None else {"rows": 0, "inputs": {}}
            write_json(folder / releases.STATISTICS_FILE, seen)
            return {
                "framework": "ONNX",
                "trainer": "imported",
                "inputs": [tensor.as_metadata() for tensor in inputs],
                "outputs": [tensor.as_metadata() for tensor in outputs],
                **({"class_labels": names} if names else {}),
                "metrics": metrics,
                "data": None
                if data is None
                else {"source": data.source, "sha256": data.sha256, "rows": len(data.y), "held_out_rows": len(data.y)},
                "imported_from": file.name,
                **({"changed_at_import": changes} if changes else {}),
                "code": provenance.code(),
                "libraries": provenance.libraries(("onnx", "onnxruntime", "numpy")),
                "created": provenance.now(),
            }

        return write(models_dir, model, fill)


def import_estimator(estimator: Any, data: Dataset, model: str, models_dir: Path) -> Release:
    """Write the next release of ``model`` from a fitted classifier of scikit-learn.

    data: rows that it never saw, with right labels. The export must equal the estimator on every one of them.

    Raises TrainingError where the estimator cannot be exported, or its export differs.
    """
    from training.trainers.forest_trainer import export_estimator

    for name in ("predict_proba", "classes_", "n_features_in_"):
        if not hasattr(estimator, name):
            raise TrainingError(
                f"{type(estimator).__name__} has no {name}; allowed: a fitted classifier of scikit-learn that gives "
                "probabilities. Call fit first, or import an ONNX file"
            )
    if data.X.shape[1:] != (estimator.n_features_in_,):
        raise TrainingError(
            f"the estimator takes rows of {estimator.n_features_in_} numbers, the data has {list(data.X.shape[1:])}"
        )
    with tempfile.TemporaryDirectory(prefix="import-") as temporary:
        file = Path(temporary) / f"{type(estimator).__name__}.onnx"
        try:
            export_estimator(estimator, file)
        except Exception as error:  # skl2onnx has no common base for what it cannot convert
            raise TrainingError(f"skl2onnx cannot export {type(estimator).__name__}: {error}") from None
        graph = OnnxModel(file)
        answers = graph.run({graph.inputs[0].name: data.X})
        what = type(estimator).__name__
        expected = np.asarray(estimator.predict_proba(data.X))
        largest_difference(expected, answers[PROBABILITIES], tolerance=ESTIMATOR_TOLERANCE, what=what)
        if not np.array_equal(answers[LABEL], estimator.predict(data.X)):
            raise TrainingError(f"{what}: the export labels rows differently; nothing was written")
        return import_onnx(file, model, models_dir, data=data, labels=[str(name) for name in estimator.classes_])


def load_estimator(name: str) -> Any:
    """The estimator that `module:attribute` names: code that the user wrote and runs, never a pickle."""
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise TrainingError(
            f"estimator is {name!r}; allowed: module:attribute of a fitted estimator ({error})"
        ) from None


def _completed(tensors: Sequence[Tensor], given: object, kind: str) -> tuple[Tensor, ...]:
    """The graph's schema, its open sizes filled in from the given one."""
    if given is None:
        return tuple(tensors)
    told = {entry.get("name"): entry for entry in given if isinstance(entry, dict)} if isinstance(given, list) else {}
    if sorted(map(str, told)) != sorted(tensor.name for tensor in tensors):
        raise TrainingError(
            f"schema: {kind} names {', '.join(map(str, told)) or 'nothing'}; "
            f"allowed: what the graph has, {', '.join(tensor.name for tensor in tensors)}"
        )
    result = []
    for tensor in tensors:
        entry = told[tensor.name]
        shape = entry.get("shape")
        fits = isinstance(shape, list) and len(shape) == len(tensor.shape)
        fits = fits and all(own in (None, size) for own, size in zip(tensor.shape, shape or (), strict=True))
        if entry.get("dtype") != tensor.dtype or not fits:
            raise TrainingError(
                f"schema: {tensor.name!r} is {entry.get('dtype')} {shape}; "
                f"the graph has {tensor.dtype} {_shown(tensor)}"
            )
        result.append(replace(tensor, shape=tuple(shape or ())))
    return tuple(result)


def _rows(
    file: Path, inputs: Sequence[Tensor], plan: Transforms | None, data: Dataset | None
) -> tuple[dict[str, Array], str]:
    """Rows as a client sends them, and what makes their answers right."""
    wanted = plan.inputs if plan else inputs
    if data is not None:
        if len(wanted) != 1:
            raise TrainingError(f"{file} has {len(wanted)} inputs; data with one X can be given for one input only")
        [tensor] = wanted
        row = data.X.shape[1:]
        if len(row) != len(tensor.shape) - 1 or any(
            size not in (None, have) for size, have in zip(tensor.shape[1:], row, strict=True)
        ):
            raise TrainingError(f"data {data.source} has rows of {list(row)}; the model takes {_shown(tensor)}")
        return {tensor.name: data.X.astype(tensor.dtype)}, "answers of the imported graph to rows that were given"
    generator = np.random.default_rng(SEED)
    rows: dict[str, Array] = {}
    for tensor in wanted:
        if None in tensor.shape[1:]:
            raise TrainingError(
                f"{file}: the graph leaves sizes of {tensor.name!r} open, {_shown(tensor)}; "
                "give them with --schema, or rows with --data"
            )
        shape = (GENERATED_ROWS, *(size or 1 for size in tensor.shape[1:]))
        if tensor.dtype == "str":
            texts = [f"text {number}" for number in range(math.prod(shape))]
            rows[tensor.name] = np.asarray(texts, dtype=object).reshape(shape)
            continue
        dtype = np.dtype(tensor.dtype)
        rows[tensor.name] = (
            generator.standard_normal(shape).astype(dtype)
            if dtype.kind == "f"
            else generator.integers(0, 2, shape).astype(dtype)
        )
    return rows, "answers of the imported graph to made-up rows: a copy must give them too; nobody says they are right"


def _answers(file: Path, graph: OnnxModel, feeds: Mapping[str, Array]) -> dict[str, Array]:
    rows = len(next(iter(feeds.values())))
    try:
        answers = graph.run({tensor.name: tensor.array(feeds[tensor.name]) for tensor in graph.inputs})
    except Exception as error:  # ONNX Runtime has no common base for its errors
        raise TrainingError(f"{file} does not answer: {error}. Give real rows with --data") from None
    for name, answer in answers.items():
        if answer.ndim == 0 or len(answer) != rows:
            raise TrainingError(
                f"{file}: output {name!r} has shape {answer.shape} for {rows} rows; allowed: one entry a row"
            )
        if answer.dtype.kind == "f" and not np.isfinite(answer).all():
            raise TrainingError(
                f"{file}: output {name!r} is not finite; JSON cannot carry that. Give real rows with --data"
            )
    return answers


def _metrics(answers: Mapping[str, Array], data: Dataset | None) -> dict[str, float]:
    if data is None:
        return {}
    for answer in answers.values():
        if answer.ndim == 1 and answer.dtype.kind in "iuUO":
            return {"test_accuracy": float(np.mean(answer.astype(str) == data.y.astype(str)))}
    scores = [answer for answer in answers.values() if answer.ndim == 2 and answer.shape[1] > 1]
    if len(scores) == 1 and data.y.dtype.kind in "iu":
        return {"test_accuracy": float(np.mean(scores[0].argmax(axis=1) == data.y))}
    return {}


def _labels(outputs: Sequence[Tensor]) -> list[str]:
    sizes = {tensor.shape[1] for tensor in outputs if len(tensor.shape) == 2 and tensor.dtype.startswith("float")}
    size = sizes.pop() if len(sizes) == 1 else None
    return [str(number) for number in range(size)] if size and math.isfinite(size) and size > 1 else []


def _shown(tensor: Any) -> str:
    return f"[{', '.join('any' if size is None else str(size) for size in tensor.shape)}]"


def read_rows(source: str) -> Dataset:
    """Rows of any shape, from a path or URI. Raises TrainingError."""
    from training.data.check import ANY
    from training.data.source import read

    return read(source, ANY, split=False)


def read_schema(file: Path) -> dict[str, Any]:
    """A JSON object with `inputs` and `outputs`. Raises TrainingError."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"schema {file} cannot be read: {error}") from None
    if not isinstance(document, dict) or not set(document) <= {"inputs", "outputs"}:
        raise TrainingError(
            f"schema {file}: allowed is a JSON object with inputs and outputs, as in a release's metadata"
        )
    return document
