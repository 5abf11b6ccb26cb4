"""How a predictor is learnt: every setting that changes the result."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, get_args

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

    Raises
    ------
    NasbuildError
        If a setting is none with which a network can be fitted.
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

    def __post_init__(self) -> None:
        for name, (low, high) in _WHOLE.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise _refused(name, value, f"{low} to {high}")
        for name, (low, high) in _REAL.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value < high:
                allowed = "numbers from 0" if low == 0 else "numbers above 0"
                raise _refused(name, value, allowed + (f" and below {high:g}" if high < math.inf else ""))
        for name, allowed in (("convolution", get_args(Convolution)), ("ranking", get_args(Ranking))):
            if getattr(self, name) not in allowed:
                raise _refused(name, getattr(self, name), allowed)
        if not isinstance(self.name, str):
            raise _refused("name", self.name, "a text")

    def shape(self, max_depth: int) -> Shape:
        """Shape of the network: the deepest stage needs one hop fewer than it has layers (section 4.2)."""
        return Shape(self.convolution, max(self.hops, max_depth - 1), self.width)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


_MANY = 10**9
_WHOLE = {
    "hops": (1, 1_000),
    "width": (1, 65_536),
    # Batch norm and ranks need two graphs.
    "batch": (2, _MANY),
    "epochs": (1, _MANY),
    "few": (0, _MANY),
    "folds": (2, _MANY),
    "repeats": (1, _MANY),
    "members": (1, _MANY),
}
_TINY = 1e-12
_REAL = {
    "learning_rate": (_TINY, math.inf),
    "weight_decay": (0.0, math.inf),
    "clip": (_TINY, math.inf),
    "ranking_weight": (0.0, math.inf),
    "strength": (_TINY, math.inf),
    "holdout": (_TINY, 1.0),
}

RECIPES = {"paper": Recipe()}


def recipe(name: str, **changes: Any) -> Recipe:
    """A recipe by name, with some settings changed.

    Raises
    ------
    NasbuildError
        If there is no such recipe or setting, or a setting can't be used.
    """
    if name not in RECIPES:
        raise NasbuildError(f"there is no recipe {name!r}", allowed=RECIPES)
    unknown = set(changes) - (settings := {f.name for f in fields(Recipe)})
    if unknown:
        raise NasbuildError(f"a recipe has no setting {min(unknown)!r}", allowed=sorted(settings))
    return replace(RECIPES[name], **changes)


def _refused(name: str, value: object, allowed: Any) -> NasbuildError:
    return NasbuildError(f"{name} is {value!r}", where="recipe", allowed=allowed)
