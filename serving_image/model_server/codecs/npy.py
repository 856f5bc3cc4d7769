"""NPY files that a client sends: the array in them, without a copy.

numpy's own reader evaluates the header as a Python expression, which fails in as many ways as there are expressions.
The format's page promises less: a dict of three entries, read here as just that.
https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import re
from math import prod

import numpy as np

from model_server.tensors import Array

_MAGIC = b"\x93NUMPY"
#: Version -> bytes of the header's length.
_LENGTH_BYTES = {(1, 0): 2, (2, 0): 4, (3, 0): 4}
#: Bytes of a header; that of a plain array is far below it.
_MAX_HEADER = 10_000
#: Axes that numpy can have.
_MAX_AXES = 32
_ENTRY = re.compile(
    rb"""\s*(?P<quote>['"])(?:
        (?P<descr>descr)(?P=quote)\s*:\s*(?P<q>['"])(?P<dtype>[<>|=]?[a-zA-Z]\d{0,9})(?P=q)
        |(?P<order>fortran_order)(?P=quote)\s*:\s*(?P<fortran>True|False)
        |(?P<shape>shape)(?P=quote)\s*:\s*\((?P<sizes>[\d\sL,]{0,1000})\)
    )\s*(?:,|(?=\s*\}))""",
    re.VERBOSE,
)


def read(body: bytes) -> Array:
    """The array of a file. Raises ValueError that says what is wrong; a file of Python objects is one, as they are
    pickles.
    """
    start, header = _header(body)
    entries: dict[str, bytes] = {}
    at = 1
    while match := _ENTRY.match(header, at):
        at = match.end()
        name = "descr" if match["descr"] else "fortran_order" if match["order"] else "shape"
        if name in entries:
            raise ValueError(f"its header has {name!r} twice")
        entries[name] = match["dtype"] or match["fortran"] or match["sizes"]
    if header[:1] != b"{" or header[at:].strip() != b"}" or len(entries) != 3:
        raise ValueError("its header is no dict of 'descr', 'fortran_order' and 'shape', of one plain datatype")
    dtype = _dtype(entries["descr"])
    shape = _shape(entries["shape"])
    expected = dtype.itemsize * prod(shape)
    if len(body) - start != expected:
        raise ValueError(f"its header says {expected} bytes of data, it has {len(body) - start}")
    array = np.frombuffer(body, dtype=dtype, offset=start) if expected else np.empty(0, dtype=dtype)
    return array.reshape(shape, order="F" if entries["fortran_order"] == b"True" else "C")


def _header(body: bytes) -> tuple[int, bytes]:
    """Where the data begin, and the header's text."""
    if not body.startswith(_MAGIC):
        raise ValueError("it does not begin as one")
    size = _LENGTH_BYTES.get(tuple(body[6:8]))  # pyright: ignore[reportArgumentType] # shorter ones are in no version
    if size is None:
        raise ValueError("its version is none of 1.0, 2.0 and 3.0")
    length = int.from_bytes(body[8 : 8 + size], "little")
    start = 8 + size + length
    if length > _MAX_HEADER or start > len(body):
        raise ValueError(f"its header has {length} bytes; allowed: up to {_MAX_HEADER}, all of them there")
    return start, body[8 + size : start].strip()


def _dtype(text: bytes) -> np.dtype[np.generic]:
    try:
        dtype = np.dtype(text.decode())
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"numpy has no datatype {text.decode()!r}") from None
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are never loaded")
    if dtype.itemsize == 0:
        raise ValueError("its values have no size")
    return dtype


def _shape(text: bytes) -> tuple[int, ...]:
    sizes = [size.strip().removesuffix(b"L") for size in text.split(b",")]
    if sizes[-1] == b"":
        sizes.pop()
    if len(sizes) > _MAX_AXES or not all(size.isdigit() and len(size) <= 18 for size in sizes):
        raise ValueError(f"its shape is no tuple of up to {_MAX_AXES} sizes")
    return tuple(map(int, sizes))
