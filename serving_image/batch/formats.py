"""The three file formats: rows of a file as inputs of a model, and outputs as a file. A row is what the server takes.

jsonl  one instance per line, as in the server's `{"instances": […]}`
csv    one row per line, for models with one input; `header` skips the first line
npz    one array per input, by its name; the only input's array may have any name
"""

from __future__ import annotations

import csv
import io
import itertools
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import orjson
from model_server.codecs import rows
from model_server.codecs.base import Call, Limits
from model_server.codecs.sagemaker import cast, from_csv_lines
from model_server.errors import Exit, RequestError, StartError
from model_server.model import Model
from model_server.tensors import Array, Arrays, batch_rows

from batch.locations import Location, Stream

FORMATS = ("jsonl", "csv", "npz")
#: Endings of a file's name, by format.
ENDINGS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".npz": "npz"}


class BadRowsError(Exception):
    """Rows that the model does not take; the text says which."""


def format_of(uri: str) -> str:
    """The format that a file's name says. Raises StartError."""
    for ending, name in ENDINGS.items():
        if uri.lower().endswith(ending):
            return name
    raise StartError(
        Exit.BAD_SETTING,
        f"the format of {uri!r} is not known; allowed endings: {', '.join(ENDINGS)}, or name it with --format",
    )


class Source:
    """Rows of a file, so many at a time. `rows` counts those that were read, skipped ones too."""

    def __init__(self, location: Location, kind: str, *, header: bool) -> None:
        self._location = location
        self._kind = kind
        self._header = header
        self._stream: Stream | None = None
        self.rows = 0

    @property
    def done(self) -> float:
        """Share of the file that was read, 0 to 1."""
        if self._stream is None or not self._stream.size:
            return 1.0
        return min(self._stream.tell() / self._stream.size, 1.0)

    def parts(self, model: Model, size: int, skip: int) -> Iterator[tuple[int, Arrays, int]]:
        """First row, inputs and number of rows of each part, without the first `skip` parts.

        Raises BadRowsError.
        """
        if self._kind == "npz":
            yield from self._arrays(model, size, skip)
            return
        self._stream = Stream(self._location)
        text = io.TextIOWrapper(io.BufferedReader(self._stream, 1 << 20), encoding="utf-8", newline="")
        try:
            lines: Iterator[Any]
            if self._kind == "csv":
                lines = filter(None, csv.reader(text, strict=True))
            else:
                lines = (line for line in text if line.strip())
            if self._header:
                next(lines, None)
            for index in itertools.count():
                part = list(itertools.islice(lines, size))
                if not part:
                    return
                self.rows += len(part)
                if index >= skip:
                    yield index * size, *self._decode(model, part, index * size)
        except (UnicodeDecodeError, csv.Error) as error:
            raise BadRowsError(f"{self._location.uri} is not {self._kind} in UTF-8: {error}") from None

    def _decode(self, model: Model, part: list[Any], first: int) -> tuple[Arrays, int]:
        limits = Limits(len(part), 0)
        try:
            if self._kind == "csv":
                return from_csv_lines(model, part, limits)
            return rows.from_instances(model, [_json(line, first + at) for at, line in enumerate(part)], limits, "rows")
        except RequestError as error:
            last = first + len(part) - 1
            raise BadRowsError(
                f"{self._location.uri}, rows {first} to {last} (indices count from row {first}): {error.message}"
            ) from None

    def _arrays(self, model: Model, size: int, skip: int) -> Iterator[tuple[int, Arrays, int]]:
        import obstore

        data = bytes(obstore.get(self._location.store, self._location.key).bytes())
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                feeds = {name: cast(model.inputs_by_name[name], file[key]) for name, key in _names(model, file.files)}
            total = self.rows = batch_rows(feeds)
            for first in range(skip * size, total, size):
                cut = {name: array[first : first + size] for name, array in feeds.items()}
                count = batch_rows(cut)
                yield first, {spec.name: spec.check(cut[spec.name], count) for spec in model.inputs}, count
        except RequestError as error:
            raise BadRowsError(f"{self._location.uri}: {error.message}") from None
        except (ValueError, OSError, zipfile.BadZipFile) as error:
            raise BadRowsError(f"{self._location.uri} is no npz of plain arrays: {error}") from None


def _json(line: str, row: int) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise RequestError(400, f"row {row} is no JSON: {error}") from None


def _names(model: Model, keys: Sequence[str]) -> list[tuple[str, str]]:
    """Input and key of the array that holds it."""
    wanted = list(model.inputs_by_name)
    if sorted(keys) == sorted(wanted):
        return [(name, name) for name in wanted]
    if len(keys) == len(wanted) == 1:
        return [(wanted[0], keys[0])]
    raise RequestError(400, f"the file holds {sorted(keys)}; this model takes exactly {wanted}")


def encode(model: Model, count: int, answers: Sequence[Array], kind: str) -> bytes:
    """Outputs of some rows as a file. The same outputs are always the same bytes."""
    if kind == "npz":
        return _npz({spec.name: array for spec, array in zip(model.outputs, answers, strict=True)})
    if kind == "csv":
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows.flat_rows(answers))
        return text.getvalue().encode()
    predictions = rows.to_predictions(model, Call({}, count), answers)
    return b"".join(
        orjson.dumps(entry, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE) for entry in predictions
    )


def _npz(arrays: Arrays) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.save(member, array.astype(np.str_) if array.dtype.kind == "O" else array, allow_pickle=False)
            # numpy's own writer puts the time of day into the file.
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), member.getvalue())
    return file.getvalue()
