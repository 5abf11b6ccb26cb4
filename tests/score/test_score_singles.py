"""Tables of single changes: trust by joint rows alone, a verdict that says so, and the plain sum as a baseline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nasbuild.errors import TableError
from nasbuild.predictor import BaselineRecipe, recipe
from nasbuild.report import trust_data
from nasbuild.score import Fit, fit, load_fit, save_fit
from nasbuild.score._held_out import folds, rows_to_hold_out
from nasbuild.score.baselines import fit_baseline
from nasbuild.space import Architecture, changed_sample, parse_architecture, space_from_yaml
from nasbuild.table import Table, changed_parts

BLOCKS = 12
SPACE = space_from_yaml(
    "name: s\nmetrics: {loss: {direction: minimize}}\nreference: {op: x}\nstages:\n"
    + "\n".join(f"- {{name: b{i}, depth: 1, features: {{op: [x, y, z]}}}}" for i in range(BLOCKS))
)
REFERENCE = parse_architecture(SPACE, {"stages": [[{"op": "x"}]] * BLOCKS})
WORTH = np.random.default_rng(0).lognormal(-1, 1, size=(BLOCKS, 2))
SINGLES = [REFERENCE, *changed_sample(SPACE, REFERENCE, 2 * BLOCKS, changes=(1, 1))]
JOINT = changed_sample(SPACE, REFERENCE, 24, 1, changes=(2, 6))


def total(architecture: Architecture) -> float:
    return sum(WORTH[u, "yz".index(str(op))] for u, ((op,),) in enumerate(architecture) if op != "x")


def table(rows: list[Architecture]) -> Table:
    labels = np.array([3.0 + 2 * np.expm1(total(a) / 2) for a in rows])
    return Table(SPACE, tuple(f"r{n}" for n in range(len(rows))), tuple(rows), {"loss": labels}, ())


QUICK = recipe("default", folds=3, samples=4)


@pytest.fixture(scope="module")
def joint_fit() -> Fit:
    return fit(table([*SINGLES, *JOINT]), ["loss"], recipe=QUICK, baselines=False)


def test_only_joint_rows_are_held_out(joint_fit):
    rows = [*SINGLES, *JOINT]
    parts = folds(SPACE, rows, 3, seed=0)
    held = np.concatenate([test for _, test in parts])
    assert sorted(held) == list(range(len(SINGLES), len(rows)))
    assert all(set(train) | set(test) == set(range(len(rows))) for train, test in parts)
    trust = joint_fit["loss"].trust
    assert (trust.joint, trust.level) == (len(JOINT), "high")
    assert f"a reference, {len(SINGLES) - 1} single changes and {len(JOINT)} joint rows" in trust.verdict
    assert "the logarithm of the excess over the reference" in trust.verdict


def test_without_joint_rows_the_verdict_says_that_nothing_shows_how_effects_add_up(tmp_path):
    found = fit(table(SINGLES), ["loss"], recipe=QUICK, baselines=False)
    trust = found["loss"].trust
    assert (trust.joint, trust.level, trust.suspects) == (0, "none", ())
    assert trust.verdict.startswith("Nothing here shows whether effects add up")
    (step,) = trust_data(found, found["loss"])["next"][:1]
    assert step["kind"] == "joint"
    assert "--propose 20 --out joint.csv" in step["command"]
    save_fit(found, tmp_path / "fit")
    assert load_fit(tmp_path / "fit")["loss"].trust == trust
    # Effects are taken as measured: shares differ by what the change did.
    shares = found["loss"].scorer.shares(SINGLES)
    labels = found["loss"].labels.values
    assert shares.sum(axis=1) - shares.sum(axis=1)[0] == pytest.approx(
        labels - labels[0], abs=2e-3 * np.ptp(labels)
    )


def test_the_sum_of_single_changes_is_the_sum():
    rows, given = [*SINGLES, *JOINT], table([*SINGLES, *JOINT])
    labels = given.columns["loss"]
    scorer, parts = fit_baseline(SPACE, rows, labels, BaselineRecipe("singles", folds=3))
    effect = {
        changed_parts(SPACE, REFERENCE, a) + tuple(a): y - labels[0]
        for a, y in zip(SINGLES, labels, strict=False)
    }
    for architecture, value in zip(JOINT, scorer.predict(JOINT)[0], strict=True):
        alone = [
            REFERENCE.replace(part.stage, architecture.modules[part.stage])
            for part in changed_parts(SPACE, REFERENCE, architecture)
        ]
        expected = sum(effect[changed_parts(SPACE, REFERENCE, a) + tuple(a)] for a in alone)
        assert value == pytest.approx(labels[0] + expected, rel=1e-9)
    assert sum(len(part.test) for part in parts) == len(JOINT)
    assert (scorer.predict(JOINT)[1] > 0.01).all()


def test_a_table_without_single_changes_has_no_such_sum():
    with pytest.raises(TableError, match="no table of a reference and single changes"):
        fit_baseline(SPACE, JOINT, np.arange(float(len(JOINT))), BaselineRecipe("singles"))


def test_rows_that_alone_have_a_choice_are_not_held_out():
    only = {block: dict.fromkeys(range(BLOCKS), "x") | dict.fromkeys(range(block), "w") for block in (3, 5)}
    space = space_from_yaml(
        "name: s\nmetrics: {loss: {direction: minimize}}\nreference: {op: x}\nstages:\n"
        + "\n".join(f"- {{name: b{i}, depth: 1, features: {{op: [x, y, z, w]}}}}" for i in range(BLOCKS))
    )
    alone = parse_architecture(space, {"stages": [[{"op": only[3][u]}] for u in range(BLOCKS)]})
    twice = parse_architecture(space, {"stages": [[{"op": only[5][u]}] for u in range(BLOCKS)]})
    joint = np.arange(len(SINGLES), len(SINGLES) + len(JOINT) + 1)
    rows = [*SINGLES, *JOINT, alone]
    assert rows_to_hold_out(rows, joint).tolist() == joint[:-1].tolist()
    assert rows_to_hold_out([*rows, twice], joint).tolist() == joint.tolist()


def test_a_table_whose_joint_rows_cannot_be_held_out_says_so():
    space = space_from_yaml(
        "name: s\nmetrics: {loss: {direction: minimize}}\nreference: {op: x}\nstages:\n"
        + "\n".join(
            f"- {{name: b{i}, depth: 1, features: {{op: [x, y, z, {', '.join(f't{n}' for n in range(12))}]}}}}"
            for i in range(BLOCKS)
        )
    )
    uniform = [parse_architecture(space, {"stages": [[{"op": f"t{n}"}]] * BLOCKS}) for n in range(12)]
    labels = [3.0 + total(a) for a in SINGLES] + [3.0 + (n + 1) / 12 * WORTH[:, 0].sum() for n in range(12)]
    rows = (*SINGLES, *uniform)
    made = Table(space, tuple(f"r{n}" for n in range(len(rows))), rows, {"loss": np.array(labels)}, ())
    found = fit(made, ["loss"], recipe=QUICK, baselines=False)["loss"]
    trust = found.trust
    assert (trust.joint, trust.level) == (12, "none")
    assert found.scorer.gp.interaction_share == 1  # nothing confirms interactions, nothing refutes them
    assert (
        "of 12 rows that change more than one part of the reference, 12 have a choice that no other row"
        in trust.verdict
    )


def test_gains_over_an_optimum_and_ruined_networks_are_named_and_blow_up_no_interval():
    some = table([*SINGLES, *JOINT])
    labels = some.columns["loss"].copy()
    labels[3], labels[5] = 2.99, 1e9
    found = fit(replace(some, columns={"loss": labels}), ["loss"], recipe=QUICK, baselines=False)["loss"]
    assert "but 1 that improves on the reference as half the loss expected" in found.trust.verdict
    assert "without 1 ruined network" in found.trust.verdict
    assert found.scorer.predict([SINGLES[0]])[1][0] < 0.01  # one label of 1e9 is no measure of what is known
