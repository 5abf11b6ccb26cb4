"""For MLflow: a fit as a run, with parameters, metrics, the report and the fit folder (extra ``mlflow``)."""

from __future__ import annotations

import json
import re
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasbuild._optional_imports import absent
from nasbuild.report import write_report
from nasbuild.score import save_fit

if TYPE_CHECKING:
    from nasbuild.api import Rows
    from nasbuild.score import Fit

_LONGEST = 500  # characters of a parameter
_UNNAMED = re.compile(r"[^\w\-. /]")


def log_fit(fit: Fit, *, run_name: str | None = None, report: bool = True, built: Rows | None = None) -> str:
    """Log a fit to MLflow: in the active run, or in a new one that ends with it.

    Parameters are the space, the recipe, its settings and the targets. Metrics of each target are the labels and the
    held-out rank correlations of y' and of module scores (``acc.srcc``, ``acc.module_srcc``), and those of baselines.
    Artifacts are the fit folder (``fit``) and ``report.html``.

    Parameters
    ----------
    run_name
        Of a new run; the space's name if None.
    report
        Log the report, too.
    built
        Rows of `nasbuild.Fit.build`, logged as ``built.jsonl``.

    Returns
    -------
    The id of the run.

    Raises
    ------
    NasbuildError
        If MLflow is not installed.

    Examples
    --------
    >>> import nasbuild as nb
    >>> fit = nb.fit(nb.load_builtin("digits-macro"), "acc")  # doctest: +SKIP
    >>> nb.integrations.mlflow.log_fit(fit)  # doctest: +SKIP
    """
    try:
        import mlflow  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise absent(error) from error
    run: AbstractContextManager[Any] = nullcontext(mlflow.active_run())
    if mlflow.active_run() is None:
        run = mlflow.start_run(run_name=run_name or fit.space.name)
    with run as active, tempfile.TemporaryDirectory() as folder:
        mlflow.log_params(fit_params(fit))
        mlflow.log_metrics(fit_metrics(fit))
        place = Path(folder)
        save_fit(fit, place / "fit")
        if report:
            write_report(fit, place / "report.html")
        if built is not None:
            built.save(place / "built.jsonl")
        mlflow.log_artifacts(str(place))
        return str(active.info.run_id)


def fit_params(fit: Fit) -> dict[str, str]:
    """Space, targets, recipe and its settings as texts, at most 500 characters each."""
    settings = {f"recipe.{name}": value for name, value in fit.recipe.as_dict().items() if name != "name"}
    values = {
        "space": fit.space.name,
        "targets": [one.target.name for one in fit.targets],
        "recipe": fit.recipe.name,
        **settings,
    }
    return {
        name: (value if isinstance(value, str) else json.dumps(value))[:_LONGEST]
        for name, value in values.items()
    }


def fit_metrics(fit: Fit) -> dict[str, float]:
    """Rows of the table, and of each target its labels and held-out rank correlations; unknown ones are left out."""
    found = {"rows": float(len(fit.table))}
    for one in fit.targets:
        name, trust = _UNNAMED.sub("_", one.target.name), one.trust
        found[f"{name}.labels"] = float(trust.labels)
        found[f"{name}.srcc"] = trust.prediction.mean
        found[f"{name}.module_srcc"] = trust.modules.mean
        found |= {f"{name}.{baseline.name}.srcc": baseline.prediction.mean for baseline in trust.baselines}
    return {name: float(value) for name, value in found.items() if value == value}
