"""The stack's state file, in the layout of the CLI's file backend.

`<backend>/.pulumi/stacks/<project>/<stack>.json` holds a checkpoint of version 3. Every change is written at once and
atomically. The order of resources is: those this run has dealt with, as they were completed, then the rest as they
were; so a dependency always stands before what depends on it, and the CLI can go on from any point.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from engine import wire
from engine.errors import EngineError, Unsupported
from engine.resource import FIELDS, KNOWN, UNSUPPORTED_FIELDS, Resource
from engine.secrets import Crypter


class State:
    """The state of one stack, being changed by one run.

    new: what this run has completed, in that order. old: what it has not come to yet, by identity, in file order.
    """

    def __init__(self, path: Path, stack_name: str) -> None:
        self.path = path
        self.stack_name = stack_name
        self.new: list[Resource] = []
        self.old: dict[int, Resource] = {}
        self.operations: dict[int, tuple[Resource, str]] = {}
        #: Creations that an earlier, killed run began and whose end nobody knows: (resource, JSON).
        self.interrupted: list[dict[str, Any]] = []
        #: Inputs of what those operations were creating, by URN.
        self.half_made: dict[str, dict[str, Any]] = {}
        self.crypter: Crypter | None = None
        #: A preview changes the state in memory only.
        self.frozen = False
        self._deployment: dict[str, Any] = {}
        self.lock = threading.RLock()
        self._writing = threading.Lock()
        self._changed = 0
        self._written = 0
        self._backed_up = False

    def rehearsal(self) -> State:
        """A copy that is never written, to try a run on."""
        copy = State(self.path, self.stack_name)
        copy.frozen, copy.crypter, copy.half_made = True, self.crypter, self.half_made
        for resource in self.resources():
            twin = replace(resource)
            copy.old[id(twin)] = twin
        return copy

    def resources(self) -> list[Resource]:
        with self.lock:
            return [*self.new, *self.old.values()]

    # -- changes; each is followed by save() --------------------------------------------------------------------------

    def begin(self, resource: Resource, operation: str) -> None:
        """Note that a provider is about to be called: creating, updating or deleting."""
        with self.lock:
            self.operations[id(resource)] = (resource, operation)
        self.save()

    def end(
        self, resource: Resource, *, add: Resource | None = None, remove: Resource | None = None, save: bool = True
    ) -> None:
        """Note the outcome: an operation on `resource` is over, `add` is new, `remove` is replaced or gone."""
        with self.lock:
            self.operations.pop(id(resource), None)
            if remove is not None and self.old.pop(id(remove), None) is None and remove in self.new:
                self.new.remove(remove)
            if add is not None:
                self.new.append(add)
                self.interrupted = [op for op in self.interrupted if op["resource"].get("urn") != add.urn]
        if save:
            self.save()

    def lose(self, resource: Resource) -> None:
        """Note that nobody knows whether `resource` was created: the state keeps its name for the runs to come."""
        with self.lock:
            self.operations.pop(id(resource), None)
            others = [op for op in self.interrupted if op["resource"].get("urn") != resource.urn]
            self.interrupted = [*others, {"resource": json.loads(self._text(resource)), "type": "creating"}]
        self.save()

    def rename(self, old: str, new: str) -> None:
        with self.lock:
            for resource in self.old.values():
                resource.rename_references(old, new)

    # -- file ---------------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the file; one write serves all changes made before it began."""
        if self.frozen:
            return
        with self.lock:
            self._changed += 1
            wanted = self._changed
        with self._writing:
            if self._written >= wanted:
                return
            with self.lock:
                included = self._changed
                pieces = self._render()
            self._write(pieces)
            self._written = included

    def _write(self, pieces: list[str]) -> None:
        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        meta = folder.parent.parent / "meta.yaml"
        if not meta.exists():
            meta.write_text("version: 1\n")
        if not self._backed_up:
            self._backed_up = True
            if self.path.exists():
                shutil.copyfile(self.path, self.path.with_name(self.path.name + ".bak"))
                # The backend's note of the old file's checksum; without one the CLI reads the file as it is.
                self.path.with_name(self.path.name + ".attrs").unlink(missing_ok=True)
        staging = self.path.with_name(f".{self.path.name}.tmp")
        with staging.open("w", encoding="utf-8") as file:
            file.writelines(pieces)
        staging.replace(self.path)

    def sync(self) -> None:
        """Make the last write survive a power cut."""
        if self._written:
            with self.path.open("rb") as file:
                os.fsync(file.fileno())

    def _render(self) -> list[str]:
        latest = {
            **self._deployment,
            "manifest": {
                "time": datetime.now(timezone.utc).isoformat().replace("+00:00", "Z"),
                "magic": "",
                "version": "",
            },
        }
        if self.crypter is not None:
            latest["secrets_providers"] = {"type": "passphrase", "state": {"salt": self.crypter.salt}}
        latest.setdefault("metadata", {})
        head = _dump({"stack": self.stack_name, "latest": latest})
        pieces = ['{"version":3,"checkpoint":', head[:-2]]
        entries = [self._text(resource) for resource in self.resources()]
        if entries:
            pieces += [',"resources":[', *_separated(entries), "]"]
        operations = [_dump(operation) for operation in self.interrupted]
        for resource, kind in self.operations.values():
            operations.append(f'{{"resource":{self._text(resource)},"type":"{kind}"}}')
        if operations:
            pieces += [',"pending_operations":[', *_separated(operations), "]"]
        pieces.append("}}}\n")
        return pieces

    def _text(self, resource: Resource) -> str:
        if resource.text is None:
            entry: dict[str, Any] = {"urn": resource.urn, "custom": resource.custom, "type": resource.type}
            for name, attribute in FIELDS:
                value = getattr(resource, attribute)
                if value:
                    entry[name] = self._seal(value) if name in ("inputs", "outputs") else value
            resource.text = _dump({**entry, **resource.rest})
        return resource.text

    def _seal(self, value: Any) -> Any:
        if wire.is_secret(value):
            if self.crypter is None:
                raise EngineError("a secret was to be written without a passphrase; this is a fault of the engine")
            clear = _dump(wire.reveal(value["value"]))
            return {wire.SIGNATURE: wire.SECRET, "ciphertext": self.crypter.encrypt(clear)}
        if isinstance(value, dict):
            return {key: self._seal(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._seal(item) for item in value]
        return value


# -- reading -----------------------------------------------------------------------------------------------------------


def state_path(backend: Path, project: str, stack: str) -> Path:
    return backend / ".pulumi" / "stacks" / project / f"{stack}.json"


def known_stacks(backend: Path, project: str) -> set[str]:
    """Names of the stacks that have a state."""
    return {file.stem for file in (backend / ".pulumi" / "stacks" / project).glob("*.json")}


def load(backend: Path, project: str, stack: str, passphrase: str, salt: str | None, *, verify: bool = True) -> State:
    """Read the stack's state; a stack without a file has an empty one.

    salt: encryption salt of Pulumi.<stack>.yaml. New secrets are written under it; without one, under the state's
    own; without either, under a new one that is kept in the state alone.
    Raises EngineError, with nothing changed, for a file that is damaged or that only the CLI understands.
    """
    path = state_path(backend, project, stack)
    for suffix in (".gz", ".zst"):
        if path.with_name(path.name + suffix).exists():
            raise Unsupported("compressed state files", str(path) + suffix)
    if (path.parent.parent / f"{stack}.json").exists():
        raise EngineError(
            f"{path.parent.parent / f'{stack}.json'} is a state of the old layout without projects: "
            "run `pulumi state upgrade` with the CLI first. Nothing was changed.",
            changed=False,
        )
    state = State(path, f"organization/{project}/{stack}")
    deployment = _read(path) if path.exists() else {}
    own_salt = _own_salt(deployment, path)
    reader = Crypter(passphrase, own_salt) if own_salt else None
    if salt:
        state.crypter = Crypter(passphrase, salt)
    else:
        state.crypter = reader or Crypter.new(passphrase)
    try:
        for entry in deployment.pop("resources", None) or []:
            resource = _resource(entry, reader)
            if reader is not None and reader.salt == state.crypter.salt:
                resource.text = _dump(entry)
            state.old[id(resource)] = resource
        for operation in deployment.pop("pending_operations", None) or []:
            # Only an unfinished creation may have left something behind that the state does not hold.
            if operation["type"] == "creating":
                state.interrupted.append(_resealed(operation, reader, state))
                state.half_made[operation["resource"]["urn"]] = _resource(operation["resource"], reader).inputs
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _damaged(path, f"an entry lacks or misuses {error}") from None
    deployment.pop("manifest", None)
    state._deployment = deployment
    if verify:
        _verify(state, path)
    return state


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(path, str(error)) from None
    return _deployment(content, path)


def _deployment(content: Any, path: Path) -> dict[str, Any]:
    try:
        version, checkpoint = content["version"], content["checkpoint"]
        deployment = checkpoint.get("latest") or {}
        features = content.get("features")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, str(error)) from None
    if version != 3 or features:
        raise Unsupported(f"state of version {version} with features {features or []}", str(path))
    if not isinstance(deployment, dict):
        raise _damaged(path, "checkpoint.latest is no object")
    return deployment


def _damaged(path: Path, why: str) -> EngineError:
    return EngineError(
        f"the state file {path} is damaged ({why}). Nothing was changed. "
        f"Restore it: the run before kept {path.name}.bak beside it, the CLI keeps copies in .pulumi/backups.",
        changed=False,
    )


def _own_salt(deployment: dict[str, Any], path: Path) -> str | None:
    provider = deployment.pop("secrets_providers", None)
    if not provider:
        return None
    if provider.get("type") != "passphrase":
        raise Unsupported(f"the secrets provider {provider.get('type')!r}", str(path))
    try:
        return provider["state"]["salt"]
    except (KeyError, TypeError):
        raise _damaged(path, "secrets_providers has no salt") from None


def _resource(entry: dict[str, Any], crypter: Crypter | None) -> Resource:
    for name in UNSUPPORTED_FIELDS:
        if entry.get(name):
            raise Unsupported(f"{name!r} in state", entry["urn"])
    known = {attribute: entry[name] for name, attribute in FIELDS if entry.get(name)}
    for name in ("inputs", "outputs"):
        if name in known:
            known[name] = _unseal(known[name], crypter)
    rest = {key: value for key, value in entry.items() if key not in KNOWN}
    wire.parse_urn(entry["urn"])
    return Resource(urn=entry["urn"], type=entry["type"], custom=entry["custom"], rest=rest, **known)


def _unseal(value: Any, crypter: Crypter | None) -> Any:
    if wire.is_secret(value):
        if "ciphertext" in value:
            if crypter is None:
                raise EngineError("the state holds secrets but no salt to read them with", changed=False)
            return wire.secret(json.loads(crypter.decrypt(value["ciphertext"])))
        return wire.secret(json.loads(value["plaintext"])) if "plaintext" in value else value
    if isinstance(value, dict):
        return {key: _unseal(item, crypter) for key, item in value.items()}
    if isinstance(value, list):
        return [_unseal(item, crypter) for item in value]
    return value


def _resealed(operation: dict[str, Any], crypter: Crypter | None, state: State) -> dict[str, Any]:
    """A pending operation with its secrets under the salt that will be written."""
    resource = _resource(operation["resource"], crypter)
    return {"resource": json.loads(state._text(resource)), "type": operation["type"]}


def _verify(state: State, path: Path) -> None:
    """What the CLI demands of a state: references stand before what refers to them, one live resource per URN."""
    seen: set[str] = set()
    live: set[str] = set()
    for resource in state.old.values():
        for urn in resource.references():
            if urn not in seen and not (resource.pending_replacement and resource.provider.startswith(urn)):
                raise _damaged(path, f"{resource.urn} refers to {urn}, which does not stand before it")
        seen.add(resource.urn)
        if not resource.delete:
            if resource.urn in live:
                raise _damaged(path, f"{resource.urn} stands in it twice")
            live.add(resource.urn)


def _separated(texts: list[str]) -> Iterator[str]:
    for number, text in enumerate(texts):
        if number:
            yield ","
        yield text


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
