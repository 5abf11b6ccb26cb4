"""Once-for-all configurations against a plain simulation of how the networks use them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from table_samples import jsonl, notes, refusal

from nasbuild.errors import TableError
from nasbuild.space import load_space, parse_architecture, space_from_dict, to_dict
from nasbuild.table import ofa_to_arch, read_table
from strategies import relaxed

MBV3, PROXYLESS = load_space("ofa-mobilenet-v3"), load_space("ofa-proxylessnas")
MEND = "fix the row, or pass --skip-bad to skip such rows"
LAYERS = {"expand": [3, 4], "kernel": [3, 5]}
SMALL: dict[str, Any] = {
    "name": "small",
    "stages": [{"depth": [1, 2], "features": LAYERS}, {"depth": 1, "features": LAYERS}],
}
PLAIN = space_from_dict(SMALL)
SIZED = space_from_dict(SMALL | {"globals": {"resolution": [192, 224]}})


def active_subnet(config: dict[str, list[int]], last_is_single: bool) -> list[list[tuple[int, int]]]:
    """Expansion and kernel of each active block, as ``set_active_subnet`` of the networks finds them.

    Blocks stand in one list; each group of it has four slots, ProxylessNAS' sixth has one. The first
    ``min(slots, d)`` of a group run, each with the setting at its own place in ``ks`` and ``e``.
    """
    groups = [list(range(4 * g, 4 * g + 4)) for g in range(5)]
    if last_is_single:
        groups.append([20])
    depths = [min(len(group), d) for group, d in zip(groups, config["d"], strict=False)]
    depths += [len(group) for group in groups[len(depths) :]]
    active = [group[:depth] for group, depth in zip(groups, depths, strict=True)]
    return [[(config["e"][block], config["ks"][block]) for block in group] for group in active]


def configurations(slots: int, stages: int) -> st.SearchStrategy[dict[str, list[int]]]:
    return st.fixed_dictionaries(
        {
            "ks": st.lists(st.sampled_from([3, 5, 7]), min_size=slots, max_size=slots),
            "e": st.lists(st.sampled_from([3, 4, 6]), min_size=slots, max_size=slots),
            "d": st.lists(st.sampled_from([2, 3, 4]), min_size=stages, max_size=stages),
        }
    )


def pairs(arch: dict[str, Any]) -> list[list[tuple[int, int]]]:
    return [[(layer["expand"], layer["kernel"]) for layer in module] for module in arch["stages"]]


@relaxed
@given(configurations(20, 5))
def test_mobilenet_configurations_become_their_active_blocks(config):
    arch = ofa_to_arch(MBV3, config)
    assert pairs(arch) == active_subnet(config, last_is_single=False)
    assert to_dict(MBV3, parse_architecture(MBV3, arch)) == arch


@relaxed
@given(st.sampled_from([5, 6]).flatmap(lambda stages: configurations(21, stages)))
def test_proxylessnas_configurations_may_leave_the_last_depth_out_or_too_large(config):
    arch = ofa_to_arch(PROXYLESS, config)
    assert pairs(arch) == active_subnet(config, last_is_single=True)
    assert len(arch["stages"][5]) == 1
    assert to_dict(PROXYLESS, parse_architecture(PROXYLESS, arch)) == arch


@relaxed
@given(st.lists(configurations(20, 5), min_size=1, max_size=5), st.data())
def test_files_of_configurations_are_read_in_every_common_form(tmp_path_factory, configs, data):
    rows = []
    for number, config in enumerate(configs):
        full = config | {"r": data.draw(st.sampled_from([224, [224]])), "wid": None, "w": 1.2}
        forms = [
            full | {"id": f"n{number}", "acc": number},
            full | {"id": f"n{number}", "metrics": {"acc": number}},
            {"id": f"n{number}", "arch": full, "acc": number},
            {"id": f"n{number}", "arch": full, "metrics": {"acc": number}},
        ]
        rows.append(data.draw(st.sampled_from(forms)))
    table = read_table(jsonl(tmp_path_factory.mktemp("t") / "t.jsonl", *rows), MBV3)
    found: dict[str, list[int]] = {}
    for number, config in enumerate(configs):
        found.setdefault(str(active_subnet(config, last_is_single=False)), []).append(number)
    assert [str(pairs(to_dict(MBV3, a))) for a in table.architectures] == list(found)
    assert table.ids == tuple(f"n{numbers[0]}" for numbers in found.values())
    means = [sum(numbers) / len(numbers) for numbers in found.values()]
    assert table.columns["acc"].tolist() == pytest.approx(means)
    assert "ignored" not in notes(table)


GOOD: dict[str, Any] = {"ks": [3, 5, 3], "e": [3, 4, 4], "d": [2, 1], "acc": 1}
SAME: dict[str, Any] = {"stages": [[{"expand": 3, "kernel": 3}, {"expand": 4, "kernel": 5}],
                                   [{"expand": 4, "kernel": 3}]]}  # fmt: skip

BAD = {
    "short list": ({"ks": [3, 5]}, ", ks: ks has 2 values, the space has 3 layer slots"),
    "long list": ({"e": [3] * 4}, ", e: e has 4 values, the space has 3 layer slots"),
    "no list": ({"ks": 3}, ", ks: ks is 3, the space has 3 layer slots"),
    "missing kernels": ({"ks": ...}, ": ks is missing; allowed: ks, e, d"),
    "missing expansions": ({"e": ...}, ": e is missing; allowed: ks, e, d"),
    "missing depths": ({"d": ...}, ", d: d is missing, the space has 2 stages"),
    "too many depths": ({"d": [1, 1, 1]}, ", d: d is [1, 1, 1], the space has 2 stages"),
    "too few depths": ({"d": []}, ", d: d is [], the space has 2 stages"),
    "depths are a text": ({"d": "21"}, ", d: d is '21', the space has 2 stages"),
    "depth that is none": ({"d": [3, 1]}, ", d[0]: stage1 has 3 layers; allowed: 1, 2"),
    "depth of nothing": ({"d": [0, 1]}, ", d[0] (stage1): 0 is not a depth"),
    "depth that is a truth": ({"d": [True, 1]}, ", d[0] (stage1): True is not a depth"),
    "broken depth": ({"d": [1, 1.5]}, ", d[1] (stage2): 1.5 is not a depth"),
    "text in a metric": (
        {"acc": "high"},
        ", acc: 'high' is not a number; allowed: a finite number; null or an empty field where it is missing",
    ),
    "metrics that are none": ({"metrics": 3}, ": 'metrics' is 3, not an object of numbers"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_configuration_is_refused_or_skipped(case: str, tmp_path):
    change, message = BAD[case]
    bad = {key: value for key, value in (GOOD | change).items() if value is not ...}
    path = jsonl(tmp_path / "t.jsonl", GOOD, bad)
    assert refusal(path, PLAIN) == f"{path}, line 2{message}; {MEND}"
    table = read_table(path, PLAIN, skip_bad=True)
    assert [n.rows for n in table.notes if n.kind == "skipped"] == [(f"{path}, line 2{message}",)]


def test_a_stage_of_one_depth_takes_no_slots_of_the_next():
    space = space_from_dict({"name": "turned", "stages": SMALL["stages"][::-1]})
    assert pairs(ofa_to_arch(space, {"ks": [3, 5, 5], "e": [3, 4, 3], "d": [4, 2]})) == [
        [(3, 3)],
        [(4, 5), (3, 5)],
    ]


def test_an_unknown_choice_is_refused_at_its_slot(tmp_path):
    path = jsonl(tmp_path / "t.jsonl", GOOD | {"ks": [3, 7, 3]})
    message = refusal(path, PLAIN)
    assert message.startswith(f"{path}, line 1, stages[0][1].kernel")
    assert "kernel = 7 is not a choice; allowed: 3, 5;" in message


def test_unused_slots_may_hold_anything():
    assert ofa_to_arch(PLAIN, {"ks": [3, 0, 5], "e": [4, None, 3], "d": [1]}) == {
        "stages": [[{"expand": 4, "kernel": 3}], [{"expand": 3, "kernel": 5}]]
    }


def test_one_file_may_mix_both_forms(tmp_path):
    path = jsonl(tmp_path / "t.jsonl", {"arch": SAME, "metrics": {"acc": 3}}, GOOD)
    table = read_table(path, PLAIN)
    assert len(table) == 1
    assert table.columns["acc"].tolist() == [2]


def test_one_resolution_needs_no_global(tmp_path):
    path = jsonl(tmp_path / "t.jsonl", GOOD | {"r": 224}, GOOD | {"r": [224], "d": [1]})
    assert len(read_table(path, PLAIN)) == 2


def test_two_resolutions_need_a_global(tmp_path):
    path = jsonl(tmp_path / "t.jsonl", GOOD | {"r": 224}, GOOD | {"r": 192})
    assert refusal(path, PLAIN) == (
        f"{path}, line 2, r: resolution 192 differs from 224 in earlier rows; "
        "add globals: {resolution: [...]} to the space, or give one table a resolution"
    )
    assert len(read_table(path, PLAIN, skip_bad=True)) == 1
    table = read_table(path, SIZED)
    assert [architecture.modules[-1] for architecture in table.architectures] == [((224,),), ((192,),)]


def test_the_resolution_of_a_bad_row_is_ignored(tmp_path):
    rows = [GOOD | {"r": 128, "ks": [9, 9, 9]}, GOOD | {"r": 224}, GOOD | {"r": 224, "d": [1]}]
    path = jsonl(tmp_path / "t.jsonl", *rows)
    assert len(read_table(path, PLAIN, skip_bad=True)) == 2


@pytest.mark.parametrize(
    ("r", "shown"), [(160, "160"), (None, "None"), ([192, 224], "[192, 224]"), ({"x": 1}, "an object")]
)
def test_an_unknown_resolution_is_refused(r: object, shown: str, tmp_path):
    path = jsonl(tmp_path / "t.jsonl", GOOD | {"r": r})
    message = refusal(path, SIZED)
    assert message.startswith(f"{path}, line 1, globals.resolution")
    assert f"resolution = {shown} is not a choice; allowed: 192, 224;" in message


def test_spaces_of_other_features_take_no_configurations():
    other = space_from_dict({"name": "s", "stages": [{"depth": 1, "features": {"kernel": [3], "op": ["x"]}}]})
    with pytest.raises(TableError) as caught:
        ofa_to_arch(other, GOOD)
    assert str(caught.value) == (
        "configuration: once-for-all configurations need layers of expand and kernel, stage1 has others; "
        "allowed: kernel, op"
    )
