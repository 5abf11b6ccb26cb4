"""The predictor: feature embedding (section 4.3), hops (section 3.2), and a head for the label."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from nasbuild.predictor.gnn._convolution import Convolution, convolution
from nasbuild.predictor.gnn._graph_batch import GraphBatch
from nasbuild.space import GraphSchema


class FeatureEmbedding(nn.Module):
    """FE-MLP: each feature alone becomes one scalar; the absolute values of all scalars are the 0-hop embedding.

    A choice goes through an embedding of ``width`` and a two-layer perceptron, a number through the perceptron only.
    The scalar depends on nothing else, so it is the score of the choice. A feature that a node does not have gives 0.

    Examples
    --------
    >>> from nasbuild.predictor import FeatureEmbedding, GraphBatch
    >>> embedding = FeatureEmbedding(schema, width=4)
    >>> embedding(GraphBatch.of(graphs)).shape[1] == len(schema.features)
    True
    """

    def __init__(self, schema: GraphSchema, width: int) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(len(f.choices or ()), width) for f in schema.categorical)
        self.choices = nn.ModuleList(_scalar(width, width) for _ in schema.categorical)
        self.numbers = nn.ModuleList(_scalar(1, width) for _ in schema.numeric)

    def scores(self, feature: int) -> torch.Tensor:
        """Scores of all choices of one categorical feature, (choices,); at least 0.

        Examples
        --------
        >>> from nasbuild.predictor import FeatureEmbedding
        >>> embedding = FeatureEmbedding(schema, width=4)
        >>> scores = embedding.scores(0)  # of the choices of the first feature
        >>> scores.ndim, bool((scores >= 0).all())
        (1, True)
        """
        return self.choices[feature](self.embeddings[feature].weight).squeeze(-1).abs()

    def forward(self, batch: GraphBatch) -> torch.Tensor:
        """(nodes, features), at least 0.

        Examples
        --------
        >>> from nasbuild.predictor import FeatureEmbedding, GraphBatch
        >>> batch = GraphBatch.of(graphs)
        >>> FeatureEmbedding(schema, width=4)(batch).shape[0] == len(batch.graph)
        True
        """
        columns = []
        for feature in range(len(self.choices)):
            # Index 0 stands for a feature that the node does not have.
            table = nn.functional.pad(self.scores(feature), (1, 0))
            columns.append(table.index_select(0, batch.categories[:, feature]))
        columns += [mlp(batch.numbers[:, i, None]).squeeze(-1).abs() for i, mlp in enumerate(self.numbers)]
        return torch.stack(columns, 1)


@dataclass(frozen=True)
class Shape:
    """Hyperparameters that determine the shapes of a network's weights, besides the schema.

    Examples
    --------
    >>> from nasbuild.predictor import Shape
    >>> Shape("gcn", hops=2, width=8)
    Shape(convolution='gcn', hops=2, width=8)
    """

    convolution: Convolution = "gatv2"
    hops: int = 4
    width: int = 32


class Network(nn.Module):
    """h^m = ReLU(BN(conv(h^(m-1)))), with a residual from the second hop on; y' from the last hop's mean.

    Examples
    --------
    >>> from nasbuild.predictor import GraphBatch, Network, Shape
    >>> untrained = Network(schema, Shape(hops=2, width=8))
    >>> prediction, norms = untrained(GraphBatch.of(graphs))
    >>> tuple(prediction.shape), tuple(norms.shape)
    ((41,), (3, 41))
    """

    def __init__(self, schema: GraphSchema, shape: Shape) -> None:
        super().__init__()
        self.embedding = FeatureEmbedding(schema, shape.width)
        inputs = [len(schema.features)] + [shape.width] * (shape.hops - 1)
        self.convolutions = nn.ModuleList(convolution(shape.convolution, i, shape.width) for i in inputs)
        self.norms = nn.ModuleList(nn.BatchNorm1d(shape.width) for _ in inputs)
        self.head = nn.Sequential(nn.Linear(shape.width, shape.width), nn.ReLU(), nn.Linear(shape.width, 1))

    def hops(self, batch: GraphBatch, last: int | None = None) -> list[torch.Tensor]:
        """Node embeddings of hops 0 to ``last`` (M if None); each (nodes, width), at least 0.

        Examples
        --------
        >>> from nasbuild.predictor import GraphBatch
        >>> embeddings = network.hops(GraphBatch.of(graphs), last=1)
        >>> len(embeddings), embeddings[1].shape[1]
        (2, 4)
        """
        embeddings = [self.embedding(batch)]
        for m, (conv, norm) in enumerate(zip(self.convolutions[:last], self.norms[:last], strict=True)):
            h = norm(conv(embeddings[-1], batch.source, batch.target)).relu()
            embeddings.append(h + embeddings[-1] if m else h)
        return embeddings

    def forward(self, batch: GraphBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """y', (graphs,), and the 1-norms of the graph embeddings at each hop, (M + 1, graphs).

        Examples
        --------
        >>> from nasbuild.predictor import GraphBatch
        >>> prediction, norms = network(GraphBatch.of(graphs))
        >>> tuple(prediction.shape), tuple(norms.shape)
        ((41,), (3, 41))
        """
        hops = self.hops(batch)
        # Embeddings are not negative, so the norm of a graph's mean is the mean of its nodes' norms.
        norms = batch.mean(torch.stack([h.sum(1) for h in hops], 1))
        return self.head(batch.mean(hops[-1])).squeeze(-1), norms.T


def _scalar(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, 1))
