"""The rows of a fit in which pairs of choices are looked for, with its covariances among them."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from nasbuild.predictor.additive_gp._additive_gp import AdditiveGP
from nasbuild.predictor.additive_gp._covariance import covariances
from nasbuild.predictor.additive_gp._joint_kernel import REACHES
from nasbuild.predictor.additive_gp._marginal_likelihood import JITTER
from nasbuild.predictor.additive_gp._pair_columns import single_columns, table_columns
from nasbuild.predictor.additive_gp._pair_problem import PairProblem
from nasbuild.predictor.additive_gp._single_changes import single_changes


def single_problem(gp: AdditiveGP, labels: np.ndarray, rows: np.ndarray) -> PairProblem:
    """Joint rows at these positions, given the single changes."""
    joint, n = gp.joint, len(gp.architectures)
    assert joint is not None
    changes = single_changes(gp.space, gp.architectures)
    assert changes is not None
    z = gp.warp.forward(labels)
    [additive] = covariances(gp._design, (gp.theta,), n)
    known = np.flatnonzero(~joint.joint(gp._parts))
    factor = cho_factor(additive[np.ix_(known, known)] + JITTER * np.eye(len(known)), lower=True)
    cross = additive[np.ix_(rows, known)]
    given = additive[np.ix_(rows, rows)] - cross @ cho_solve(factor, cross.T)
    columns = single_columns(gp, changes.reference, rows)
    parts = gp._parts[rows]
    beside = joint.kernels(parts, parts)
    place = np.array([joint.column(one.part) for one in columns.choices], dtype=np.int64)
    pairs = place[columns.pairs]
    weights = np.zeros((len(beside), len(pairs)))
    for k in range(len(REACHES) + 1):
        one = np.zeros(len(beside))
        one[k] = 1.0
        weights[k] = joint.with_variances(one).nearness(pairs)
    return PairProblem(
        columns,
        z[rows] - cross @ cho_solve(factor, z[known]),
        given,
        beside,
        np.append(joint.variances, gp.noise),
        weights,
        max(gp.spread, 1.0),
    )


def table_problem(gp: AdditiveGP, labels: np.ndarray, rows: np.ndarray) -> PairProblem:
    """Rows of an ordinary table at these positions."""
    n = len(gp.architectures)
    additive, *distances = covariances(gp._design, (gp.theta, *(r.theta for r in gp.radials)), n)
    columns = table_columns(gp, rows)
    among = np.ix_(rows, rows)
    beside, variances, own = list[np.ndarray](), list[float](), list[float]()
    if gp.interaction_variance:
        features = [f[rows] for f in gp.interaction.features]
        beside.append(gp.interaction.kernel(features, features))
        variances.append(gp.interaction_variance)
        own.append(1 / gp.interaction.size)
    for radial, distance in zip(gp.radials, distances, strict=True):
        near = distance[among]
        beside += radial.kernels(near, np.diag(near), np.diag(near))
        variances += radial.variances.tolist()
        own += [0.0] * len(radial.widths)
    weights = np.repeat(np.array(own)[:, None], len(columns.pairs), axis=1)
    return PairProblem(
        columns,
        gp.warp.forward(labels)[rows],
        additive[among],
        beside,
        np.append(variances, gp.noise),
        weights,
        max(gp.spread, 1.0),
    )
