"""The HTTP contracts that the server answers: one table that drives its router, its tests and docs/contracts.md.

Stdlib only: the infrastructure reads ports, routes and names of environment variables from here, the server reads the
table. In a path `{model}`, `{version}` and `{label}` stand for what a client names; a path in angle brackets is given
by the environment variable in them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

#: Where the server listens unless a platform says otherwise. SageMaker and TorchServe fix it; the others may choose.
DEFAULT_PORT = 8080
#: Where SageMaker mounts the release.
SAGEMAKER_MODEL_FOLDER = "/opt/ml/model"

# Environment variables of the server's own; `model_server.settings` says what each may hold.
MODEL_URI = "MODEL_URI"
MODEL_NAME = "MODEL_NAME"
HOST = "HOST"
PORT = "PORT"
WORKERS = "WORKERS"
LOG_LEVEL = "LOG_LEVEL"
LOG_CONFIG = "LOG_CONFIG"
LOG_FOLDER = "LOG_FOLDER"
LOG_RETENTION_DAYS = "LOG_RETENTION_DAYS"
METRICS_CONFIG = "METRICS_CONFIG"
CANARY_URI = "CANARY_URI"
CANARY_PERCENT = "CANARY_PERCENT"
CANARY_STICKY_HEADER = "CANARY_STICKY_HEADER"
CAPTURE_URI = "CAPTURE_URI"
CAPTURE_PERCENT = "CAPTURE_PERCENT"
CAPTURE_MAX_MIB = "CAPTURE_MAX_MIB"
CAPTURE_RETENTION_DAYS = "CAPTURE_RETENTION_DAYS"
AUTH_TOKEN_FILE = "AUTH_TOKEN_FILE"  # noqa: S105 # the name of a variable that names a file
ADMIN = "ADMIN"
MAX_BODY_MIB = "MAX_BODY_MIB"
MAX_BATCH = "MAX_BATCH"
MAX_QUEUE = "MAX_QUEUE"
MAX_WAIT_MS = "MAX_WAIT_MS"
MAX_CONNECTIONS = "MAX_CONNECTIONS"
REQUEST_TIMEOUT_SECONDS = "REQUEST_TIMEOUT_SECONDS"
DRAIN_SECONDS = "DRAIN_SECONDS"
GRACE_SECONDS = "GRACE_SECONDS"
EMF_NAMESPACE = "EMF_NAMESPACE"
ALERTS_URL_FILE = "ALERTS_URL_FILE"

# Environment variables that platforms set.
AIP_HTTP_PORT = "AIP_HTTP_PORT"
AIP_HEALTH_ROUTE = "AIP_HEALTH_ROUTE"
AIP_PREDICT_ROUTE = "AIP_PREDICT_ROUTE"
AIP_STORAGE_URI = "AIP_STORAGE_URI"
AZUREML_MODEL_DIR = "AZUREML_MODEL_DIR"

LIVE_PATH = "/livez"
READY_PATH = "/readyz"
METRICS_PATH = "/metrics"
OPENAPI_PATH = "/openapi.json"
DOCS_PATH = "/docs"
ALERTS_PATH = "/alerts"
PAGE_PATH = "/"
#: Files that the page at PAGE_PATH loads; they lie in the server's folder `page`.
PAGE_FILES = ("page.css", "page.js", "metrics.js", "plots.js", "pad.js")

# Headers that the server reads or writes beside those of a contract.
VERSION_HEADER = "x-model-version"
REQUEST_ID_HEADER = "x-request-id"
TIMEOUT_HEADER = "x-request-timeout-ms"
BINARY_HEADER = "inference-header-content-length"
#: The header that every stack with a canary sets as CANARY_STICKY_HEADER: one value of it, one release.
STICKY_HEADER = "x-sticky-key"

#: The newest file of LOG_FOLDER has this name too.
LOG_LINK = "server.log"

# Labels of a path that name a release by its role.
STABLE_LABEL = "stable"
CANARY_LABEL = "canary"

# Names of contracts, as they stand in metrics and documents.
SAGEMAKER = "sagemaker"
VERTEX = "vertex-ai"
AZURE_ML = "azure-ml"
OIP = "open-inference-protocol"
TENSORFLOW_SERVING = "tensorflow-serving"
TORCHSERVE = "torchserve"
CONTAINER = "container"
HUMAN = "human"
ADMINISTRATION = "admin"

_JSON = ("application/json",)


@dataclass(frozen=True)
class Contract:
    """A dialect that a platform or client speaks.

    variables: environment variables of the platform that the server obeys. error: shape of an error's body.
    busy_status: what a full queue is answered with; platforms retry on their own code.
    source: the vendor's page.
    """

    name: str
    title: str
    error: str
    source: str
    busy_status: int = 503
    variables: tuple[str, ...] = ()


@dataclass(frozen=True)
class Route:
    """One route of one contract.

    operation: what the server does; contracts that mean the same name the same operation. accepts: content types.
    """

    contract: str
    operation: str
    method: str
    path: str
    says: str
    accepts: tuple[str, ...] = field(default=())

    @property
    def variable(self) -> str | None:
        """The environment variable that gives the path, where it is not fixed."""
        return self.path[1:-1] if self.path.startswith("<") else None


_MMS_ERROR = '{"code": 400, "type": "BadRequestException", "message": "…"}'

CONTRACTS: tuple[Contract, ...] = (
    Contract(
        SAGEMAKER,
        "Amazon SageMaker",
        _MMS_ERROR,
        "https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html",
    ),
    Contract(
        VERTEX,
        "Google Vertex AI",
        '{"error": {"code": 400, "message": "…", "status": "INVALID_ARGUMENT"}}',
        "https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements",
        busy_status=429,
        variables=(AIP_HTTP_PORT, AIP_HEALTH_ROUTE, AIP_PREDICT_ROUTE, AIP_STORAGE_URI),
    ),
    Contract(
        AZURE_ML,
        "Azure Machine Learning",
        '{"message": "…"}',
        "https://learn.microsoft.com/azure/machine-learning/how-to-deploy-custom-container",
        busy_status=429,
        variables=(AZUREML_MODEL_DIR,),
    ),
    Contract(
        OIP,
        "Open Inference Protocol v2 (KServe, Triton)",
        '{"error": "…"}',
        "https://github.com/kserve/open-inference-protocol",
    ),
    Contract(
        TENSORFLOW_SERVING,
        "TensorFlow Serving REST",
        '{"error": "…"}',
        "https://www.tensorflow.org/tfx/serving/api_rest",
    ),
    Contract(TORCHSERVE, "TorchServe inference", _MMS_ERROR, "https://pytorch.org/serve/inference_api.html"),
    Contract(
        CONTAINER,
        "Cloud Run, Container Apps, Kubernetes",
        '{"error": "…"}',
        "https://cloud.google.com/run/docs/container-contract",
        variables=(PORT,),
    ),
    Contract(HUMAN, "People", '{"error": "…"}', "https://spec.openapis.org/oas/v3.1.0"),
    Contract(ADMINISTRATION, "Administration (off unless ADMIN=on)", '{"error": "…"}', ""),
)

_TFS = "/v1/models/{model}"
_TFS_VERSION = "/v1/models/{model}/versions/{version}"
_TFS_LABEL = "/v1/models/{model}/labels/{label}"
_OIP = "/v2/models/{model}"
_OIP_VERSION = "/v2/models/{model}/versions/{version}"
_OIP_BODIES = ("application/json", "application/octet-stream")

#: The order matters where two contracts have one path: what a platform's variables give comes first.
ROUTES: tuple[Route, ...] = (
    Route(VERTEX, "health", "GET", f"<{AIP_HEALTH_ROUTE}>", "200 once a release is loaded, 503 before"),
    Route(VERTEX, "vertex_predict", "POST", f"<{AIP_PREDICT_ROUTE}>", "predict", _JSON),
    Route(SAGEMAKER, "health", "GET", "/ping", "200 once a release is loaded, 503 before"),
    Route(
        SAGEMAKER,
        "sagemaker_invoke",
        "POST",
        "/invocations",
        "predict",
        ("application/json", "text/csv", "application/x-npy"),
    ),
    Route(AZURE_ML, "live", "GET", LIVE_PATH, "liveness route of the environment"),
    Route(AZURE_ML, "ready", "GET", READY_PATH, "readiness route of the environment"),
    Route(AZURE_ML, "azure_score", "POST", "/score", "scoring route of the environment: predict", _JSON),
    Route(OIP, "oip_server", "GET", "/v2", "name, version and extensions of the server"),
    Route(OIP, "oip_live", "GET", "/v2/health/live", "the process answers"),
    Route(OIP, "oip_ready", "GET", "/v2/health/ready", "a release is loaded"),
    Route(OIP, "oip_model", "GET", _OIP, "inputs and outputs of the model"),
    Route(OIP, "oip_model", "GET", _OIP_VERSION, "the same of one release"),
    Route(OIP, "oip_model_ready", "GET", f"{_OIP}/ready", "the model can predict"),
    Route(OIP, "oip_model_ready", "GET", f"{_OIP_VERSION}/ready", "the same of one release"),
    Route(OIP, "oip_infer", "POST", f"{_OIP}/infer", "predict", _OIP_BODIES),
    Route(OIP, "oip_infer", "POST", f"{_OIP_VERSION}/infer", "predict with one release", _OIP_BODIES),
    Route(TENSORFLOW_SERVING, "tfs_status", "GET", _TFS, "versions and their state"),
    Route(TENSORFLOW_SERVING, "tfs_status", "GET", _TFS_VERSION, "state of one version"),
    Route(TENSORFLOW_SERVING, "tfs_status", "GET", _TFS_LABEL, "state of the version with this label"),
    Route(TENSORFLOW_SERVING, "tfs_metadata", "GET", f"{_TFS}/metadata", "signature of the model"),
    Route(TENSORFLOW_SERVING, "tfs_metadata", "GET", f"{_TFS_VERSION}/metadata", "signature of one version"),
    Route(TENSORFLOW_SERVING, "tfs_metadata", "GET", f"{_TFS_LABEL}/metadata", "signature of the labelled version"),
    Route(TENSORFLOW_SERVING, "tfs_predict", "POST", f"{_TFS}:predict", "predict, rows or columns", _JSON),
    Route(TENSORFLOW_SERVING, "tfs_predict", "POST", f"{_TFS_VERSION}:predict", "predict with one version", _JSON),
    Route(TENSORFLOW_SERVING, "tfs_predict", "POST", f"{_TFS_LABEL}:predict", "predict with a labelled version", _JSON),
    Route(TENSORFLOW_SERVING, "tfs_classify", "POST", f"{_TFS}:classify", "class labels with scores", _JSON),
    Route(TENSORFLOW_SERVING, "tfs_classify", "POST", f"{_TFS_VERSION}:classify", "the same of one version", _JSON),
    Route(TENSORFLOW_SERVING, "tfs_classify", "POST", f"{_TFS_LABEL}:classify", "the same of a label", _JSON),
    Route(TORCHSERVE, "health", "GET", "/ping", "200 once a release is loaded, 503 before"),
    Route(TORCHSERVE, "torchserve_predict", "POST", "/predictions/{model}", "predict", _JSON),
    Route(
        TORCHSERVE, "torchserve_predict", "POST", "/predictions/{model}/{version}", "predict with one version", _JSON
    ),
    Route(TORCHSERVE, "torchserve_predict", "PUT", "/predictions/{model}", "predict", _JSON),
    Route(TORCHSERVE, "torchserve_predict", "PUT", "/predictions/{model}/{version}", "predict with one version", _JSON),
    Route(CONTAINER, "live", "GET", LIVE_PATH, "the process answers"),
    Route(CONTAINER, "ready", "GET", READY_PATH, "a release is loaded, and its warm prediction was right"),
    Route(CONTAINER, "metrics", "GET", METRICS_PATH, "Prometheus metrics"),
    Route(HUMAN, "fastapi", "GET", OPENAPI_PATH, "OpenAPI description of every route"),
    Route(HUMAN, "fastapi", "GET", DOCS_PATH, "the same as a page"),
    Route(HUMAN, "fastapi", "GET", ALERTS_PATH, "what fires in the Alertmanager beside the server"),
    Route(HUMAN, "page", "GET", PAGE_PATH, "what is served and how it goes, and a pad to draw a digit on"),
    *(Route(HUMAN, "page", "GET", f"/page/{name}", "part of the page") for name in PAGE_FILES),
    Route(ADMINISTRATION, "admin_state", "GET", "/admin/state", "releases that are served, and their shares"),
    Route(ADMINISTRATION, "admin_canary", "PUT", "/admin/canary", "set the canary's percentage", _JSON),
    Route(ADMINISTRATION, "admin_reload", "POST", "/admin/reload", "load again what the URIs point at"),
)

#: Operations that need no token: a platform's health checks carry none, and they say nothing but "up"; the page holds
#: no data of its own and asks for the token itself.
OPEN_OPERATIONS = frozenset({"live", "ready", "health", "oip_live", "oip_ready", "page"})


def contract(name: str) -> Contract:
    """The contract of this name."""
    return next(entry for entry in CONTRACTS if entry.name == name)
