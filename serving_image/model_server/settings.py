"""Settings: environment variables, each checked once at start.

A bad value is a StartError that names variable, value and what is allowed; nothing has been done by then. What a
platform sets (Vertex AI's AIP_…, Azure ML's AZUREML_MODEL_DIR, SageMaker's mount) is used where our own variable is not
set; two that contradict each other are an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_server import values
from model_server.errors import Exit, StartError
from model_server.values import value
from spec import contracts

LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True)
class Settings:
    """All that can be set from outside. Times are seconds, sizes bytes, percentages 0 to 100.

    model_uri: folder or URI of ONE version of a model. model_name: the name clients use; None: the release's own.
    canary_uri: a second release, which answers `canary_percent` of the requests; `sticky_header`: requests with the
    same value of it go to the same release. routes: paths that a platform's variables give, by variable.
    token_file: None where no token is asked for. alerts_url_file: names an Alertmanager while it exists.
    workers: processes. max_wait: None lets the server choose. log_level, emf_namespace: None leaves them to the files.
    log_folder: None logs to standard error. …_retention_days: None keeps files for ever.
    """

    model_uri: str
    model_name: str | None
    host: str
    port: int
    workers: int
    log_level: str | None
    log_config: Path | None
    log_folder: Path | None
    log_retention_days: int | None
    metrics_config: Path | None
    canary_uri: str | None
    canary_percent: float
    sticky_header: str | None
    capture_uri: str | None
    capture_percent: float
    capture_max_bytes: int
    capture_retention_days: int | None
    token_file: Path | None
    admin: bool
    max_body: int
    max_batch: int
    max_queue: int
    max_wait: float | None
    max_connections: int
    request_timeout: float
    drain: float
    grace: float
    emf_namespace: str | None
    alerts_url_file: Path | None
    routes: Mapping[str, str]


def read(env: Mapping[str, str]) -> Settings:
    """Settings from environment variables. Raises StartError."""
    settings = Settings(
        model_uri=_model_uri(env),
        model_name=value(env, contracts.MODEL_NAME, values.name, None),
        host=value(env, contracts.HOST, values.host, "127.0.0.1"),
        port=_port(env),
        workers=value(env, contracts.WORKERS, values.whole(1, 64), 1),
        log_level=value(env, contracts.LOG_LEVEL, values.one_of(LOG_LEVELS), None),
        log_config=value(env, contracts.LOG_CONFIG, values.file, None),
        log_folder=value(env, contracts.LOG_FOLDER, values.folder, None),
        log_retention_days=value(env, contracts.LOG_RETENTION_DAYS, values.whole(1, 3650), None),
        metrics_config=value(env, contracts.METRICS_CONFIG, values.file, None),
        canary_uri=value(env, contracts.CANARY_URI, values.text, None),
        canary_percent=value(env, contracts.CANARY_PERCENT, values.number(0, 100), 0.0),
        sticky_header=value(env, contracts.CANARY_STICKY_HEADER, values.header, None),
        capture_uri=value(env, contracts.CAPTURE_URI, values.text, None),
        capture_percent=value(env, contracts.CAPTURE_PERCENT, values.number(0, 100), 0.0),
        capture_max_bytes=value(env, contracts.CAPTURE_MAX_MIB, values.whole(1, 1_000_000), 256) << 20,
        capture_retention_days=value(env, contracts.CAPTURE_RETENTION_DAYS, values.whole(1, 3650), None),
        token_file=value(env, contracts.AUTH_TOKEN_FILE, values.file, None),
        admin=value(env, contracts.ADMIN, values.one_of(("on", "off")), "off") == "on",
        max_body=value(env, contracts.MAX_BODY_MIB, values.whole(1, 1024), 32) << 20,
        max_batch=value(env, contracts.MAX_BATCH, values.whole(1, 100_000), 1024),
        max_queue=value(env, contracts.MAX_QUEUE, values.whole(1, 100_000), 256),
        max_wait=_milliseconds(env, contracts.MAX_WAIT_MS),
        max_connections=value(env, contracts.MAX_CONNECTIONS, values.whole(1, 100_000), 1000),
        request_timeout=value(env, contracts.REQUEST_TIMEOUT_SECONDS, values.number(0.001, 3600), 60.0),
        drain=value(env, contracts.DRAIN_SECONDS, values.number(0, 3600), 0.0),
        grace=value(env, contracts.GRACE_SECONDS, values.number(0, 3600), 10.0),
        emf_namespace=value(env, contracts.EMF_NAMESPACE, values.namespace, None),
        alerts_url_file=value(env, contracts.ALERTS_URL_FILE, values.absolute, None),
        routes={
            name: path
            for name in (contracts.AIP_HEALTH_ROUTE, contracts.AIP_PREDICT_ROUTE)
            if (path := value(env, name, values.path, None)) is not None
        },
    )
    _check_pairs(settings, env)
    return settings


def _model_uri(env: Mapping[str, str]) -> str:
    for name in (contracts.MODEL_URI, contracts.AIP_STORAGE_URI, contracts.AZUREML_MODEL_DIR):
        uri = value(env, name, values.text, None)
        if uri is not None:
            return uri
    if Path(contracts.SAGEMAKER_MODEL_FOLDER).is_dir():
        return contracts.SAGEMAKER_MODEL_FOLDER
    raise StartError(
        Exit.BAD_SETTING,
        f"environment variable {contracts.MODEL_URI} is not set; allowed: a folder or URI of one release, such as "
        f"file:///models/digits/v1 ({contracts.AIP_STORAGE_URI}, {contracts.AZUREML_MODEL_DIR} or a mount at "
        f"{contracts.SAGEMAKER_MODEL_FOLDER} will also do)",
    )


def _port(env: Mapping[str, str]) -> int:
    own = value(env, contracts.PORT, values.whole(1, 65535), None)
    vertex = value(env, contracts.AIP_HTTP_PORT, values.whole(1, 65535), None)
    if own is not None and vertex is not None and own != vertex:
        raise StartError(
            Exit.BAD_SETTING,
            f"environment variable {contracts.PORT} is '{own}', but Vertex AI asks on {contracts.AIP_HTTP_PORT}="
            f"'{vertex}'; allowed: the same port in both, or {contracts.AIP_HTTP_PORT} alone",
        )
    return own or vertex or contracts.DEFAULT_PORT


def _milliseconds(env: Mapping[str, str], name: str) -> float | None:
    found = value(env, name, values.number(0, 3_600_000), None)
    return None if found is None else found / 1000


def _check_pairs(settings: Settings, env: Mapping[str, str]) -> None:
    """What is accepted is used: a setting without its partner is an error, not ignored."""
    if settings.canary_uri is None:
        for name in (contracts.CANARY_PERCENT, contracts.CANARY_STICKY_HEADER):
            if env.get(name, "").strip():
                raise StartError(
                    Exit.BAD_SETTING,
                    f"environment variable {name} is {env[name]!r}, but {contracts.CANARY_URI} is not set; "
                    f"allowed: {name} only together with {contracts.CANARY_URI}, the second release",
                )
    if settings.capture_percent > 0 and settings.capture_uri is None:
        raise StartError(
            Exit.BAD_SETTING,
            f"environment variable {contracts.CAPTURE_PERCENT} is {env[contracts.CAPTURE_PERCENT]!r}, but "
            f"{contracts.CAPTURE_URI} is not set; set it to the folder or URI that takes the captured requests",
        )
    for name, partner, there in (
        (contracts.LOG_RETENTION_DAYS, contracts.LOG_FOLDER, settings.log_folder),
        (contracts.CAPTURE_RETENTION_DAYS, contracts.CAPTURE_URI, settings.capture_uri),
    ):
        if there is None and env.get(name, "").strip():
            raise StartError(
                Exit.BAD_SETTING,
                f"environment variable {name} is {env[name]!r}, but {partner} is not set; "
                f"allowed: {name} only together with {partner}, which says where the files are",
            )
    if settings.admin and settings.token_file is None:
        raise StartError(
            Exit.BAD_SETTING,
            f"environment variable {contracts.ADMIN} is 'on', but {contracts.AUTH_TOKEN_FILE} is not set; "
            "allowed: 'on' only together with a token, as these routes change what is served",
        )
