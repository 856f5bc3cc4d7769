"""Recording what a function makes under Pulumi's mocks, answered by the stand-in cloud within this process.

For tests of components: no engine, no process, milliseconds per resource.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pulumi
from pulumi.runtime import mocks, settings

from engine import wire
from engine.standin import Failures, FakeCloud, invokes, naming, values
from engine.standin.drift import add_existing
from engine.standin.lifecycle import Call, Incomplete, Lifecycle, Refused
from engine.standin.rules import PACKAGES, load
from engine.standin.template import Missing
from operations.schema.findings import Record, Recording
from operations.schema.recorder import is_checked, known

#: Pulumi's signatures of files and archives (`pulumi/runtime/rpc.py`).
_ASSET, _ARCHIVE = "c44067f5952c0a294b673a41bacd8c17", "0def7320c3a5731c473e5ecbe6d01bc7"

#: Type, id and outputs.
Existing: TypeAlias = tuple[str, str, Mapping[str, Any]]

__all__ = ["Existing", "StandInMocks", "of_function", "standing_in"]


class StandInMocks(mocks.Mocks):
    """Mocks that answer as the stand-in cloud does, and keep what they were asked for.

    folder: for the fake cloud's file. config: the stack's (``aws:region`` and so on).
    """

    def __init__(self, folder: Path, config: Mapping[str, str] | None = None) -> None:
        self.recording = Recording()
        self.cloud = FakeCloud(folder / "cloud.json")
        self._failures = Failures(folder / "failures.json")
        self._config = dict(config or {})
        #: Package and name of a provider -> its own settings.
        self._providers: dict[tuple[str, str], dict[str, Any]] = {}

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        inputs = _whole(args.inputs)
        package = args.typ.split(":")[0]
        if args.typ.startswith("pulumi:providers:"):
            self._providers[args.typ.rpartition(":")[2], args.name] = wire.reveal(inputs)
        if args.custom is False or not is_checked(args.typ) or package not in PACKAGES:
            return (args.name if args.custom else ""), dict(args.inputs)
        life = Lifecycle(load(package), self.cloud, self._failures)
        plain = self._completed(life, args.typ, args.name, wire.reveal(inputs))
        self.recording.records.append(Record(args.typ, args.name, known({**plain, **inputs})))
        urn = f"urn:pulumi:mocked::mocked::{args.typ}::{args.name}"
        call = Call(args.typ, urn, args.name, plain, self._settings(package, args.provider))
        try:
            made, outputs = life.create(call)
        except (Refused, Incomplete) as error:
            self.recording.refused.append(f"{args.typ} {args.name}: {error}")
            return f"{args.name}-id", plain
        return made, wire.reveal(values.plain(outputs))

    def call(self, args: mocks.MockCallArgs) -> Any:
        package = args.token.split(":")[0]
        if package not in PACKAGES:
            return dict(args.args)
        return invokes.invoke(load(package), args.token, args.args, self._settings(package, args.provider), self.cloud)

    def _completed(self, life: Lifecycle, token: str, logical: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """The inputs with the name that the provider would make up."""
        rule = life.rule(token)
        with contextlib.suppress(naming.NamingError, Missing):
            inputs = naming.with_name(rule, inputs, {}, logical=logical, seed=f"{token}{logical}".encode())
        return {key: value for key, value in inputs.items() if key != naming.FILLED}

    def _settings(self, package: str, provider: str | None) -> dict[str, Any]:
        """The settings that a resource's provider has: those of the stack, or its own. provider: its URN and id."""
        stack = {key.split(":")[1]: value for key, value in self._config.items() if key.startswith(f"{package}:")}
        own = self._providers.get((package, (provider or "").rpartition("::")[2]))  # its name is its id here
        return stack if own is None else own


def _whole(value: Any) -> Any:
    """As it is on the wire: files by their path, and whole numbers whole, since mocks get every number as a float."""
    if isinstance(value, pulumi.FileAsset | pulumi.FileArchive):
        kind = _ASSET if isinstance(value, pulumi.Asset) else _ARCHIVE
        return {wire.SIGNATURE: kind, "path": str(value.path)}
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value


@contextlib.contextmanager
def standing_in(config: Mapping[str, str] | None = None, existing: Sequence[Existing] = ()) -> Iterator[StandInMocks]:
    """Pulumi's mocks, answered by the stand-in, while the block runs; afterwards the runtime is as new.

    existing: type, id and outputs of what is there before.
    """
    with tempfile.TemporaryDirectory(prefix="schema-") as folder:
        standing = StandInMocks(Path(folder), config)
        for token, id_, outputs in existing:
            add_existing(standing.cloud, token, id_, outputs)
        settings.set_root_resource(None)  # pyright: ignore[reportArgumentType] # stack transformations leak otherwise
        pulumi.runtime.set_all_config(dict(config or {}))
        mocks.set_mocks(standing, project="mocked", stack="mocked", preview=False)
        try:
            yield standing
            standing.recording.objects = list(standing.cloud.objects().values())
        finally:
            pulumi.runtime.set_all_config({})


def of_function(
    make: Callable[[], Any], config: Mapping[str, str] | None = None, existing: Sequence[Existing] = ()
) -> Recording:
    """What ``make`` asks for. make: builds resources or components; what it returns is not used.

    config: the stack's settings that it reads. existing: type, id and outputs of what is there before. An exception in
    it goes through.
    """
    with standing_in(config, existing) as standing:
        pulumi.runtime.test(make)()
    return standing.recording
