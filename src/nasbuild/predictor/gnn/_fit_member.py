"""Fits one member of an ensemble, and measures it on its held-out rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from nasbuild.errors import NasbuildError
from nasbuild.predictor._recipe import OperatorRecipe, Recipe
from nasbuild.predictor._threads import one_thread
from nasbuild.predictor.gnn._graph_batch import GraphBatch
from nasbuild.predictor.gnn._initialization import initialized_network
from nasbuild.predictor.gnn._loss import autobuild_loss, average_ranks, spearman
from nasbuild.predictor.gnn._network import Network, Shape
from nasbuild.predictor.gnn._stacked_adamw import ClippedAdamW
from nasbuild.space import Graphs, GraphSchema

_CHUNK = 4096  # graphs in one forward pass without gradients


@dataclass(frozen=True)
class Member:
    """One fitted network with its held-out agreement and the statistics of its embeddings.

    Attributes
    ----------
    weights
        State of the network by name.
    label_mean, label_std
        Of the labels learnt from; the output is in these units.
    train, test
        Positions among the labels: learnt from and held out.
    srcc
        Held-out Spearman rank correlation (SRCC) of each hop's graph norms, then of y', (M + 2,).
    norm_mean, norm_std
        Mean and deviation of the node embedding norms at each hop over all graphs of the table,
        (M + 1,): mu_m^h and sigma_m^h of eq. 5.

    Examples
    --------
    >>> member = ensemble.members[0]
    >>> len(member.train) + len(member.test), member.srcc.shape, member.norm_mean.shape
    (41, (4,), (3,))
    """

    weights: dict[str, np.ndarray]
    label_mean: float
    label_std: float
    train: np.ndarray
    test: np.ndarray
    srcc: np.ndarray
    norm_mean: np.ndarray
    norm_std: np.ndarray

    def __repr__(self) -> str:
        rows = f"{len(self.train):,} rows learnt from, {len(self.test):,} held out"
        return f"Member({rows}, held-out SRCC {self.srcc[-1]:.2f})"


@dataclass(frozen=True)
class Task:
    """Input of one fit; plain data, so that it can be sent to another process.

    Examples
    --------
    >>> from nasbuild.predictor import Task
    >>> rows = np.arange(len(labels))
    >>> task = Task(schema, shape, small, graphs, labels, train=rows[:30], test=rows[30:], seed=0)
    >>> len(task.train), len(task.test)
    (30, 11)
    """

    schema: GraphSchema
    shape: Shape
    recipe: Recipe
    graphs: Graphs
    labels: np.ndarray
    train: np.ndarray
    test: np.ndarray
    seed: int


def fit_member(task: Task, epoch_done: Callable[[], None] = lambda: None) -> Member:
    """Fit on ``task.train``; the result depends only on the task, to the bit.

    Raises
    ------
    NasbuildError
        If the fit diverged.

    Examples
    --------
    >>> from nasbuild.predictor import Task, fit_member
    >>> rows = np.arange(len(labels))
    >>> member = fit_member(Task(schema, shape, small, graphs, labels, rows[:30], rows[30:], seed=0))
    >>> member.srcc.shape, bool(abs(member.label_mean - labels[:30].mean()) < 1e-6)
    ((4,), True)
    """
    recipe = task.recipe
    y, mean, std = standardised(task)
    with one_thread():
        network = new_network(task)
        rng = np.random.default_rng(task.seed)
        if isinstance(recipe, OperatorRecipe) and recipe.feature_epochs:
            _orient(network, task, y, rng)
        optimizer = optimizer_of(list(network.parameters()), recipe)
        for _ in range(recipe.epochs):
            for rows in batches(rng.permutation(task.train), recipe.batch):
                prediction, norms = network(GraphBatch.of(task.graphs.select(rows)))
                loss = loss_of(recipe, prediction, norms, torch.from_numpy(y[rows]))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            epoch_done()
        network.eval()
        return measured(task, network, mean, std)


def new_network(task: Task) -> Network:
    """A network with the initial weights of the task's seed."""
    return initialized_network(task.schema, task.shape, task.seed)


def loss_of(
    recipe: Recipe, prediction: torch.Tensor, norms: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """`autobuild_loss` with the settings of a recipe."""
    return autobuild_loss(
        prediction,
        norms,
        labels,
        weight=recipe.ranking_weight,
        strength=recipe.strength,
        ranking=recipe.ranking,
    )


def standardised(task: Task) -> tuple[np.ndarray, float, float]:
    """Standardised labels, (graphs,) float32, 0 for held-out rows; mean and deviation of the labels learnt from."""
    learnt = task.labels[task.train]
    # If all labels learnt from are equal, their deviation is rounding: that of all labels sets the unit.
    mean, std = float(learnt.mean()), float((learnt if np.ptp(learnt) > 0 else task.labels).std())
    y = np.zeros(len(task.labels), dtype=np.float32)
    y[task.train] = (learnt - mean) / std
    return y, mean, std


def optimizer_of(parameters: list[torch.Tensor], recipe: Recipe, *, members: bool = False) -> ClippedAdamW:
    """The optimizer of a recipe; with ``members``, the first dimension of the parameters is networks."""
    return ClippedAdamW(
        parameters,
        rate=recipe.learning_rate,
        decay=recipe.weight_decay,
        clip=recipe.clip,
        members=members,
    )


def _orient(network: Network, task: Task, y: np.ndarray, rng: np.random.Generator) -> None:
    """Train only the feature embeddings to rank the labels (the 0-hop term of eq. 4)."""
    recipe = task.recipe
    assert isinstance(recipe, OperatorRecipe)
    optimizer = optimizer_of(list(network.embedding.parameters()), recipe)
    for _ in range(recipe.feature_epochs):
        for rows in batches(rng.permutation(task.train), recipe.batch):
            batch = GraphBatch.of(task.graphs.select(rows))
            norms = batch.mean(network.embedding(batch)).sum(1)
            labels = torch.from_numpy(y[rows])
            loss = 1 - spearman(norms, labels, strength=recipe.strength, ranking=recipe.ranking)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def outputs(network: Network, graphs: Graphs) -> tuple[np.ndarray, np.ndarray]:
    """y' in standardised units, (graphs,), and graph norms, (M + 1, graphs), of a network in eval mode.

    Examples
    --------
    >>> from nasbuild.predictor import outputs
    >>> prediction, norms = outputs(network, graphs)
    >>> prediction.shape, norms.shape
    ((41,), (3, 41))
    """
    predictions, norms = [], []
    with torch.no_grad():
        for part in _parts(graphs):
            prediction, norm = network(part)
            predictions.append(prediction.numpy())
            norms.append(norm.numpy())
    return np.concatenate(predictions), np.concatenate(norms, axis=1)


def last_node_norms(network: Network, graphs: Graphs, hop: int) -> np.ndarray:
    """1-norm of the last node's embedding at a hop, for each graph: (graphs,) float64.

    Examples
    --------
    >>> from nasbuild.predictor import last_node_norms
    >>> last_node_norms(network, graphs, hop=1).shape
    (41,)
    """
    found = []
    with torch.no_grad():
        for part in _parts(graphs):
            found.append(network.hops(part, last=hop)[hop][part.last].sum(1).double().numpy())
    return np.concatenate(found)


def srcc(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman rank correlation of two arrays (n,); 0 where one is constant or n is below 2.

    Examples
    --------
    >>> from nasbuild.predictor import srcc
    >>> round(srcc(np.array([1.0, 2.0, 3.0]), np.array([10.0, 30.0, 20.0])), 6)
    0.5
    """
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    # SciPy's spearmanr gives the same, and takes longer to import than to fit a member.
    return float(np.corrcoef(average_ranks(a), average_ranks(b))[0, 1])


def measured(task: Task, network: Network, mean: float, std: float) -> Member:
    """The `Member` of a fitted network in eval mode, measured on all graphs and on those held out."""
    node_norms: list[list[np.ndarray]] = [[] for _ in range(task.shape.hops + 1)]
    with torch.no_grad():
        for part in _parts(task.graphs):
            for m, h in enumerate(network.hops(part)):
                node_norms[m].append(h.sum(1).double().numpy())
    prediction, graph_norms = outputs(network, task.graphs.select(task.test))
    held_out = task.labels[task.test]
    norms = [np.concatenate(found) for found in node_norms]
    if not all(np.isfinite(values).all() for values in (*norms, prediction)):
        raise NasbuildError(
            f"a fit of recipe {task.recipe.name!r} diverged",
            todo="use a smaller learning rate or fewer epochs",
        )
    return Member(
        {name: value.numpy().copy() for name, value in network.state_dict().items()},
        mean,
        std,
        task.train,
        task.test,
        np.array([srcc(values, held_out) for values in (*graph_norms, prediction)]),
        np.array([found.mean() for found in norms]),
        np.array([found.std() for found in norms]),
    )


def _parts(graphs: Graphs) -> Iterator[GraphBatch]:
    """The graphs in order, in batches; one empty batch if there are none."""
    for start in range(0, len(graphs) or 1, _CHUNK):
        yield GraphBatch.of(graphs.select(np.arange(start, min(start + _CHUNK, len(graphs)))))


def batches(order: np.ndarray, size: int) -> list[np.ndarray]:
    """Rows split into batches of a size."""
    starts = list(range(0, len(order), size))
    # A single graph has no rank and no spread, so it joins the previous batch.
    if len(starts) > 1 and len(order) - starts[-1] < 2:
        starts.pop()
    return [order[a:b] for a, b in zip(starts, [*starts[1:], len(order)], strict=True)]
