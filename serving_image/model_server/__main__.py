"""`python -m model_server`: reads the environment, serves one release, exits with a code of `errors.Exit`."""

from __future__ import annotations

import logging
import os
import sys

from model_server import address
from model_server import settings as settings_module
from model_server.errors import StartError


def main() -> int:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    log = logging.getLogger("model_server")
    try:
        settings = settings_module.read(os.environ)
        log.setLevel(settings.log_level.upper())
        sock = address.bind(settings.host, settings.port)
        # Connections wait in the socket's backlog while numpy and ONNX Runtime are imported (about half a second).
        from model_server import serve

        return serve.run(settings, sock)
    except StartError as error:
        log.critical("%s", error)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
