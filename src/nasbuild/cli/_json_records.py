"""Objects inside the ``--json`` output of commands. Later versions may add keys; the keys named here stay."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from nasbuild.cli._json_table_records import Record


class PredictedValue(Record):
    """A predicted value; an exactly known one has std 0."""

    prediction: float | None
    std: float | None
    """Standard deviation of a new label, noise included."""


class BuiltArchitecture(Record):
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
    expected: dict[str, PredictedValue] = Field(default_factory=dict)
    """Values of further targets and of bounded quantities."""
    where: str = ""
    """Bounds that the architecture was built for."""


class NextStep(Record):
    """A recommended next step."""

    kind: str
    text: str
    details: list[str] = Field(default_factory=list)
    """Ids or rows that the text refers to."""
    command: str | None = None
    """The command for this step, if there is one."""


class ProxyWorth(Record):
    """What a cheap metric was worth for a target, measured on held-out rows of the target."""

    proxy: str
    used: bool
    """Whether the fit uses it."""
    labels: int
    """Number of its labels."""
    alone: int
    """Number of these in rows without a label of the target."""
    single_changes: int
    """In a table of single changes, how many were held out in the target's metric only; else 0."""
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


class TargetTrust(Record):
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
    proxies: list[ProxyWorth] = Field(default_factory=list)
    """What each cheap metric of `--with` was worth."""


class PairInteraction(Record):
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


class PairMapCell(Record):
    """The surest pair of two stages."""

    stages: list[int]
    """Positions of both stages."""
    effect: float
    std: float
    named: bool
    """Whether it stands out of all pairs."""


class PairInteractions(Record):
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


class ComparedArchitecture(Record):
    """One of two compared architectures."""

    id: str
    prediction: float | None
    std: float | None


class Contribution(Record):
    """What a part or a pair contributes to the difference of two predictions."""

    kind: str
    """part, module, pair, higher (all other interactions) or limits (of the metric)."""
    text: str
    stages: list[str]
    value: float
    """In the target's unit; the values add up to the difference."""
    std: float | None


class SpaceTarget(Record):
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
    against_reference: bool
    """Whether effects are differences to the choice of a reference, where its layers agree on one."""
    features: list[dict[str, Any]]
    """Effect of every choice, overall and per stage, best first."""
    stages: list[dict[str, Any]]
    """Best and worst modules of each stage."""
    pairs: PairInteractions | None = None
    """Interactions of pairs of choices; null where the recipe does not separate them, or the fit is not reliable."""
    findings: list[str]
    """The main results, in sentences."""
    next: list[NextStep]


class GraphTarget(Record):
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


class OperationDifference(Record):
    """Contribution of a feature to the difference between two sets of networks."""

    feature: str
    effect: float
    std: float


class AimedEquation(Record):
    """An equation that aims at a part of the front, with the architecture that it would build."""

    equation: str
    id: str
    arch: dict[str, Any]
    expected: dict[str, PredictedValue]


class FrontCoverage(Record):
    """How much of the labelled Pareto front a reduced space contains."""

    targets: list[str]
    front: int
    """Size of the labelled front."""
    covered: int
    """Architectures of the front that the reduced space contains."""
    module_share: float
    """Share of the modules of the front that the reduced space contains."""


class ImportedNetwork(Record):
    """A network converted to an operator graph."""

    name: str
    nodes: int
    edges: int
    parameters: int | None
    macs: int | None
    """Multiply-accumulates; null if some are unknown."""
    ops: dict[str, int]
    """Number of nodes of each operation."""


class EvaluatedArchitecture(Record):
    """An evaluated architecture that no other one dominates."""

    id: str
    values: dict[str, float | None]
    """Measured values of the targets."""


class BudgetBest(Record):
    """The best measured architecture within a budget."""

    where: str
    """The budget, such as ``bytes <= 1e9``."""
    best: EvaluatedArchitecture | None
    """Null if nothing measured is within the budget."""


class SmallModelRecord(Record):
    """The best measured model within a budget; fields are null where none was measured within it."""

    where: str
    """The budget."""
    architecture: dict[str, Any] | None
    costs: dict[str, float] | None
    """Bytes, parameters, MACs a token and bytes of the key-value cache."""
    loss: float | None
    """On the text that chose it, in nats a token."""
    predicted: float | None
    """By the last fit."""
    std: float | None
    test_loss: float | None
    """On other text."""
    test_change: float | None
    """Above the unchanged model's loss on other text."""
    test_error: float | None
    """Standard error of ``test_change``."""
    model: str | None
    """The GGUF file or folder that was written."""
    notes: list[str]
    """What the file holds otherwise than asked for."""


class SingleChanges(Record):
    """Single changes of the reference with which a loop started."""

    measured: int
    all: int
    """Number of single changes that the space has."""


class RoundTarget(Record):
    """Results of a round for one target."""

    best_predicted: float | None
    """Best prediction among the architectures of the round; null for a random round, or one of single changes."""
    std: float | None
    """Standard deviation of that prediction."""
    best_measured: float | None
    best_so_far: float | None


class RoundResult(Record):
    """A round of the closed loop."""

    round: int
    evaluated: int
    failed: int
    hypervolume: float | None
    """Hypervolume of all results so far."""
    targets: dict[str, RoundTarget]


class FailureRule(Record):
    """Choices that go with failed evaluations."""

    evaluated: int
    failed: int
    conditions: list[str]
    """Choices that together go with failures; empty if no one or two choices describe them."""
    text: str


class RacedArchitecture(Record):
    """A promising architecture with repeated evaluations."""

    id: str
    mean: float | None
    """Mean of the repetitions."""


class LiveChoice(Record):
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
