"""Runs the user's program in a child process. Its source is given to `python -c`; it imports nothing of ours.

All it needs comes as JSON on standard input: config may hold secrets, and arguments can be seen by everyone.
"""

import asyncio
import inspect
import json
import logging
import os
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor

# `python -c` puts the working directory first; runpy adds the program's folder itself, while the program runs.
sys.path[:] = [entry for entry in sys.path if entry != ""]

import pulumi  # noqa: E402
from pulumi.runtime import Settings, configure, run_in_stack, set_all_config  # noqa: E402

job = json.load(sys.stdin)
wanted = inspect.signature(Settings.__init__).parameters
configure(Settings(**{key: value for key, value in job["settings"].items() if key in wanted}))
set_all_config(job["config"], job["secret_keys"])
sys.argv = [job["program"]]
os.chdir(job["folder"])


def program():
    runpy.run_path(job["program"], run_name="__main__")


loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
executor = ThreadPoolExecutor(max_workers=job["settings"]["parallel"])
loop.set_default_executor(executor)
# A failed deployment leaves futures that nobody awaits; asyncio would complain about each.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)
code = 1
try:
    loop.run_until_complete(run_in_stack(program))
    code = 0
except pulumi.RunError as error:
    pulumi.log.error(str(error))
except SystemExit as error:
    code = error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(error.code, str):
        pulumi.log.error(error.code)
except Exception as error:
    # From the program's own first line on: what is above it is this runner and the SDK.
    frames = traceback.extract_tb(error.__traceback__)
    own = [number for number, frame in enumerate(frames) if "runpy" in frame.filename]
    lines = traceback.format_list(frames[own[-1] + 1 :] if own else frames)
    lines += traceback.format_exception_only(type(error), error)
    pulumi.log.error("the program raised an exception:\n" + "".join(lines).rstrip())
finally:
    executor.shutdown(wait=True)
    loop.close()
    sys.stdout.flush()
    sys.stderr.flush()
sys.exit(code)
