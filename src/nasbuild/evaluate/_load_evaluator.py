"""Loads evaluators by name: a user's function or command, a table, network costs or latency, a registered evaluator."""

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
from nasbuild.evaluate._protocol import QUEUE_DEPTH, Cost, Evaluator
from nasbuild.evaluate._source_hash import source_hash
from nasbuild.evaluate.latency._measure import LATENCY, SWEEP_SIZE, measure_latencies
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
    """Load an evaluator by name.

    Parameters
    ----------
    name
        One of these forms:

        - ``FILE.py:FUNCTION`` or ``MODULE:FUNCTION``: a function of an architecture as in ``archs.jsonl``
          (``{"stages": [[{feature: choice}, ...], ...]}``) that returns the metrics that the space declares. Its
          attribute ``cost``, if present, is the cost class.
        - ``command:PROGRAM ARGUMENTS``: a program that reads an architecture as a line of JSON and answers with one.
        - ``costs:NETWORK``: counts parameters and multiply-accumulates of `load_networks`; options as in `parse_costs`.
        - ``latency:NETWORK[,OPTION=VALUE ...]``: times the same networks; options as in `LatencySettings`.
        - ``NAME`` or ``NAME:ARGUMENT``: an evaluator that an installed package registers, such as ``digits``,
          ``supernet:FILE.yaml`` or ``inpainting:FILE.yaml``. See ``docs/plugins.md``.
        - Anything else is a table, in which architectures are looked up. Evaluations of others fail.
    space
        The space of the architectures.
    seed
        Seed of trainings.
    limit
        Maximum seconds of an evaluation. Commands enforce it themselves. For all others the executor enforces it in a
        separate process.

    Raises
    ------
    NasbuildError
        If the name is unknown, or the evaluator can't be loaded.

    Examples
    --------
    >>> from nasbuild.evaluate import load_evaluator
    >>> from nasbuild.space import load_space, sample
    >>> import numpy as np
    >>> space = load_space("digits-macro")
    >>> costs = load_evaluator("costs:digits", space)
    >>> costs.cost, sorted(costs.metrics)
    ('free', ['macs', 'params'])
    >>> table = load_evaluator("digits-macro", space)
    >>> [result.metrics["params"] for result in table.evaluate(sample(space, 1, np.random.default_rng(0)))]
    [6514.0]
    """
    # Fixed parts of a space restrict what is asked for, not what can be evaluated.
    evaluator = _load(name, space.whole or space, seed, limit)
    return replace(evaluator, code=source_hash(name))


def _load(name: str, space: Space, seed: int, limit: float | None) -> Evaluator:
    if name.startswith(_COMMAND):
        command = name.removeprefix(_COMMAND).strip()
        check_command(command)
        return _function(
            name, lambda arch: run_command(command, arch, limit), space, "expensive", enforces_limit=True
        )
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
    # Imported late: worker processes of other evaluators start sooner.
    from nasbuild.table import builtin_tables

    if name in builtin_tables() or Path(name).exists():
        return _table_lookup(name, space)
    raise NasbuildError(
        f"there is no evaluator {name!r}", where="--evaluator", allowed=(*registered("evaluators"), *_FORMS)
    )


def _costs(name: str, space: Space) -> Evaluator:
    network, batch = parse_costs(name.removeprefix(_COSTS), name)
    networks = load_networks(network, space)
    return Evaluator(name, COSTS, lambda architecture: count_costs(networks, architecture, batch), "free")


def _latency(name: str, space: Space) -> Evaluator:
    network, settings = parse_latency(name.removeprefix(_LATENCY), name)
    # Fail at once, not once per network.
    load_networks(network, space)
    settings.backend.check()

    def measure(architecture: Architecture) -> Mapping[str, float | None]:
        (metrics,) = sweep([architecture])
        if isinstance(metrics, Exception):
            raise metrics
        return metrics

    def sweep(architectures: Any) -> list[Mapping[str, float | None] | Exception]:
        return measure_latencies(network, space, architectures, settings)

    return Evaluator(name, LATENCY, measure, "cheap", sweep, SWEEP_SIZE)


def _table_lookup(name: str, space: Space) -> Evaluator:
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
    if cost not in QUEUE_DEPTH:
        raise NasbuildError(f"its cost class is {cost!r}", where=f"--evaluator {name}", allowed=QUEUE_DEPTH)
    return cast(Cost, cost)


def _function(
    name: str,
    function: Callable[[dict[str, Any]], Any],
    space: Space,
    cost: Cost,
    *,
    enforces_limit: bool = False,
) -> Evaluator:
    if not space.metrics:
        raise NasbuildError(
            f"space {space.name!r} declares no metrics, so their directions are unknown",
            where="--evaluator",
            todo="add metrics with their directions to the space",
        )
    return Evaluator(
        name, space.metrics, lambda arch: function(to_dict(space, arch)), cost, enforces_limit=enforces_limit
    )
