"""Vendors' APIs that a program's own dynamic resources call: played over the fake cloud while a rehearsal lasts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from engine.standin import FakeCloud
from operations.rehearsal.settings import Settings


@contextlib.contextmanager
def played_apis(cloud: FakeCloud, settings: Settings) -> Iterator[None]:
    """Lead the vendors' libraries to APIs over this cloud; only those that ``rehearsal.yaml`` names.

    The process environment is set for the time: engines hand it on to the program and to its dynamic resources.
    """
    if "sagemaker" not in settings.apis:
        yield
        return
    from engine.standin.sagemaker_api import SageMakerApi

    with SageMakerApi(cloud).server() as server:
        wanted = {
            "AWS_ENDPOINT_URL_SAGEMAKER": server.url,
            # boto3 signs every request, and nobody checks it here.
            "AWS_ACCESS_KEY_ID": "rehearsal",
            "AWS_SECRET_ACCESS_KEY": "rehearsal",
            "NO_PROXY": "127.0.0.1",
        }
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
