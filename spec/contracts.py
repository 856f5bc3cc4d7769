"""The HTTP contracts that the server answers: one table that drives its router, its tests and docs/contracts.md.

Stdlib only: the infrastructure reads ports, routes and names of environment variables from here, the server reads the
table. A path holds `{model}`, `{version}` and `{label}` where a client names what it wants.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Where the server listens unless a platform says otherwise. SageMaker and TorchServe fix it; the others may choose.
DEFAULT_PORT = 8080

# Environment variables of the server's own.
MODEL_URI = "MODEL_URI"
MODEL_NAME = "MODEL_NAME"
HOST = "HOST"
PORT = "PORT"
LOG_LEVEL = "LOG_LEVEL"

#: Ready and live, for people, Kubernetes, Cloud Run and Container Apps.
LIVE_PATH = "/livez"
READY_PATH = "/readyz"
METRICS_PATH = "/metrics"
OPENAPI_PATH = "/openapi.json"
DOCS_PATH = "/docs"

# Names of contracts, as they stand in metrics and documents.
CONTAINER = "container"
OIP = "open-inference-protocol"
HUMAN = "human"


@dataclass(frozen=True)
class Route:
    """One route of one contract.

    operation: what the server does; contracts that mean the same name the same operation.
    """

    contract: str
    operation: str
    method: str
    path: str
    says: str


ROUTES: tuple[Route, ...] = (
    Route(CONTAINER, "live", "GET", LIVE_PATH, "the process answers"),
    Route(CONTAINER, "ready", "GET", READY_PATH, "a release is loaded, and its warm prediction was right"),
    Route(CONTAINER, "metrics", "GET", METRICS_PATH, "Prometheus metrics"),
    Route(OIP, "oip_server", "GET", "/v2", "name, version and extensions of the server"),
    Route(OIP, "oip_live", "GET", "/v2/health/live", "the process answers"),
    Route(OIP, "oip_ready", "GET", "/v2/health/ready", "a release is loaded"),
    Route(OIP, "oip_model", "GET", "/v2/models/{model}", "inputs and outputs of the model"),
    Route(OIP, "oip_model", "GET", "/v2/models/{model}/versions/{version}", "the same of one release"),
    Route(OIP, "oip_model_ready", "GET", "/v2/models/{model}/ready", "the model can predict"),
    Route(OIP, "oip_model_ready", "GET", "/v2/models/{model}/versions/{version}/ready", "the same of one release"),
    Route(OIP, "oip_infer", "POST", "/v2/models/{model}/infer", "predict"),
    Route(OIP, "oip_infer", "POST", "/v2/models/{model}/versions/{version}/infer", "predict with one release"),
    Route(HUMAN, "fastapi", "GET", OPENAPI_PATH, "OpenAPI description of every route"),
    Route(HUMAN, "fastapi", "GET", DOCS_PATH, "the same as a page"),
)
