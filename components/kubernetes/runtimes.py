"""What each server needs of its pod: ports, probes, arguments, files, metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components.kubernetes.args import DRAIN_SECONDS, GRACE_SECONDS, MARGIN_SECONDS, ModelServiceArgs
from spec import contracts

#: Where configuration files, the release of another runtime, and the token are mounted.
CONFIG_FOLDER, MODELS_FOLDER, TOKEN_FOLDER, SCRATCH_FOLDER = "/config", "/models", "/token", "/tmp"  # noqa: S108 # in the container
TOKEN_KEY = "token"  # noqa: S105 # the name of a key
#: Ports of TensorFlow Serving: https://www.tensorflow.org/tfx/serving/docker
TENSORFLOW_REST_PORT = 8501
#: Ports of TorchServe: https://pytorch.org/serve/configuration.html
TORCHSERVE_PORT, TORCHSERVE_METRICS_PORT = 8080, 8082
#: In a release: the folder that holds what another runtime serves (see `training.trainers`).
RELEASE_FOLDERS = {"tensorflow_serving": "tensorflow_serving", "torchserve": "torchserve"}
#: Why one might not want TorchServe; said wherever it is chosen.
TORCHSERVE_WARNING = (
    "runtime torchserve: TorchServe is archived by its makers and gets no security fixes any more "
    "(https://github.com/pytorch/serve); runtime onnx serves the same release"
)


@dataclass(frozen=True)
class Server:
    """How a runtime's container is run.

    port: of predictions, probes and, where no other is given, metrics. live, ready: paths of the probes. command, args:
    None where the image's own will do. files: in CONFIG_FOLDER. fetch: the folder of the release that an init container
    copies to MODELS_FOLDER/<below>; None: the server fetches the release itself. pre_stop_seconds: for servers that end
    at once on SIGTERM. stop: after those seconds, for servers that do not end on SIGTERM at all.
    """

    image: Any
    port: int
    live: str
    ready: str
    metrics_path: str
    metrics_port: int | None = None
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    env: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    fetch: str | None = None
    below: str = ""
    pre_stop_seconds: int | None = None
    stop: tuple[str, ...] | None = None


def server(args: ModelServiceArgs) -> Server:
    """The server of the runtime that is asked for."""
    return {"onnx": _own, "tensorflow_serving": _tensorflow, "torchserve": _torchserve}[args.runtime](args)


def _own(args: ModelServiceArgs) -> Server:
    env: dict[str, Any] = {
        contracts.MODEL_URI: args.served.uri,
        contracts.MODEL_NAME: args.served.model,
        contracts.PORT: str(contracts.DEFAULT_PORT),
        contracts.LOG_LEVEL: args.log_level,
        contracts.DRAIN_SECONDS: str(DRAIN_SECONDS),
        contracts.GRACE_SECONDS: str(GRACE_SECONDS),
    }
    if args.canary is not None:
        env[contracts.CANARY_URI] = args.canary.served.uri
        env[contracts.CANARY_PERCENT] = str(args.canary.percent)
        env[contracts.CANARY_STICKY_HEADER] = contracts.STICKY_HEADER
    if args.capture is not None:
        env[contracts.CAPTURE_URI] = args.capture.uri
        env[contracts.CAPTURE_PERCENT] = str(args.capture.percent)
    if args.needs_token:
        env[contracts.AUTH_TOKEN_FILE] = f"{TOKEN_FOLDER}/{TOKEN_KEY}"
    return Server(
        image=args.image,
        port=contracts.DEFAULT_PORT,
        live=contracts.LIVE_PATH,
        ready=contracts.READY_PATH,
        metrics_path=contracts.METRICS_PATH,
        env={**env, **args.settings},
    )


def _tensorflow(args: ModelServiceArgs) -> Server:
    """https://github.com/tensorflow/serving/blob/master/tensorflow_serving/model_servers/main.cc has the flags."""
    model, version = args.served.model, args.served.version
    route = f"/v1/models/{model}/versions/{version}"
    return Server(
        image=args.runtime_image,
        port=TENSORFLOW_REST_PORT,
        # The state of a version is answered while it loads as well, its signature only once it is loaded.
        live=f"/v1/models/{model}",
        ready=f"{route}/metadata",
        metrics_path="/monitoring/prometheus/metrics",
        command=("tensorflow_model_server",),
        args=(
            f"--rest_api_port={TENSORFLOW_REST_PORT}",
            f"--model_name={model}",
            f"--model_base_path={MODELS_FOLDER}/{model}",
            "--file_system_poll_wait_seconds=0",  # a release never changes
            f"--monitoring_config_file={CONFIG_FOLDER}/monitoring.txt",
        ),
        env={"TF_CPP_MIN_LOG_LEVEL": "1", **args.settings},
        files={
            "monitoring.txt": 'prometheus_config { enable: true, path: "/monitoring/prometheus/metrics" }\n',
        },
        fetch=RELEASE_FOLDERS["tensorflow_serving"],
        below=model,
        pre_stop_seconds=DRAIN_SECONDS,
    )


def _torchserve(args: ModelServiceArgs) -> Server:
    """https://pytorch.org/serve/configuration.html has the settings."""
    model = args.served.model
    config = {
        "inference_address": f"http://0.0.0.0:{TORCHSERVE_PORT}",
        "management_address": "http://127.0.0.1:8081",
        "metrics_address": f"http://0.0.0.0:{TORCHSERVE_METRICS_PORT}",
        "metrics_mode": "prometheus",
        "model_store": MODELS_FOLDER,
        "load_models": f"{model}.mar",
        "default_workers_per_model": "1",
        "install_py_dep_per_model": "false",
        "enable_envvars_config": "false",
        "disable_token_authorization": "true",
        "enable_model_api": "false",
    }
    return Server(
        image=args.runtime_image,
        port=TORCHSERVE_PORT,
        live="/ping",
        ready="/ping",
        metrics_path="/metrics",
        metrics_port=TORCHSERVE_METRICS_PORT,
        command=("torchserve",),
        args=(
            "--start",
            "--foreground",
            "--ncs",  # no snapshot of the configuration: there is nowhere to write it, and it never changes
            "--disable-token-auth",
            "--ts-config",
            f"{CONFIG_FOLDER}/config.properties",
            "--model-store",
            MODELS_FOLDER,
        ),
        env={
            "LOG_LOCATION": f"{SCRATCH_FOLDER}/logs",
            "METRICS_LOCATION": f"{SCRATCH_FOLDER}/metrics",
            "TEMP": SCRATCH_FOLDER,
            "HOME": SCRATCH_FOLDER,
            **args.settings,
        },
        files={"config.properties": "".join(f"{key}={value}\n" for key, value in config.items())},
        fetch=RELEASE_FOLDERS["torchserve"],
        pre_stop_seconds=DRAIN_SECONDS,
        # Its launcher is the container's first process, which the kernel spares from signals that it does not handle.
        stop=("torchserve", "--stop"),
    )


def termination_seconds() -> int:
    """Time from SIGTERM (or the preStop hook) until the kubelet kills the container."""
    return DRAIN_SECONDS + GRACE_SECONDS + MARGIN_SECONDS
