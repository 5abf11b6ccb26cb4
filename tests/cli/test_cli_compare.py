"""``compare`` of two architectures: what is printed adds up, and bad input gets one sentence."""

from __future__ import annotations

import json
import re

import pytest

from nasbuild.cli._json_schema import validated
from nasbuild.space import to_dict
from nasbuild.table import load_builtin

TABLE = load_builtin("digits-macro").select(range(0, 1728, 29))


def number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


@pytest.mark.parametrize("target", ["loss", "acc / log10(macs)"])
def test_the_printed_sum_is_exact(nasbuild, files, target):
    done = nasbuild("compare", files.fit, TABLE.ids[3], TABLE.ids[40], "--target", target)
    assert done.code == 0
    rows = re.findall(r"^ *([+−]?[\d.,]+)  (\S.*?) *$", done.out, re.MULTILINE)
    *parts, (total, name) = rows
    assert name == "difference"
    assert len(parts) > 1
    decimals = len(total.partition(".")[2])
    assert round(sum(number(value) for value, _ in parts), decimals) == number(total)


def test_a_file_is_as_good_as_the_id_of_a_row(nasbuild, files, tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"id": "mine", "arch": to_dict(TABLE.space, TABLE.architectures[3])}))
    found = nasbuild("compare", files.fit, path, TABLE.ids[40], "--json").json
    same = nasbuild("compare", files.fit, TABLE.ids[3], TABLE.ids[40], "--json").json
    validated(found)
    assert found["first"]["id"] == "mine"
    assert found["contributions"] == same["contributions"]
    total = sum(one["value"] for one in found["contributions"])
    assert total == pytest.approx(found["first"]["prediction"] - found["second"]["prediction"])
    best = min(("first", "second"), key=lambda which: found[which]["prediction"])
    assert found["better"] == found[best]["id"]  # a loss


def test_what_is_no_architecture_gets_one_sentence(nasbuild, files):
    assert (
        "'nothing' is no architecture; allowed: the id"
        in nasbuild("compare", files.fit, "nothing", TABLE.ids[0]).sentence
    )
    assert "declares no reference" in nasbuild("compare", files.fit, TABLE.ids[0], "reference").sentence
    assert "60 architectures" in nasbuild("compare", files.fit, TABLE.ids[0], files.data).sentence
