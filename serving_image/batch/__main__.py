"""`score`: predict every row of a file and write the results beside nothing else in a folder.

  score --model s3://releases/digits/v3 --input s3://data/rows.csv --output s3://results/2026-11-24

Killed in the middle, the same command goes on where it stopped. Exit status 0: done; 65: the input holds rows that the
model does not take; 143: stopped by SIGTERM.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from typing import Any

from model_server import limits, logs
from model_server import model as models
from model_server.errors import Exit, StartError
from model_server.source import local_folder

from batch import formats, scoring
from batch.locations import locate
from spec import contracts

log = logging.getLogger("model_server")

STOPPED = 143  # 128 + SIGTERM, as shells say it
MOST_ROWS = 1_000_000


def main(arguments: list[str] | None = None) -> int:
    """Run the command. Returns the exit code."""
    options = _options(arguments)
    logs.apply(logs.read(None, None))
    told: list[int] = []
    # Process 1 of a container ignores SIGTERM unless it says what to do. The part under way is finished first.
    signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    try:
        return _score(options, lambda: bool(told))
    except scoring.StoppedError as stopped:
        log.warning("%s", stopped)
        return STOPPED
    except StartError as error:
        log.critical("%s", error)
        return error.exit_code
    except formats.BadRowsError as error:
        log.critical("%s", error)
        return Exit.TAMPERED


def _score(options: argparse.Namespace, stopped: scoring.Stopped) -> int:
    kind = options.format or formats.format_of(options.input)
    if options.header and kind != "csv":
        raise StartError(Exit.BAD_SETTING, f"--header is for csv; the input is {kind}")
    source, folder = locate(options.input), locate(options.output)
    model = models.load(local_folder(options.model), name=None, threads=limits.threads_per_process(1))
    job = scoring.describe(
        source, model, kind, header=options.header, output=options.output_format, rows_per_part=options.rows_per_part
    )
    done = scoring.score(job, source, folder, model, stopped)
    log.info("done: %d rows in %d parts at %s", done.rows, done.parts, folder.uri)
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("score", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    model: dict[str, Any] = (
        {"default": os.environ[contracts.MODEL_URI]} if os.environ.get(contracts.MODEL_URI) else {"required": True}
    )
    parser.add_argument("--model", help=f"folder or URI of one release; default: {contracts.MODEL_URI}", **model)
    parser.add_argument("--input", required=True, help="path or URI of a file: .jsonl, .csv or .npz")
    parser.add_argument("--output", required=True, help="path or URI of the folder for the results")
    parser.add_argument("--format", choices=formats.FORMATS, help="of the input, where its name does not say it")
    parser.add_argument("--header", action="store_true", help="the first line of the CSV names columns")
    parser.add_argument("--output-format", choices=formats.FORMATS, default="jsonl", help="default: jsonl")
    parser.add_argument("--rows-per-part", type=_count, default=10_000, help="default: 10000")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MOST_ROWS:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: whole numbers from 1 to {MOST_ROWS}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
