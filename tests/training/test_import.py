"""Releases from models that nobody here made: graphs that ship in onnx and ONNX Runtime, estimators of scikit-learn.

Each release that is written is loaded by the server's own loader, which asks it for every sample. What it does not
prove: that an imported model is right about anything; only rows with labels show that.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from model_server.model import load
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from spec import release as releases
from spec.release import Release, ReleaseError
from tests.training.small import small_graph
from training.data.dataset import Dataset
from training.errors import TrainingError
from training.releases.importing import import_estimator, import_onnx, read_rows, read_schema

IRIS = Path(onnxruntime.__file__).parent / "datasets" / "logreg_iris.onnx"
GRAPHS = Path(onnx.__file__).parent / "backend" / "test" / "data"


def served(release: Release) -> dict[str, Any]:
    """The metadata of the release, once the server's loader took it."""
    load(release.path, name=release.model, threads=1)
    return releases.verify(release.path)


def iris(rows: slice = slice(None)) -> Dataset:
    X, y = load_iris(return_X_y=True)
    return Dataset(np.asarray(X, np.float32)[rows], np.asarray(y)[rows], "iris")


def save(model: Any, folder: Path, name: str = "someone.onnx") -> Path:
    onnx.save(model, str(folder / name))
    return folder / name


def test_a_classifier_with_maps_and_a_fixed_batch(tmp_path: Path) -> None:
    """ONNX Runtime's own example: three rows at once, probabilities as a list of maps."""
    data = replace(iris(), X=iris().X[:, :2])
    metadata = served(import_onnx(IRIS, "iris", tmp_path, data=data))
    assert metadata["inputs"] == [{"name": "float_input", "dtype": "float32", "shape": [None, 2]}]
    assert metadata["class_labels"] == ["0", "1", "2"]
    assert len(metadata["changed_at_import"]) == 2
    own: Any = onnxruntime.InferenceSession(str(tmp_path / "iris/v1/model.onnx"))
    given: Any = onnxruntime.InferenceSession(str(IRIS))
    labels, maps = given.run(None, {"float_input": data.X[:3]})
    served_labels, probabilities = own.run(None, {"float_input": data.X})
    assert served_labels[:3].tolist() == labels.tolist()
    assert np.allclose(probabilities[:3], [[row[name] for name in range(3)] for row in maps])


def test_an_image_network_with_channels_first(tmp_path: Path) -> None:
    metadata = served(import_onnx(GRAPHS / "light" / "light_squeezenet.onnx", "squeezenet", tmp_path))
    assert metadata["inputs"] == [{"name": "data_0", "dtype": "float32", "shape": [None, 3, 224, 224]}]
    assert metadata["changed_at_import"] == ["the batch axis of 1 is one of any size"]
    assert "nobody says they are right" in json.loads((tmp_path / "squeezenet/v1/samples.json").read_text())["origin"]


def test_texts_in(tmp_path: Path) -> None:
    """Without lower-casing: ONNX Runtime does that with the system's locale en_US.UTF-8, which few machines have."""
    texts = ["good and new", "bad and old", "good", "bad", "new and good", "old"] * 3
    model = make_pipeline(TfidfVectorizer(lowercase=False), LogisticRegression()).fit(texts, ["yes", "no"] * 9)
    types: Any = [("text", StringTensorType([None, 1]))]
    file = save(to_onnx(model, initial_types=types), tmp_path)
    metadata = served(import_onnx(file, "texts", tmp_path / "models"))
    assert metadata["inputs"][0]["dtype"] == "str"
    assert metadata["class_labels"] == ["no", "yes"]


def test_several_inputs_of_several_kinds(tmp_path: Path) -> None:
    columns = ColumnTransformer([("n", StandardScaler(), [0]), ("s", OneHotEncoder(handle_unknown="ignore"), [1])])
    table = np.array([[1.0, "a"], [2.0, "b"], [3.0, "a"], [4.0, "b"]], dtype=object)
    model = make_pipeline(columns, LogisticRegression()).fit(table, [0, 1, 0, 1])
    types: Any = [("n", FloatTensorType([None, 1])), ("s", StringTensorType([None, 1]))]
    file = save(to_onnx(model, initial_types=types, options={"zipmap": False}), tmp_path)
    metadata = served(import_onnx(file, "table", tmp_path / "models"))
    assert [tensor["name"] for tensor in metadata["inputs"]] == ["n", "s"]
    with pytest.raises(TrainingError, match="has 2 inputs; data with one X"):
        import_onnx(file, "table", tmp_path / "models", data=iris())


def open_sizes(folder: Path) -> Path:
    shape = ["batch", "length"]
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Exp", ["y"], ["z"])],
        "open",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("y", "z")],
    )
    return save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), folder)


def test_open_sizes_are_asked_for_and_taken_from_a_schema(tmp_path: Path) -> None:
    file, models = open_sizes(tmp_path), tmp_path / "models"
    with pytest.raises(TrainingError, match=r"leaves sizes of 'x' open, \[any, any\]; give them with --schema"):
        import_onnx(file, "open", models)
    entry = {"dtype": "float32", "shape": [None, 4]}
    document = {"inputs": [{"name": "x", **entry}], "outputs": [{"name": name, **entry} for name in ("y", "z")]}
    (tmp_path / "schema.json").write_text(json.dumps(document))
    metadata = served(import_onnx(file, "open", models, schema=read_schema(tmp_path / "schema.json")))
    assert [tensor["shape"] for tensor in metadata["inputs"] + metadata["outputs"]] == [[None, 4]] * 3


def test_weights_in_a_file_of_their_own_come_along(tmp_path: Path) -> None:
    weights = onnx.numpy_helper.from_array(np.random.default_rng(0).random((300, 2), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "heavy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 300])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    file = tmp_path / "heavy.onnx"
    onnx.save(model, str(file), save_as_external_data=True, location="heavy.bin", size_threshold=0)
    served(import_onnx(file, "heavy", tmp_path / "models"))
    (tmp_path / "heavy.bin").unlink()
    with pytest.raises(TrainingError, match="is no ONNX file that can be read whole"):
        import_onnx(file, "heavy", tmp_path / "models")


#: Files of onnx's own tests, and what each lacks to be served.
LACKING = {
    "simple/test_sequence_model1/model.onnx": "'X' has shape [2, 3, 4]; allowed: a first axis of any size",
    "simple/test_sequence_model7/model.onnx": "has a batch axis of 2, which cannot be opened",
    "simple/test_sequence_model6/model.onnx": "'len' has shape []",
    "simple/test_gradient_of_add/model.onnx": "cannot be loaded by ONNX Runtime",
    "pytorch-converted/test_BatchNorm2d_eval/model.onnx": "Could not find an implementation for BatchNormalization(6)",
    "pytorch-operator/test_operator_chunk/model.onnx": "has a batch axis of 3, which cannot be opened",
    "pytorch-operator/test_operator_sqrt/model.onnx": "is not finite; JSON cannot carry that",
}


@pytest.mark.parametrize("name", LACKING)
def test_what_is_missing_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        import_onnx(GRAPHS / name, "someone", tmp_path)
    assert LACKING[name] in str(caught.value)
    assert str(GRAPHS / name) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_every_other_graph_of_onnx_is_served_or_refused_by_name(tmp_path: Path) -> None:
    files = sorted(file for kind in ("simple", "pytorch-operator") for file in (GRAPHS / kind).glob("*/model.onnx"))
    imported, unnamed = 0, []
    for file in files:
        try:
            served(import_onnx(file, "someone", tmp_path))
            imported += 1
        except TrainingError as error:
            unnamed += [] if str(file) in str(error) else [str(error)]
    assert unnamed == []
    assert len(files) > 40
    assert imported > 15, "hardly any of them was imported"


def test_rows_beside_each_other_that_mix_are_no_batch(tmp_path: Path) -> None:
    """A softmax over the first axis: opening it would answer, and wrongly."""
    model = small_graph(batch=2)
    model.graph.node[0].attribute[0].i = 0
    with pytest.raises(TrainingError, match="output 'probabilities' to a row depends on the rows beside it"):
        import_onnx(save(model, tmp_path), "someone", tmp_path / "models")


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"none\.onnx does not exist"):
        import_onnx(tmp_path / "none.onnx", "someone", tmp_path / "models")
    (tmp_path / "text.onnx").write_text("no graph")
    with pytest.raises(TrainingError, match="is no ONNX file"):
        import_onnx(tmp_path / "text.onnx", "someone", tmp_path / "models")
    with pytest.raises(ReleaseError, match="model is 'Some One'"):
        import_onnx(IRIS, "Some One", tmp_path / "models")
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("{", "cannot be read"),
        ('{"input": []}', "allowed is a JSON object with inputs and outputs"),
        ('{"inputs": [{"name": "z"}]}', "inputs names z; allowed: what the graph has, input"),
        ('{"inputs": [{"name": "input", "dtype": "int64", "shape": [null, 2]}]}', "the graph has float32 [any, 2]"),
        ('{"inputs": [{"name": "input", "dtype": "float32", "shape": [null, 3]}]}', "the graph has float32 [any, 2]"),
    ],
)
def test_a_schema_that_does_not_fit(document: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text(document)
    with pytest.raises(TrainingError) as caught:
        import_onnx(save(small_graph(), tmp_path), "some", tmp_path / "m", schema=read_schema(tmp_path / "schema.json"))
    assert says in str(caught.value)


def test_rows_of_one_class_are_enough_to_measure_an_import(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", X=iris().X[:3], y=iris().y[:3])
    assert len(read_rows(str(tmp_path / "rows.npz")).y) == 3


@pytest.mark.parametrize("labels", [False, True], ids=["numbers", "texts"])
@pytest.mark.parametrize("kind", [LogisticRegression, KNeighborsClassifier])
def test_an_estimator(kind: Any, labels: bool, tmp_path: Path) -> None:
    data, unseen = iris(slice(0, None, 2)), iris(slice(1, None, 2))
    names = np.array(["setosa", "versicolor", "virginica"])
    right, truth = (names[each.y] if labels else each.y for each in (data, unseen))
    estimator = (kind(max_iter=500) if kind is LogisticRegression else kind()).fit(data.X, right)
    metadata = served(import_estimator(estimator, Dataset(unseen.X, truth, "iris"), "iris", tmp_path))
    assert metadata["class_labels"] == (names.tolist() if labels else ["0", "1", "2"])
    assert metadata["metrics"]["test_accuracy"] == pytest.approx(np.mean(estimator.predict(unseen.X) == truth))


@pytest.mark.parametrize(
    ("estimator", "says"),
    [
        (LogisticRegression(), "has no classes_"),
        (LinearRegression(), "has no predict_proba"),
        (SVC(), "has no predict_proba"),
        (LogisticRegression().fit(np.eye(3), [0, 1, 1]), "takes rows of 3 numbers, the data has [4]"),
    ],
)
def test_an_estimator_that_cannot_be_released(estimator: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        import_estimator(estimator, iris(), "iris", tmp_path)
    assert says in str(caught.value)
    assert list(tmp_path.iterdir()) == []
