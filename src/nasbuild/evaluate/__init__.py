"""What an architecture really does: the only room that runs networks.

Importing it loads no torch; the functions do when they are called. ``nasbuild.evaluate(...)`` calls `nasbuild.api.evaluate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasbuild._callable_room import make_callable
from nasbuild._lazy_imports import lazy
from nasbuild.evaluate._command_evaluator import EvaluationError
from nasbuild.evaluate._load_evaluator import load_evaluator
from nasbuild.evaluate._networks import Networks, load_networks, network_names
from nasbuild.evaluate._protocol import Cost, Evaluator
from nasbuild.evaluate._result import Measured, Result
from nasbuild.evaluate.executors._pool import InProcess, Pool
from nasbuild.evaluate.executors._ray import Ray
from nasbuild.evaluate.executors._work import Executor, Spec
from nasbuild.evaluate.latency._latency import NoisyReading
from nasbuild.evaluate.latency._onnx_runtime import to_onnx

if TYPE_CHECKING:
    from nasbuild.evaluate._evaluate_all import evaluate_all
    from nasbuild.evaluate._mac_counter import count_call
    from nasbuild.evaluate._network_costs import count_parameters
    from nasbuild.evaluate.store._faults import StoreError
    from nasbuild.evaluate.store._owner import LEASE
    from nasbuild.evaluate.store._salvage import salvaged
    from nasbuild.evaluate.store._store import Store

__all__ = [
    "LEASE",
    "Cost",
    "EvaluationError",
    "Evaluator",
    "Executor",
    "InProcess",
    "Measured",
    "Networks",
    "NoisyReading",
    "Pool",
    "Ray",
    "Result",
    "Spec",
    "Store",
    "StoreError",
    "count_call",
    "count_parameters",
    "evaluate_all",
    "load_evaluator",
    "load_networks",
    "network_names",
    "salvaged",
    "to_onnx",
]

# Worker processes import this room and need no database.
_LAZY = {
    "LEASE": "store._owner",
    "Store": "store._store",
    "StoreError": "store._faults",
    "count_call": "_mac_counter",
    "count_parameters": "_network_costs",
    "evaluate_all": "_evaluate_all",
    "salvaged": "store._salvage",
}


__getattr__ = lazy(__name__, _LAZY)

make_callable(__name__)
