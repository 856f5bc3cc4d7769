"""`python -m model_server`: reads the environment, serves one release, exits with a code of `errors.Exit`."""

from __future__ import annotations

import logging
import os
import socket
import sys

from model_server import address, configs, logs
from model_server import settings as settings_module
from model_server.errors import StartError
from model_server.worker import Worker


def main() -> int:
    """Start, serve, and say by the exit code how it ended."""
    logs.apply(logs.read(None, None))
    worker = Worker.read(os.environ)
    try:
        settings = settings_module.read(os.environ)
        found = configs.read(settings)
        logs.apply(found.log, settings.log_folder, settings.log_retention_days)
        if worker is not None:
            sock = socket.socket(fileno=worker.socket)
        else:
            sock = address.bind(settings.host, settings.port)
            if settings.workers > 1:
                from model_server import supervisor

                return supervisor.run(settings, sock)
        # Connections wait in the socket's backlog while numpy and ONNX Runtime are imported (about half a second).
        from model_server import serve

        return serve.run(settings, found, sock, worker)
    except StartError as error:
        logging.getLogger("model_server").critical("%s", error)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
