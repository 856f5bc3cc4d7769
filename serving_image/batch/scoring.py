"""A job: one input file, one release, one folder of results. It can be killed at any moment and run again.

The folder holds `part-00000.jsonl`, … (each written as a whole, in order), `job.json` (what is scored by what, written
first) and `result.json` (written last: rows, and the sha256 of every part). A run that finds parts goes on behind them;
a folder of another job is refused. Nothing in the results depends on when or how often the job was run.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from model_server.errors import Exit, StartError
from model_server.model import Model

from batch import formats
from batch.locations import Location

log = logging.getLogger("model_server")

JOB_FILE = "job.json"
RESULT_FILE = "result.json"
#: Rows that go through the model at once.
RUN_ROWS = 1024


@dataclass(frozen=True)
class Job:
    """What determines the results. input_digest: the store's own mark of this version of the file (ETag and size)."""

    input: str
    input_digest: str
    input_format: str
    header: bool
    release: str
    release_digest: str
    output_format: str
    rows_per_part: int


@dataclass(frozen=True)
class Outcome:
    """rows: all of the input. resumed: parts that an earlier run had done."""

    rows: int
    parts: int
    resumed: int


Stopped = Callable[[], bool]


class StoppedError(Exception):
    """The job was told to stop; its parts are whole, and it can be run again."""


def describe(source: Location, model: Model, kind: str, *, header: bool, output: str, rows_per_part: int) -> Job:
    """The job, once its input is known to be there. Raises StartError."""
    import obstore
    from obstore.exceptions import NotFoundError

    try:
        found = obstore.head(source.store, source.key)
    except (FileNotFoundError, NotFoundError):
        raise StartError(Exit.NO_RELEASE, f"no input at {source.uri}") from None
    mark = f"{found['e_tag']}, {found['size']} bytes"
    return Job(source.uri, mark, kind, header, model.reference, model.digest, output, rows_per_part)


def score(job: Job, source: Location, folder: Location, model: Model, stopped: Stopped = lambda: False) -> Outcome:
    """Run the job to its end. Raises StartError, formats.BadRowsError, StoppedError."""
    _claim(job, folder)
    there = _parts(folder, job.output_format)
    reader = formats.Source(source, job.input_format, header=job.header)
    if there:
        log.info("going on: %d parts are there", len(there))
    began = time.monotonic()
    parts, done = len(there), 0
    for first, feeds, count in reader.parts(model, job.rows_per_part, len(there)):
        if stopped():
            raise StoppedError(f"stopped behind row {first}; run the same command again to go on")
        _write(
            folder,
            _name(parts, job.output_format),
            formats.encode(model, count, _run(model, feeds, count), job.output_format),
        )
        parts += 1
        done += count
        speed = done / max(time.monotonic() - began, 1e-9)
        log.info("%d rows done, %.0f %% of the input, %.0f rows/s", first + count, reader.done * 100, speed)
    return _finish(job, folder, model, len(there), parts, reader.rows)


def _finish(job: Job, folder: Location, model: Model, resumed: int, parts: int, rows: int) -> Outcome:
    names = [_name(index, job.output_format) for index in range(parts)]
    document = {
        **dataclasses.asdict(job),
        "rows": rows,
        "outputs": [spec.name for spec in model.outputs],
        "parts": {name: hashlib.sha256(_read(folder, name) or b"").hexdigest() for name in names},
    }
    _write(folder, RESULT_FILE, _json(document))
    return Outcome(rows, parts, resumed)


def _run(model: Model, feeds: dict[str, Any], count: int) -> list[Any]:
    """Outputs of all rows. Slices are always cut at the same rows, so that a resumed run computes the same numbers."""
    fixed = model.inputs[0].shape[0]
    size = fixed or RUN_ROWS
    if fixed is not None and count % fixed:
        raise formats.BadRowsError(f"{count} rows do not fill batches of {fixed}, which this model takes")
    slices = [
        model.run({name: array[start : start + size] for name, array in feeds.items()})
        for start in range(0, count, size)
    ]
    return [np.concatenate(outputs) for outputs in zip(*slices, strict=True)]


def _claim(job: Job, folder: Location) -> None:
    """Make the folder this job's, or find that it is. Raises StartError where it is another's."""
    import obstore
    from obstore.exceptions import AlreadyExistsError

    mine = _json(dataclasses.asdict(job))
    try:
        obstore.put(folder.store, folder.under(JOB_FILE), mine, mode="create")
    except AlreadyExistsError:
        before = json.loads(_read(folder, JOB_FILE) or b"{}")
        differ = [
            f"{key}: {before.get(key)!r} there, {value!r} now"
            for key, value in dataclasses.asdict(job).items()
            if before.get(key) != value
        ]
        if differ:
            raise StartError(
                Exit.BAD_SETTING,
                f"{folder.uri} holds the results of another job ({'; '.join(differ)}); "
                "name an empty folder, or remove what is in it",
            ) from None


def _parts(folder: Location, kind: str) -> list[str]:
    """Names of the parts that are there without a gap from the first."""
    import obstore

    prefix = folder.key or None
    pattern = re.compile(rf"part-\d{{5}}\.{kind}")
    found: Iterator[Any] = (
        entry["path"].rsplit("/", 1)[-1] for page in obstore.list(folder.store, prefix) for entry in page
    )
    names = {name for name in found if pattern.fullmatch(name)}
    whole: list[str] = []
    while _name(len(whole), kind) in names:
        whole.append(_name(len(whole), kind))
    return whole


def _name(index: int, kind: str) -> str:
    return f"part-{index:05d}.{kind}"


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=2).encode() + b"\n"


def _write(folder: Location, name: str, data: bytes) -> None:
    import obstore

    obstore.put(folder.store, folder.under(name), data)


def _read(folder: Location, name: str) -> bytes | None:
    import obstore
    from obstore.exceptions import NotFoundError

    try:
        return bytes(obstore.get(folder.store, folder.under(name)).bytes())
    except (FileNotFoundError, NotFoundError):
        return None
