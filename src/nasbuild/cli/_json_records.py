"""Objects inside the ``--json`` output of commands. Later versions may add keys; the keys named here stay."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int | None, Field(description="null from 10^300 on; see the field ..._log10")]


class _Record(BaseModel):
    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)


class PredictedValue(_Record):
    """A predicted value; an exactly known one has std 0."""

    prediction: float | None
    std: float | None
    """Standard deviation of a new label, noise included."""


class BuiltArchitecture(_Record):
    """An architecture as `nasbuild build` writes it."""

    id: str
    arch: dict[str, Any]
    """The architecture in the format of table rows."""
    metrics: dict[str, float | None]
    """Measured metrics, if the table has the architecture."""
    target: str
    score: float | None
    """Sum of the module scores."""
    shares: list[float | None]
    """Module score of each stage."""
    prediction: float | None
    """Prediction y', interactions between stages included."""
    std: float | None
    """Standard deviation of the prediction."""
    extrapolates: bool
    """Whether the architecture lies beyond the table."""
    expected: dict[str, PredictedValue] = {}
    """Values of further targets and of bounded quantities."""
    where: str = ""
    """Bounds that the architecture was built for."""


class FeatureRange(_Record):
    """The numbers that a feature may be."""

    low: float
    high: float
    scale: str
    """linear or log."""
    step: float | None
    """Null where every number is allowed."""


class Stage(_Record):
    """A stage of a space."""

    stage: str
    depths: list[int]
    """Possible numbers of layers."""
    modules: Count
    """Number of possible modules."""
    modules_log10: float
    listed: bool
    """Whether the space lists the modules of the stage, as a reduced space does."""
    features: dict[str, list[bool | int | float | str | list[Any] | None]]
    """Choices of each feature."""
    shared: list[str]
    """Features whose choice all layers share."""
    conditions: dict[str, dict[str, list[bool | int | float | str | list[Any] | None]]] = {}
    """Features that exist only with choices of others: these choices, by the other feature."""
    ranges: dict[str, FeatureRange] = {}
    """Features that may be any number of a range; their ``features`` are examples."""


class InferredMetric(_Record):
    """A metric with the direction that its name or its study says."""

    direction: str
    """maximize or minimize."""
    unit: str


class ReadingQuestion(_Record):
    """A question on what a table means."""

    key: str
    text: str
    options: dict[str, str]
    """Text of each possible answer, the likeliest first."""
    answer: str
    given: bool
    """Whether the answer was given; otherwise it was assumed."""


class CostComparison(_Record):
    """A declared cost, compared with the column of its name in the table."""

    cost: str
    unit: str
    compared: int | None = None
    """Number of compared rows; null without such a column."""
    differ: int | None = None
    """Number of rows that differ."""
    largest_difference: float | None = None


class MetricSummary(_Record):
    """Values of a metric in a table."""

    metric: str
    direction: str | None
    """maximize or minimize; null if not declared."""
    unit: str | None
    values: int
    """Number of values that are not missing."""
    min: float | None
    median: float | None
    max: float | None


class Note(_Record):
    """Something noticed while reading a table."""

    kind: str
    text: str
    rows: list[str]
    """The rows concerned, if they are listed."""


class ReferenceChanges(_Record):
    """A table as changes of a reference."""

    reference: str
    """Id of the reference."""
    declared: bool
    """Whether the space declares it; else it is the row from which the others differ least."""
    measured: bool
    """Whether a row of the table is the reference."""
    equal: int
    """Number of rows that are the reference."""
    one: int
    """Number of rows that change one part of it."""
    two: int
    more: int
    never_changed: list[str]
    """Parts that no row changes."""


class TableSummary(_Record):
    """A validated table."""

    rows: int
    metrics: list[MetricSummary]
    notes: list[Note]
    unseen: list[dict[str, Any]]
    """Choices of each stage that no row has."""
    changes: ReferenceChanges | None = None
    """How the rows differ from the reference; null without one."""


class NextStep(_Record):
    """A recommended next step."""

    kind: str
    text: str
    details: list[str] = []
    """Ids or rows that the text refers to."""
    command: str | None = None
    """The command for this step, if there is one."""


class ProxyWorth(_Record):
    """What a cheap metric was worth for a target, measured on held-out rows of the target."""

    proxy: str
    used: bool
    """Whether the fit uses it."""
    labels: int
    """Number of its labels."""
    alone: int
    """Number of these in rows without a label of the target."""
    fitted: int
    """Number of these that were learnt from."""
    correlation: float | None
    """SRCC of both metrics over the rows that have both; null where fewer than three do."""
    nats: float
    """By how many nats it raises the log density of a held-out label, in the mean."""
    error: float
    """Standard error of that mean."""
    evidence: float
    """By how many nats the labels of the target favour a link to it over none."""
    prediction: dict[str, Any]
    """Held-out SRCC of the prediction, `with` the proxy and `without` it."""
    modules: dict[str, Any]
    """Held-out SRCC of the summed module scores, likewise."""


class TargetTrust(_Record):
    """How reliable a fit of a target is on held-out rows."""

    target: str
    level: str
    """high, fair, low or none."""
    verdict: str
    """The level and its reasons, in sentences."""
    labels: int
    """Number of labels."""
    better_baseline: str | None
    """Recipe of the baseline that is better on this table; null if none is."""
    proxies: list[ProxyWorth] = []
    """What each cheap metric of `--with` was worth."""


class PairInteraction(_Record):
    """What two choices do together beyond the sum of what each does alone."""

    first: str
    """A choice, such as block5.attn = off."""
    second: str
    stages: list[str]
    effect: float
    """Posterior mean, in the target's unit."""
    std: float
    low: float
    """Lower end of the 90 % interval."""
    high: float
    bend: float
    """What the scale adds: the same for any two choices with effects of this size."""
    rows: int
    """Number of rows that have both."""


class PairMapCell(_Record):
    """The surest pair of two stages."""

    stages: list[int]
    """Positions of both stages."""
    effect: float
    std: float
    named: bool
    """Whether it stands out of all pairs."""


class PairInteractions(_Record):
    """Interactions of pairs of choices."""

    looked_at: int
    """Number of pairs that were compared."""
    rows: int
    """Number of rows in which they were looked for."""
    basis: str
    """What choices are compared with: reference, or table (its other choices)."""
    named: list[PairInteraction]
    """Pairs that stand out, surest first."""
    sentences: list[str]
    map: list[PairMapCell]


class ComparedArchitecture(_Record):
    """One of two compared architectures."""

    id: str
    prediction: float | None
    std: float | None


class Contribution(_Record):
    """What a part or a pair contributes to the difference of two predictions."""

    kind: str
    """part, module, pair, higher (all other interactions) or limits (of the metric)."""
    text: str
    stages: list[str]
    value: float
    """In the target's unit; the values add up to the difference."""
    std: float | None


class SpaceTarget(_Record):
    """What a fit in a space learned about a target."""

    target: str
    direction: str
    unit: str
    known: str
    """How the target is known exactly; empty if it is learned."""
    labels: dict[str, Any]
    """Distribution of the labels."""
    trust: dict[str, Any]
    """Held-out SRCC (Spearman rank correlation) of prediction, module scores and baselines; calibration; verdict."""
    effects: dict[str, Any]
    """Kind and unit of the effects in `features`."""
    features: list[dict[str, Any]]
    """Effect of every choice, overall and per stage, best first."""
    stages: list[dict[str, Any]]
    """Best and worst modules of each stage."""
    pairs: PairInteractions | None = None
    """Interactions of pairs of choices; null where the recipe does not separate them, or the fit is not reliable."""
    findings: list[str]
    """The main results, in sentences."""
    next: list[NextStep]


class GraphTarget(_Record):
    """What a fit on operator graphs learned about a target."""

    target: str
    labels: int
    level: str
    verdict: str
    prediction: float
    """Held-out SRCC (Spearman rank correlation) of the prediction."""
    hops: list[float]
    """Held-out SRCC of each message-passing depth."""
    baselines: dict[str, float]
    """Held-out SRCC of baselines on operation counts."""
    features: list[dict[str, Any]]
    """Effects of operations and attributes."""
    numbers: list[dict[str, Any]]
    """Effects of sizes, as curves."""
    pieces: list[dict[str, Any]]
    """Recurring pieces of networks with their scores, best first."""


class OperationDifference(_Record):
    """Contribution of a feature to the difference between two sets of networks."""

    feature: str
    effect: float
    std: float


class AimedEquation(_Record):
    """An equation that aims at a part of the front, with the architecture that it would build."""

    equation: str
    id: str
    arch: dict[str, Any]
    expected: dict[str, PredictedValue]


class FrontCoverage(_Record):
    """How much of the labelled Pareto front a reduced space contains."""

    targets: list[str]
    front: int
    """Size of the labelled front."""
    covered: int
    """Architectures of the front that the reduced space contains."""
    module_share: float
    """Share of the modules of the front that the reduced space contains."""


class ImportedNetwork(_Record):
    """A network converted to an operator graph."""

    name: str
    nodes: int
    edges: int
    parameters: int | None
    macs: int | None
    """Multiply-accumulates; null if some are unknown."""
    ops: dict[str, int]
    """Number of nodes of each operation."""


class EvaluatedArchitecture(_Record):
    """An evaluated architecture that no other one dominates."""

    id: str
    values: dict[str, float | None]
    """Measured values of the targets."""


class BudgetBest(_Record):
    """The best measured architecture within a budget."""

    where: str
    """The budget, such as ``bytes <= 1e9``."""
    best: EvaluatedArchitecture | None
    """Null if nothing measured is within the budget."""


class SingleChanges(_Record):
    """Single changes of the reference with which a loop started."""

    measured: int
    all: int
    """Number of single changes that the space has."""


class RoundTarget(_Record):
    """Results of a round for one target."""

    best_predicted: float | None
    """Best prediction among the architectures of the round; null for a random round, or one of single changes."""
    std: float | None
    """Standard deviation of that prediction."""
    best_measured: float | None
    best_so_far: float | None


class RoundResult(_Record):
    """A round of the closed loop."""

    round: int
    evaluated: int
    failed: int
    hypervolume: float | None
    """Hypervolume of all results so far."""
    targets: dict[str, RoundTarget]


class FailureRule(_Record):
    """Choices that go with failed evaluations."""

    evaluated: int
    failed: int
    conditions: list[str]
    """Choices that together go with failures; empty if no one or two choices describe them."""
    text: str


class RacedArchitecture(_Record):
    """A promising architecture with repeated evaluations."""

    id: str
    mean: float | None
    """Mean of the repetitions."""


class LiveChoice(_Record):
    """The choice of the closed loop or of random search in the live demo."""

    id: str
    measured: list[float]
    """Losses of its trainings within the budget."""
    fresh_losses: list[float]
    """Losses of further trainings with new seeds."""
    loss: float
    """Mean of the fresh losses."""
    label: float
    """Loss in the table."""
    rank: int
    """Rank in the table; 1 is the best."""
