"""The example of an image of one's own, built on the serving image and run as a platform would."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from components.image.built import BuiltImage
from tests.containers import Engine
from tests.real_parts import ROOT
from tests.serving_image.conftest import Digits
from tests.serving_image.image.container import running

#: The first test waits until the image is built.
pytestmark = pytest.mark.timeout(1200)


def test_own_processing_on_the_serving_image(
    engine: Engine, server_image: BuiltImage, digits: Digits, tmp_path: Path
) -> None:
    folder = tmp_path / "example"
    shutil.copytree(ROOT / "serving_image" / "example", folder)
    engine.classic_build(folder, "own:1", {"SERVER": server_image.name})
    with running(engine, "own:1", env={"MODEL_URI": "/m"}, mounts={"/m": str(digits.path)}) as server:
        picture = np.reshape(digits.rows[0], (8, 8)) / 16 * 255
        answer = server.client.post("/read", json={"picture": picture.tolist()})
        words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
        assert answer.json()["digit"] == words[digits.labels[0]]
        assert answer.json()["certainty"] == pytest.approx(max(digits.probabilities[0]), abs=1e-3)
        assert server.client.post("/read", json={"picture": [[1]]}).status_code == 400
        # The platforms' contracts are still there.
        plain = server.client.post("/invocations", json={"instances": digits.rows[:1]}).json()
        assert plain["predictions"][0]["label"] == digits.labels[0]
