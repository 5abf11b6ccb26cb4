"""``search`` and ``evaluate`` as a user runs them: started, resumed and fitted."""

from __future__ import annotations

import json

import pytest

from nasbuild.space import load_space
from nasbuild.table import read_table

CALL = [
    "search",
    "--space",
    "digits-macro",
    "--evaluator",
    "digits-macro",
    "--target",
    "loss",
    "--target",
    "macs",
]


def test_a_search_shows_its_front_and_its_table_can_be_fitted(nasbuild, tmp_path):
    out = tmp_path / "found"
    done = nasbuild(*CALL, "--budget", 60, "--population", 20, "--out", out)
    assert done.code == 0, done.err
    assert "loss down, macs down, in digits-macro (1,728 architectures), by digits-macro" in done.out
    assert "Pareto front of 60 evaluated" in done.out
    assert "searching 100 %" in done.err
    assert "hypervolume" in done.err
    table = read_table(out / "archs.jsonl", load_space(out / "space.yaml"))
    assert len(table) == 60
    again = nasbuild(*CALL, "--budget", 60, "--population", 20, "--out", out, "--json").json
    assert again["evaluated"] == 60
    front = read_table(out / "front.jsonl", table.space)
    assert [row["id"] for row in again["front"]] == list(front.ids)
    assert [row["values"]["loss"] for row in again["front"]] == front.columns["loss"].tolist()
    data = ["--space", out / "space.yaml", "--data", out / "archs.jsonl", "--target", "loss"]
    assert nasbuild("fit", *data, "--recipe", "ridge", "--no-baselines", "--out", tmp_path / "fit").code == 0


def test_reduced_and_insight_search_smaller_spaces(nasbuild, files, tmp_path):
    small = tmp_path / "small.yaml"
    assert nasbuild("shrink", files.fit, "--k", 4, "--out", small).code == 0
    kept = load_space(small)
    for name, more in {
        "reduced": ["--reduced", small],
        "insight": ["--method", "insight", "--data", files.data],
    }.items():
        out = tmp_path / name
        done = nasbuild(*CALL, *more, "--budget", 30, "--population", 10, "--out", out)
        assert done.code == 0, done.err
        searched = load_space(out / "space.yaml")
        assert all(stage.modules for stage in searched.stages)
        table = read_table(out / "archs.jsonl", searched)
        assert len(table) == 30
        if name == "reduced":
            assert searched.stages == kept.stages


def test_shrink_by_a_front_shows_its_coverage_of_the_labelled_front(nasbuild, files, tmp_path):
    small = tmp_path / "small.yaml"
    done = nasbuild("shrink", files.fit, "--front", 6, "--out", small, "--json").json
    assert all(1 <= kept <= 6 for kept in done["kept"])
    (coverage,) = done["front_coverage"]
    assert 0 <= coverage["covered"] <= coverage["front"]
    assert 0 < coverage["module_share"] <= 1
    more = nasbuild("shrink", files.fit, "--front", 6, "--k", 9, "--out", small, "--json").json
    assert more["after"] > done["after"]
    assert "architectures of the labelled front of" in nasbuild("shrink", files.fit, "--out", small).out


def test_a_search_starts_from_built_architectures(nasbuild, files, tmp_path):
    built, out = tmp_path / "built.jsonl", tmp_path / "found"
    assert nasbuild("build", files.fit, "--target", "loss", "--top", 5, "--out", built).code == 0
    done = nasbuild(*CALL, "--start", built, "--budget", 12, "--population", 6, "--out", out)
    assert done.code == 0, done.err
    first = [json.loads(line)["arch"] for line in (out / "archs.jsonl").read_text().splitlines()[:5]]
    assert first == [json.loads(line)["arch"] for line in built.read_text().splitlines()]


def test_failed_evaluations_are_counted(nasbuild, tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(
        "def half(arch):\n    n = len(arch['stages'][0])\n    return {'loss': None if n > 1 else n}\n"
    )
    call = ["search", "--space", "digits-macro", "--evaluator", f"{script}:half", "--target", "loss"]
    done = nasbuild(*call, "--budget", 20, "--population", 10, "--out", tmp_path / "found")
    assert done.code == 0, done.err
    assert "of 20 evaluations failed" in done.out
    none = nasbuild(
        *call, "--where", "loss >= 2", "--budget", 20, "--population", 10, "--out", tmp_path / "no"
    )
    assert "no evaluated architecture is within the bounds" in none.out


def test_an_evaluator_may_fail_but_not_always(nasbuild, tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(
        "import sys\n"
        "def half(arch):\n    n = len(arch['stages'][0])\n    return sys.exit(1) if n > 1 else {'loss': n, 'why': 'x'}\n"
        "def never(arch):\n    raise RuntimeError('no such device')\n"
        "def typo(arch):\n    return {'los': 1}\n"
    )
    call = ["search", "--space", "digits-macro", "--target", "loss", "--budget", 20, "--population", 10]
    done = nasbuild(*call, "--evaluator", f"{script}:half", "--out", tmp_path / "half")
    assert done.code == 0, done.err
    assert "of 20 evaluations failed" in done.out
    for name, reason in (("never", "RuntimeError: no such device"), ("typo", "did you mean loss?")):
        more = ["--evaluator", f"{script}:{name}", "--out", tmp_path / name, "--json"]
        sentence = nasbuild(*call, *more).sentence
        assert "none of the 10 evaluations of the first generation measured loss" in sentence
        assert reason in sentence


def test_a_search_applies_a_time_limit_and_reports_changed_code(nasbuild, tmp_path):
    script, count = tmp_path / "mine.py", tmp_path / "count"
    code = (
        "import pathlib, time\n"
        "def measure(arch):\n"
        f"    pathlib.Path({str(count)!r}).open('a').write('.')\n"
        "    n = sum(map(len, arch['stages']))\n"
        "    if n == 4: time.sleep(60)\n"
        "    return {'loss': n}\n"
    )
    script.write_text(code)
    call = ["search", "--space", "digits-macro", "--target", "loss", "--budget", 8, "--population", 8]
    call += ["--evaluator", f"{script}:measure", "--out", tmp_path / "found", "--limit", 0.4]
    result = nasbuild(*call, "--workers", 1, "--json").json
    lines = (tmp_path / "found" / "archs.jsonl").read_text().splitlines()
    long = sum(sum(map(len, json.loads(line)["arch"]["stages"])) == 4 for line in lines)
    assert (result["failed"], result["outdated"]) == (long, 0)
    assert 0 < long < 8
    assert any("took longer than 0.4 s" in note for note in result["notes"])
    assert result["store"] == str(tmp_path / "found" / "store.db")
    script.write_text(code.replace("n == 4", "False").replace("'loss': n", "'loss': n + 0.5"))
    done = nasbuild(*call)
    # The same sentence as in evaluate.
    assert f"8 were measured by an earlier version of {script}:measure" in done.out
    assert count.read_text() == 8 * "."
    result = nasbuild(*call, "--again", "--json").json
    assert (result["failed"], result["outdated"]) == (0, 0)
    assert count.read_text() == 16 * "."
    assert all(row["values"]["loss"] % 1 == 0.5 for row in result["front"])
    assert "earlier version" not in nasbuild(*call).out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--limit", "0"], "--limit: the limit is 0 s; allowed: numbers above 0"),
        (["--budget", "1"], "--budget: the budget is 1; allowed: 2 or more"),
        (["--method", "swap"], "--method: there is no method 'swap'"),
        (["--method", "insight"], "--data: method insight needs a table, and other methods take none"),
        (["--data", "digits-macro"], "--data: method insight needs a table, and other methods take none"),
        (
            ["--method", "insight", "--data", "digits-macro", "--reduced", "digits-macro"],
            "--data and --reduced exclude each other",
        ),
        (["--reduced", "mnasnet"], "--reduced: space 'mnasnet' is not a subspace of 'digits-macro'"),
        (["--where", "speed <= 3"], "there is no metric 'speed'"),
        (["--evaluator", "gone"], "--evaluator: there is no evaluator 'gone'"),
    ],
)
def test_mistakes_get_one_sentence_and_leave_nothing(nasbuild, tmp_path, more, message):
    done = nasbuild(*CALL, *more, "--out", tmp_path / "found")
    assert message in done.sentence
    assert not (tmp_path / "found").exists()


def test_evaluate_keeps_a_store_and_writes_a_table(nasbuild, files, tmp_path):
    archs, store, table = tmp_path / "built.jsonl", tmp_path / "store.db", tmp_path / "table.jsonl"
    assert nasbuild("build", files.fit, "--target", "loss", "--top", 6, "--out", archs).code == 0
    call = [
        "evaluate",
        "--space",
        "digits-macro",
        "--evaluator",
        "digits-macro",
        "--archs",
        archs,
        "--store",
        store,
    ]
    done = nasbuild(*call, "--out", table)
    assert done.code == 0, done.err
    assert "6 of 6 architectures evaluated" in done.out
    assert "6 evaluations written" in done.out
    written = read_table(table, load_space("digits-macro"))
    assert len(written) == 6
    again = nasbuild(*call, "--workers", 2, "--json").json
    assert (again["done"], again["in_progress"], again["failed"]) == (6, 0, {})
    script = tmp_path / "mine.py"
    script.write_text("def never(arch):\n    raise RuntimeError('out of memory')\n")
    failed = nasbuild(*call[:4], f"{script}:never", *call[5:])
    assert "6 failed: RuntimeError: out of memory; --retry-failed tries again" in failed.out
    script.write_text(
        "count = 0\n"
        "def noisy(arch):\n"
        "    global count\n"
        "    count += 1\n"
        "    raise RuntimeError(f'{0.1 * count} ms, spread {count}.5%' if count < 3 else 'abcdef'[count - 1])\n"
    )
    failed = nasbuild(*call[:4], f"{script}:noisy", *call[5:])
    assert "2 failed, one of them: RuntimeError: 0.1 ms, spread 1.5%; --retry" in failed.out
    assert "1 failed: RuntimeError: c; --retry" in failed.out
    assert "2 failed for 2 other reasons; --json lists all" in failed.out
    assert "there is no program" in nasbuild(*call[:4], "command:no-such-program", *call[5:]).sentence
    assert "the limit is 0 s" in nasbuild(*call, "--limit", 0).sentence


def test_costs_are_evaluated_into_a_table(nasbuild, files, tmp_path):
    archs = tmp_path / "archs.jsonl"
    archs.write_text("".join(files.data.read_text().splitlines(keepends=True)[::4]))
    call = ["evaluate", "--space", "digits-macro", "--archs", archs, "--store", tmp_path / "store.db"]
    done = nasbuild(*call, "--evaluator", "costs:digits", "--out", tmp_path / "table.jsonl")
    assert "15 of 15 architectures evaluated" in done.out
    written = read_table(tmp_path / "table.jsonl", load_space("digits-macro"))
    known = read_table(archs, load_space("digits-macro"))
    rows = [written.row_of[a] for a in known.architectures]
    for name in ("macs", "params"):
        assert written.columns[name][rows].tolist() == known.columns[name].tolist()


@pytest.mark.parametrize(
    ("evaluator", "more", "message"),
    [
        ("digits", ["--gpus", 0.5], "only a Ray cluster assigns GPUs; add --ray"),
        (
            "digits",
            ["--ray", "auto", "--workers", 2],
            "a cluster runs as many evaluations as its machines can",
        ),
        ("latency:digits", ["--workers", 2], "so it can't use workers; leave --workers and --ray out"),
        ("latency:digits,threads=0", [], "threads is '0'; allowed: whole numbers above 0"),
        ("costs:gone", [], "there are no networks 'gone'"),
    ],
)
def test_unsuitable_executors_and_networks_are_refused(nasbuild, files, tmp_path, evaluator, more, message):
    call = ["evaluate", "--space", "digits-macro", "--archs", files.data, "--store", tmp_path / "store.db"]
    assert message in nasbuild(*call, "--evaluator", evaluator, *more).sentence
