"""Recording what a program asks for, from a run on the embedded engine.

It is answered by the stand-in cloud, so that values which a vendor would make up (ARNs, ids, names) have the
vendor's form and can be checked where they are used.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine import EmbeddedEngine, EngineError, wire
from engine.standin import StandIn
from engine.standin.drift import add_existing
from operations.errors import OperationError
from operations.rehearsal import settings as rehearsal_settings
from operations.rehearsal.apis import played_apis
from operations.rehearsal.program import PASSPHRASE, Program, remove, without_credentials
from operations.rehearsal.releases import write_releases
from operations.rehearsal.settings import Settings
from operations.schema.findings import OPAQUE, Record, Recording

#: Inputs that Pulumi's bridge or the stand-in adds for its own book-keeping.
_BOOKS = frozenset({"__defaults", "__meta"})
_DYNAMIC = "pulumi-python:"


def of_program(folder: Path, stack: str, config: Mapping[str, Any] | None = None) -> Recording:
    """Every resource of a program, from the embedded engine in a throw-away backend.

    It is deployed to the stand-in cloud, so that all values are known. A program with dynamic resources, which would do
    real things, is only previewed, unless rehearsal.yaml lets the APIs play that they call: values that depend on a
    deployment are then not looked at. config: on top of the stack's. Raises OperationError where the program does not
    run, or the stand-in refuses what it asks for.
    """
    place = Path(tempfile.mkdtemp(prefix="schema-"))
    try:
        with without_credentials():
            program = Program.link(folder.resolve(), stack, place / "program")
            settings = rehearsal_settings.load(folder, stack)
            write_releases(program.folder, settings.releases)
            program.configure({**settings.config, **(config or {})})
            with StandIn(place / "cloud.json") as stand_in, played_apis(stand_in.cloud, settings):
                for thing in settings.existing:
                    add_existing(stand_in.cloud, thing.type, thing.id, thing.outputs)
                return _run(program, place, stand_in, settings)
    finally:
        remove(place)
        shutil.rmtree(place, ignore_errors=True)


def _run(program: Program, place: Path, stand_in: StandIn, settings: Settings) -> Recording:
    printed: list[str] = []
    engine = EmbeddedEngine(
        program.folder,
        program.stack,
        place / "state",
        PASSPHRASE,
        on_event=lambda event: printed.append(str(event)),
        providers=stand_in.providers,
        python=program.python,
    )
    try:
        planned = engine.preview()
        if any(step.type.startswith(_DYNAMIC) and not settings.plays(step.type) for step in planned.steps):
            return Recording(
                [
                    Record(step.type, step.name, known(step.inputs), step.urn)
                    for step in planned.steps
                    if is_checked(step.type)
                ]
            )
        engine.up()
    except EngineError as error:
        told = "\n".join(printed[-15:])
        raise OperationError(f"{program.name} cannot be recorded: {error}\n{told}") from None
    file = place / "state" / ".pulumi" / "stacks" / program.name / f"{program.stack}.json"
    state = json.loads(file.read_text())["checkpoint"]["latest"]["resources"]
    return Recording(of_state(state), list(stand_in.cloud.objects().values()))


def of_state(resources: Sequence[Mapping[str, Any]]) -> list[Record]:
    """The records in a state's list of resources (``deployment.resources`` of ``pulumi stack export``)."""
    return [
        Record(one["type"], one["urn"].split("::")[-1], known(one.get("inputs") or {}), one["urn"])
        for one in resources
        if one.get("custom") and is_checked(one["type"])
    ]


def is_checked(token: str) -> bool:
    """Whether a resource is a vendor's: not a component, a provider, the stack or a dynamic resource."""
    return not token.startswith(("pulumi:", _DYNAMIC)) and token.count(":") == 2


def known(value: Any) -> Any:
    """A value with :data:`OPAQUE` in place of what is unknown or secret."""
    if isinstance(value, Mapping):
        if wire.SIGNATURE in value:
            return OPAQUE
        return {key: known(item) for key, item in value.items() if key not in _BOOKS}
    if isinstance(value, list | tuple):
        return [known(item) for item in value]
    if isinstance(value, str) and (value in wire.UNKNOWNS or value == "[secret]" or wire.UNKNOWN in value):
        return OPAQUE
    return value
