"""Fits without a search space: learning from networks as graphs of operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np

from nasbuild.errors import TargetError
from nasbuild.ir import OperatorGraph, encode_graphs, operator_schema
from nasbuild.objective import Labels, Target, labels, parse_target
from nasbuild.predictor import Ensemble, OperatorRecipe, Recipe, fit_ensembles, one_thread
from nasbuild.score._any_fit import ByTarget, short
from nasbuild.score._feature_scores import ChoiceScore, feature_scores
from nasbuild.score._fit import Progress
from nasbuild.score._held_out import HeldOut
from nasbuild.score._pair_order import pair_order
from nasbuild.score._srcc_text import srcc_text
from nasbuild.score.graphs._graph_baselines import fit_graph_baselines
from nasbuild.score.graphs._graph_trust import GraphTrust, measure_graph_trust
from nasbuild.space import Graphs, GraphSchema
from nasbuild.table import GraphTable

_RECIPE = OperatorRecipe()


@dataclass(frozen=True)
class GraphTargetFit:
    """What was learnt about one target.

    Examples
    --------
    >>> acc.target.name, len(acc.labels.values), acc.ensemble.hops
    ('+acc', 16, 2)
    >>> sorted(one.choice for one in acc.features if one.feature == "op")
    ['Gemm', 'HardSwish', 'Input', 'Relu']
    """

    target: Target
    labels: Labels
    ensemble: Ensemble
    features: tuple[ChoiceScore, ...]
    trust: GraphTrust

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({short(self.target.name)}, {len(self.labels.values):,} labels, "
            f"held-out SRCC {srcc_text(self.trust.prediction)}, trust {self.trust.level})"
        )


@dataclass(frozen=True, repr=False)
class GraphFit(ByTarget[GraphTargetFit]):
    """What was learnt from networks as graphs of operations: ``fit["acc"]`` is the `GraphTargetFit` of a target.

    Iterating gives the names of the targets.

    Attributes
    ----------
    targets
        What was learnt about each target, in the order in which they were given.
    versions
        Versions of the packages that made a loaded fit.

    Examples
    --------
    >>> list(fit), len(fit.table), len(fit.graphs)
    (['+acc'], 16, 16)
    """

    kind: ClassVar[Literal["graphs"]] = "graphs"
    table: GraphTable
    recipe: Recipe
    seed: int
    targets: tuple[GraphTargetFit, ...]
    versions: dict[str, str] = field(default_factory=dict, compare=False)

    @cached_property
    def schema(self) -> GraphSchema:
        """Node features of the table's networks."""
        return operator_schema(self.table.graphs)

    @cached_property
    def graphs(self) -> Graphs:
        """The table's networks, packed."""
        return encode_graphs(self.schema, self.table.graphs)

    def __repr__(self) -> str:
        rows = f"{len(self.table):,} networks"
        return f"{type(self).__name__}: {rows}, recipe {self.recipe.name!r}, seed {self.seed}\n{self._targets_text()}"


@one_thread()
def fit_graphs(
    table: GraphTable,
    targets: Sequence[str],
    *,
    recipe: Recipe = _RECIPE,
    seed: int = 0,
    workers: int = 1,
    baselines: bool = True,
    progress: Progress = lambda *_: None,
) -> GraphFit:
    """Fit graph networks (section 3.2 with IR graphs), score operations, and measure trust on held-out networks.

    Parameters
    ----------
    table
        Networks with metrics.
    targets
        Metrics or equations of metrics.
    recipe
        Hyperparameters of the graph networks.
    seed
        Of all random choices, 0 or more.
    workers
        Number of worker processes; the result does not depend on it.
    baselines
        Measure ridge regression and LightGBM on counts of operations, for the verdict.

    Raises
    ------
    TargetError
        If there is no target, one is unknown, or too few networks have a label.

    Examples
    --------
    >>> from nasbuild.score.graphs import fit_graphs
    >>> fit_graphs(table.select(range(3)), ["+acc"], recipe=small)
    Traceback (most recent call last):
        ...
    nasbuild.errors.TargetError: target '+acc': only 3 networks have a value; at least 5 are needed to learn from some and test on others
    """
    if not targets:
        raise TargetError("there is no target", todo="name a metric or an equation")
    found = [labels(parse_target(text, table), table) for text in targets]
    for label in found:
        if len(label.values) < recipe.least:
            raise TargetError(
                f"only {len(label.values)} networks have a value",
                where=f"target {label.target.name!r}",
                todo=f"at least {recipe.least} are needed to learn from some and test on others",
            )
    schema = operator_schema(table.graphs)
    packed = encode_graphs(schema, table.graphs)
    problems = [(packed.select(label.rows), label.values) for label in found]
    ensembles = fit_ensembles(
        schema,
        recipe.shape(1),
        problems,
        recipe,
        seed=seed,
        workers=workers,
        progress=lambda done, total: progress("fitting", done, total),
    )
    target_fits = []
    for number, (label, (graphs, values), ensemble) in enumerate(
        zip(found, problems, ensembles, strict=True)
    ):
        progress("comparing with other methods", number, len(found))
        splits = [(member.train, member.test) for member in ensemble.members]
        others = fit_graph_baselines(schema, graphs, values, splits, seed=seed) if baselines else {}
        parts = [
            HeldOut(member.test, predicted, predicted)
            for member, predicted in zip(ensemble.members, ensemble.held_out(graphs), strict=True)
        ]
        pairs = pair_order(parts, values)
        trust = measure_graph_trust(ensemble.members, len(values), others, pairs)
        features = tuple(feature_scores(ensemble, graphs))
        target_fits.append(GraphTargetFit(label.target, label, ensemble, features, trust))
    return GraphFit(table, recipe, seed, tuple(target_fits))


@one_thread()
def predict_graphs(
    fit: GraphFit, target_fit: GraphTargetFit, graphs: Sequence[OperatorGraph]
) -> tuple[np.ndarray, np.ndarray]:
    """y' of networks and its deviation over the members, (graphs,) each, in the target's unit.

    Examples
    --------
    >>> from nasbuild.score.graphs import predict_graphs
    >>> value, std = predict_graphs(fit, acc, graphs[:3])
    >>> value.shape, bool((std >= 0).all())
    ((3,), True)
    """
    return target_fit.ensemble.predict(encode_graphs(fit.schema, graphs))
