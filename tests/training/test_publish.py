"""Publishing and fetching, against each kind of store as a real process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spec import release as releases
from spec.release import Release, ReleaseError, ReleaseReference, parse_reference
from tests.training.small import write_small
from training.progress import Silent
from training.releases.publish import fetch, publish, published
from training.releases.write import VersionTakenError
from training.stores import ExistsError, MissingError, Store, StoreError, open_parent, open_store

ROOT = Path(__file__).resolve().parents[2]


def contents(store: Store, release: Release) -> dict[str, bytes]:
    folder = f"{release.model}/v{release.version}"
    names = [*releases.read_metadata(release.path)["files"], releases.METADATA_FILE]
    return {name: store.read(f"{folder}/{name}") for name in names}


def test_round_trip(models: Path, store_uri: str, tmp_path: Path) -> None:
    release = write_small(models, more={"notes.txt": b"", "tensor.bin": os.urandom(3_000_000)})
    store = open_store(store_uri)
    assert publish(release, store, Silent()) == f"{store_uri}/digits/v2"
    assert published(store, "digits") == [2]
    fetched = fetch(ReleaseReference("digits"), store, tmp_path / "elsewhere", Silent())
    assert (fetched.model, fetched.version) == ("digits", 2)
    assert releases.verify(fetched.path) == releases.verify(release.path)
    assert releases.digest(fetched.path) == releases.digest(release.path)
    assert (tmp_path / "elsewhere" / "digits" / "latest").readlink() == Path("v2")
    assert fetch(parse_reference("digits@2"), store, tmp_path / "elsewhere", Silent()) == fetched


def test_a_second_publish_fails_and_changes_nothing(models: Path, store_uri: str, tmp_path: Path) -> None:
    store, first = open_store(store_uri), releases.resolve(models, "digits@1")
    publish(first, store, Silent())
    before = contents(store, first)
    other = write_small(tmp_path / "other", accuracy=0.1)
    for release in (first, other):
        with pytest.raises(VersionTakenError, match="digits@1 is published at"):
            publish(release, store, Silent())
    assert contents(store, first) == before


def test_a_flipped_byte_in_the_store_is_refused(models: Path, store_uri: str, tmp_path: Path) -> None:
    """The object is put there as an attacker or a bad disk would: around our own code, under the published name."""
    store, release = open_store(store_uri), releases.resolve(models, "digits@1")
    metadata = releases.read_metadata(release.path)
    for name in metadata["files"]:
        content = bytearray((release.path / name).read_bytes())
        if name == releases.MODEL_FILE:
            content[len(content) // 2] ^= 1
        store.create(f"digits/v1/{name}", bytes(content))
    store.create(f"digits/v1/{releases.METADATA_FILE}", (release.path / releases.METADATA_FILE).read_bytes())
    with pytest.raises(ReleaseError, match=r"refused, nothing was kept: .*model\.onnx was changed"):
        fetch(parse_reference("digits@1"), store, tmp_path / "elsewhere", Silent())
    assert not (tmp_path / "elsewhere" / "digits").exists()


def test_a_flipped_byte_here_is_refused_before_anything_is_published(models: Path, store_uri: str) -> None:
    store, release = open_store(store_uri), releases.resolve(models, "digits@1")
    file = release.path / releases.MODEL_FILE
    file.write_bytes(file.read_bytes()[:-1] + b"\x00\x01")
    with pytest.raises(ReleaseError, match="was changed"):
        publish(release, store, Silent())
    assert store.folders("digits") == []


def test_killed_in_the_middle_the_next_publish_completes(models: Path, store_uri: str, tmp_path: Path) -> None:
    store = open_store(store_uri)
    for _ in range(10):  # until one is killed that has not ended yet: which comes first is the machine's doing
        release = write_small(models, more={f"part-{number:03}.bin": os.urandom(40_000) for number in range(150)})
        kill_publisher(models, release, store, store_uri)
        if release.version not in published(store, "digits"):
            break
    else:
        raise AssertionError("every publisher had ended before it was killed")
    assert publish(release, store, Silent()).endswith(f"/digits/v{release.version}")
    fetched = fetch(parse_reference("digits"), store, tmp_path / "elsewhere", Silent())
    assert releases.digest(fetched.path) == releases.digest(release.path)


def kill_publisher(models: Path, release: Release, store: Store, store_uri: str) -> None:
    """Publish in a process of its own, and kill it once the first files are there."""
    command = [sys.executable, "-m", "training", "publish", str(release)]
    command += ["--store", store_uri, "--models-dir", str(models)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not _has(store, f"digits/v{release.version}/part-003.bin"):
        assert process.poll() in (None, 0)
        assert time.monotonic() < deadline
    process.kill()
    process.wait()


def test_another_release_cannot_take_a_claimed_number(models: Path, store_uri: str, tmp_path: Path) -> None:
    store, mine = open_store(store_uri), releases.resolve(models, "digits@1")
    claim = {"release": "digits@1", "metadata_sha256": "0" * 64}
    store.create("digits/claims/v1.json", json.dumps(claim).encode())
    with pytest.raises(VersionTakenError, match="claimed by another release"):
        publish(mine, store, Silent())
    assert "v1" not in store.folders("digits")


def test_what_an_earlier_try_left_damaged_is_named_and_not_overwritten(models: Path, store_uri: str) -> None:
    store, release = open_store(store_uri), releases.resolve(models, "digits@1")
    store.create(f"digits/v1/{releases.MODEL_FILE}", b"something else")
    with pytest.raises(ReleaseError, match="left from an earlier try"):
        publish(release, store, Silent())
    assert store.read(f"digits/v1/{releases.MODEL_FILE}") == b"something else"
    assert published(store, "digits") == []


def test_fetching_what_is_not_there_lists_what_is(models: Path, store_uri: str, tmp_path: Path) -> None:
    store = open_store(store_uri)
    with pytest.raises(ReleaseError, match="no release of this one"):
        fetch(parse_reference("digits@latest"), store, tmp_path / "elsewhere", Silent())
    publish(releases.resolve(models, "digits@1"), store, Silent())
    with pytest.raises(ReleaseError, match=r"digits@7 does not exist .* allowed: digits@1"):
        fetch(parse_reference("digits@7"), store, tmp_path / "elsewhere", Silent())


def test_fetching_never_replaces_another_release_of_that_number(models: Path, store_uri: str, tmp_path: Path) -> None:
    store = open_store(store_uri)
    publish(releases.resolve(models, "digits@1"), store, Silent())
    own = write_small(tmp_path / "elsewhere", accuracy=0.5)
    digest = releases.digest(own.path)
    with pytest.raises(VersionTakenError, match="another release"):
        fetch(parse_reference("digits@1"), store, tmp_path / "elsewhere", Silent())
    assert releases.digest(own.path) == digest


def test_objects_are_created_once(store_uri: str) -> None:
    store = open_store(store_uri)
    store.create("a/b", b"first")
    with pytest.raises(ExistsError):
        store.create("a/b", b"second")
    assert store.read("a/b") == b"first"
    with pytest.raises(MissingError):
        store.read("a/c")
    assert store.folders("") == ["a"]
    assert store.folders("none") == []


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("ftp://host/models", "allowed: a URI with file://, s3://, gs://, az://"),
        ("models", "allowed: a URI with"),
        ("s3://", "allowed: s3://bucket/prefix"),
        ("az://account", "allowed: az://account/container/prefix"),
        ("file://host/models", "three slashes"),
        ("s3://key:secret@bucket/models", "holds a user"),
        ("https://account.blob.core.windows.net/c?sig=abc", "allowed: a URI with"),
    ],
)
def test_a_uri_that_is_no_store(uri: str, says: str) -> None:
    with pytest.raises(StoreError, match=says) as caught:
        open_store(uri)
    assert "secret@" not in str(caught.value)


def test_an_unreachable_store_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with pytest.raises(StoreError, match="s3://releases/models/digits/x cannot be used"):
        open_store("s3://releases/models").read("digits/x")


def test_the_parent_of_an_object() -> None:
    store, key = open_parent("file:///tmp/data/digits.npz")
    assert (store.uri, key) == ("file:///tmp/data", "digits.npz")


def _has(store: Store, key: str) -> bool:
    try:
        store.read(key)
    except MissingError:
        return False
    return True


@pytest.fixture(autouse=True)
def _no_leftovers(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "elsewhere", ignore_errors=True)
