"""One of each resource that the stacks are built from, per cloud, with right inputs."""

from __future__ import annotations

import functools
import runpy
from pathlib import Path

from operations.schema.findings import Recording
from operations.schema.mocked import of_function

FOLDER = Path(__file__).resolve().parent
CONFIG = {
    "aws": {"aws:region": "us-east-1"},
    "azure": {"azure-native:location": "westeurope"},
    "gcp": {"gcp:project": "schema-project", "gcp:region": "europe-west1"},
}


@functools.cache
def recording(cloud: str) -> Recording:
    """What a cloud's program asks for. Recorded once per run of the tests; not to be changed."""
    program = FOLDER / cloud / "__main__.py"
    return of_function(lambda: runpy.run_path(str(program)) and None, CONFIG[cloud])
