"""What names, values and empty cells of a table say about its space."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from table_samples import notes

from nasbuild.errors import TableError
from nasbuild.space import Space, to_dict
from nasbuild.table import guess_space, infer_space, read_table

ROWS = 40
RNG = np.random.default_rng(0)
ACC = RNG.normal(70, 2, ROWS).round(3).tolist()


def some(*choices: Any) -> list[Any]:
    """A column of choices in random order, each of which occurs."""
    return [choices[i] for i in RNG.permutation(np.arange(ROWS) % len(choices))]


def frame(columns: dict[str, list[Any]], **metrics: list[Any]) -> pl.DataFrame:
    return pl.DataFrame(columns | (metrics or {"acc": ACC}), strict=False)


def described(space: Space) -> dict[str, tuple[tuple[int, ...], dict[str, tuple[Any, ...]]]]:
    return {s.name: (s.depths, {f.name: f.choices for f in s.features}) for s in space.stages}


KERNELS = {"kernel": (3, 5)}
SPELLINGS = {
    "two numbers": (
        ["d1", "d2"],
        ["k1_1", "k1_2", "k2_1", "k2_2"],
        {"stage1": ((1, 2), KERNELS), "stage2": ((1, 2), KERNELS)},
    ),
    "dots": (
        ["stage1.depth", "stage2.depth"],
        ["stage1.0.kernel", "stage1.1.kernel", "stage2.0.kernel", "stage2.1.kernel"],
        {"stage1": ((1, 2), KERNELS), "stage2": ((1, 2), KERNELS)},
    ),
    "brackets": (
        ["depths[0]", "depths[1]"],
        ["kernel_sizes[0][0]", "kernel_sizes[0][1]", "kernel_sizes[1][0]", "kernel_sizes[1][1]"],
        {"stage0": ((1, 2), KERNELS), "stage1": ((1, 2), KERNELS)},
    ),
    "words": (
        ["depth_stage1", "depth_stage2"],
        [f"kernel_stage{u}_block{n}" for u in (1, 2) for n in (1, 2)],
        {"stage1": ((1, 2), KERNELS), "stage2": ((1, 2), KERNELS)},
    ),
    "named stages": (
        ["early.depth", "late.depth"],
        ["early.0.kernel", "early.1.kernel", "late.0.kernel", "late.1.kernel"],
        {"early": ((1, 2), KERNELS), "late": ((1, 2), KERNELS)},
    ),
    "one list cut into stages": (
        ["d[0]", "d[1]"],
        ["ks[0]", "ks[1]", "ks[2]", "ks[3]"],
        {"stage1": ((1, 2), KERNELS), "stage2": ((1, 2), KERNELS)},
    ),
    "one stage with its depth": (["n_layers"], ["k_1", "k_2"], {"stage1": ((1, 2), KERNELS)}),
    "no depth": (
        [],
        [f"blk.{n}.kernel" for n in range(3)],
        {f"blk{n}": ((1,), KERNELS) for n in range(3)},
    ),
    "layers in brackets": (
        [],
        [f"layers[{n}].kernel" for n in range(3)],
        {f"layer{n}": ((1,), KERNELS) for n in range(3)},
    ),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_stages_depths_and_features_are_read_from_names(spelling):
    depths, kernels, expected = SPELLINGS[spelling]
    guess = guess_space(frame({n: some(1, 2) for n in depths} | {n: some(3, 5) for n in kernels}))
    assert described(guess.space) == expected
    assert not guess.questions


def test_features_whose_names_end_in_numbers(tmp_path):
    stages = ["branches1", "branches2"]
    columns = {f"{s}.convs{n}": some(1, 2) for u, s in enumerate(stages) for n in range(1, u + 2)}
    space = infer_space(frame(columns | {"globals.stem1": some(8, 16), "globals.stem2": some(8, 16)}))
    assert described(space) == {
        "branches1": ((1,), {"convs": (1, 2)}),
        "branches2": ((2,), {"convs": (1, 2)}),
        "globals": ((1,), {"stem1": (8, 16), "stem2": (8, 16)}),
    }
    rows = [
        {"arch": {"stages": [[{"w1": w, "w2": 3 - w}]] * 2, "globals": {"r": r}}, "metrics": {"acc": a}}
        for w, r, a in zip(some(1, 2), some(3, 4), ACC, strict=True)
    ]
    path = tmp_path / "own.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    space = infer_space(path)
    widths = {"w1": (1, 2), "w2": (1, 2)}
    assert described(space) == {
        "stage1": ((1,), widths),
        "stage2": ((1,), widths),
        "globals": ((1,), {"r": (3, 4)}),
    }
    assert space.columns is None
    assert len(read_table(path, space).architectures) == 4


def test_features_of_a_stage_and_of_the_network():
    columns = {f"stage{u}_depth": some(1, 2, 3) for u in (1, 2)}
    columns |= {f"stage{u}_se": some(0, 1) for u in (1, 2)} | {"resolution": some(192, 224)}
    space = infer_space(frame(columns))
    assert [stage.shared for stage in space.layered] == [frozenset({"se"})] * 2
    assert described(space)["globals"] == ((1,), {"resolution": (192, 224)})


def test_a_feature_that_is_the_same_in_all_layers_of_each_row_is_shared():
    kernel = some(3, 5)
    table = frame(
        {"d": some(1, 2, 3)} | {f"k_{n}": kernel for n in range(3)} | {f"e_{n}": some(1, 2) for n in range(3)}
    )
    assert infer_space(table).stages[0].shared == frozenset({"kernel"})


def test_layers_that_are_filled_are_counted_where_no_column_says_how_many():
    depth = some(1, 2, 3)
    table = frame({f"width{n}": [16 * (n + 1) if n < d else None for d in depth] for n in range(3)})
    space = infer_space(table)
    assert described(space) == {"stage1": ((1, 2, 3), {"width": (16, 32, 48)})}
    read = read_table(table, space)
    assert sorted(len(a.modules[0]) for a in read.architectures) == [1, 2, 3]


def test_values_of_layers_that_do_not_exist_are_ignored():
    depth = some(1, 2)
    table = frame({"d": depth, "ks_1": some(3, 5), "ks_2": [9 if d == 1 else 7 for d in depth]})
    assert described(infer_space(table)) == {"stage1": ((1, 2), {"kernel": (3, 5, 7)})}


def test_what_never_varies_and_what_describes_the_run_is_left_out_with_a_word():
    columns = {"op_1": some("a", "b"), "op_2": some("a", "b"), "width": [1.5] * ROWS, "seed": some(0, 1, 2)}
    guess = guess_space(
        frame(columns | {"note": [f"run of {n}" for n in range(ROWS)], "run": list(range(ROWS))})
    )
    assert guess.space.columns is not None
    assert guess.space.columns.constant == {"width": 1.5}
    assert guess.space.columns.ignore == ("seed", "note")
    assert guess.space.columns.id == "run"
    assert [note.split(":")[0] for note in guess.notes] == [
        "the same in every row, so left out",
        "neither architecture nor metric, so left out",
    ]


def test_a_fixed_part_is_checked_in_other_tables():
    table = frame({"op_1": some("a", "b"), "op_2": some("a", "b"), "width": [1.5] * ROWS})
    space = infer_space(table)
    other = table.with_columns(width=pl.lit(2.0))
    with pytest.raises(TableError, match=r"width: 2.0 is not what the space holds fixed; allowed: 1.5"):
        read_table(other, space)


METRICS = {
    "acc": ("acc", "maximize", "%"),
    "Top-1 Acc (%)": ("top_1_acc", "maximize", "%"),
    "val_loss": ("val_loss", "minimize", ""),
    "Latency (ms)": ("latency", "minimize", "ms"),
    "throughput_a100": ("throughput_a100", "maximize", ""),
    "top1_err": ("top1_err", "minimize", ""),
    "model_size_mb": ("model_size_mb", "minimize", "MB"),
    "ppl": ("ppl", "minimize", ""),
}


@pytest.mark.parametrize("column", METRICS)
def test_metrics_have_the_direction_of_their_names(column):
    guess = guess_space(frame({"op_1": some("a", "b")}, **{column: ACC}))
    name, direction, unit = METRICS[column]
    (metric,) = guess.space.metrics.values()
    assert (metric.name, metric.direction, metric.unit) == (name, direction, unit)
    assert not guess.questions


@pytest.mark.parametrize("column", ["params_lr", "dropout", "weight_decay"])
def test_numbers_that_are_set_are_no_metrics(column):
    guess = guess_space(frame({"op_1": some("a", "b"), "op_2": some("a", "b"), column: ACC}, loss=ACC))
    assert list(guess.space.metrics) == ["loss"]
    assert guess.space.globals is not None
    (feature,) = guess.space.globals.features
    assert feature.name == column.removeprefix("params_")
    assert feature.range is not None
    assert feature.range.low <= min(ACC)
    assert feature.range.high >= max(ACC)


def test_a_metric_without_a_known_direction_is_asked_for():
    table = frame({"op_1": some("a", "b"), "op_2": some("a", "b")}, foo=ACC)
    guess = guess_space(table)
    assert [q.key for q in guess.open] == ["foo", "op", "foo.direction"]
    assert guess.space.metrics == {}
    answered = guess_space(guess, answers={"foo": "metric", "op": "layers", "foo.direction": "minimize"})
    assert not answered.open
    assert answered.space.metrics["foo"].direction == "minimize"
    assert described(answered.space) == {"stage1": ((2,), {"op": ("a", "b")})}
    with pytest.raises(TableError, match="'most' is no answer; allowed: none, maximize, minimize"):
        guess_space(table, answers={"foo.direction": "most"})
    with pytest.raises(TableError, match="nothing is asked about 'bar'"):
        guess_space(table, answers={"bar": "metric"})


def test_targets_name_metrics():
    table = frame({"op_1": some("a", "b"), "op_2": some("a", "b"), "steps_to_win": some(1, 2, 3)})
    assert infer_space(table, metrics=["-steps_to_win / 2"]).columns.metrics.keys() == {"steps_to_win", "acc"}
    read = read_table(table, metrics=["acc"])
    assert list(read.columns) == ["acc"]
    assert any("inferred" in text for text in notes(read)["inferred"])


def test_an_empty_cell_is_a_choice_unless_another_choice_explains_it():
    op = some("conv", "attn")
    kernels = iter(some(3, 5))
    table = frame(
        {"op": op, "kernel": [{"conv": next(kernels)}.get(o) for o in op], "norm": some(None, "bn", "ln")}
    )
    space = infer_space(table)
    assert [(f.name, f.present, f.when) for f in space.stages[0].features] == [
        ("op", ("attn", "conv"), ()),
        ("kernel", (3, 5), (("op", ("conv",)),)),
    ]
    assert described(space)["norm"] == ((1,), {"norm": (None, "bn", "ln")})
    read = read_table(table, space)
    expected = {
        tuple(sorted((k, v) for k, v in row.items() if k in ("op", "norm") or v is not None))
        for row in table.drop("acc").to_dicts()
    }
    found = {
        tuple(sorted({**arch["stages"][0][0], **arch["stages"][1][0]}.items()))
        for arch in (to_dict(space, a) for a in read.architectures)
    }
    assert found == expected


def test_stages_may_be_absent_and_learning_rates_have_ranges():
    depth = some(0, 1, 2)
    rates = [10.0 ** -(1 + 4 * n / ROWS) for n in range(ROWS)]
    table = frame(
        {
            "d1": depth,
            "d2": some(1, 2),
            "k1_1": some(3, 5),
            "k1_2": some(3, 5),
            "k2_1": some(3, 5),
            "k2_2": some(3, 5),
        }
        | {"lr": rates}
    )
    space = infer_space(table)
    assert [stage.depths for stage in space.layered] == [(0, 1, 2), (1, 2)]
    assert space.globals is not None
    (rate,) = space.globals.features
    assert rate.range is not None
    assert (rate.range.low, rate.range.high, rate.range.scale) == (1e-5, 0.1, "log")
    read = read_table(table, space)
    assert len(read) == ROWS
    assert [len(a.modules[0]) for a in read.architectures] == depth


def test_nothing_to_build_is_refused_with_what_would_be():
    with pytest.raises(
        TableError, match=r"no column describes an architecture: .*acc.*; allowed: columns such as d1, k1_1"
    ):
        infer_space(frame({}, acc=ACC, loss=ACC))
    with pytest.raises(TableError, match="the table is empty"):
        infer_space(pl.DataFrame({"d1": [], "acc": []}))


def test_a_table_that_nasbuild_wrote_needs_no_columns():
    columns = {"stage1.depth": some(1, 2), "stage1.0.op": some("a", "b"), "stage1.1.op": some("a", "b")}
    columns |= {"stage2.depth": some(1, 2), "stage2.0.op": some("a", "b"), "stage2.1.op": some("a", "b")}
    assert infer_space(frame(columns)).columns is None


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        ("a100_img_per_s", "img/s"),
        ("tokens/s", "tokens/s"),
        ("Samples per second", "samples/s"),
        ("gmacs", "GMACs"),
        ("Top-1 (%)", "%"),
        ("val_top_5", "%"),
    ],
)
def test_a_rate_or_a_unit_in_a_name_says_direction_and_unit(column, unit):
    found = guess_space(frame({"k1": some(3, 5), "k2": some(3, 5, 7)}, **{column: ACC}))
    [metric] = found.space.metrics.values()
    assert (metric.unit, metric.direction) == (unit, "minimize" if column == "gmacs" else "maximize")
    assert column not in [question.key for question in found.questions]


def test_words_among_the_numbers_of_a_metric_are_no_values():
    first = some(3, 5, 5)
    times = ["OOM" if k == 3 else str(value) for k, value in zip(first, ACC, strict=True)]
    rows = frame({"k1": first, "k2": some(3, 5, 7)}, acc=ACC, latency_us=times)
    guess = guess_space(rows)
    assert guess.space.columns is not None
    assert guess.space.columns.missing == ("OOM",)
    assert "'OOM' in latency_us is read as no value" in guess.notes
    table = read_table(rows, guess.space)
    without = np.isnan(table.columns["latency_us"])
    assert without.tolist() == [a.modules[0][0][0] == 3 for a in table.architectures]
    # Where the name says nothing of a metric, texts remain choices.
    assert "size" not in guess_space(rows.rename({"latency_us": "size_of"})).space.metrics


def test_texts_that_other_columns_share_are_choices_however_many():
    types = [f"q{n}" for n in range(80)]
    columns = {
        name: [types[(row + shift) % 80] for row in range(160)]
        for shift, name in enumerate(["token_embd", "blk.0.attn", "blk.0.mlp", "blk.1.attn", "blk.1.mlp"])
    }
    remarks = {"remark": [f"remark {n}" for n in range(160)]}
    loss = [2 + n / 160 for n in range(160)]
    space = infer_space(pl.DataFrame(columns | remarks | {"loss": loss}))
    assert {f.name for stage in space.stages for f in stage.features} == {"token_embd", "attn", "mlp"}
    assert space.columns is not None
    assert space.columns.ignore == ("remark",)
