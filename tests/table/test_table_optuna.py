"""An Optuna study becomes a table of its completed trials."""

from __future__ import annotations

import warnings

import optuna
import pytest
from table_samples import SPACE, notes, refusal

from nasbuild.errors import TableError
from nasbuild.space import ABSENT, space_from_yaml, to_dict
from nasbuild.table import read_table

MEND = "fix the row, or pass --skip-bad to skip such rows"
optuna.logging.set_verbosity(optuna.logging.WARNING)


def suggest(trial: optuna.Trial) -> dict:
    """Define by run: the layers that are asked for depend on the depth that was drawn."""
    early = []
    for n in range(trial.suggest_int("early.depth", 1, 2)):
        kernel = trial.suggest_categorical(f"early.{n}.kernel", [3, 5])
        early.append({"kernel": kernel, "op": trial.suggest_categorical(f"early.{n}.op", ["conv", "007"])})
    depth = trial.suggest_int("late.depth", 1, 2)
    se = trial.suggest_categorical("late.se", [True, False])
    late = [
        {"se": se, "ratio": trial.suggest_float(f"late.{n}.ratio", 0.25, 0.5, step=0.25)}
        for n in range(depth)
    ]
    size = trial.suggest_int("globals.resolution", 192, 224, step=32)
    return {"stages": [early, late], "globals": {"resolution": size}}


def worth(arch: dict) -> tuple[float, float]:
    layers = [layer for module in arch["stages"] for layer in module]
    return sum(map(len, map(str, layers))) / 7, float(len(layers))


def named(study: optuna.Study, names: list[str]) -> optuna.Study:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names(names)
    return study


@pytest.fixture(scope="module")
def study() -> optuna.Study:
    """Two objectives; every fifth trial fails, every seventh is pruned."""

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        arch = suggest(trial)
        trial.set_user_attr("arch", arch)
        if trial.number % 5 == 4:
            raise ArithmeticError
        if trial.number % 7 == 6:
            raise optuna.TrialPruned
        return worth(arch)

    study = optuna.create_study(
        study_name="mine",
        directions=["maximize", "minimize"],
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study.optimize(objective, n_trials=60, catch=(ArithmeticError,))
    return named(study, ["acc", "latency"])


def test_completed_trials_are_rows(study):
    table = read_table(study, SPACE)
    complete = [t for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE]
    expected: dict[str, optuna.trial.FrozenTrial] = {}
    for trial in complete:
        expected.setdefault(str(trial.user_attrs["arch"]), trial)
    assert table.ids == tuple(f"trial{trial.number}" for trial in expected.values())
    assert [to_dict(SPACE, a) for a in table.architectures] == [
        t.user_attrs["arch"] for t in expected.values()
    ]
    assert table.columns["acc"].tolist() == [t.values[0] for t in expected.values()]
    assert table.columns["latency"].tolist() == [t.values[1] for t in expected.values()]
    assert 20 < len(table) < len(complete) < 60


def test_incomplete_trials_are_noted(study):
    table = read_table(study, SPACE)
    assert notes(table)["trials"] == ["19 trials did not complete and left out (12 fail, 7 pruned)"]
    (note,) = [note for note in table.notes if note.kind == "trials"]
    assert note.rows[:3] == ("trial4", "trial6", "trial9")
    assert "repeated" in notes(table)


def test_directions_come_from_the_study(study):
    space = space_from_yaml(
        """
        name: bare
        globals: {resolution: [192, 224]}
        stages:
          - {name: early, depth: [1, 2], features: {kernel: [3, 5], op: [conv, "007"]}}
          - {name: late, depth: [1, 2], features: {se: [true, false], ratio: [0.25, 0.5]}, shared: [se]}
        """
    )
    table = read_table(study, space)
    assert {name: metric.direction for name, metric in table.metrics.items()} == {
        "acc": "maximize",
        "latency": "minimize",
    }
    assert space.metrics == {}
    other = read_table(study, space, metrics=["x", "y"])
    assert list(other.metrics) == ["x", "y"]
    assert "undeclared" not in notes(other)


def test_a_conflict_of_directions_is_refused(study):
    assert refusal(study, metrics=["latency", "acc"]) == (
        "study mine: latency is to maximize in the study and to minimize in the space"
    )


@pytest.mark.parametrize("names", [["acc"], ["acc", "acc"], ["a", "b", "c"]])
def test_every_objective_needs_a_name_of_its_own(study, names: list[str]):
    assert refusal(study, metrics=names) == (
        f"study mine: 2 objectives of the study, and {len(set(names))} names for them; "
        "pass metrics=[...] or call study.set_metric_names"
    )
    bare = optuna.create_study(study_name="bare")
    bare.add_trial(optuna.create_trial(value=1.0))
    assert "1 objective of the study, and 0 names" in refusal(bare)


def trials(*changes: dict, **options) -> optuna.Study:
    """A study of one objective whose trials are given."""
    study = optuna.create_study(study_name="given", direction="maximize", **options)
    for change in changes:
        params = {
            "early.depth": 1,
            "early.0.kernel": 3,
            "early.0.op": "conv",
            "late.depth": 1,
            "late.se": True,
            "late.0.ratio": 0.25,
            "globals.resolution": 224,
        } | change
        params = {name: value for name, value in params.items() if value is not None}
        distributions = {n: optuna.distributions.CategoricalDistribution([v]) for n, v in params.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study.add_trial(optuna.create_trial(params=params, distributions=distributions, value=1.0))
    return study


def test_layers_that_no_trial_asked_for_need_no_parameter():
    assert read_table(trials({}), SPACE, metrics=["acc"]).ids == ("trial0",)


BAD = {
    "unknown choice": ({"early.0.kernel": 4}, "early.0.kernel: 4 is not a choice; allowed: 3, 5"),
    "text for a number": ({"early.0.kernel": "3"}, "early.0.kernel: '3' is not a choice; allowed: 3, 5"),
    "missing choice": ({"late.0.ratio": None}, "late.0.ratio: ratio is missing; allowed: 0.25, 0.5"),
    "missing layer": ({"early.depth": 2}, "early.1.kernel: kernel is missing; allowed: 3, 5"),
    "wrong depth": (
        {"early.depth": 3},
        "early.depth: 3 is not a number of layers of early; allowed: 1, 2",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_trial_is_refused_or_skipped(case: str):
    change, message = BAD[case]
    study = trials({}, change)
    assert refusal(study, metrics=["acc"]) == f"study given, trial 1, {message}; {MEND}"
    table = read_table(study, SPACE, metrics=["acc"], skip_bad=True)
    assert table.ids == ("trial0",)
    assert [n.rows for n in table.notes if n.kind == "skipped"] == [(f"study given, trial 1, {message}",)]


def test_a_value_that_is_not_finite_is_refused():
    study = trials({})
    study.add_trial(study.trials[0])
    study.add_trial(optuna.create_trial(value=float("inf"), params=study.trials[0].params,
                                        distributions=study.trials[0].distributions))  # fmt: skip
    assert refusal(study, metrics=["acc"]).startswith("study given, trial 2, acc: inf is not finite")


def test_other_parameters_are_noted_and_misspelt_ones_refused():
    table = read_table(trials({"lr": 0.1, "acc": 3}), SPACE, metrics=["acc"])
    assert notes(table)["ignored"] == [
        "parameters that are not choices of the space are not metrics and were left out: 'lr', 'acc'"
    ]
    assert table.columns["acc"].tolist() == [1]
    assert refusal(trials({"early.0.width": 1}), metrics=["acc"]).startswith(
        "study given: unknown column 'early.0.width'; allowed: early.depth, early.0.kernel"
    )
    assert refusal(trials({"early.0.op": None}), metrics=["acc"]) == (
        "study given: column 'early.0.op' is missing; every choice of the space needs its column"
    )


def test_a_study_in_which_nothing_completed():
    assert refusal(optuna.create_study(study_name="new"), metrics=["acc"]) == (
        "study new: acc is to minimize in the study and to maximize in the space"
    )
    empty = optuna.create_study(study_name="new", direction="maximize")
    assert refusal(empty, metrics=["acc"]) == "study new: none of 0 trials completed"
    empty.ask()
    assert refusal(empty, metrics=["acc"]) == "study new: none of 1 trial completed"


def test_derived_classes_are_studies_too():
    class Mine(optuna.Study):
        pass

    given = trials({})
    mine = Mine(given.study_name, given._storage)
    assert read_table(mine, SPACE, metrics=["acc"]).ids == ("trial0",)


def test_none_is_the_choice_that_the_space_calls_none():
    space = space_from_yaml("{name: s, stages: [{name: a, depth: 1, features: {norm: [none, bn]}}]}")
    study = optuna.create_study()
    for norm in (None, "bn"):
        study.enqueue_trial({"a.0.norm": norm})
    study.optimize(lambda t: float(t.suggest_categorical("a.0.norm", [None, "bn"]) is None), n_trials=2)
    table = read_table(study, space, metrics=["loss"])
    assert [a.modules[0][0][0] for a in table.architectures] == ["none", "bn"]
    assert table.columns["loss"].tolist() == [1.0, 0.0]


def test_a_conditional_study_is_read_with_what_it_suggested():
    space = space_from_yaml(
        "{name: c, stages: [{name: s, depth: 1, features: {op: [conv, attn], "
        "kernel: {choices: [3, 5], when: {op: conv}}, heads: {choices: [2, 4], when: {op: attn}}, "
        "norm: [null, bn, [1, 2]]}}]}"
    )
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(0))
    study.add_trials(
        [
            optuna.create_trial(params=params, distributions=_distributions(params), value=1.0 + n)
            for n, params in enumerate(
                [
                    {"s.0.op": "conv", "s.0.kernel": 5, "s.0.norm": None},
                    {"s.0.op": "attn", "s.0.heads": 2, "s.0.norm": "bn"},
                ]
            )
        ]
    )
    table = read_table(study, space, metrics=["acc"])
    assert [a.modules[0][0] for a in table.architectures] == [
        ("conv", 5, ABSENT, None),
        ("attn", ABSENT, 2, "bn"),
    ]
    study.add_trial(
        optuna.create_trial(
            params=(bad := {"s.0.op": "attn", "s.0.heads": 2, "s.0.kernel": 3, "s.0.norm": "bn"}),
            distributions=_distributions(bad),
            value=0.0,
        )
    )
    with pytest.raises(TableError, match="kernel = 3, but kernel exists only with op = conv"):
        read_table(study, space, metrics=["acc"])


def _distributions(params):
    choices = {"op": ("conv", "attn"), "kernel": (3, 5), "heads": (2, 4), "norm": (None, "bn")}
    return {
        name: optuna.distributions.CategoricalDistribution(choices[name.rpartition(".")[2]])
        for name in params
    }
