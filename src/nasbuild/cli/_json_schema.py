"""What ``--json`` prints: one object a command, of these fields and no others at its top.

``docs/json.schema.json`` is made of these classes. Objects inside may get more keys; those that are
named here stay.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Count = Annotated[int | None, Field(description="null from 10^300 on: see the field ..._log10")]
Rows = list[dict[str, Any]]


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Value(_Open):
    """What is predicted, or known exactly with std 0."""

    prediction: float | None
    std: float | None


class Built(_Open):
    """A built architecture, as `nasbuild build` writes it."""

    id: str
    arch: dict[str, Any]
    metrics: dict[str, float | None]
    target: str
    score: float | None
    shares: list[float | None]
    prediction: float | None
    std: float | None
    extrapolates: bool
    expected: dict[str, Value] = {}
    where: str = ""


class Stage(_Open):
    """A stage of a space."""

    stage: str
    depths: list[int]
    modules: Count
    modules_log10: float
    listed: bool
    features: dict[str, list[bool | int | float | str]]
    shared: list[str]


class Fitted(_Open):
    """How far what was learnt of a target can be believed."""

    target: str
    level: str
    verdict: str


class Difference(_Open):
    """What an operation explains of the difference between two sets of networks."""

    feature: str
    effect: float
    std: float


class Equation(_Open):
    """An equation that aims at a region of the front, and what it would build."""

    equation: str
    id: str
    arch: dict[str, Any]
    expected: dict[str, Value]


class Network(_Open):
    """An imported network."""

    name: str
    nodes: int
    edges: int
    parameters: int | None
    macs: int | None
    ops: dict[str, int]


class Found(_Open):
    """An evaluated architecture that no other one is better than."""

    id: str
    values: dict[str, float | None]


class Round(_Open):
    """A round of the closed loop."""

    round: int
    done: int
    failed: int
    targets: dict[str, Any]


class Failing(_Open):
    """Which choices go with failing; ``conditions`` are empty where no one or two of them tell of it."""

    evaluated: int
    failed: int
    conditions: list[str]
    text: str


class Check(_Closed):
    """A space, and with ``--data`` its table; or networks."""

    command: Literal["check"]
    space: str | None = None
    architectures: Count = None
    architectures_log10: float | None = None
    stages: list[Stage] = []
    costs: Rows = []
    table: dict[str, Any] | None = None
    networks: int | None = None
    nodes: int | None = None
    operations: dict[str, int] = {}
    uncounted: dict[str, int] = {}
    metrics: dict[str, Any] = {}


class Fit(_Closed):
    """``fit`` is the folder that was written."""

    command: Literal["fit"]
    fit: str
    targets: list[Fitted]


class Explain(_Closed):
    """Space, table and targets of a run; of a run on networks the targets alone."""

    command: Literal["explain"]
    space: dict[str, Any] | None = None
    table: dict[str, Any] | None = None
    made: dict[str, Any] | None = None
    failures: list[Failing] = []
    targets: Rows


class Compare(_Closed):
    """Differences between two sets of networks."""

    command: Literal["compare"]
    target: str
    differences: list[Difference]


class Modules(_Closed):
    """How many rows were written to ``out``."""

    command: Literal["modules"]
    out: str
    rows: int


class Predict(_Closed):
    """How many rows were written to ``out``."""

    command: Literal["predict"]
    out: str
    rows: int
    notes: list[str] = []


class Build(_Closed):
    """What was built, best first."""

    command: Literal["build"]
    out: str
    target: str
    architectures: list[Built]
    notes: list[str] = []
    infeasible: list[str] = []


class Equations(_Closed):
    """Equations along the front of ``targets``."""

    command: Literal["equations"]
    targets: list[str]
    equations: list[Equation]


class Shrink(_Closed):
    """Sizes of the space before and after, and the modules kept of each stage."""

    command: Literal["shrink"]
    out: str
    before: Count
    before_log10: float
    after: Count
    after_log10: float
    kept: list[Count]
    holds: Rows


class Search(_Closed):
    """The front of what was evaluated."""

    command: Literal["search"]
    out: str
    store: str
    evaluated: int
    failed: int
    failing: Failing | None = None
    outdated: int = 0
    notes: list[str] = []
    volumes: list[float | None]
    front: list[Found]


class Evaluate(_Closed):
    """How many evaluations the store has, why others failed, by id, and which ones other code told."""

    command: Literal["evaluate"]
    store: str
    done: int
    under_way: int
    failed: dict[str, str]
    outdated: list[str] = []
    notes: list[str] = []


class Optimize(_Closed):
    """What came of the rounds."""

    command: Literal["optimize"]
    out: str
    store: str
    evaluated: int
    failed: int
    outside: int | None = None
    failing: Failing | None = None
    outdated: int = 0
    exhausted: bool
    rounds: list[Round]
    best: list[Found]
    race: Rows = []


class Report(_Closed):
    """The page that was written."""

    command: Literal["report"]
    out: str
    targets: list[str]


class Bench(_Closed):
    """Tables as (header, rows)."""

    command: Literal["bench"]
    out: str
    rows: int
    tables: list[Any]
    plots: list[str]


class Import(_Closed):
    """The networks that were read, and why others were not."""

    command: Literal["import"]
    out: str
    networks: list[Network]
    skipped: list[str]


class Demo(_Closed):
    """What was built of 100 labels and how good it is; with ``--live`` the loop and random search."""

    command: Literal["demo"]
    out: str
    labels: int | None = None
    target: str | None = None
    architectures: list[Built] = []
    ranks: list[int] = []
    seed: int | None = None
    trainings: int | None = None
    rounds: list[Round] = []
    race: Rows = []
    loop: dict[str, Any] | None = None
    random: dict[str, Any] | None = None
    gap: dict[str, Any] | None = None
    told_apart: bool | None = None


Message = Annotated[
    Check | Fit | Explain | Compare | Modules | Predict | Build | Equations | Shrink | Search | Evaluate | Optimize | Report
    | Bench | Import | Demo,
    Field(discriminator="command"),
]  # fmt: skip
"""What any command prints with ``--json``."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema of `Message`."""
    return {"title": "What nasbuild prints with --json", **TypeAdapter(Message).json_schema()}


def checked(data: Any) -> BaseModel:
    """A command's output, if it is one.

    Raises
    ------
    ValidationError
        Naming the first field that is another.
    """
    return TypeAdapter[BaseModel](Message).validate_python(data)
