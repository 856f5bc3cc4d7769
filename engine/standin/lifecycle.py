"""Create, update, delete and read in the fake cloud: the vendors' rules, without the protocol."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from engine.standin import naming, objects, references, template
from engine.standin.cloud import CloudObject, FakeCloud
from engine.standin.failures import Failure, Failures
from engine.standin.objects import Scope
from engine.standin.rules import PackageRules, TypeRule
from engine.standin.template import Missing
from engine.standin.values import UNKNOWN, has_secret, unmask

#: Exit status of a stand-in that was asked to crash.
CRASH_STATUS = 23


class Refused(Exception):  # noqa: N818 # the vendor's answer
    """The cloud says no; the text is the vendor's. Nothing was changed."""


class Incomplete(Exception):  # noqa: N818 # the vendor's answer
    """The object exists, but the call did not end well: the engine must keep it and bring it to order."""

    def __init__(self, reason: str, object_id: str, outputs: dict[str, Any]) -> None:
        super().__init__(reason)
        self.object_id = object_id
        self.outputs = outputs


class _Flight:
    """Calls under way in this process, so that a crash on request does not tear others apart half-way."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0

    def __enter__(self) -> None:
        with self._changed:
            self._running += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def crash(self) -> NoReturn:
        """End the process once the other calls have been answered. Called from within a call."""
        with self._changed:
            self._running -= 1
            self._changed.wait_for(lambda: self._running <= 0, timeout=5)
            time.sleep(0.1)  # what was answered gets out
            os._exit(CRASH_STATUS)


FLIGHT = _Flight()


@dataclass(frozen=True)
class Call:
    """One call about one resource. timeout: seconds that the resource's own options allow; 0 = the vendor's."""

    token: str
    urn: str
    logical: str
    inputs: Mapping[str, Any]
    config: Mapping[str, Any]
    timeout: float = 0.0
    object_id: str = ""


class Lifecycle:
    """One package's part of the fake cloud."""

    def __init__(self, rules: PackageRules, cloud: FakeCloud, failures: Failures) -> None:
        self.rules = rules
        self.cloud = cloud
        self.failures = failures

    def rule(self, token: str) -> TypeRule:
        """The row of a type, its physical-name input resolved."""
        rule = self.rules.type_rule(token)
        return rule if rule.name else replace(rule, name=objects.own_name(rule))

    def create(self, call: Call) -> tuple[str, dict[str, Any]]:
        """Id and outputs of a new object. Raises :class:`Refused` or :class:`Incomplete`."""
        failure = self._before("create", call)
        if failure is not None and failure.kind == "crash":
            self._crash(call, "create")
        rule = self.rule(call.token)
        with self.cloud.change() as there:
            index = references.Index(there.values())
            uses = self._uses(rule, call, index, "")
            scope = self._scope(rule, call, index, seed=secrets.token_hex(8))
            made, outputs = self._made(scope)
            if made.key in there and not rule.overwrites:
                raise Refused(self._error("exists", "create", call, made.id))
            made.uses = uses
            if failure is not None and failure.kind == "partial":
                outputs = {key: value for key, value in outputs.items() if key in call.inputs}
                objects.fill(made, scope, outputs, self.cloud.salt)
                made.complete = False
            there[made.key] = made
        self._after(failure, "create", call, made.id, outputs)
        self._note("create", call, made.id)
        return made.id, outputs

    def update(self, call: Call) -> dict[str, Any]:
        """Outputs of a changed object. Raises :class:`Refused` or :class:`Incomplete`."""
        failure = self._before("update", call)
        rule = self.rule(call.token)
        with self.cloud.change() as there:
            one = self._found(there, call)
            if one is None:
                raise Refused(self._error("missing", "update", call, call.object_id))
            index = references.Index(there.values())
            uses = self._uses(rule, call, index, one.key)
            scope = self._scope(rule, call, index, seed=one.seed, serial=one.serial + 1, created=one.created)
            scope._cache["id"] = one.id  # an id is for life
            outputs = self._outputs(scope)
            objects.fill(one, scope, outputs, self.cloud.salt)
            one.serial, one.uses, one.complete = one.serial + 1, uses, True
        self._after(failure, "update", call, one.id, outputs)
        self._note("update", call, one.id)
        return outputs

    def preview_update(self, call: Call, olds: Mapping[str, Any]) -> dict[str, Any]:
        """Outputs of an object after an update that is only planned; what cannot be known yet is unknown."""
        rule = self.rule(call.token)
        there = self.cloud.objects()
        one = self._found(there, call)
        seed = one.seed if one else ""
        index = references.Index(there.values())
        scope = self._scope(rule, call, index, seed=seed, serial=UNKNOWN, created=one.created if one else "")
        scope._cache["id"] = call.object_id  # an id is for life
        return {**{key: value for key, value in olds.items() if key not in call.inputs}, **self._outputs(scope)}

    def delete(self, call: Call) -> None:
        """Take an object away; one that is gone already is no error. Raises :class:`Refused`."""
        failure = self._before("delete", call)
        rule = self.rule(call.token)
        with self.cloud.change() as there:
            one = self._found(there, call)
            if one is not None:
                users = [other for other in there.values() if one.key in other.uses]
                forced = one.inputs.get("forceDestroy") or one.inputs.get("forceDelete")
                for other in users:
                    if other.type in rule.empties and forced:
                        del there[other.key]
                users = [other for other in users if other.key in there]
                if users and not rule.removable:
                    names = ", ".join(f"{user.type} {user.name or user.id}" for user in users[:3])
                    raise Refused(self._error("in_use", "delete", call, one.id, users=names))
                self._guards(rule, call, one)
                del there[one.key]
        self._after(failure, "delete", call, call.object_id, {})
        self._note("delete", call, call.object_id, gone=one is None)

    def read(
        self, call: Call, state: Mapping[str, Any], inputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Outputs and inputs of what is there now, None where nothing is."""
        self._before("read", call)
        one = self._found(self.cloud.objects(), call)
        if one is None:
            return None
        salt = self.cloud.salt
        outputs = unmask(one.outputs, dict(state) or dict(inputs), salt)
        return outputs, unmask(one.inputs, dict(inputs) or dict(state), salt)

    def _found(self, there: Mapping[str, CloudObject], call: Call) -> CloudObject | None:
        found = [one for one in there.values() if one.type == call.token and one.id == call.object_id]
        if len(found) > 1:
            here = objects.place(self._scope(self.rule(call.token), call, references.Index(()), seed=""))
            found = [one for one in found if one.place == here] or found
            found = [one for one in found if one.urn == call.urn] or found
        return found[0] if found else None

    def _scope(self, rule: TypeRule, call: Call, index: references.Index, **more: Any) -> Scope:
        return Scope(
            self.rules, rule, call.inputs, call.config, logical=call.logical, urn=call.urn, index=index,
            **{"created": objects.now(), **more},
        )  # fmt: skip

    def _made(self, scope: Scope) -> tuple[CloudObject, dict[str, Any]]:
        try:
            return objects.make(scope, self.rules.package, self.cloud.salt)
        except Missing as error:
            raise Refused(f"{scope.rule.token}: the row of this type asks for {error}, which the inputs lack") from None

    def _outputs(self, scope: Scope) -> dict[str, Any]:
        try:
            return objects.computed_outputs(scope)
        except Missing as error:
            raise Refused(f"{scope.rule.token}: the row of this type asks for {error}, which the inputs lack") from None

    def _uses(self, rule: TypeRule, call: Call, index: references.Index, own_key: str) -> list[str]:
        here = objects.place(self._scope(rule, call, index, seed=""))
        uses, missing = references.resolve(self.rules, rule, call.inputs, index, own_key, here)
        if missing:
            shown = "; ".join(
                f"{path} = {'[secret]' if secret else repr(value)}: there is no {wanted}"
                for path, value, wanted in missing
                for secret in [has_secret(naming.get(call.inputs, path))]
            )
            raise Refused(self._error("dangling", "write", call, call.object_id) + ": " + shown)
        return uses

    def _guards(self, rule: TypeRule, call: Call, one: CloudObject) -> None:
        for guard in rule.guards:
            scope = Scope(self.rules, rule, one.inputs, call.config, seed=one.seed, logical=call.logical, urn=call.urn)
            try:
                holds = template.render(guard["when"], scope)
            except Missing:
                continue
            if holds:
                raise Refused(f"{guard['message']} ({call.token} {one.id})")

    # --- failures on request -------------------------------------------------------------------------------------

    def _before(self, operation: str, call: Call) -> Failure | None:
        """The failure that this call shall have; raises those that stop it before anything happens."""
        failure = self.failures.take(operation, [call.token, call.urn, call.logical, call.object_id])
        if failure is None:
            return None
        self.cloud.write_journal(
            operation=operation, type=call.token, urn=call.urn, id=call.object_id, failure=failure.kind
        )
        if failure.kind == "slow":
            if call.timeout and failure.seconds > call.timeout:
                time.sleep(call.timeout)
                return replace(failure, kind="timed_out")
            time.sleep(failure.seconds)
            return None
        if failure.kind in ("throttled", "denied", "quota", "conflict"):
            raise Refused(self._error(failure.kind, operation, call, call.object_id))
        if failure.kind == "delete_refused":
            raise Refused(
                self._error("in_use", operation, call, call.object_id, users="something the state does not know")
            )
        return failure

    def _after(
        self, failure: Failure | None, operation: str, call: Call, object_id: str, outputs: dict[str, Any]
    ) -> None:
        if failure is None:
            return
        if failure.kind in ("crash", "crash_after"):
            self._crash(call, operation)
        if failure.kind in ("timed_out", "partial"):
            reason = self._error(failure.kind, operation, call, object_id)
            if operation == "delete":
                raise Refused(reason)
            raise Incomplete(reason, object_id, outputs)

    def _crash(self, call: Call, operation: str) -> NoReturn:
        self.cloud.write_journal(operation=operation, type=call.token, urn=call.urn, crash=True)
        FLIGHT.crash()

    def _error(self, kind: str, operation: str, call: Call, object_id: str, users: str = "") -> str:
        text = self.rules.errors.get(kind, kind)
        which = object_id or call.logical
        return text.format(operation=operation, type=call.token, id=which, name=call.logical, users=users)

    def _note(self, operation: str, call: Call, object_id: str, **more: Any) -> None:
        self.cloud.write_journal(operation=operation, type=call.token, urn=call.urn, id=object_id, **more)
