"""The reference on the command line: shown by ``check``, and the middle of a template."""

from __future__ import annotations

import json

from nasbuild.space import changed_sample, parse_architecture, space_from_yaml, to_dict
from nasbuild.table import changed_parts

SPACE = space_from_yaml(
    "{name: s, metrics: {loss: {direction: minimize}},"
    " stages: [{name: a, depth: 3, features: {op: [conv, attn]}}, {name: b, depth: 3, features: {op: [conv, attn]}}]}"
)
REFERENCE = parse_architecture(SPACE, {"stages": [[{"op": "conv"}] * 3] * 2})
DECLARED = "{name: s, stages: [{name: a, depth: 3, features: {op: [conv, attn]}}], reference: {op: conv, a.2.op: attn}}"


def table(path):
    rows = [
        REFERENCE,
        *changed_sample(SPACE, REFERENCE, 5, changes=(1, 1)),
        *changed_sample(SPACE, REFERENCE, 3, changes=(2, 2)),
    ]
    lines = (
        json.dumps({"id": f"r{n}", "arch": to_dict(SPACE, a), "metrics": {"loss": n / 10}})
        for n, a in enumerate(rows)
    )
    path.write_text("\n".join(lines))


def test_check_tells_the_design_of_a_table(nasbuild, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "t.jsonl")
    (tmp_path / "s.yaml").write_text(
        "{name: s, stages: [{name: a, depth: 3, features: {op: [conv, attn]}}, {name: b, depth: 3, features: {op: [conv, attn]}}]}"
    )
    done = nasbuild("check", "--space", "s.yaml", "--data", "t.jsonl", "--json")
    changes = done.json["table"]["changes"]
    assert [changes[k] for k in ("reference", "declared", "equal", "one", "two", "more")] == [
        "r0",
        False,
        1,
        5,
        3,
        0,
    ]
    text = nasbuild("check", "--space", "s.yaml", "--data", "t.jsonl").out
    assert "5 rows change one part of it, 3 two, 0 more" in " ".join(text.split())


def test_a_declared_reference_is_shown_and_is_the_middle_of_a_template(nasbuild, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(DECLARED)
    assert "reference: op conv, a.2.op attn" in nasbuild("check", "--space", "s.yaml").out
    assert nasbuild("check", "--space", "s.yaml", "--json").json["reference"] == {
        "op": "conv",
        "a.2.op": "attn",
    }
    options = ["--near", "reference", "--changes", "1", "--n", "3", "--out", "near.jsonl"]
    assert nasbuild("template", "--space", "s.yaml", *options).code == 0
    space = space_from_yaml(DECLARED)
    rows = [json.loads(line)["arch"] for line in (tmp_path / "near.jsonl").read_text().splitlines()]
    assert space.reference is not None
    found = [changed_parts(space, space.reference, parse_architecture(space, row)) for row in rows]
    assert sorted(part.text(space) for (part,) in found) == ["a.0.op", "a.1.op", "a.2.op"]
