"""Reads and writes ``costs:`` of a ``space.yaml``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from nasbuild._user_functions import FORMS, split_function
from nasbuild.errors import SpaceError
from nasbuild.space._check_architecture import kind_of, shown
from nasbuild.space._choice import Choice, as_choice, choice_key, plain_choice
from nasbuild.space._cost_terms import LAST, CostFactor, CostProduct, CostValues, Of, Place
from nasbuild.space._declared_costs import Cost
from nasbuild.space._declared_costs_check import check_cost
from nasbuild.space._plain_data import mapping_of, text_of
from nasbuild.space._space import Direction, Metric, Space

_LARGEST = 1e300
_KEYS = ("direction", "unit", "constant", "sum", "mean", "function")
_VALUES = ("feature", "values", "otherwise", "stage", "layer")
_PRODUCT = ("product", "first", "numbers", "stage", "layer")
_PLAIN = re.compile(r"[^\W\d]\w*")
_LONGEST_PRODUCT = 2_000
_FACTORS = "numbers and FEATURE, previous.FEATURE, globals.FEATURE, with ^POWER or without, joined by *"


def read_costs(space: Space, data: object) -> dict[str, Cost]:
    """Read the costs of a space whose stages and metrics are known, by name.

    Raises
    ------
    SpaceError
        For the first mistake, naming its place in the data and what is allowed there.

    Examples
    --------
    >>> from nasbuild.space import read_costs, space_from_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> costs = read_costs(space, {"macs": {"sum": [{"product": "2 * kernel^2"}]}})
    >>> costs["macs"].sum[0].coefficient
    2.0
    """
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise SpaceError("must be {cost: {sum: ...}}", where="costs")
    return {
        name: _cost(space, name, entry) for name, entry in ((text_of(k, "costs"), v) for k, v in data.items())
    }


def costs_to_dict(costs: Mapping[str, Cost], metrics: Mapping[str, Metric]) -> dict[str, Any]:
    """Plain data of ``costs:``, for YAML and JSON; choices that are not texts are written as pairs.

    Direction and unit are left out for a cost that is also one of ``metrics``.

    Examples
    --------
    >>> from nasbuild.space import costs_to_dict, read_costs, space_from_yaml
    >>> space = space_from_yaml("{name: tiny, stages: [{depth: [1, 2], features: {kernel: [3, 5]}}]}")
    >>> costs = read_costs(space, {"macs": {"sum": [{"product": "2 * kernel^2"}]}})
    >>> costs_to_dict(costs, space.metrics)["macs"]["sum"]
    [{'product': '2 * kernel^2'}]
    """
    return {name: _entry(cost, name in metrics) for name, cost in costs.items()}


def _cost(space: Space, name: str, data: object) -> Cost:
    where = f"costs.{name}"
    entry = mapping_of(data, where, _KEYS)
    metric = space.metrics.get(name)
    direction: Any = entry.get("direction", metric.direction if metric else "minimize")
    if direction not in get_args(Direction):
        raise SpaceError(f"direction is {shown(direction)}", where=where, allowed=get_args(Direction))
    given_unit = entry.get("unit")
    unit = (
        metric.unit
        if metric and given_unit is None
        else ""
        if given_unit in (None, "")
        else text_of(given_unit, f"{where}.unit")
    )
    if metric and (direction, unit) != (metric.direction, metric.unit):
        raise SpaceError(
            f"differs in direction or unit from the metric {name!r}", where=where, todo="remove it here"
        )
    function = entry.get("function")
    if function is not None:
        if not isinstance(function, str) or split_function(function) is None:
            raise SpaceError(f"{shown(function)} is not a function", where=f"{where}.function", allowed=FORMS)
        if entry.keys() & {"constant", "sum", "mean"}:
            raise SpaceError("has both a function and terms", where=where, todo="keep one of the two")
    elif not entry.keys() & {"constant", "sum", "mean"}:
        raise SpaceError("is empty", where=where, allowed=("constant", "sum", "mean", "function"))
    constant = _number(entry.get("constant", 0), f"{where}.constant")
    summed, mean = (_terms(space, entry.get(key), f"{where}.{key}") for key in ("sum", "mean"))
    cost = Cost(name, direction, unit, constant, summed, mean, function)
    check_cost(space, cost, where)
    return cost


def _terms(space: Space, data: object, where: str) -> tuple[CostValues | CostProduct, ...]:
    if data is None:
        return ()
    if not isinstance(data, list):
        raise SpaceError("must be a list of {feature: ..., values: ...} and {product: ...}", where=where)
    return tuple(_term(space, entry, f"{where}[{n}]") for n, entry in enumerate(data))


def _term(space: Space, data: object, where: str) -> CostValues | CostProduct:
    product = isinstance(data, Mapping) and "product" in data
    entry = mapping_of(data, where, _PRODUCT if product else _VALUES)
    stages, layer = (
        _stages(space, entry.get("stage"), f"{where}.stage"),
        _layer(entry.get("layer"), f"{where}.layer"),
    )
    if not product:
        otherwise = entry.get("otherwise")
        return CostValues(
            text_of(entry.get("feature"), f"{where}.feature"),
            choice_numbers(entry.get("values", []), f"{where}.values"),
            stages,
            layer,
            None if otherwise is None else _number(otherwise, f"{where}.otherwise"),
        )
    coefficient, factors = _factors(entry["product"], f"{where}.product")
    first, numbers = entry.get("first", {}), entry.get("numbers", {})
    for key, part in (("first", first), ("numbers", numbers)):
        if not isinstance(part, Mapping):
            raise SpaceError(f"is {kind_of(part)}, not an object of features", where=f"{where}.{key}")
    return CostProduct(
        coefficient,
        factors,
        stages,
        layer,
        tuple((text_of(k, f"{where}.first"), _number(v, f"{where}.first.{k}")) for k, v in first.items()),
        tuple(
            (text_of(k, f"{where}.numbers"), choice_numbers(v, f"{where}.numbers.{k}")) for k, v in numbers.items()
        ),
    )


def _factors(data: object, where: str) -> tuple[float, tuple[CostFactor, ...]]:
    """``2 * previous.width * kernel^2``, or the same as a list, for features with other names."""
    if isinstance(data, str) and len(data) <= _LONGEST_PRODUCT:
        parts: list[Any] = [part.strip() for part in data.split("*")]
    elif isinstance(data, list) and len(data) <= _LONGEST_PRODUCT:
        parts = data
    elif isinstance(data, int | float) and not isinstance(data, bool):
        parts = [data]
    else:
        raise SpaceError(f"{shown(data)} is not a product", where=where, allowed=_FACTORS)
    coefficient, factors = 1.0, []
    for part in parts:
        if isinstance(part, Mapping):
            factors.append(_factor(part, where))
        elif (number := _maybe_number(part)) is not None:
            coefficient *= number
        elif isinstance(part, str):
            factors.append(_plain_factor(part, where))
        else:
            raise SpaceError(f"{shown(part)} is not a factor", where=where, allowed=_FACTORS)
    return _number(coefficient, where), tuple(factors)


def _plain_factor(text: str, where: str) -> CostFactor:
    base, _, power = text.partition("^")
    of, _, name = base.rpartition(".")
    exponent = _maybe_number(power) if "^" in text else 1.0
    kinds: dict[str, Of] = {"": "layer", "previous": "previous", "globals": "globals"}
    if of.strip() not in kinds or not _PLAIN.fullmatch(name.strip()) or exponent is None:
        raise SpaceError(f"{shown(text)} is not a factor", where=where, allowed=_FACTORS)
    return CostFactor(name.strip(), kinds[of.strip()], exponent)


def _factor(data: Mapping[str, Any], where: str) -> CostFactor:
    entry = mapping_of(data, where, ("feature", "of", "power"))
    of = entry.get("of", "layer")
    if of not in get_args(Of):
        raise SpaceError(f"of is {shown(of)}", where=where, allowed=get_args(Of))
    return CostFactor(text_of(entry.get("feature"), where), of, _number(entry.get("power", 1), where))


def _stages(space: Space, data: object, where: str) -> tuple[str, ...] | None:
    if data is None:
        return None
    given: Sequence[Any] = data if isinstance(data, list) else [data]
    if not given:
        raise SpaceError("names no stage", where=where)
    return tuple(dict.fromkeys(stage_name(space, one, where) for one in given))


def stage_name(space: Space, given: object, where: str) -> str:
    """The name of a stage that is given by name or index.

    Raises
    ------
    SpaceError
        If there is no such stage.
    """
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise SpaceError(
            f"{shown(given)} is not a stage", where=where, allowed=[s.name for s in space.stages]
        )
    try:
        return space.stages[space.stage_index(given)].name
    except SpaceError as error:
        raise error.at(where) from None


def _layer(data: object, where: str) -> Place:
    if data is None or data == LAST:
        return LAST if data == LAST else None
    if isinstance(data, bool) or not isinstance(data, int) or data < 0:
        raise SpaceError(f"{shown(data)} is not a layer", where=where, allowed="numbers from 0, last")
    return data


def choice_numbers(data: object, where: str) -> tuple[tuple[Choice, float], ...]:
    """Read a number for each choice: ``{choice: number}``, or pairs in a list.

    Raises
    ------
    SpaceError
        If a choice stands there twice, or has no finite number.
    """
    if isinstance(data, Mapping):
        pairs: list[Any] = [[choice, value] for choice, value in data.items()]
    elif isinstance(data, list):
        pairs = data
    else:
        raise SpaceError(f"is {kind_of(data)}, not {{choice: number}}", where=where)
    found: dict[object, tuple[Choice, float]] = {}
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise SpaceError(f"{shown(pair)} is not a pair of a choice and a number", where=where)
        choice, value = as_choice(pair[0]), pair[1]
        if not (choice is None or isinstance(choice, bool | int | float | str | tuple)):
            raise SpaceError(f"{shown(choice)} is not a choice", where=where)
        if choice_key(choice) in found:
            raise SpaceError(f"has {shown(choice)} twice", where=where)
        found[choice_key(choice)] = choice, _number(value, f"{where}, {shown(choice)}")
    return tuple(found.values())


def _maybe_number(data: object) -> float | None:
    try:
        number = (
            float(data) if isinstance(data, str | int | float) and not isinstance(data, bool) else math.nan
        )
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < _LARGEST else None


def _number(data: object, where: str) -> float:
    number = None if isinstance(data, str) else _maybe_number(data)
    if number is None:
        raise SpaceError(f"{shown(data)} is not a number", where=where, allowed="finite numbers below 1e300")
    return number


def _entry(cost: Cost, is_metric: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {} if is_metric else {"direction": cost.direction, "unit": cost.unit}
    if cost.function is not None:
        return {**entry, "function": cost.function}
    entry["constant"] = _short(cost.constant)
    for key, terms in (("sum", cost.sum), ("mean", cost.mean)):
        if terms:
            entry[key] = [_term_entry(term) for term in terms]
    return entry


def _term_entry(term: CostValues | CostProduct) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    if isinstance(term, CostValues):
        entry = {"feature": term.feature, "values": plain_choice_numbers(term.values)}
        if term.otherwise is not None:
            entry["otherwise"] = _short(term.otherwise)
    else:
        entry["product"] = _plain_product(term)
        if term.first:
            entry["first"] = {name: _short(value) for name, value in term.first}
        if term.numbers:
            entry["numbers"] = {name: plain_choice_numbers(pairs) for name, pairs in term.numbers}
    if term.stages is not None:
        entry["stage"] = term.stages[0] if len(term.stages) == 1 else list(term.stages)
    if term.layer is not None:
        entry["layer"] = term.layer
    return entry


def plain_choice_numbers(pairs: Sequence[tuple[Choice, float]]) -> Any:
    """Plain data that `choice_numbers` reads back."""
    if all(isinstance(choice, str) for choice, _ in pairs):
        return {choice: _short(value) for choice, value in pairs}
    return [[plain_choice(choice), _short(value)] for choice, value in pairs]


def _plain_product(term: CostProduct) -> Any:
    if all(_PLAIN.fullmatch(factor.feature) for factor in term.factors):
        parts = [] if term.coefficient == 1 and term.factors else [repr(_short(term.coefficient))]
        for factor in term.factors:
            before = "" if factor.of == "layer" else f"{factor.of}."
            parts.append(
                f"{before}{factor.feature}" + (f"^{_short(factor.power)}" if factor.power != 1 else "")
            )
        return " * ".join(parts)
    factors = [{"feature": f.feature, "of": f.of, "power": _short(f.power)} for f in term.factors]
    return [_short(term.coefficient), *factors]


def _short(value: float) -> int | float:
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
