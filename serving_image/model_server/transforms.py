"""A release's `transforms.yaml`: steps between what a client sends, what the graph takes, and what a client gets."""

from __future__ import annotations

from pathlib import Path

from model_server.errors import Exit, RequestError, StartError
from model_server.tensors import Arrays, TensorSpec
from spec import release as releases
from spec.transforms import TensorSchema, Transforms, TransformsError, plan, schema
from spec.transforms_numpy import UnknownCategoryError, apply


class Steps:
    """The steps of one release, around its graph."""

    def __init__(self, transforms: Transforms) -> None:
        self._transforms = transforms
        self.inputs = _specs(transforms.inputs)
        self.outputs = _specs(transforms.outputs)

    def before(self, feeds: Arrays) -> Arrays:
        """Raises RequestError for a value that no step knows."""
        try:
            return apply(self._transforms.before, feeds)
        except UnknownCategoryError as error:
            raise RequestError(400, f"input {error}") from None

    def after(self, answers: Arrays) -> Arrays:
        return apply(self._transforms.after, answers)


def read(folder: Path, metadata: dict[str, object]) -> Steps | None:
    """The release's steps; None where it has none. Raises StartError where the file does not fit the model."""
    file = folder / releases.TRANSFORMS_FILE
    if not file.is_file():
        return None
    import yaml

    try:
        document = yaml.safe_load(file.read_text())
        return Steps(plan(document, schema(metadata["inputs"]), schema(metadata["outputs"])))  # pyright: ignore[reportArgumentType]
    except (TransformsError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise StartError(Exit.TAMPERED, f"{file}: {error}") from None


def _specs(tensors: tuple[TensorSchema, ...]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(tensor.name, releases.OPEN_INFERENCE_DATATYPES[tensor.dtype], tensor.shape) for tensor in tensors
    )
