"""Evaluators by name: a function of the user's, a command, a table, a network's costs or latency, a training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from nasbuild._registry import load_registered, registered
from nasbuild._user_functions import find_function, split_function
from nasbuild.errors import NasbuildError
from nasbuild.evaluate._command_evaluator import EvaluationError, check_command, run_command
from nasbuild.evaluate._network_costs import COSTS, count_costs, parse_costs
from nasbuild.evaluate._networks import load_networks
from nasbuild.evaluate._protocol import AHEAD, Cost, Evaluator
from nasbuild.evaluate._source_hash import code_of
from nasbuild.evaluate.latency._latency import LATENCY, TOGETHER, measure_latencies
from nasbuild.evaluate.latency._settings import parse_latency
from nasbuild.space import Architecture, Space, to_dict

_COMMAND, _COSTS, _LATENCY = "command:", "costs:", "latency:"
_FORMS = (
    "costs:NETWORK[,no-batch|,batch-dimension=N]",
    "latency:NETWORK[,OPTION=VALUE]",
    "FILE.py:FUNCTION",
    "MODULE:FUNCTION",
    "command:PROGRAM ARGUMENTS",
    "a table of evaluated architectures",
)


def load_evaluator(name: str, space: Space, *, seed: int = 0, limit: float | None = None) -> Evaluator:
    """An evaluator by its name.

    Parameters
    ----------
    name
        ``"FILE.py:FUNCTION"`` or ``"MODULE:FUNCTION"`` calls a function with an
        architecture as in ``archs.jsonl`` (``{"stages": [[{feature: choice}, ...], ...]}``), which returns the metrics
        that the space declares (its attribute ``cost``, where it has one, is the cost class);
        ``"command:PROGRAM ARGUMENTS"`` gets the same as a line of JSON and answers with one;
        ``"costs:NETWORK"`` counts, with options as in `parse_costs`, ``"latency:NETWORK[,OPTION=VALUE ...]"`` times networks that `load_networks`
        knows, options as in `LatencySettings`; ``"NAME"`` or ``"NAME:ARGUMENT"`` is an evaluator that an installed package registers
        (entry point group ``nasbuild.evaluators``: a function of the argument, the space and the seed that returns an
        `Evaluator`), among them ``"digits"``, ``"supernet:FILE.yaml"`` and ``"inpainting:FILE.yaml"``; anything else is a table, in which architectures are looked up: what is not
        in it could not be measured.
    seed
        Of trainings.
    limit
        Seconds that an evaluation may take. Commands keep to it by themselves, all else needs a process that can be ended:
        executors see to that.

    Raises
    ------
    NasbuildError
        If there is none of that name.
    """
    # Parts held fixed say what is asked for, not what can be evaluated.
    found = _found(name, space.whole or space, seed, limit)
    return replace(found, code=code_of(name))


def _found(name: str, space: Space, seed: int, limit: float | None) -> Evaluator:
    if name.startswith(_COMMAND):
        command = name.removeprefix(_COMMAND).strip()
        check_command(command)
        return _function(name, lambda arch: run_command(command, arch, limit), space, "dear", limited=True)
    if name.startswith(_COSTS):
        return _costs(name, space)
    if name.startswith(_LATENCY):
        return _latency(name, space)
    kind, _, argument = name.partition(":")
    if kind in registered("evaluators"):
        load = load_registered("evaluators", kind, where=f"--evaluator {name}")
        return replace(load(argument, space, seed), name=name)
    parts = split_function(name)
    if parts is not None:
        function = find_function(*parts, where=f"--evaluator {name}")
        return _function(name, function, space, _cost(name, function))
    # Not loaded for other evaluators: worker processes start sooner without.
    from nasbuild.table import builtin_tables

    if name in builtin_tables() or Path(name).exists():
        return _looked_up(name, space)
    raise NasbuildError(
        f"there is no evaluator {name!r}", where="--evaluator", allowed=(*registered("evaluators"), *_FORMS)
    )


def _costs(name: str, space: Space) -> Evaluator:
    of, batch = parse_costs(name.removeprefix(_COSTS), name)
    networks = load_networks(of, space)
    return Evaluator(name, COSTS, lambda architecture: count_costs(networks, architecture, batch), "free")


def _latency(name: str, space: Space) -> Evaluator:
    of, settings = parse_latency(name.removeprefix(_LATENCY), name)
    # Said at once, not by the failure of every network.
    load_networks(of, space)
    settings.target.check()

    def measure(architecture: Architecture) -> Mapping[str, float | None]:
        (outcome,) = sweep([architecture])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def sweep(architectures: Any) -> list[Mapping[str, float | None] | Exception]:
        return measure_latencies(of, space, architectures, settings)

    return Evaluator(name, LATENCY, measure, "cheap", sweep, TOGETHER)


def _looked_up(name: str, space: Space) -> Evaluator:
    from nasbuild.table import read_table

    table = read_table(name, space)

    def measure(architecture: Architecture) -> dict[str, float | None]:
        row = table.row_of.get(architecture)
        if row is None:
            raise EvaluationError("is not in the table")
        return {m: float(v[row]) for m, v in table.columns.items()}

    return Evaluator(name, table.metrics, measure, "free")


def _cost(name: str, function: Callable[..., Any]) -> Cost:
    cost = getattr(function, "cost", "cheap")
    if cost not in AHEAD:
        raise NasbuildError(f"its cost is {cost!r}", where=f"--evaluator {name}", allowed=AHEAD)
    return cast(Cost, cost)


def _function(
    name: str, function: Callable[[dict[str, Any]], Any], space: Space, cost: Cost, *, limited: bool = False
) -> Evaluator:
    if not space.metrics:
        raise NasbuildError(
            f"space {space.name!r} declares no metrics, so nobody knows what is better",
            where="--evaluator",
            todo="add metrics with their directions to the space",
        )
    return Evaluator(name, space.metrics, lambda arch: function(to_dict(space, arch)), cost, limited=limited)
