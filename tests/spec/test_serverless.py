"""`serverless_config.json`: what is read, what is refused, what each function platform is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spec.errors import SpecError
from spec.serverless import PLATFORMS, load_serverless_config, settings_for


def load(tmp_path: Path, value: Any) -> Any:
    file = tmp_path / "serverless_config.json"
    file.write_text(value if isinstance(value, str) else json.dumps(value))
    return load_serverless_config(file)


def test_the_repository_s_own_file_suits_every_platform(root: Path) -> None:
    config = load_serverless_config(root / "serverless_config.json")
    for target in PLATFORMS:
        assert settings_for(config, target).environment["FUNCTION_TRIGGERS"] == "http,bucket"


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    config = load_serverless_config(tmp_path / "nowhere.json")
    assert (config.memory_mib, config.timeout_seconds, config.triggers[0].type) == (1024, 30, "http")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("{", "serverless_config.json, line 1"),
        ([], "a mapping of fields"),
        ({"memory": 1}, "serverless_config.json.memory is not a field"),
        ({"memory_mib": "1 GB"}, "serverless_config.json.memory_mib is '1 GB'"),
        ({"memory_mib": 64}, "serverless_config.json.memory_mib is 64"),
        ({"timeout_seconds": 0}, "serverless_config.json.timeout_seconds is 0"),
        ({"triggers": []}, "serverless_config.json.triggers"),
        ({"triggers": [{"type": "queue"}]}, "serverless_config.json.triggers[0].type is 'queue'"),
        ({"triggers": [{"type": "http"}, {"type": "http"}]}, "each type once"),
        ({"triggers": [{"type": "http", "prefix": "a/"}]}, "nothing on type http"),
        ({"triggers": [{"type": "bucket", "prefix": "a/", "results_prefix": "a/b/"}]}, "scored again, without end"),
        ({"triggers": [{"type": "bucket", "suffixes": [".xls"]}]}, "'.xls'"),
    ],
)
def test_what_cannot_be_used_is_named(value: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as error:
        load(tmp_path, value)
    assert says in str(error.value)


@pytest.mark.parametrize(("asked", "given"), [(512, 512), (513, 2048), (2048, 2048), (3000, 4096)])
def test_azure_has_sizes_of_its_own(asked: int, given: int, tmp_path: Path) -> None:
    config = load(tmp_path, {"memory_mib": asked})
    assert settings_for(config, "functions").memory_mib == given
    assert settings_for(config, "lambda").memory_mib == asked


@pytest.mark.parametrize(
    ("target", "value", "says"),
    [
        ("lambda", {"memory_mib": 10241}, "128 to 10240 MiB on AWS Lambda"),
        ("lambda", {"timeout_seconds": 901}, "900 or less for trigger http on AWS Lambda"),
        ("functions", {"memory_mib": 4097}, "512 to 4096 MiB on Azure Functions"),
        ("functions", {"timeout_seconds": 231}, "230 or less for trigger http on Azure Functions"),
        (
            "cloud_functions",
            {"timeout_seconds": 541, "triggers": [{"type": "bucket"}]},
            "540 or less for trigger bucket on Google Cloud Functions",
        ),
    ],
)
def test_a_limit_of_a_platform_is_named(target: Any, value: dict[str, Any], says: str, tmp_path: Path) -> None:
    config = load(tmp_path, value)
    with pytest.raises(SpecError) as error:
        settings_for(config, target)
    assert says in str(error.value)
    assert "https://" in str(error.value)


def test_the_server_answers_before_the_platform_ends_the_call(tmp_path: Path) -> None:
    settings = settings_for(load(tmp_path, {"timeout_seconds": 30}), "lambda")
    assert settings.environment["REQUEST_TIMEOUT_SECONDS"] == "29"
