"""Reads what a notebook tells of evaluations: architectures or ids, and metrics, failures or a frame of them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from nasbuild.errors import NasbuildError
from nasbuild.evaluate import Result, failed_result, parse_result
from nasbuild.space import Architecture, Space, contains, parse_architecture

_FORMS = "an id, a row of ask, an Architecture, or plain data with 'stages'"
_OUTCOMES = "a dict of metrics, None or a reason for a failed one"


def reported_results(
    space: Space,
    names: Sequence[str],
    architectures: Any,
    outcomes: Any,
    by_id: Callable[[], Mapping[str, Architecture]],
) -> list[tuple[Architecture, Result]]:
    """The architectures and results of one call of ``tell``.

    Parameters
    ----------
    names
        Metrics that the goal needs; each has to be told, None if it could not be measured.
    architectures
        One architecture or several: ids, rows of ``ask``, `Architecture`, plain data.
    outcomes
        For one, a mapping of metrics, a number if one metric is needed, None, a reason or an exception; for several, a
        sequence of these, a mapping of columns or a frame; None or a reason for all of them.
    by_id
        Architectures that were asked for or told before, by their ids.

    Raises
    ------
    NasbuildError
        If an architecture is unknown, numbers differ, or a metric is missing.
    """
    single = isinstance(architectures, str | Architecture | Mapping) or not _is_column(architectures)
    found = [_architecture(space, one, by_id) for one in ([architectures] if single else architectures)]
    each = [outcomes] if single else _several(outcomes, len(found))
    if len(each) != len(found):
        raise NasbuildError(
            f"{len(found):,} architectures are told with {len(each):,} outcomes",
            where="tell",
            allowed=_OUTCOMES,
        )
    if len(set(found)) < len(found):
        raise NasbuildError("an architecture is told twice", where="tell", todo="leave one of them out")
    return [(a, _result(space, names, outcome)) for a, outcome in zip(found, each, strict=True)]


def _architecture(space: Space, one: Any, by_id: Callable[[], Mapping[str, Architecture]]) -> Architecture:
    if isinstance(one, Architecture):
        if not contains(space, one):
            raise NasbuildError("the architecture is not in the space", where="tell", allowed=_FORMS)
        return one
    if isinstance(one, Mapping):
        return parse_architecture(space, one.get("arch", one))
    if isinstance(one, str):
        known = by_id()
        if one not in known:
            near = difflib.get_close_matches(one, known, 1)
            raise NasbuildError(
                f"nothing with the id {one!r} was asked for",
                where="tell",
                todo=f"did you mean {near[0]!r}?" if near else "give the architecture itself",
            )
        return known[one]
    raise NasbuildError(f"{one!r} is no architecture", where="tell", allowed=_FORMS)


def _several(outcomes: Any, count: int) -> list[Any]:
    if outcomes is None or isinstance(outcomes, str | BaseException):
        return [outcomes] * count
    if hasattr(outcomes, "to_dicts"):
        return list(outcomes.to_dicts())
    if hasattr(outcomes, "iloc") and hasattr(outcomes, "columns"):
        return list(outcomes.to_dict("records"))
    if isinstance(outcomes, Mapping):
        columns = {name: list(values) if _is_column(values) else values for name, values in outcomes.items()}
        uneven = [n for n, values in columns.items() if not isinstance(values, list) or len(values) != count]
        if uneven:
            raise NasbuildError(
                f"the column {uneven[0]!r} does not have {count:,} values", where="tell", allowed=_OUTCOMES
            )
        return [{name: values[i] for name, values in columns.items()} for i in range(count)]
    if not _is_column(outcomes):
        raise NasbuildError(
            f"{outcomes!r} is told of {count:,} architectures", where="tell", allowed=f"a list of {_OUTCOMES}"
        )
    return list(outcomes)


def _is_column(values: Any) -> bool:
    return isinstance(values, Iterable) and not isinstance(values, str)


def _result(space: Space, names: Sequence[str], outcome: Any) -> Result:
    if outcome is None:
        return Result(None, "told without a reason")
    if isinstance(outcome, str):
        return Result(None, outcome)
    if isinstance(outcome, BaseException):
        return failed_result(outcome)
    if not isinstance(outcome, Mapping):
        if len(names) > 1 or not hasattr(outcome, "__float__"):
            example = ", ".join(f"{name!r}: ..." for name in names)
            raise NasbuildError(
                f"{outcome!r} is told, which does not say which metric it is",
                where="tell",
                todo=f"tell {{{example}}}",
            )
        outcome = {names[0]: outcome}
    if missing := [name for name in names if name not in outcome]:
        near = difflib.get_close_matches(missing[0], [str(name) for name in outcome], 1)
        raise NasbuildError(
            f"{missing[0]!r} is not told",
            where="tell",
            allowed=[str(name) for name in outcome],
            todo=f"is it {near[0]!r}?" if near else "tell None if it could not be measured",
        )
    return parse_result(outcome, space.metrics)
