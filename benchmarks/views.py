"""Torch modules that write through views: three counts of their costs, and the outputs that their drafts compute.

    python benchmarks/views.py [--modules 200] [--every 4]

Random modules are those of `tests/ir/test_ir_views.py`. The MACs of each are counted by the torch route, by the ONNX route and
by hooks (``costs:``). For the ONNX route the same network is written without a view; every fourth is also exported by torch.
The outputs that a draft computes are compared with the module's own. Modules that torch's exporter refuses, or computes
differently, are reported separately.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from _common import HERE, arguments, resume, save
from nasbuild.errors import NasbuildError
from nasbuild.evaluate import load_evaluator
from nasbuild.ir import from_torch, read_onnx
from nasbuild.space import load_space, parse_architecture

sys.path.insert(0, str(HERE.parent / "tests" / "ir"))

from replay import Replay
from view_programs import INPUT, Program, draw

NETS = """
import sys
sys.path.insert(0, {folder!r})
from view_programs import draw

def build(architecture):
    return draw(int(architecture["stages"][0][0]["seed"]))[0]
"""


def main() -> None:
    parser = arguments("Modules that write through views", "views")
    parser.add_argument("--modules", type=int, default=200)
    parser.add_argument(
        "--every", type=int, default=4, help="which of them torch's exporter is given; it takes seconds"
    )
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    result = resume(options.out)
    result["versions"] |= {m.__name__: m.__version__ for m in (onnx, onnxruntime)}
    as_expected, different, start = Counter[str](), dict[str, Any](), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        hooks = costs(Path(folder), options.modules)
        for seed in range(options.modules):
            found = row(seed, hooks, Path(folder) / "network.onnx", seed % options.every == 0)
            as_expected.update(name for name, value in found.items() if value is True)
            different |= {f"{seed} {name}": value for name, value in found.items() if value is not True}
            if seed % 20 == 19:
                print(seed + 1, dict(as_expected), flush=True)
    result |= {
        "modules": options.modules,
        "as expected": dict(as_expected),
        "otherwise": different,
        "seconds": round(time.perf_counter() - start),
    }
    save(options.out, result)
    print(result)


def costs(folder: Path, modules: int) -> list[float | None]:
    """MACs by the evaluator ``costs:``, of a space whose architectures are the modules."""
    script = folder / "nets.py"
    script.write_text(NETS.format(folder=str(HERE.parent / "tests" / "ir")))
    seeds = list(range(modules))
    (folder / "space.yaml").write_text(f"""
name: views
metrics: {{macs: {{direction: minimize}}}}
stages: [{{name: all, depth: 1, features: {{seed: {seeds}}}}}]
""")
    space = load_space(folder / "space.yaml")
    evaluate = load_evaluator(f"costs:{script}:build@{'x'.join(map(str, INPUT))}", space)
    architectures = [parse_architecture(space, {"stages": [[{"seed": seed}]]}) for seed in seeds]
    return [metrics["macs"] for metrics in evaluate(architectures)]


def row(seed: int, hooks: list[float | None], path: Path, by_exporter: bool) -> dict[str, Any]:
    """Result for one module: True, or a description of the difference."""
    module, plain = draw(seed)
    x = torch.randn(INPUT, generator=torch.Generator().manual_seed(seed))
    held = {name: tensor.clone() for name, tensor in module.held().items()}
    graph = from_torch(module, x)
    macs = int(graph.macs.sum())
    path.write_bytes(plain.SerializeToString())
    found: dict[str, Any] = {
        "hooks": hooks[seed] == macs or [hooks[seed], macs],
        "ONNX without views": equal(int(read_onnx(path).macs.sum()), macs),
    }
    with pytest.MonkeyPatch.context() as patch:
        replay = Replay(module, x, patch)
    with torch.no_grad():
        replayed = replay.run(x)
    wanted = outputs(module, x, held)
    found["replayed"] = all(torch.allclose(a, b, 1e-4, 1e-5) for a, b in zip(replayed, wanted, strict=True))
    found["runtime without views"] = computes(path, x, wanted)
    return found | (exported(module, x, held, macs, wanted, path) if by_exporter else {})


def exported(
    module: Program, x: torch.Tensor, held: dict[str, Any], macs: int, wanted: Any, path: Path
) -> dict[str, Any]:
    """MACs by torch's exporter, if its export computes the same as the module."""
    # Writes to out= are not differentiated.
    module.requires_grad_(False)
    try:
        torch.onnx.export(
            module, (x.clone(),), path, dynamo=True, external_data=False, verbose=False, optimize=True
        )
    except Exception as error:
        return {"exported": f"fails: {type(error).__name__}"}
    finally:
        outputs(module, x, held)
    if (same := computes(path, x, wanted)) is not True:
        return {"exported": f"computes otherwise: {same}"}
    try:
        return {"exported": True, "exported, MACs": equal(int(read_onnx(path).macs.sum()), macs)}
    except NasbuildError as error:
        return {"exported": True, "exported, MACs": str(error)[:200]}


def outputs(module: Program, x: torch.Tensor, held: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """Outputs of a call; its writes to the module's own tensors are undone."""
    with torch.no_grad():
        found = [tensor.clone() for tensor in module(x.clone())]
        for name, tensor in module.held().items():
            tensor.copy_(held[name])
    return found


def computes(path: Path, x: torch.Tensor, wanted: list[torch.Tensor]) -> Any:
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    settings.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(path), settings)
        found = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:120]
    # Several outputs of a module may be one tensor, which exporters return once.
    pairs = zip(found, wanted, strict=len(found) == len(wanted))
    return all(np.allclose(a, b, 1e-3, 1e-4) for a, b in pairs) or "other numbers"


def equal(one: int, other: int) -> Any:
    return True if one == other else [one, other]


if __name__ == "__main__":
    main()
