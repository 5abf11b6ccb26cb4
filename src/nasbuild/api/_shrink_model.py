"""A language model made smaller: measured, learnt from, built within budgets, checked on other text, and written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbuild._atomic_write import write_text
from nasbuild.api._arguments import texts
from nasbuild.api._evaluate import Progress, optimize
from nasbuild.builder import format_bounds
from nasbuild.errors import NasbuildError
from nasbuild.evaluate import load_evaluator
from nasbuild.optimize import LoopState, best_within_budgets
from nasbuild.search import Goal, parse_goal
from nasbuild.space import Architecture, Space, architecture_id, module_codes, save_space, to_dict

if TYPE_CHECKING:
    from nasbuild.zoo.lm import LanguageTask

SPACE, LEARN, TEST, TESTED, FOUND = "space.yaml", "learn.yaml", "test.yaml", "test.json", "found"
MODELS, RESULT = "models", "models.json"
_TESTING = "measuring on other text"


@dataclass(frozen=True)
class SmallModel:
    """The best measured model within a budget.

    Attributes
    ----------
    where
        The budget.
    architecture
        As plain data; None where nothing was measured within the budget, and then everything else is None as well.
    costs
        ``bytes``, ``params``, ``macs`` a token and ``kv_bytes``.
    loss, predicted, std
        Measured on the text for learning, which chose it, and predicted by the last fit, in nats a token.
    test_loss, test_change, test_error
        On the text of the test: loss, how much that is above the unchanged model's, and the standard error of this
        difference, from the differences of windows.
    model, notes
        What was written, and what it holds otherwise than asked for.

    Examples
    --------
    >>> import nasbuild.api
    >>> nasbuild.api.SmallModel("bytes <= 6e+07").architecture is None  # nothing was measured within it
    True
    """

    where: str
    architecture: dict[str, Any] | None = None
    costs: dict[str, float] | None = None
    loss: float | None = None
    predicted: float | None = None
    std: float | None = None
    test_loss: float | None = None
    test_change: float | None = None
    test_error: float | None = None
    model: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ShrunkModel:
    """What `shrink_model` found.

    Attributes
    ----------
    costs, loss, test_loss
        Of the unchanged model.
    best
        For each budget.
    state
        Of the loop: all evaluations and the last fit.

    Examples
    --------
    >>> import nasbuild as nb
    >>> [one.test_change for one in nb.shrink_model("LM.gguf", "corpus.txt", "bytes <= 60e6", out="small").best]
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: LM.gguf: no such file
    """

    costs: dict[str, float]
    loss: float
    test_loss: float
    best: tuple[SmallModel, ...]
    state: LoopState


def shrink_model(
    model: str | os.PathLike[str],
    text: str | Sequence[str],
    budget: str | Sequence[str],
    *,
    out: str | os.PathLike[str],
    vary: Sequence[str] = ("attention", "mlp"),
    types: Sequence[str] = (),
    evaluations: int = 150,
    context: int = 512,
    windows: int = 4,
    test_windows: int = 16,
    workers: int | None = None,
    seed: int = 0,
    progress: Progress = lambda *_: None,
    on_round: Callable[[LoopState], None] = lambda _: None,
) -> ShrunkModel:
    """Make a language model smaller within budgets. The same call resumes a stopped one.

    Single changes of the model are measured, then joint ones that a fit builds (`optimize`). The best measured within
    each budget is measured on other text, and written.

    Parameters
    ----------
    model
        GGUF file, or Hugging Face folder.
    text
        Text files, or patterns of them. Half of the text is kept for the test.
    budget
        Bounds on costs of the model's space, such as ``"bytes <= 60e6 | 70e6 | 80e6"``.
    out
        Folder of everything that is measured and written.
    vary, types
        As for `nasbuild.zoo.lm.model_space`.
    evaluations
        Measurements on the text for learning, the unchanged model among them.
    context, windows, test_windows
        Tokens of a window of text, and number of windows for learning and for the test.
    workers
        Worker processes; each has the model in memory.
    progress
        Called with the current activity, the number done, the total, and a note.
    on_round
        Called after every round of the loop.

    Raises
    ------
    NasbuildError
        If the model or the text can't be read, or ``out`` holds something else.

    Examples
    --------
    >>> import nasbuild as nb
    >>> nb.shrink_model("nowhere.gguf", "corpus.txt", "bytes <= 60e6", out="small")
    Traceback (most recent call last):
        ...
    nasbuild.errors.NasbuildError: nowhere.gguf: no such file
    """
    from nasbuild.zoo.lm import language_costs, load_language_task, model_space, read_shape

    folder = Path(out)
    shape = read_shape(model)
    space = model_space(shape, list(vary), types=list(types), context=context)
    folder.mkdir(parents=True, exist_ok=True)
    save_space(space, folder / SPACE)
    settings = {
        "model": str(Path(model).resolve()),
        "text": [str(Path(one).resolve()) for one in texts(text, "text")],
        "context": context,
    }
    _write_settings(folder / LEARN, {**settings, "windows": windows})
    _write_settings(folder / TEST, {**settings, "windows": test_windows, "split": "test", "kld": False})
    evaluator = f"lm:{folder / LEARN}"
    # A wrong budget or unreadable text is told before hours of measurements.
    metrics = load_evaluator(evaluator, space).metrics
    _check_budgets(space, parse_goal(space, ["loss"], texts(budget, "budget"), metrics, sweeps=True))
    state = optimize(
        space,
        evaluator,
        "loss",
        out=folder / FOUND,
        store=folder / "results.db",
        where=budget,
        budget=evaluations,
        workers=workers,
        seed=seed,
        progress=progress,
        on_round=on_round,
    )
    task = load_language_task(folder / TEST)
    assert space.reference is not None
    found = best_within_budgets(state.evaluated)
    total = len(found) + 1
    progress(_TESTING, 0, total, "")
    unchanged = _tested(folder, task, space, space.reference)
    best = []
    for number, one in enumerate(found, 1):
        progress(_TESTING, number, total, "")
        where = format_bounds(one.bounds)
        if one.row is None:
            best.append(SmallModel(where))
            continue
        best.append(_finished(folder, task, space, state, one.row, where, unchanged))
    progress(_TESTING, total, total, "")
    rows = {a: i for i, a in enumerate(state.evaluated.architectures)}
    known = float(state.evaluated.values[rows[space.reference], 0])
    costs = language_costs(shape, shape.unchanged, context)
    result = ShrunkModel(costs, known, float(unchanged.mean()), tuple(best), state)
    plain = {
        "unchanged": {**costs, "loss": known, "test_loss": result.test_loss},
        "best": [asdict(b) for b in best],
    }
    write_text(folder / RESULT, json.dumps(plain, indent=1) + "\n")
    return result


def _check_budgets(space: Space, goal: Goal) -> None:
    """Refuses a budget that is smaller than every model of the space."""
    for bound in (bound for bounds in goal.alternatives for bound in bounds):
        cost = space.costs.get(bound.name)
        if cost is None or bound.sign < 0:
            continue
        codes = [module_codes(stage, 1) for stage in space.stages]
        least = cost.constant + sum(float(cost.inner(space, u, own).min()) for u, own in enumerate(codes))
        if bound.value < least:
            raise NasbuildError(
                f"no model has {bound}: the smallest one has {least:,.0f}",
                where="--budget",
                todo="give a larger budget, or let more parts vary",
            )


def _finished(
    folder: Path,
    task: LanguageTask,
    space: Space,
    state: LoopState,
    row: int,
    where: str,
    unchanged: np.ndarray,
) -> SmallModel:
    """Tests and writes the best within a budget."""
    from nasbuild.zoo.lm import write_model

    one = state.evaluated.architectures[row]
    losses = _tested(folder, task, space, one)
    change = losses - unchanged
    (folder / MODELS).mkdir(exist_ok=True)
    written = write_model(task.path, task.change_of(space, one), folder / MODELS / _file_name(where))
    predicted, std = _predicted(state, one)
    return SmallModel(
        where,
        to_dict(space, one),
        {name: float(cost.values(space, [one])[0]) for name, cost in space.costs.items()},
        float(state.evaluated.values[row, 0]),
        predicted,
        std,
        float(losses.mean()),
        float(change.mean()),
        float(change.std(ddof=1) / np.sqrt(len(change))) if len(change) > 1 else None,
        written.path,
        written.notes,
    )


def _tested(folder: Path, task: LanguageTask, space: Space, one: Architecture) -> np.ndarray:
    """Loss of each window of the test, measured once and kept."""
    path, key = folder / TESTED, architecture_id(space, one)
    kept = json.loads(path.read_text()) if path.exists() else {}
    if key not in kept:
        losses, _ = task.losses.by_window(task.change_of(space, one))
        kept[key] = losses.tolist()
        write_text(path, json.dumps(kept, indent=1) + "\n")
    return np.array(kept[key])


def _predicted(state: LoopState, one: Architecture) -> tuple[float | None, float | None]:
    """Prediction and deviation of the last fit."""
    if state.fit is None:
        return None, None
    means, deviations = state.fit.targets[0].scorer.predict([one])
    return float(means[0]), float(deviations[0])


def _file_name(where: str) -> str:
    """A budget as the name of a file: ``bytes <= 6e+07`` is ``bytes-6e+07``."""
    return "-".join(
        part for part in where.replace("<", " ").replace("=", " ").replace(">", " ").split() if part
    )


def _write_settings(path: Path, settings: dict[str, Any]) -> None:
    """Writes settings of the evaluator; the folder of another model or text is refused."""
    text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items())
    if path.exists() and path.read_text() != text:
        raise NasbuildError(
            "is of another model, text or number of windows",
            where=str(path),
            todo="give the same ones to resume, or another --out",
        )
    write_text(path, text)
