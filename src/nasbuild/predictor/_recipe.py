"""How a predictor is learnt: every setting that changes the result."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from nasbuild.errors import NasbuildError
from nasbuild.predictor._convolution import Convolution
from nasbuild.predictor._loss import Ranking
from nasbuild.predictor._network import Shape


@dataclass(frozen=True)
class Recipe:
    """Settings of a fit; the defaults are those of the paper.

    Attributes
    ----------
    ranking_weight, ranking, strength
        The Spearman term of eq. 4: its weight (0 leaves the squared error alone), what it ranks,
        and the strength of the soft rank.
    few
        Tables with at most this many labels are learnt by ``folds`` x ``repeats`` members, as in
        section 5.3; larger ones by ``members``, each with its own share ``holdout`` held out
        (section 5.1 has one).
    """

    name: str = "paper"
    convolution: Convolution = "gatv2"
    hops: int = 4
    width: int = 32
    learning_rate: float = 1e-4
    weight_decay: float = 1e-5
    batch: int = 128
    epochs: int = 200
    clip: float = 5.0
    ranking_weight: float = 1.0
    ranking: Ranking = "spearman"
    strength: float = 1.0
    few: int = 200
    folds: int = 5
    repeats: int = 4
    members: int = 3
    holdout: float = 0.1

    def shape(self, max_depth: int) -> Shape:
        """Shape of the network; one hop fewer than the deepest stage has layers is the least (section 4.2)."""
        return Shape(self.convolution, max(self.hops, max_depth - 1), self.width)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


RECIPES = {"paper": Recipe()}


def recipe(name: str, **changes: Any) -> Recipe:
    """A recipe by name, with some settings changed.

    Raises
    ------
    NasbuildError
        If there is no such recipe.
    """
    if name not in RECIPES:
        raise NasbuildError(f"there is no recipe {name!r}", allowed=RECIPES)
    return replace(RECIPES[name], **changes)
