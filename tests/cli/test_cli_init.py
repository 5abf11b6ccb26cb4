"""From the file that people have to built architectures, without editing; and the questions on the way."""

from __future__ import annotations

import csv
import json

import pytest

from nasbuild.cli._space_drawing import space_drawing
from nasbuild.space import load_space
from nasbuild.table import read_table
from own_tables import dicts_csv, german_csv, known_table, nested_jsonl, plain_rows, wide_csv

ROWS = plain_rows(known_table(40))


@pytest.mark.parametrize("make", [german_csv, dicts_csv])
def test_two_commands_lead_from_a_file_to_built_networks_in_its_columns(
    make, tmp_path, nasbuild, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    source = make(tmp_path, ROWS)
    done = nasbuild(
        "fit",
        "--data",
        source.name,
        "--target",
        "Top-1 Acc (%)",
        "--recipe",
        "marginal",
        "--no-baselines",
        "--out",
        "fit",
    )
    assert done.code == 0, done.err
    assert "the space was inferred from the table: stage1, stage2" in done.out
    done = nasbuild("build", "fit", "--top", "3", "--out", "built.csv")
    assert done.code == 0
    # As the file calls the column.
    assert "fill in Top-1 Acc (%) there" in done.out
    separator = ";" if make is german_csv else ","
    with source.open() as one, (tmp_path / "built.csv").open() as two:
        before, after = (csv.DictReader(stream, delimiter=separator) for stream in (one, two))
        own = {name for name in before.fieldnames or () if name[0] in "dke" or name == "Sub-network"}
        assert own <= set(after.fieldnames or ())
        assert len(list(after)) == 3
    done = nasbuild("predict", "fit", "--archs", source.name, "--out", "predicted.csv", "--json")
    assert done.json["rows"] == len(ROWS)


def test_init_draws_the_space_and_writes_it_for_other_commands(tmp_path, nasbuild, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = wide_csv(tmp_path, ROWS)
    done = nasbuild("init", source.name)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("runs.csv: 40 rows of about")
    assert "  stage1  ■ ■ □ □  kernel 3 5 7 · expand 3 4 6" in lines
    assert "  nasbuild fit --space space.yaml --data runs.csv --target acc --out my-fit" in lines
    text = (tmp_path / "space.yaml").read_text()
    assert text.startswith("# A search space, inferred from 40 rows of runs.csv.")
    assert "# What the table calls them" in text
    assert (
        nasbuild("check", "--space", "space.yaml", "--data", source.name, "--json").json["table"]["rows"]
        == 40
    )
    assert (
        nasbuild("init", source.name).sentence
        == "space.yaml: is there already; give another --out, or --overwrite"
    )
    again = nasbuild("init", source.name, "--overwrite", "--json")
    assert [stage["stage"] for stage in again.json["stages"]] == [f"stage{u}" for u in range(1, 6)]
    assert again.json["metrics"]["latency_ms"] == {"direction": "minimize", "unit": "ms"}


@pytest.fixture
def unclear(tmp_path, monkeypatch):
    """A table with three open questions."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "unclear.csv"
    lines = [f"{'ab'[n % 2]},{'ab'[n // 2 % 2]},{n * 0.37 + 0.1:.3f}" for n in range(16)]
    path.write_text("\n".join(["op_1,op_2,foo", *lines]))
    return path.name


def test_open_questions_need_an_answer_or_yes(unclear, nasbuild):
    sentence = nasbuild("init", unclear).sentence
    assert sentence.startswith("unclear.csv: 3 questions are open: Column 'foo' has 16 numbers")
    # One more call can answer all of them.
    for key in ("foo=metric", "op=layers", "foo.direction=minimize"):
        assert f"--answer {key}" in sentence
    assert (
        nasbuild("init", unclear, "--answer", "foo").sentence
        == "--answer: 'foo' is no answer; allowed: KEY=VALUE"
    )
    done = nasbuild("init", unclear, "--yes")
    assert "Of the metric 'foo', what is better? Assumed: say it each time, --target=+foo" in done.out
    assert "  ? foo" in done.out.splitlines()
    assert "--target=+foo --out my-fit" in done.out
    assert load_space("space.yaml").metrics == {}
    answers = ["--answer", "foo=metric", "--answer", "op=layers", "--answer", "foo.direction=minimize"]
    done = nasbuild("init", unclear, "--overwrite", "--json", *answers)
    assert {q["key"]: (q["answer"], q["given"]) for q in done.json["questions"]} == {
        "foo": ("metric", True),
        "op": ("layers", True),
        "foo.direction": ("minimize", True),
    }


def test_a_terminal_asks(unclear, nasbuild, monkeypatch):
    asked = []
    replies = iter(["1", "7", "layers", "3"])

    def reply(text, **_):
        asked.append(text)
        return next(replies)

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", reply)
    done = nasbuild("init", unclear)
    assert done.code == 0, done.err
    # The second reply is no option, so that question is asked again.
    assert asked == ["1 to 3", "1 to 2", "1 to 2", "1 to 3"]
    space = load_space("space.yaml")
    assert space.metrics["foo"].direction == "minimize"
    assert [stage.depths for stage in space.stages] == [(2,)]
    assert "Assumed" not in done.out
    assert "'7' is none of them; give the number of an answer, or press Enter for 1" in done.out


def test_nothing_is_inferred_from_nothing(tmp_path, nasbuild):
    path = tmp_path / "t.csv"
    path.write_text("acc,loss\n1,2\n3,4\n")
    assert (
        "no column describes an architecture" in nasbuild("init", path, "--out", tmp_path / "s.yaml").sentence
    )
    assert not (tmp_path / "s.yaml").exists()
    assert (
        nasbuild("check").sentence
        == "there is nothing to check; give --space, --data, or --graphs for networks"
    )


def test_drawings_have_eighty_columns_and_an_ascii_form(tmp_path):
    space = read_table(nested_jsonl(tmp_path, ROWS)).space
    for plain in (False, True):
        lines = space_drawing(space, plain=plain)
        assert max(map(len, lines)) <= 80
        assert all(line.isascii() for line in lines) == plain
    many = load_space("sd-unet")
    assert len(space_drawing(many, plain=True)) < 80


def test_a_template_is_filled_in_and_read(tmp_path, nasbuild, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = wide_csv(tmp_path, ROWS)
    nasbuild("init", source.name)
    done = nasbuild("template", "--space", "space.yaml", "--n", "12", "--out", "todo.csv", "--json")
    assert done.json["rows"] == 12
    with (tmp_path / "todo.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert all(row["acc"] == row["latency_ms"] == "" for row in rows)
    with (tmp_path / "todo.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(row | {"acc": f"{90 + n / 10}"} for n, row in enumerate(rows))
    assert (
        nasbuild("check", "--space", "space.yaml", "--data", "todo.csv", "--json").json["table"]["rows"] == 12
    )
    near = ["--near", "net3", "--data", source.name, "--changes", "1..2", "--n", "6", "--out", "near.jsonl"]
    assert nasbuild("template", "--space", "space.yaml", *near).code == 0
    assert len((tmp_path / "near.jsonl").read_text().splitlines()) == 6
    assert json.loads((tmp_path / "near.jsonl").read_text().splitlines()[0])["metrics"] == {
        "acc": None,
        "latency_ms": None,
    }


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--near", "net3"], "--near: the table that has 'net3' is not given; give --data"),
        (
            ["--near", "reference"],
            "--near: there is no reference; declare it in the space, or give --reference ID and --data",
        ),
        (["--near", "gone", "--data", "digits-macro"], "digits-macro: has no row 'gone'"),
        (["--changes", "2-3"], "--changes: '2-3' is no range; allowed: numbers such as 2..12"),
    ],
)
def test_mistakes_of_templates(options, sentence, nasbuild, tmp_path):
    done = nasbuild("template", "--space", "digits-macro", "--out", tmp_path / "t.csv", *options)
    assert done.sentence.startswith(sentence)
