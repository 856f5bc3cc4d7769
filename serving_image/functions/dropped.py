"""A file that was dropped into a bucket is scored: the same on every function platform, by the batch scorer.

SCORE_OUTPUT_URI says where the results go: into a folder named after the file and after this version of it, so that an
event that comes twice, or that is tried again after a time-out, goes on with the same job. What is wrong with the file
itself is written beside the results as `error.json`: trying it again would not help.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from batch import formats, scoring
from batch.locations import Location, locate
from model_server.errors import Exit, StartError
from model_server.model import Model

log = logging.getLogger("model_server")

OUTPUT_URI = "SCORE_OUTPUT_URI"
TRIGGERS = "FUNCTION_TRIGGERS"
ERROR_FILE = "error.json"
ROWS_PER_PART = 10_000
#: What starts a function: a request, or a file that is dropped into the bucket.
HTTP, BUCKET = "http", "bucket"


class NotOnError(Exception):
    """An event came for a trigger that this function does not have."""


def triggers(env: Mapping[str, str] | None = None) -> frozenset[str]:
    """What starts this function. Raises StartError."""
    text = (os.environ if env is None else env).get(TRIGGERS, HTTP)
    found = frozenset(part.strip() for part in text.split(",") if part.strip())
    if not found or found - {HTTP, BUCKET}:
        raise StartError(
            Exit.BAD_SETTING, f"environment variable {TRIGGERS} is {text!r}; allowed: {HTTP}, {BUCKET}, or both"
        )
    return found


def output_uri(env: Mapping[str, str] | None = None) -> str:
    """Where results go. Raises StartError where it is not set."""
    uri = (os.environ if env is None else env).get(OUTPUT_URI, "").strip().rstrip("/")
    if not uri:
        raise StartError(
            Exit.BAD_SETTING,
            f"environment variable {OUTPUT_URI} is not set; set it to the folder for results, such as s3://bucket/scored",
        )
    return uri


def score(uri: str, model: Model, output: str) -> str | None:
    """Score the file at `uri`; returns the folder of the results.

    None for what this function wrote itself: it may be in the bucket that starts it. Raises what a store raises, so
    that the platform tries again.
    """
    if uri.startswith(f"{output}/"):
        return None
    source = locate(uri)
    folder = f"{output}/{urlsplit(uri).path.lstrip('/')}"
    try:
        kind = formats.format_of(uri)
        job = scoring.describe(source, model, kind, header=False, output="jsonl", rows_per_part=ROWS_PER_PART)
        folder = f"{folder}/{hashlib.sha256(job.input_digest.encode()).hexdigest()[:12]}"
        done = scoring.score(job, source, locate(folder), model)
    except (formats.BadRowsError, StartError) as error:
        if isinstance(error, StartError) and error.exit_code == Exit.STORE_AWAY:
            raise
        log.error("%s was not scored: %s", uri, error)  # noqa: TRY400 # what is wrong with a file needs no traceback
        _write_error(locate(folder), uri, str(error))
        return folder
    log.info("%s: %d rows in %d parts at %s", uri, done.rows, done.parts, folder)
    return folder


def _write_error(folder: Location, uri: str, message: str) -> None:
    import obstore

    text = json.dumps({"input": uri, "error": message}, indent=2).encode() + b"\n"
    obstore.put(folder.store, folder.under(ERROR_FILE), text)
