"""The link between a target and its proxy: a cheap metric whose labels say something about the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np

from nasbuild.predictor.additive_gp._design_matrix import Design
from nasbuild.predictor.additive_gp._marginal_likelihood import JITTER
from nasbuild.predictor.additive_gp._pair_interactions import Interaction
from nasbuild.predictor.additive_gp._rbf_interactions import Radial
from nasbuild.predictor.additive_gp._warp import Warp
from nasbuild.space import Architecture


@dataclass(frozen=True)
class ProxyLink:
    """How a target's process follows from its proxy's: target = rho * proxy + a difference of its own.

    Both are Gaussian processes on their own warped scales, independent of each other (Kennedy & O'Hagan, Biometrika
    2000, eq. 1). They have the same kernels with other variances, so the target's weights are rho times the proxy's plus
    those of the difference: one weight for each column. A kernel with variance h of the proxy and v of the target has

        h between two rows of the proxy,  rho h between one of each,  v = rho² h + tau between two rows of the target.

    Attributes
    ----------
    rows
        Positions of the proxy's rows among its labels, (proxy rows,). In the table they come before the target's rows.
    rho
        What one unit of the warped proxy is worth on the target's warped scale; below 0 where they go against each other.
    warp
        The proxy's own scale.
    theta, interaction_variance, radials, noise
        Variances of the proxy: of each term (terms,), of the interactions of pairs, of each radial kernel's widths, and of
        its noise.
    labels
        The proxy's labels, in its own unit, (proxy rows,).
    evidence
        By how many nats rho makes the target's labels likelier than rho = 0 does, priors included.
    """

    rows: np.ndarray
    labels: np.ndarray
    rho: float
    warp: Warp
    theta: np.ndarray
    interaction_variance: float
    radials: tuple[np.ndarray, ...]
    noise: float
    evidence: float = 0.0

    @property
    def count(self) -> int:
        """Number of rows of the proxy."""
        return len(self.rows)

    def cross(self, own: float, proxy: float, n: int) -> np.ndarray:
        """Variance of a kernel between an architecture's target and each row of the table, (n,)."""
        found = np.full(n, own)
        found[: self.count] = self.rho * proxy
        return found

    def radial_cross(
        self, r: int, radial: Radial, between: np.ndarray, own: np.ndarray, table: np.ndarray
    ) -> np.ndarray:
        """As ``radial.kernel(between, own, table)``, between targets of architectures and all rows of the table."""
        c = self.count
        linked = replace(radial, variances=self.rho * self.radials[r])
        return np.hstack(
            [
                linked.kernel(between[:, :c], own, table[:c]),
                radial.kernel(between[:, c:], own, table[c:]),
            ]
        )

    def covariances(
        self,
        table: Design,
        theta: np.ndarray,
        interaction: Interaction,
        of_interaction: float,
        radials: Sequence[Radial],
        noise: float | np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Covariances of all rows, the proxy's first: by the terms, and by interactions and noise, (rows, rows) each.

        ``theta``, ``of_interaction``, the variances of ``radials`` and ``noise`` (of each of its rows, or of all) are the target's.
        """
        n, c = table.values.count, self.count
        additive, rest = np.zeros((n, n)), np.zeros((n, n))
        distances = [np.zeros((n, n)) for _ in radials]
        for t, (own, proxy) in enumerate(zip(theta, self.theta, strict=True)):
            kernel = table.kernel(t)
            for radial, distance in zip(radials, distances, strict=True):
                if radial.theta[t]:
                    distance += radial.theta[t] * kernel
            additive += self._blocks(kernel, float(own), float(proxy))
        if of_interaction:
            kernel = interaction.kernel(interaction.features, interaction.features)
            rest += self._blocks(kernel, of_interaction, self.interaction_variance)
        for radial, distance, of_proxy in zip(radials, distances, self.radials, strict=True):
            diagonal = np.diag(distance)
            each = radial.kernels(distance, diagonal, diagonal)
            for kernel, own, proxy in zip(each, radial.variances, of_proxy, strict=True):
                rest += self._blocks(kernel, float(own), float(proxy))
        rest[np.diag_indices(n)] += np.concatenate([np.full(c, self.noise), np.zeros(n - c) + noise]) + JITTER
        return additive, rest

    def _blocks(self, kernel: np.ndarray, own: float, proxy: float) -> np.ndarray:
        """A kernel times its variances within and between both kinds of rows, in place."""
        c = self.count
        kernel[:c, :c] *= proxy
        kernel[:c, c:] *= self.rho * proxy
        kernel[c:, :c] *= self.rho * proxy
        kernel[c:, c:] *= own
        return kernel


def proxy_arrays(link: ProxyLink | None) -> dict[str, np.ndarray]:
    """Arrays of a link; its labels and architectures are those of the table."""
    if link is None:
        return {}
    return {
        "proxy.rows": link.rows,
        "proxy.warp": np.array(astuple(link.warp)),
        "proxy.numbers": np.array([link.rho, link.interaction_variance, link.noise, link.evidence]),
        "proxy.theta": link.theta,
    } | {f"proxy.radial{r}": own for r, own in enumerate(link.radials)}


def proxy_from_arrays(
    arrays: Mapping[str, np.ndarray], proxy: tuple[Sequence[Architecture], np.ndarray] | None, terms: int
) -> ProxyLink | None:
    """The link of `proxy_arrays`; None without one.

    Raises
    ------
    ValueError, KeyError
        If the arrays describe no link of this proxy and number of terms.
    """
    if ("proxy.rows" in arrays) != (proxy is not None):
        raise ValueError("a proxy that is missing or was not used")
    if proxy is None:
        return None
    rows, theta, warp, numbers = (arrays[f"proxy.{name}"] for name in ("rows", "theta", "warp", "numbers"))
    radials = tuple(
        arrays[f"proxy.radial{r}"] for r in range(sum(n.startswith("proxy.radial") for n in arrays))
    )
    real = (theta, warp, numbers, *radials)
    if any(own.dtype != np.float64 or own.ndim != 1 or not np.isfinite(own).all() for own in real):
        raise ValueError("an array of another shape or type")
    if rows.dtype != np.int64 or rows.ndim != 1 or (len(theta), len(warp), len(numbers)) != (terms, 7, 4):
        raise ValueError("an array of another shape or type")
    if not len(rows) or rows.min() < 0 or rows.max() >= len(proxy[1]) or len(np.unique(rows)) < len(rows):
        raise ValueError("rows that the proxy does not have")
    if min([*theta, *numbers[1:3], *(v for own in radials for v in own)]) < 0:
        raise ValueError("a variance below 0")
    scale = Warp(*warp.tolist())
    if min(scale.std, scale.spread) <= 0 or not scale.low < scale.high:
        raise ValueError("a scale that is not above 0")
    rho, of_pairs, noise, evidence = numbers.tolist()
    return ProxyLink(rows, proxy[1][rows], rho, scale, theta, of_pairs, radials, noise, evidence)
