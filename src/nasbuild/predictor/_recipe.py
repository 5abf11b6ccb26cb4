"""Recipes: how a table is learnt from, with every setting that changes the result."""

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
    """Hyperparameters of graph networks; the defaults are those of the paper.

    Attributes
    ----------
    ranking_weight, ranking, strength
        The Spearman term of eq. 4: its weight (0 leaves only the squared error), what it ranks, and the
        regularisation strength of the soft rank.
    few
        Tables with at most this many labels get ``folds`` x ``repeats`` members, as in section 5.3. Larger ones
        get ``members``, each with its own share ``holdout`` held out (section 5.1 has one member).

    Raises
    ------
    NasbuildError
        If a setting is out of range.

    Examples
    --------
    >>> from nasbuild.predictor import Recipe
    >>> paper = Recipe(epochs=50)
    >>> paper.name, paper.hops, paper.width, paper.batch
    ('paper', 4, 32, 128)
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
        """Minimum number of labels for a fit."""
        return self.folds

    def shape(self, max_depth: int) -> Shape:
        """Shape of the network: the deepest stage needs one hop fewer than it has layers (section 4.2).

        Examples
        --------
        >>> small.shape(max_depth=4).hops  # a stage of four layers needs three hops
        3
        """
        return Shape(self.convolution, max(self.hops, max_depth - 1), self.width)

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain data; `recipe_from_dict` reads them."""
        return asdict(self)


@dataclass(frozen=True)
class OperatorRecipe(Recipe):
    """Hyperparameters of networks that learn from graphs of operations.

    Attributes
    ----------
    feature_epochs
        Epochs in which only the feature embeddings learn to rank, before the whole network is trained. Without
        them, the squared error may fix the sign of a feature before the ranking loss does.

    Examples
    --------
    >>> from nasbuild.predictor import OperatorRecipe
    >>> operators = OperatorRecipe(epochs=50)
    >>> operators.name, operators.feature_epochs
    ('operators', 20)
    """

    name: str = "operators"
    feature_epochs: int = 20


@dataclass(frozen=True)
class AdditiveRecipe:
    """Hyperparameters of the additive Gaussian process; it finds everything else from the labels.

    Attributes
    ----------
    samples
        Number of posterior samples: the members over which the deviation of a score is taken.
    folds
        Folds of the table, held out in turn to measure trust.
    rows
        Maximum rows used to find the scale of the labels; of more labels, a random choice.
    parts, part_rows
        With more labels than ``rows``, variances are found on up to ``parts`` disjoint parts of up to ``part_rows``
        rows.
    most_rows
        Maximum rows learnt from; of a larger table, a random choice.
    prior_width
        Standard deviation of the prior on the logarithm of a variance.
    iterations
        Maximum steps of each search for variances.
    interaction
        Whether to learn interactions between stages beside the shares of modules.
    radial
        Whether to learn interactions of all orders as well, for the prediction only. Ignored without
        ``interaction``.
    without
        Names of terms to leave out.

    Raises
    ------
    NasbuildError
        If a setting is out of range.

    Examples
    --------
    >>> from nasbuild.predictor import AdditiveRecipe
    >>> additive = AdditiveRecipe(samples=64, radial=False)
    >>> additive.name, additive.least
    ('default', 5)
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
        """Minimum number of labels for a fit."""
        return _LEAST_FOLDED

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain data; `recipe_from_dict` reads them."""
        return asdict(self) | {"without": list(self.without)}


@dataclass(frozen=True)
class BaselineRecipe:
    """Hyperparameters of a baseline: a method that the scores are compared with.

    Attributes
    ----------
    name
        ``"ridge"`` on one-hot layers; ``"lightgbm"``, a module's score the mean prediction over
        contexts; ``"marginal"``, the mean label of each choice; ``"ped-anova"``, the same with the
        importances of choices by Optuna's PED-ANOVA; ``"singles"``, the plain sum of the effects of single changes.
    folds
        Folds of the table, held out in turn; deviations are taken over the fits without them.
    contexts
        Architectures of the table over which LightGBM's predictions are averaged.

    Raises
    ------
    NasbuildError
        If there is no such baseline, or a setting is out of range.

    Examples
    --------
    >>> from nasbuild.predictor import BaselineRecipe
    >>> BaselineRecipe("lightgbm", folds=3).as_dict()
    {'name': 'lightgbm', 'folds': 3, 'contexts': 32}
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
        """Minimum number of labels for a fit."""
        return _LEAST_FOLDED

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain data; `recipe_from_dict` reads them."""
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
        If there is no such recipe or setting, or a setting is out of range.

    Examples
    --------
    >>> recipe("paper", epochs=50).epochs
    50
    >>> recipe("default", folds=1)
    Traceback (most recent call last):
    nasbuild.errors.NasbuildError: recipe: folds is 1; allowed: 2 to 1000000000
    """
    if name not in RECIPES:
        raise NasbuildError(f"there is no recipe {name!r}", allowed=RECIPES)
    unknown = set(changes) - (settings := {f.name for f in fields(RECIPES[name])})
    if unknown:
        raise NasbuildError(f"recipe {name!r} has no setting {min(unknown)!r}", allowed=sorted(settings))
    return replace(RECIPES[name], **changes)


def recipe_kind(recipe: AnyRecipe) -> str:
    """The key of a recipe's class in `KINDS`.

    Examples
    --------
    >>> from nasbuild.predictor import recipe_kind
    >>> recipe_kind(recipe("default")), recipe_kind(recipe("ridge"))
    ('additive', 'baseline')
    """
    return next(kind for kind, cls in KINDS.items() if type(recipe) is cls)


def recipe_from_dict(kind: str, settings: dict[str, Any]) -> AnyRecipe:
    """The recipe that `as_dict` wrote, given its kind.

    Raises
    ------
    NasbuildError
        If there is no such kind, or a setting is missing, unknown or out of range.

    Examples
    --------
    >>> from nasbuild.predictor import recipe_from_dict, recipe_kind
    >>> ridge = recipe("ridge", folds=3)
    >>> recipe_from_dict(recipe_kind(ridge), ridge.as_dict()) == ridge
    True
    """
    if kind not in KINDS:
        raise NasbuildError(f"there is no kind of recipe {kind!r}", allowed=KINDS)
    try:
        return KINDS[kind](**settings)
    except TypeError as error:
        raise NasbuildError(f"the recipe can't be read ({error})") from None
