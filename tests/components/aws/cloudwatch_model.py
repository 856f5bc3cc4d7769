"""CloudWatch's alarms as far as AWS documents them: metric math, M out of N, missing data, composite rules.

It runs alarms as they were asked for (the recorded inputs of the resources) over samples that a test makes up. Where
AWS's pages leave open what happens, `Reading` has a switch, and what is right has to be right either way.

Pages: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html (MATH),
…/alarm-evaluation.html (ALARMS), …/Statistics-definitions.html (STATISTICS), and PutCompositeAlarm of the API.
It is a model: that AWS does what it documents is not shown.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

#: A series over the points that an alarm retrieves, oldest first; None is a missing point.
Series = list[float | None]
Value = float | Series | list[Series]
#: Values and how often each was sent in a minute.
Minute = Mapping[float, float]
#: Namespace, name, dimensions.
Key = tuple[str, str, tuple[tuple[str, str], ...]]


class ModelError(ValueError):
    """Something that CloudWatch would refuse, or that the model does not know."""


@dataclass(frozen=True)
class Reading:
    """What AWS's pages leave open.

    fills_nothing: `FILL` of a series without any point is a series of fillers, else it stays without any.
    gap_is_zero: a missing point and a plain number are computed with 0 for the point, else the point stays missing.
    more: how many more points than its evaluation periods an alarm retrieves.
    """

    fills_nothing: bool = True
    gap_is_zero: bool = False
    more: int = 2


# Metric math


_WORDS = ((r"&&|\bAND\b", " and "), (r"\|\||\bOR\b", " or "), (r"\^", "**"))
_ARITHMETIC: Mapping[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.And: lambda a, b: bool(a and b),
    ast.Or: lambda a, b: bool(a or b),
}


def math(
    expression: str, known: Mapping[str, Value], *, period: int = 60, reading: Reading | None = None
) -> float | Series | list[Series]:
    """The value of an expression over named series. period: seconds. Raises ModelError."""
    for pattern, word in _WORDS:
        expression = re.sub(pattern, word, expression)
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except SyntaxError as error:
        raise ModelError(f"no metric math: {expression!r}") from error
    return _Math(known, period, reading or Reading()).value(tree)


@dataclass(frozen=True)
class _Math:
    known: Mapping[str, Value]
    period: int
    reading: Reading

    def value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name) if name in self.known:
                return self.known[name]
            case ast.List(elts=elements):
                return [_series(self.value(element)) for element in elements]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.pair(ast.Sub, 0.0, self.value(operand))
            case ast.BinOp(left=left, op=op, right=right):
                return self.pair(type(op), self.value(left), self.value(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self.pair(type(op), self.value(left), self.value(right))
            case ast.BoolOp(op=op, values=[first, *others]):
                found = self.value(first)
                for other in others:
                    found = self.pair(type(op), found, self.value(other))
                return found
            case ast.Call(func=ast.Name(id=name), args=args):
                return self.call(name, args)
            case _:
                raise ModelError(f"not in the model: {ast.unparse(node)}")

    def pair(self, op: type, left: Value, right: Value) -> Value:
        """MATH: missing values count as 0, and a point that would be divided by zero is dropped."""
        compute = _ARITHMETIC[op]

        def point(a: float | None, b: float | None) -> float | None:
            if a is None and b is None:
                return None
            try:
                return float(compute(a or 0.0, b or 0.0))
            except ZeroDivisionError:
                return None

        if isinstance(left, float) and isinstance(right, float):
            return float(compute(left, right))
        if isinstance(left, float):
            return [point(left, b) if self._counts(b) else None for b in _series(right)]
        if isinstance(right, float):
            return [point(a, right) if self._counts(a) else None for a in _series(left)]
        return [point(a, b) for a, b in zip(_series(left), _series(right), strict=True)]

    def _counts(self, point: float | None) -> bool:
        return point is not None or self.reading.gap_is_zero

    def call(self, name: str, args: Sequence[ast.expr]) -> Value:
        values = [self.value(arg) for arg in args]
        match name, values:
            case "PERIOD", [list()]:
                return float(self.period)
            case "FILL", [series, float() as filler]:
                found = _series(series)
                if all(point is None for point in found) and not self.reading.fills_nothing:
                    return found
                return [filler if point is None else point for point in found]
            case ("MIN" | "MAX" | "SUM") as function, [several]:
                return _combined({"MIN": min, "MAX": max, "SUM": sum}[function], several)
            case "IF", [condition, yes, *no] if len(no) < 2:
                return _if(condition, yes, no[0] if no else None)
            case _:
                raise ModelError(f"not in the model: {name} of {len(values)}")


def _if(condition: Value, yes: Value, no: Value | None) -> Value:
    """MATH, "Using IF expressions": dropped where there is no condition; 0 where it is true and there is no value."""
    if isinstance(condition, float):
        chosen = yes if condition else no
        if chosen is None:
            raise ModelError("IF of a false number has no series")
        return chosen
    found: Series = []
    for index, point in enumerate(_series(condition)):
        value = yes if point else no
        if point is None or value is None:
            found.append(None)
        elif isinstance(value, float):
            found.append(value)
        else:
            there = _series(value)[index]
            found.append(0.0 if there is None and point else there)
    return found


def _combined(function: Callable[[list[float]], float], several: Value) -> Value:
    """One number of one series, one series of several; points that are missing in all of them stay so."""
    if isinstance(several, list) and several and isinstance(several[0], list):
        columns = zip(*(_series(one) for one in several), strict=True)
        there = [[point for point in column if point is not None] for column in columns]
        return [function(column) if column else None for column in there]
    return function([point for point in _series(several) if point is not None])


def _series(value: Any) -> Series:
    if not isinstance(value, list) or any(isinstance(point, list) for point in value):
        raise ModelError(f"a series is wanted, not {value!r}")
    return value


# Samples and statistics


@dataclass
class Samples:
    """What a service sent, by metric and minute, from minute 0 on. late: how many of the newest are not there yet."""

    minutes: dict[Key, list[Minute]] = field(default_factory=dict[Key, list[Minute]])
    late: int = 0
    _sums: dict[tuple[Key, str], list[float]] = field(default_factory=dict[tuple[Key, str], list[float]])

    def send(self, namespace: str, name: str, dimensions: Mapping[str, str], minutes: Sequence[Minute]) -> None:
        """Give a metric its samples."""
        self.minutes[namespace, name, tuple(sorted(dimensions.items()))] = list(minutes)

    def statistic(self, key: Key, stat: str, start: int, end: int) -> float | None:
        """STATISTICS: of the minutes from start to before end; None where nothing was sent."""
        sent = self.minutes.get(key, [])
        start, end = max(0, start), min(end, len(sent))
        if end <= start or not (count := self._sum(key, "SampleCount", start, end)):
            return None
        if rank := re.fullmatch(r"PR\(([\d.]*):([\d.]*)\)", stat):
            # Exclusive at the lower bound and inclusive at the upper one.
            return 100 * self._sum(key, stat, start, end, rank) / count
        if stat in {"Sum", "Average"}:
            found = self._sum(key, "Sum", start, end)
            return found / count if stat == "Average" else found
        values = sorted({value for minute in sent[start:end] for value, times in minute.items() if times})
        if stat in {"Minimum", "Maximum"}:
            return values[0] if stat == "Minimum" else values[-1]
        raise ModelError(f"not in the model: statistic {stat}")

    def _sum(self, key: Key, stat: str, start: int, end: int, rank: re.Match[str] | None = None) -> float:
        if (key, stat) not in self._sums:
            low, high = (float(bound) if bound else None for bound in (rank.groups() if rank else ("", "")))

            def of(minute: Minute) -> float:
                inside = {v: n for v, n in minute.items() if (low is None or v > low) and (high is None or v <= high)}
                return sum(v * n for v, n in inside.items()) if stat == "Sum" else sum(inside.values())

            self._sums[key, stat] = [0.0, *accumulate(of(minute) for minute in self.minutes[key])]
        sums = self._sums[key, stat]
        return sums[end] - sums[start]


# Alarms


def evaluate(alarm: Mapping[str, Any], samples: Samples, now: int, reading: Reading | None = None) -> str:
    """The state of a metric alarm after `now` minutes, from its inputs. Raises ModelError for what AWS would refuse."""
    reading = reading or Reading()
    queries = alarm["metricQueries"]
    periods = {query["metric"]["period"] for query in queries if "metric" in query}
    if len(periods) != 1 or sum(query.get("returnData", True) for query in queries) != 1:
        raise ModelError("an alarm's metrics share one period, and one query is its result")
    if sum("metric" in query for query in queries) > 10:
        raise ModelError("an alarm has at most 10 metrics")
    (period,) = periods
    if period * alarm["evaluationPeriods"] > 86_400:
        raise ModelError("an alarm of more than a day is evaluated once an hour, which is not in the model")
    step, points = period // 60, alarm["evaluationPeriods"] + reading.more
    newest = now - samples.late
    known: dict[str, Value] = {}
    for query in (query for query in queries if "metric" in query):
        metric = query["metric"]
        key = (metric["namespace"], metric["metricName"], tuple(sorted(metric["dimensions"].items())))
        spans = [(now - (index + 1) * step, now - index * step) for index in reversed(range(points))]
        known[query["id"]] = [samples.statistic(key, metric["stat"], start, min(end, newest)) for start, end in spans]
    waiting = {query["id"]: query["expression"] for query in queries if "metric" not in query}
    for id_, expression in waiting.items():  # each may name the ones above it only, which ours do
        known[id_] = math(expression, known, period=period, reading=reading)
    (result,) = (query["id"] for query in queries if query.get("returnData", True))
    compare = {"GreaterThanThreshold": operator.gt, "LessThanThreshold": operator.lt}[alarm["comparisonOperator"]]
    breaching = [None if point is None else compare(point, alarm["threshold"]) for point in _series(known[result])]
    return state(breaching, alarm["evaluationPeriods"], alarm["datapointsToAlarm"], alarm["treatMissingData"])


def state(retrieved: Sequence[bool | None], periods: int, needed: int, missing: str) -> str:
    """ALARMS, "How alarm state is evaluated when data is missing": as few missing points as possible are used."""
    if missing not in {"breaching", "notBreaching"}:
        raise ModelError(f"not in the model: treatMissingData {missing}")
    there = [point for point in retrieved if point is not None][-periods:]
    bad = sum(there) + (periods - len(there)) * (missing == "breaching")
    return "ALARM" if bad >= needed else "OK"


def composite(rule: str, states: Mapping[str, str]) -> bool:
    """Whether a composite alarm's rule holds. states: of the metric alarms, by name. Raises ModelError."""
    for word in ("AND", "OR", "NOT"):
        rule = re.sub(rf"\b{word}\b(?=([^\"]*\"[^\"]*\")*[^\"]*$)", word.lower(), rule)

    def holds(node: ast.expr) -> bool:
        match node:
            case ast.BoolOp(op=op, values=values):
                return (all if isinstance(op, ast.And) else any)(holds(value) for value in values)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not holds(operand)
            case ast.Call(
                func=ast.Name(id="ALARM" | "OK" | "INSUFFICIENT_DATA" as wanted), args=[ast.Constant(value=name)]
            ):
                if name not in states:
                    raise ModelError(f"the rule names {name!r}, which is no alarm")
                return states[str(name)] == wanted
            case ast.Name(id="TRUE" | "FALSE" as value):
                return value == "TRUE"
            case _:
                raise ModelError(f"not in the model: {ast.unparse(node)}")

    return holds(ast.parse(rule, mode="eval").body)
