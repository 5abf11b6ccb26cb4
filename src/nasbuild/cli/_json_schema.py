"""The ``--json`` output of each command: one object with exactly these fields at its top level.

``docs/json.schema.json`` is generated from these classes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from nasbuild.cli._json_records import (
    AimedEquation,
    BudgetBest,
    BuiltArchitecture,
    ComparedArchitecture,
    Contribution,
    EvaluatedArchitecture,
    FailureRule,
    FrontCoverage,
    GraphTarget,
    ImportedNetwork,
    LiveChoice,
    OperationDifference,
    RacedArchitecture,
    RoundResult,
    SingleChanges,
    SmallModelRecord,
    SpaceTarget,
    TargetTrust,
)
from nasbuild.cli._json_table_records import (
    AttributeSummary,
    CostComparison,
    Count,
    InferredMetric,
    ReadingQuestion,
    Stage,
    TableSummary,
)


class _Output(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class CheckOutput(_Output):
    """Summary of a space, and with ``--data`` of its table; or of networks."""

    command: Literal["check"]
    space: str | None = None
    """Name of the space."""
    architectures: Count = None
    """Number of architectures of the space."""
    architectures_log10: float | None = None
    stages: list[Stage] = []
    costs: list[CostComparison] = []
    """Declared costs."""
    reference: dict[str, Any] | None = None
    """The reference that the space declares, as in `space.yaml`."""
    attributes: list[AttributeSummary] = []
    """Attributes of choices that the space declares."""
    table: TableSummary | None = None
    networks: int | None = None
    """Number of networks, with ``--graphs``."""
    nodes: int | None = None
    """Number of nodes of all networks."""
    operations: dict[str, int] = {}
    """Number of nodes of each operation."""
    uncounted: dict[str, int] = {}
    """Nodes whose multiply-accumulates are unknown, by operation."""
    metrics: dict[str, Any] = {}
    """Metrics of the networks."""


class SampleDataOutput(_Output):
    """The sample table."""

    command: Literal["sample-data"]
    out: str
    """The file that was written."""
    rows: int
    """Number of rows in it."""


class InitOutput(_Output):
    """The space that was inferred from a table."""

    command: Literal["init"]
    out: str
    """The space that was written."""
    rows: int
    """Number of rows of the table."""
    stages: list[Stage]
    metrics: dict[str, InferredMetric]
    questions: list[ReadingQuestion]
    """Where several readings of the table are possible."""
    notes: list[str]
    """What was left out, and what a space cannot say."""


class TemplateOutput(_Output):
    """The table to fill in."""

    command: Literal["template"]
    out: str
    """The file that was written."""
    rows: int
    """Number of rows in it."""
    pairs: int
    """Number of different pairs of choices or depths that occur together."""


class FitOutput(_Output):
    """The fit folder, and the reliability of each target."""

    command: Literal["fit"]
    fit: str
    """The fit folder that was written."""
    targets: list[TargetTrust]


class ExplainOutput(_Output):
    """What a fit learned about each target; for networks only ``targets``."""

    command: Literal["explain"]
    space: dict[str, Any] | None = None
    table: dict[str, Any] | None = None
    provenance: dict[str, Any] | None = None
    """Recipe, seed, versions and table hash, which reproduce the fit."""
    failures: list[FailureRule] = []
    """Choices that go with missing values."""
    targets: list[SpaceTarget | GraphTarget]


class CompareOutput(_Output):
    """What explains the difference between two architectures, or between two sets of networks."""

    command: Literal["compare"]
    target: str
    differences: list[OperationDifference] = []
    """For sets of networks."""
    direction: str | None = None
    """maximize or minimize."""
    unit: str | None = None
    first: ComparedArchitecture | None = None
    second: ComparedArchitecture | None = None
    difference: float | None = None
    """Prediction of the first less that of the second."""
    better: str | None = None
    """Id of the better one; null for equal predictions."""
    scale: float | None = None
    """Factor from the scale on which contributions add up to labels; null if they add up on the label's own."""
    contributions: list[Contribution] = []
    """Largest first; they add up to the difference."""


class ModulesOutput(_Output):
    """The file of module scores."""

    command: Literal["modules"]
    out: str
    """The file that was written."""
    rows: int
    """Number of rows in it."""


class PredictOutput(_Output):
    """The file of predictions."""

    command: Literal["predict"]
    out: str
    """The file that was written."""
    rows: int
    """Number of rows in it."""
    notes: list[str] = []


class BuildOutput(_Output):
    """Built architectures, best first."""

    command: Literal["build"]
    out: str
    """The file that was written."""
    target: str
    architectures: list[BuiltArchitecture]
    notes: list[str] = []
    """Remarks on optimality, bounds and failures."""
    infeasible: list[str] = []
    """Values of a sweep that no architecture meets, with the reason."""


class EquationsOutput(_Output):
    """Equations that aim at parts of the front of ``targets``."""

    command: Literal["equations"]
    targets: list[str]
    equations: list[AimedEquation]


class ShrinkOutput(_Output):
    """Size of the space before and after."""

    command: Literal["shrink"]
    out: str
    """The reduced space that was written."""
    before: Count
    """Number of architectures of the full space."""
    before_log10: float
    after: Count
    """Number of architectures of the reduced space."""
    after_log10: float
    kept: list[Count]
    """Number of modules kept in each stage."""
    front_coverage: list[FrontCoverage]
    """For each fit, how much of its labelled front remains."""


class SearchOutput(_Output):
    """The Pareto front of the evaluated architectures."""

    command: Literal["search"]
    out: str
    """The folder that was written."""
    store: str
    evaluated: int
    failed: int
    failure_rule: FailureRule | None = None
    outdated: int = 0
    """Results of an earlier version of the evaluator."""
    notes: list[str] = []
    hypervolumes: list[float | None]
    """Hypervolume after each generation."""
    front: list[EvaluatedArchitecture]


class EvaluateOutput(_Output):
    """Outcome of the evaluations."""

    command: Literal["evaluate"]
    store: str
    done: int
    """Number of architectures with a result."""
    in_progress: int
    """Number of architectures that another process is evaluating."""
    failed: dict[str, str]
    """Reason of each failure, by id."""
    outdated: list[str] = []
    """Ids of results of an earlier version of the evaluator."""
    notes: list[str] = []


class OptimizeOutput(_Output):
    """Rounds and best architectures of the closed loop."""

    command: Literal["optimize"]
    out: str
    """The folder that was written."""
    store: str
    evaluated: int
    failed: int
    out_of_bounds: int | None = None
    """Number of architectures that measure outside the bounds, with ``--where``."""
    failure_rule: FailureRule | None = None
    outdated: int = 0
    """Results of an earlier version of the evaluator."""
    exhausted: bool
    """Whether the space has no more architectures to evaluate."""
    rounds: list[RoundResult]
    best: list[EvaluatedArchitecture]
    """The best architectures, or the Pareto front; with several budgets, the best for each, each once."""
    budgets: list[BudgetBest] = []
    """The best within each budget, with ``--where`` of several values."""
    singles: SingleChanges | None = None
    """Single changes of the reference, if the space declares one."""
    race: list[RacedArchitecture] = []
    """Repeated evaluations of the most promising, best first, with ``--race``."""


class SpaceOutput(_Output):
    """The space that ``space from-model`` wrote."""

    command: Literal["space"]
    out: str
    blocks: int
    """Blocks of the model."""
    single_changes: int
    """Number of single changes of the model."""
    costs: dict[str, float]
    """Bytes, parameters, MACs a token and bytes of the key-value cache of the unchanged model."""


class ShrinkModelOutput(_Output):
    """The best measured models within budgets, and what was written."""

    command: Literal["shrink-model"]
    out: str
    """The folder that was written."""
    evaluated: int
    unchanged: dict[str, float | None]
    """Costs of the unchanged model, its ``loss`` on the text for learning, and its ``test_loss``."""
    models: list[SmallModelRecord]


class ReportOutput(_Output):
    """The page that was written."""

    command: Literal["report"]
    out: str
    targets: list[str]


class BenchOutput(_Output):
    """Tables of results, each as (header, rows)."""

    command: Literal["bench"]
    out: str
    """The file of all results."""
    rows: int
    """Number of fits in it."""
    tables: list[Any]
    plots: list[str]
    """Files of plots."""


class ImportOutput(_Output):
    """Imported networks, and errors of the others."""

    command: Literal["import"]
    out: str
    """The file of graphs that was written."""
    networks: list[ImportedNetwork]
    skipped: list[str]
    """Errors of networks that were skipped."""


class DemoOutput(_Output):
    """Built architectures and their true ranks; with ``--live`` the closed loop against random search."""

    command: Literal["demo"]
    out: str
    """The folder that was written."""
    labels: int | None = None
    """Number of labels that the fit sees."""
    target: str | None = None
    architectures: list[BuiltArchitecture] = []
    ranks: list[int] = []
    """True rank of each built architecture; 1 is the best."""
    seed: int | None = None
    trainings: int | None = None
    """Trainings of the loop and of random search, each."""
    rounds: list[RoundResult] = []
    race: list[RacedArchitecture] = []
    loop: LiveChoice | None = None
    random: LiveChoice | None = None
    gap: dict[str, Any] | None = None
    """Mean difference of their fresh losses, with its standard error."""
    significant: bool | None = None
    """Whether that difference is significant."""


CommandOutput = Annotated[
    CheckOutput | SampleDataOutput | InitOutput | TemplateOutput | FitOutput | ExplainOutput | CompareOutput | ModulesOutput | PredictOutput | BuildOutput | EquationsOutput
    | ShrinkOutput | SearchOutput | EvaluateOutput | OptimizeOutput | SpaceOutput | ShrinkModelOutput | ReportOutput | BenchOutput | ImportOutput | DemoOutput,
    Field(discriminator="command"),
]  # fmt: skip
"""The output of any command with ``--json``."""


def json_schema() -> dict[str, Any]:
    """Returns the JSON Schema of `CommandOutput`."""
    return {"title": "Output of nasbuild with --json", **TypeAdapter(CommandOutput).json_schema()}


def validated(data: Any) -> BaseModel:
    """Returns a command's output as a model.

    Raises
    ------
    ValidationError
        If a field is missing, unknown or of another type; names it.
    """
    return TypeAdapter[BaseModel](CommandOutput).validate_python(data)
