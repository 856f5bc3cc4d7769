"""What a rehearsal changes and expects: ``rehearsal.yaml`` beside the program.

config: {app:protect: false}          # on top of the stack's config, from the start
changes:                              # kind → config to set (they add up), what must follow
  scale: {config: {app:instances: "2"}, expect: {update: ["aws:ecs/service:Service"]}}
drift:                                # what happens behind the program's back
  - {match: "aws:s3/bucket:Bucket", set: {tags: {owner: somebody}}}
existing:                             # what is there before the program
  - {type: "aws:ec2/vpc:Vpc", id: vpc-0123456789abcdef0, outputs: {}}
retained: ["aws:s3/bucketObjectv2:BucketObjectv2"]  # may be left in the cloud when they are deleted
removed: ["aws:sagemaker/model:Model"]  # are kept by the engine (retain_on_delete), but something else removes them
stateful: ["aws:s3/bucket:Bucket"]      # no change may replace one
releases: {digits: 2}                   # made for the rehearsal, in place of the program's own folder of models
apis: {sagemaker: ["pulumi-python:*"]}  # dynamic resources that call a vendor's API, which is then played
harmless: ["pulumi-python:*Token"]      # dynamic resources that change nothing but the state
"""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from operations.errors import OperationError

#: Kinds of change that every program should define, in this order, and what each must at least do and must not do.
KINDS: dict[str, dict[str, tuple[str, ...]]] = {
    "release": {"any": ("create", "update", "replace")},
    "scale": {"any": ("update", "replace")},
    "target added": {"any": ("create",), "never": ("delete", "replace")},
    "target removed": {"any": ("delete",), "never": ("create", "replace")},
    "region added": {"any": ("create",), "never": ("delete", "replace")},
    "key rotated": {"any": ("create", "update", "replace")},
}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Expectation(_Model):
    """Types (tokens or globs) that must have a step of this op."""

    create: tuple[str, ...] = ()
    update: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()


class Change(_Model):
    """One kind of change: config to set, and what must follow."""

    config: dict[str, Any] = Field(min_length=1)
    expect: Expectation = Expectation()


class Drift(_Model):
    """A change behind the program's back: properties to set, or a deletion."""

    match: str
    set: dict[str, Any] = {}
    delete: bool = False


class Existing(_Model):
    """Something that was there before the program."""

    type: str
    id: str
    outputs: dict[str, Any] = {}


class Settings(_Model):
    """The whole file."""

    config: dict[str, Any] = {}
    changes: dict[str, Change] = {}
    drift: tuple[Drift, ...] = ()
    existing: tuple[Existing, ...] = ()
    retained: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    stateful: tuple[str, ...] = ()
    releases: dict[str, PositiveInt] = {}
    apis: dict[Literal["sagemaker"], tuple[str, ...]] = {}
    harmless: tuple[str, ...] = ()

    def plays(self, token: str) -> bool:
        """Whether a type of the program's own does nothing outside the state but through APIs that are played."""
        globs = [*self.harmless, *(glob for some in self.apis.values() for glob in some)]
        return any(fnmatch.fnmatchcase(token, glob) for glob in globs)


def load(folder: Path, stack: str) -> Settings:
    """``rehearsal.<stack>.yaml`` or ``rehearsal.yaml`` of a program's folder, else nothing but the life itself.

    Raises OperationError naming the file, the field and what is wrong.
    """
    for file in (folder / f"rehearsal.{stack}.yaml", folder / "rehearsal.yaml"):
        if not file.exists():
            continue
        try:
            return Settings.model_validate(yaml.safe_load(file.read_text()) or {})
        except yaml.YAMLError as error:
            raise OperationError(f"{file} is not YAML: {error}") from None
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise OperationError(f"{file}: {told}. Its fields are {', '.join(Settings.model_fields)}") from None
    return Settings()
