"""What stands where no provider is attached, in a plan: inputs are echoed, tables say what a change does."""
# ruff: noqa: ARG002 # the methods are those of a provider, whatever this one makes of their parameters

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from engine import wire
from engine.events import PropertyChange
from engine.providers import Diff, Provider, diff_of
from engine.resource import Resource
from engine.standin import replacement
from engine.standin.cloud import CloudObject, FakeCloud
from engine.standin.invokes import InvokeError, invoke
from engine.standin.naming import FILLED, get, made_up, put
from engine.standin.objects import own_name
from engine.standin.rules import PACKAGES, TypeRule, load
from engine.standin.values import UNKNOWN

#: Letters in place of the random end of a made-up name: of something new, and of what replaces something.
_FIRST, _SECOND = "x", "y"
#: Marks that providers leave in inputs for themselves.
_MARKS = frozenset({FILLED, "__createBeforeDelete", "__internal"})
#: What an API fills in and hands back, as far as a state shows it among the inputs: package → paths.
_FILLED_IN = {"azure-native": ("location",), "kubernetes": ("metadata.namespace",)}


class PlanProvider(Provider):
    """Knows no computed value. Of a change it knows what the tables of `engine/standin/data/replace` say."""

    def __init__(self, package: str) -> None:
        super().__init__(package, None)
        self.accept_secrets = True
        self.accept_resources = True
        self.supports_preview = True
        self._config: dict[str, Any] = {}
        self._rules: dict[str, TypeRule] = {}
        self._nothing = _EmptyCloud()
        #: What was there before, by URN: checked again without its old inputs, it is being replaced.
        self._had: set[str] = set()

    def configure(self, inputs: Mapping[str, Any], resource: Resource) -> None:
        self._config = {key: value for key, value in inputs.items() if not wire.has_unknown(value)}

    def check_config(self, urn: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
        return dict(news)

    def diff_config(self, urn: str, old: Resource, news: Mapping[str, Any]) -> Diff:
        found = diff_of(old.inputs, news)
        reason = "no table says what another configuration of a provider replaces"
        properties = tuple(PropertyChange(key, found.detailed[key], "unknown", reason) for key in found.keys)
        return replace(found, replacement_known=not found.changes, properties=properties)

    def check(self, urn: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs, with what the real provider had filled in before and would fill in again."""
        rule = self._rule(urn)
        if olds:
            self._had.add(urn)
            return self._named(rule, urn, _kept(rule, self.package, olds, news), _FIRST)
        return self._named(rule, urn, dict(news), _SECOND if urn in self._had else _FIRST)

    def diff(
        self, old: Resource, news: Mapping[str, Any], ignore: list[str], urn: str, moved: Collection[str] = ()
    ) -> Diff:
        before, after = _comparable(old.inputs, news, moved)
        token = wire.parse_urn(urn).type
        found = replacement.differences(token, before, after)
        if not found:
            return Diff(changes=False)
        keys = tuple(dict.fromkeys(one.path.split(".")[0].split("[")[0] for one in found))
        replaces = tuple(one.path for one in found if one.change == "replace")
        return Diff(
            True,
            keys,
            replaces,
            named=keys,
            detailed={one.path: f"{one.kind}_replace" if one.path in replaces else one.kind for one in found},
            delete_before_replace=bool(replaces) and self._name_stays(urn, old.inputs, news),
            replacement_known=bool(replaces) or all(one.change == "update" for one in found),
            properties=tuple(PropertyChange(one.path, one.kind, one.change, one.reason, one.source) for one in found),
        )

    def create(
        self, urn: str, inputs: Mapping[str, Any], timeout: float, *, preview: bool
    ) -> tuple[str, dict[str, Any]]:
        return "", dict(inputs)

    def update(
        self, urn: str, old: Resource, news: Mapping[str, Any], ignore: list[str], timeout: float, *, preview: bool
    ) -> dict[str, Any]:
        """Computed values stay as they were, but for those that count changes."""
        counting = {key for key, form in self._rule(urn).outputs.items() if "serial" in str(form)}
        kept = {key: value for key, value in old.outputs.items() if key not in counting and key not in old.inputs}
        return {**kept, **news}

    def read(
        self, urn: str, id_: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
    ) -> tuple[str, dict[str, Any] | None, dict[str, Any]]:
        return id_, None, dict(inputs)

    def answer(self, token: str, args: Mapping[str, Any]) -> dict[str, Any] | None:
        """What a cloud without anything in it would answer a function; None where nobody can say."""
        if self.package not in PACKAGES or token not in load(self.package).invokes:
            return None
        try:
            return invoke(load(self.package), token, wire.reveal(dict(args)), self._config, self._nothing)
        except InvokeError:
            return None

    def _rule(self, urn: str) -> TypeRule:
        token = wire.parse_urn(urn).type
        if token not in self._rules:
            rule = load(self.package).type_rule(token) if self.package in PACKAGES else TypeRule(token, autoname=False)
            self._rules[token] = replace(rule, name=own_name(rule)) if rule.autoname is not False else rule
        return self._rules[token]

    def _named(self, rule: TypeRule, urn: str, news: dict[str, Any], filler: str) -> dict[str, Any]:
        """The inputs with the name that the real provider would make up, its random end filled with one letter."""
        if rule.autoname is False or not rule.name or get(news, rule.name) is not None:
            return news
        options = rule.autoname if isinstance(rule.autoname, Mapping) else {}
        given = get(news, f"{rule.name}Prefix")
        if wire.has_unknown(given) or wire.has_secret(given):
            return news
        name = made_up(given if isinstance(given, str) else wire.parse_urn(urn).name, options, b"")
        digits = int(options.get("random", 7))
        if digits:
            name = name[:-digits] + (filler if options.get("charset") != "numeric" else "0") * digits
        if "." in rule.name:
            head = rule.name.split(".")[0]
            news[head] = {**(news.get(head) or {})}
        put(news, rule.name, name)
        news[FILLED] = sorted({*(news.get(FILLED) or []), rule.name})
        return news

    def _name_stays(self, urn: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
        """Whether old and new would have one name given by the user: then they cannot both exist."""
        name = self._rule(urn).name
        if not name or name in (olds.get(FILLED) or []):
            return False
        given = get(news, name)
        return given is not None and not wire.is_unknown(given) and get(olds, name) == given


class _EmptyCloud(FakeCloud):
    """A cloud with nothing in it, and without a file."""

    def __init__(self) -> None:
        self._salt = "plan"  # so that what is made up is the same in every plan

    def objects(self) -> dict[str, CloudObject]:
        return {}


class PlannedDynamic(Provider):
    """Dynamic resources in a plan: their own code says what a change does, as far as old values are known."""

    def diff(
        self, old: Resource, news: Mapping[str, Any], ignore: list[str], urn: str, moved: Collection[str] = ()
    ) -> Diff:
        if wire.has_unknown(old.outputs) or wire.has_unknown(old.inputs):
            inputs = {key: _unless_concealed(value, news.get(key), key in moved) for key, value in old.inputs.items()}
            outputs = {key: _unless_concealed(value, news.get(key), key in moved) for key, value in old.outputs.items()}
            old = replace(old, inputs=inputs, outputs=outputs)
        return super().diff(old, news, ignore, urn)


def _unless_concealed(old: Any, new: Any, moved: bool) -> Any:
    """What an old value that is not known is taken for: the new one, unless it comes from somewhere else now."""
    if wire.has_unknown(old) and new is not None and not moved:
        return new
    return old


# -- comparing ---------------------------------------------------------------------------------------------------------


def _comparable(olds: Mapping[str, Any], news: Mapping[str, Any], moved: Collection[str]) -> tuple[Any, Any]:
    """Both sides such that what differs between them is what would change."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for key in {*olds, *news} - _MARKS:
        before[key], after[key] = _pair(olds.get(key), news.get(key), key in moved)
    return before, after


def _pair(old: Any, new: Any, moved: bool) -> tuple[Any, Any]:
    concealed = wire.is_secret(old) and wire.has_unknown(old)
    if concealed and wire.is_secret(new):
        return None, None  # the state's secret cannot be read without its passphrase
    old, new = (value["value"] if wire.is_secret(value) else value for value in (old, new))
    if wire.is_unknown(new):
        # Not known in either: the same, as long as it comes from the same things and those are not replaced.
        return (None, None) if wire.is_unknown(old) and not moved else (_plain(old), UNKNOWN)
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = {key: _pair(old.get(key), new.get(key), moved) for key in {*old, *new} - _MARKS}
        return {key: pair[0] for key, pair in pairs.items()}, {key: pair[1] for key, pair in pairs.items()}
    if isinstance(old, list) and isinstance(new, list):
        both = [_pair(old[at], new[at], moved) for at in range(min(len(old), len(new)))]
        befores, afters = [pair[0] for pair in both], [pair[1] for pair in both]
        return [*befores, *map(_plain, old[len(new) :])], [*afters, *map(_plain, new[len(old) :])]
    if _scalar(old) and _scalar(new) and _text(old) == _text(new):
        return old, old  # providers bring "80" and 80 to one type
    return _plain(old), _plain(new)


def _plain(value: Any) -> Any:
    """Without secret marks and providers' own marks; unknowns as the tables' code has them."""
    if wire.is_secret(value):
        return _plain(value["value"])
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key not in _MARKS}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return UNKNOWN if wire.is_unknown(value) else value


def _scalar(value: Any) -> bool:
    return isinstance(value, (str, int, float, bool))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# -- what a provider had filled in ----------------------------------------------------------------------------------


def _kept(rule: TypeRule, package: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
    kept = _with_defaults(olds, news)
    filled_in = [*_FILLED_IN.get(package, ())]
    annotations = get(olds, "metadata.annotations") or {}
    made_up_name = "__createBeforeDelete" in olds or annotations.get("pulumi.com/autonamed") == "true"
    if rule.name and made_up_name:
        filled_in.append(rule.name)
    if package == "kubernetes" and made_up_name and isinstance(kept.get("metadata"), dict):
        own = get(kept, "metadata.annotations") or {}
        kept = {**kept, "metadata": {**kept["metadata"], "annotations": {**own, "pulumi.com/autonamed": "true"}}}
    for path in filled_in:
        before = get(olds, path)
        if before is not None and get(kept, path) is None:
            if "." in path:
                head = path.split(".")[0]
                kept[head] = {**(kept.get(head) or {})}
            put(kept, path, before)
    return kept


def _with_defaults(olds: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
    """Bridged providers note what they filled in under `__defaults`, at every level."""
    kept = {
        key: _with_inner_defaults(olds.get(key), value) if key not in _MARKS else value for key, value in news.items()
    }
    filled = [key for key in olds.get(FILLED) or [] if key in olds and key not in kept]
    kept.update({key: olds[key] for key in filled})
    if filled:
        kept[FILLED] = sorted({*(news.get(FILLED) or []), *filled})
    return kept


def _with_inner_defaults(old: Any, new: Any) -> Any:
    if wire.is_secret(old) or wire.is_secret(new):
        return new
    if isinstance(old, dict) and isinstance(new, dict):
        return _with_defaults(old, new)
    if isinstance(old, list) and isinstance(new, list):
        return [_with_inner_defaults(old[at], item) if at < len(old) else item for at, item in enumerate(new)]
    return new
