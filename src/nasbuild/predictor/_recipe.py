"""How a table is learnt from: every setting that changes the result."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, get_args

from nasbuild.errors import NasbuildError
from nasbuild.predictor._settings import BaselineName, check_settings
from nasbuild.predictor.gnn._convolution import Convolution
from nasbuild.predictor.gnn._loss import Ranking
from nasbuild.predictor.gnn._network import Shape


@dataclass(frozen=True)
class Recipe:
    """Settings of a network's fit; the defaults are those of the paper.

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
        check_settings(self)

    @property
    def least(self) -> int:
        """The fewest labels that can be learnt from."""
        return self.folds

    def shape(self, max_depth: int) -> Shape:
        """Shape of the network: the deepest stage needs one hop fewer than it has layers (section 4.2)."""
        return Shape(self.convolution, max(self.hops, max_depth - 1), self.width)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class OperatorRecipe(Recipe):
    """Settings of networks that learn from graphs of operations.

    Attributes
    ----------
    feature_epochs
        Epochs in which the embeddings of features alone learn to rank, before all is learnt together. Without
        them the squared error may settle which way a feature points before the ranking does, for good.
    """

    name: str = "operators"
    feature_epochs: int = 20


@dataclass(frozen=True)
class AdditiveRecipe:
    """Settings of the additive process; all else it finds from the labels.

    Attributes
    ----------
    samples
        Samples of the posterior: the members over which the deviation of a score is taken.
    folds
        Parts of the table that are held out in turn to measure trust.
    rows
        Rows by which the scale of the labels is found; with more labels, a random choice of so many.
    parts, part_rows
        With more labels than ``rows``, variances are found by up to so many parts of up to so many rows.
    most_rows
        Rows learnt from at most; of a larger table, a random choice.
    prior_width
        Deviation of the prior on the logarithm of a variance.
    iterations
        Steps of each search for variances.
    interaction
        Whether interactions between stages are learnt beside the shares.
    radial
        Whether interactions of all orders are, too, for the prediction alone; not without ``interaction``.
    without
        Terms to leave out, by name.

    Raises
    ------
    NasbuildError
        If a setting is none with which a process can be fitted.
    """

    name: str = "default"
    samples: int = 32
    folds: int = 5
    rows: int = 500
    parts: int = 3
    part_rows: int = 900
    most_rows: int = 4_000
    prior_width: float = 3.0
    iterations: int = 60
    interaction: bool = True
    radial: bool = True
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def least(self) -> int:
        """The fewest labels that can be learnt from."""
        return _LEAST_FOLDED

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"without": list(self.without)}


@dataclass(frozen=True)
class BaselineRecipe:
    """Settings of a method that the scores are held against.

    Attributes
    ----------
    name
        ``"ridge"`` on one-hot layers; ``"lightgbm"``, a module's score the mean prediction over
        contexts; ``"marginal"``, the mean label of each choice; ``"ped-anova"``, the same with the
        importances of choices by Optuna's PED-ANOVA.
    folds
        Parts of the table that are held out in turn; deviations are taken over the fits without them.
    contexts
        Architectures of the table over which LightGBM's predictions are averaged.
    """

    name: BaselineName = "ridge"
    folds: int = 5
    contexts: int = 32

    def __post_init__(self) -> None:
        check_settings(self)
        if self.name not in get_args(BaselineName):
            raise NasbuildError(f"there is no baseline {self.name!r}", allowed=get_args(BaselineName))

    @property
    def least(self) -> int:
        """The fewest labels that can be learnt from."""
        return _LEAST_FOLDED

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


AnyRecipe = Recipe | AdditiveRecipe | BaselineRecipe
KINDS: dict[str, type[AnyRecipe]] = {
    "additive": AdditiveRecipe,
    "network": Recipe,
    "operators": OperatorRecipe,
    "baseline": BaselineRecipe,
}

_LEAST_FOLDED = 5
RECIPES: dict[str, AnyRecipe] = {
    "default": AdditiveRecipe(),
    "paper": Recipe(),
    "mse": Recipe("mse", ranking_weight=0.0),
    **{name: BaselineRecipe(name) for name in get_args(BaselineName)},
}


def recipe(name: str, **changes: Any) -> AnyRecipe:
    """A recipe by name, with some settings changed.

    Raises
    ------
    NasbuildError
        If there is no such recipe or setting, or a setting can't be used.
    """
    if name not in RECIPES:
        raise NasbuildError(f"there is no recipe {name!r}", allowed=RECIPES)
    unknown = set(changes) - (settings := {f.name for f in fields(RECIPES[name])})
    if unknown:
        raise NasbuildError(f"recipe {name!r} has no setting {min(unknown)!r}", allowed=sorted(settings))
    return replace(RECIPES[name], **changes)


def recipe_kind(recipe: AnyRecipe) -> str:
    """Which of `KINDS` a recipe is."""
    return next(kind for kind, cls in KINDS.items() if type(recipe) is cls)


def recipe_from_dict(kind: str, settings: dict[str, Any]) -> AnyRecipe:
    """The recipe of `as_dict`, given its kind.

    Raises
    ------
    NasbuildError
        If there is no such kind, or a setting is missing, unknown, or can't be used.
    """
    if kind not in KINDS:
        raise NasbuildError(f"there is no kind of recipe {kind!r}", allowed=KINDS)
    try:
        return KINDS[kind](**settings)
    except TypeError as error:
        raise NasbuildError(f"the recipe can't be read ({error})") from None
