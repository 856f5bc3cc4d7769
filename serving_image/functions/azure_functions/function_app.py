"""Azure Functions: requests by the ASGI application, and files dropped into a blob container.

Everything is loaded at import, which is when the worker indexes the functions.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import azure.functions as func
from model_server.embedded import EmbeddedApp
from model_server.errors import Exit, StartError

from functions import dropped

#: Prefix of the settings of the connection to the blob store; identity-based, so it holds no key.
#: https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-blob-trigger#identity-based-connections
CONNECTION = "SCORE_STORAGE"

_app = EmbeddedApp()
_triggers = dropped.triggers()

if dropped.HTTP in _triggers:
    # Who may call is the platform's authentication's business, not a key's in a URL.
    app: func.FunctionApp | func.AsgiFunctionApp = func.AsgiFunctionApp(
        app=_app, http_auth_level=func.AuthLevel.ANONYMOUS, function_name="predict"
    )
else:
    app = func.FunctionApp()

if dropped.BUCKET in _triggers:
    _output = dropped.output_uri()
    _service = os.environ.get(f"{CONNECTION}__blobServiceUri", "")
    _account = urlsplit(_service).netloc.split(".")[0]
    if not _account:
        raise StartError(
            Exit.BAD_SETTING,
            f"environment variable {CONNECTION}__blobServiceUri is {_service!r}; allowed: the blob service of the "
            "account that files are dropped into, such as https://account.blob.core.windows.net",
        )

    @app.function_name(name="score")
    # Event Grid tells of new blobs at once; polling is not there on a Flex Consumption plan.
    @app.blob_trigger(
        arg_name="blob", path="%SCORE_INPUT_PATH%/{name}", connection=CONNECTION, source=func.BlobSource.EVENT_GRID
    )
    def score(blob: func.InputStream) -> None:
        """Score the blob; its own content is not taken from the binding, which would hold all of it in memory."""
        dropped.score(f"az://{_account}/{blob.name}", _app.model, _output)
