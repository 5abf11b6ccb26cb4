"""Evaluates architectures: evaluators, executors that run them, and a store that keeps the results.

This is the only room that runs networks. Importing it does not load torch; functions load it when they need it.
``nasbuild.evaluate(...)`` calls `nasbuild.api.evaluate`.

The examples of this room start from

>>> from nasbuild.evaluate import Result, Spec, Store
>>> from nasbuild.space import load_space, sample
>>> space = load_space("digits-macro")
>>> first, second = sample(space, 2, 0)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasbuild._callable_room import make_callable
from nasbuild._lazy_imports import lazy
from nasbuild.evaluate._command_evaluator import EvaluationError
from nasbuild.evaluate._load_evaluator import load_evaluator
from nasbuild.evaluate._networks import Networks, load_networks, network_names
from nasbuild.evaluate._parse_result import failed_result, parse_result
from nasbuild.evaluate._protocol import Cost, Evaluator
from nasbuild.evaluate._result import MetricValues, Result
from nasbuild.evaluate.executors._executor import Executor, Spec
from nasbuild.evaluate.executors._pool import InProcess, Pool
from nasbuild.evaluate.executors._ray import Ray
from nasbuild.evaluate.latency._measure import NoisyLatencyError
from nasbuild.evaluate.latency._onnx_runtime import to_onnx

if TYPE_CHECKING:
    from nasbuild.evaluate._evaluate_all import evaluate_all
    from nasbuild.evaluate._mac_counter import count_macs
    from nasbuild.evaluate._network_costs import count_parameters
    from nasbuild.evaluate.store._errors import StoreError
    from nasbuild.evaluate.store._heartbeats import Heartbeats
    from nasbuild.evaluate.store._owner import LEASE_SECONDS
    from nasbuild.evaluate.store._salvage import salvage_store
    from nasbuild.evaluate.store._store import Store

__all__ = [
    "LEASE_SECONDS",
    "Cost",
    "EvaluationError",
    "Evaluator",
    "Executor",
    "Heartbeats",
    "InProcess",
    "MetricValues",
    "Networks",
    "NoisyLatencyError",
    "Pool",
    "Ray",
    "Result",
    "Spec",
    "Store",
    "StoreError",
    "count_macs",
    "count_parameters",
    "evaluate_all",
    "failed_result",
    "load_evaluator",
    "load_networks",
    "network_names",
    "parse_result",
    "salvage_store",
    "to_onnx",
]

# Imported on first use: worker processes need no database.
_LAZY = {
    "Heartbeats": "store._heartbeats",
    "LEASE_SECONDS": "store._owner",
    "Store": "store._store",
    "StoreError": "store._errors",
    "count_macs": "_mac_counter",
    "count_parameters": "_network_costs",
    "evaluate_all": "_evaluate_all",
    "salvage_store": "store._salvage",
}


__getattr__ = lazy(__name__, _LAZY)

make_callable(__name__)
