"""The Open Inference Protocol's binary tensor extension: raw little-endian values after the JSON.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md (binary data)
"""

from __future__ import annotations

import struct

import numpy as np

from model_server.errors import RequestError
from model_server.tensors import Array, TensorSpec

_LENGTH = struct.Struct("<I")


def from_bytes(spec: TensorSpec, data: memoryview, shape: tuple[int, ...]) -> Array:
    """A tensor from its raw bytes. Raises RequestError where they do not fit the shape."""
    count = 1
    for size in shape:
        count *= size
    if spec.datatype == "BYTES":
        return _strings(spec, data, count).reshape(shape)
    expected = count * spec.dtype.itemsize
    if len(data) != expected:
        raise RequestError(
            400,
            f"input {spec.name!r}: binary_data_size is {len(data)}; its shape and datatype make {expected}",
        )
    if spec.datatype == "BOOL":
        raw = np.frombuffer(data, dtype=np.uint8)
        if raw.size and raw.max() > 1:
            raise RequestError(400, f"input {spec.name!r}: a byte of BOOL is neither 0 nor 1")
        return raw.view(np.bool_).reshape(shape)
    return np.frombuffer(data, dtype=spec.dtype.newbyteorder("<")).astype(spec.dtype, copy=False).reshape(shape)


def _strings(spec: TensorSpec, data: memoryview, count: int) -> Array:
    if count * _LENGTH.size > len(data):
        raise RequestError(400, f"input {spec.name!r}: {len(data)} bytes cannot hold {count} strings")
    texts: list[str] = []
    at = 0
    for index in range(count):
        end = at + _LENGTH.size
        length = _LENGTH.unpack(data[at:end])[0] if end <= len(data) else -1
        if length < 0 or end + length > len(data):
            raise RequestError(400, f"input {spec.name!r}: string {index} of {count} ends beyond the tensor's bytes")
        try:
            texts.append(str(data[end : end + length], "utf-8"))
        except UnicodeDecodeError:
            raise RequestError(400, f"input {spec.name!r}: string {index} of {count} is not UTF-8") from None
        at = end + length
    if at != len(data):
        raise RequestError(400, f"input {spec.name!r}: {len(data) - at} bytes follow the last string")
    return np.array(texts, dtype=object)


def to_bytes(array: Array) -> bytes:
    """Raw bytes of an output."""
    if array.dtype.kind == "O":
        texts = [text if isinstance(text, bytes) else str(text).encode() for text in array.ravel().tolist()]
        return b"".join(part for text in texts for part in (_LENGTH.pack(len(text)), text))
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()


def split(body: bytes, header: bytes | None) -> tuple[memoryview, memoryview]:
    """JSON and the bytes after it. Raises RequestError for a header that does not fit the body."""
    view = memoryview(body)
    if header is None:
        return view, view[len(view) :]
    text = header.strip()
    if not text.isdigit() or len(text) > 12 or int(text) > len(view):
        raise RequestError(
            400,
            f"inference-header-content-length is {header[:40].decode('latin-1')!r}; allowed: 0 to {len(view)}",
        )
    return view[: int(text)], view[int(text) :]
