"""Two releases side by side, and whether one may take the other's place in a stack."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from spec import release as releases
from spec.release import Release, ReleaseError
from training.errors import TrainingError
from training.preparation import Preparation

#: The metric that a promotion looks at.
METRIC = "test_accuracy"


@dataclass(frozen=True)
class Difference:
    """What differs. metrics: name -> (old, new), None where one has it not. schema: one sentence for each change."""

    metrics: dict[str, tuple[float | None, float | None]]
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)


def diff(old: Release, new: Release) -> Difference:
    """Compare metrics and schema of two releases. Raises ReleaseError."""
    before, after = (releases.read_metadata(release.path) for release in (old, new))
    names = [*before.get("metrics", {}), *(name for name in after.get("metrics", {}) if name not in before["metrics"])]
    metrics = {name: (before["metrics"].get(name), after["metrics"].get(name)) for name in names}
    return Difference(
        metrics,
        _changes(client_inputs(old, before), client_inputs(new, after), "input"),
        _changes(before["outputs"], after["outputs"], "output"),
    )


def client_inputs(release: Release, metadata: dict[str, Any]) -> list[dict[str, Any]]:
    """What a client sends: the graph's inputs, or what `transforms.yaml` declares instead."""
    from spec.transforms import schema

    file = release.path / releases.TRANSFORMS_FILE
    if not file.exists():
        return metadata["inputs"]
    plan = Preparation.read(file).plan(schema(metadata["inputs"]), None)
    return [{"name": entry.name, "dtype": entry.dtype, "shape": list(entry.shape)} for entry in plan.inputs]


def _changes(old: list[dict[str, Any]], new: list[dict[str, Any]], kind: str) -> list[str]:
    before, after = ({entry["name"]: (entry["dtype"], entry["shape"]) for entry in side} for side in (old, new))
    gone = [f"{kind} {name!r} is gone" for name in before if name not in after]
    come = [f"{kind} {name!r} is new" for name in after if name not in before]
    other = [
        f"{kind} {name!r} was {_shown(before[name])} and is {_shown(after[name])}"
        for name in before
        if name in after and before[name] != after[name]
    ]
    return [*gone, *come, *other]


def _shown(tensor: tuple[str, list[int | None]]) -> str:
    dtype, shape = tensor
    return f"{dtype} [{', '.join('any' if size is None else str(size) for size in shape)}]"


@dataclass(frozen=True)
class Promotion:
    """What was written. before: what the stack's file said."""

    before: str
    after: str
    file: Path
    compared_with: Release | None


def promote(
    reference: str, stack_file: Path, models_dir: Path, *, margin: float = 0.0, serving: str | None = None
) -> Promotion:
    """Write the release, by its number, into the stack's file; everything else in the file stays as it is.

    margin: by how much the accuracy may be below that of the release in place. serving: the release in place, where
    the stack's file does not say it by number.

    Raises TrainingError or ReleaseError, with nothing changed, where a hash is wrong, the accuracy is lower, or a
    client would have to send something else.
    """
    candidate = releases.resolve(models_dir, reference)
    releases.verify(candidate.path)
    text, start, end, before = _release_in(stack_file)
    current = releases.parse_reference(serving or before)
    compared = None
    if current.model == candidate.model and current.version != candidate.version:
        try:
            compared = releases.resolve(models_dir, current)
            releases.verify(compared.path)
        except ReleaseError as error:
            raise TrainingError(
                f"{stack_file} has {current} in place, which cannot be compared with: {error}. "
                "Fetch it, or name another with --serving"
            ) from None
        if compared != candidate:
            _check(compared, candidate, margin)
    elif current.model != candidate.model:
        raise TrainingError(
            f"{stack_file} serves model {current.model!r}; {candidate} is another model. "
            "Change `release` by hand where that is meant: clients will have to change too"
        )
    _replace(stack_file, text[:start] + str(candidate) + text[end:])
    return Promotion(before, str(candidate), stack_file, compared)


def _check(old: Release, new: Release, margin: float) -> None:
    difference = diff(old, new)
    if difference.inputs:
        raise TrainingError(
            f"{new} takes other inputs than {old}, which is in place: {'; '.join(difference.inputs)}. "
            "Deploy it as a service of its own, or release it with a transforms.yaml that takes the old inputs"
        )
    was, is_now = difference.metrics.get(METRIC, (None, None))
    if was is not None and is_now is None:
        raise TrainingError(f"{new} has no {METRIC}, {old} has {was:.4f}: release it with held-out data (--data)")
    if was is not None and is_now is not None and is_now < was - margin:
        raise TrainingError(
            f"{METRIC} of {new} is {is_now:.4f}, of {old}, which is in place, {was:.4f}; allowed: at most {margin:g} "
            "less. Train a better one, or name a larger --margin"
        )


def _release_in(stack_file: Path) -> tuple[str, int, int, str]:
    """The file's text, and where in it the value of `release` stands."""
    try:
        text = stack_file.read_text(encoding="utf-8")
        root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TrainingError(f"stack file {stack_file} cannot be read: {error}") from None
    config = _entry(root, lambda key: key == "config")
    service = _entry(config, lambda key: key.endswith(":service"))
    value = _entry(service, lambda key: key == "release")
    if not isinstance(value, yaml.ScalarNode):
        raise TrainingError(f"{stack_file} has no config → …:service → release; allowed: a file as Pulumi.dev.yaml")
    return text, value.start_mark.index, value.end_mark.index, value.value


def _entry(node: Any, wanted: Any) -> Any:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if wanted(str(key.value))), None)


def _replace(file: Path, text: str) -> None:
    """Write a neighbour and rename it: a crash leaves the old file or the new one."""
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(temporary).chmod(file.stat().st_mode & 0o777)
        Path(temporary).replace(file)
    finally:
        Path(temporary).unlink(missing_ok=True)
