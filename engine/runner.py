"""Runs the user's program in a child process. Its source is given to `python -c`; it imports nothing of ours.

What it needs comes as a line of JSON on standard input: config may hold secrets, and arguments can be seen by everyone.
Where a rehearsal is asked for, a fork runs the program in dry-run mode first; its exit code is reported, and the
program runs for real once a further line says so.
"""

import asyncio
import inspect
import json
import logging
import os
import runpy
import select
import sys
import tempfile
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

# `python -c` puts the working directory first; runpy adds the program's folder itself, while the program runs.
sys.path[:] = [entry for entry in sys.path if entry != ""]

import pulumi  # noqa: E402
from pulumi.runtime import Settings, configure, run_in_stack, set_all_config  # noqa: E402


def end_with_engine() -> None:
    """End this process once the engine has closed its end of the pipe, were it by `kill -9`."""
    poller = select.poll()
    poller.register(FROM_ENGINE, 0)  # no event but the hang-up: what comes through is read elsewhere
    poller.poll()
    os._exit(1)


def run(settings: dict) -> int:
    """Run the program once; its exit code."""
    threading.Thread(target=end_with_engine, daemon=True).start()
    known = inspect.signature(Settings.__init__).parameters
    configure(Settings(**{key: value for key, value in settings.items() if key in known}))
    set_all_config(job["config"], job["secret_keys"])
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    executor = ThreadPoolExecutor(max_workers=settings["parallel"])
    loop.set_default_executor(executor)
    # A failed deployment leaves futures that nobody awaits; asyncio would complain about each.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        loop.run_until_complete(run_in_stack(execute))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return 1
    except SystemExit as error:
        if isinstance(error.code, str):
            pulumi.log.error(error.code)
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except Exception as error:
        # From the program's own first line on: what is above it is this runner and the SDK.
        frames = traceback.extract_tb(error.__traceback__)
        above = [number for number, frame in enumerate(frames) if "runpy" in frame.filename]
        lines = traceback.format_list(frames[above[-1] + 1 :] if above else frames)
        lines += traceback.format_exception_only(type(error), error)
        pulumi.log.error("the program raised an exception:\n" + "".join(lines).rstrip())
        return 1
    finally:
        executor.shutdown(wait=True)
        loop.close()
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def execute() -> None:
    runpy.run_path(job["program"], run_name="__main__")


def rehearse() -> int:
    """Run the program in a fork, whose output is shown only if it fails; its exit code."""
    with tempfile.TemporaryFile() as printed:
        child = os.fork()
        if child == 0:
            os.dup2(printed.fileno(), 1)
            os.dup2(printed.fileno(), 2)
            code = 1
            try:
                code = run(job["rehearsal"])
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code:
            printed.seek(0)
            sys.stderr.buffer.write(printed.read())
    return code


FROM_ENGINE = os.dup(0)
line = sys.stdin.readline()
if not line:  # the engine gave up before it had work for us
    sys.exit(0)
job = json.loads(line)
# Every debug message would be a call that is waited for, and the engine tells nobody of them.
pulumi.log.debug = lambda *_, **__: None
if job.get("lazy_sdk"):
    runpy.run_path(job["lazy_sdk"])["install"]()
sys.argv = [job["program"]]
os.chdir(job["folder"])
if "rehearsal" in job:
    os.write(job["report"], f"{rehearse()}\n".encode())
    if sys.stdin.readline().strip() != "go":
        sys.exit(0)
# The program shall not read what is between us and the engine.
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
sys.exit(run(job["settings"]))
