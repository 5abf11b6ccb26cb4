"""``explain`` of hundreds of stages fits on a screen and shows what matters most."""

from __future__ import annotations

import json

import numpy as np

STAGES, TYPES = 120, [f"t{n}" for n in range(12)]


def test_explain_fits_on_a_screen_of_a_hundred_columns(nasbuild, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    rng = np.random.default_rng(0)
    sizes = rng.lognormal(-3, 1, STAGES)
    space = {
        "name": "many",
        "metrics": {"loss": {"direction": "minimize"}},
        "reference": {"type": TYPES[0]},
        "stages": [
            {"name": f"blk.{n}.mlp", "depth": [1], "features": {"type": TYPES}} for n in range(STAGES)
        ],
    }
    (tmp_path / "space.yaml").write_text(json.dumps(space))
    rows = [{}, *({u: 1 + (u + k) % 11} for u in range(STAGES) for k in range(2))]
    rows += [
        dict(zip(rng.permutation(STAGES)[:5].tolist(), rng.integers(1, 12, 5).tolist(), strict=True))
        for _ in range(30)
    ]
    with (tmp_path / "rows.jsonl").open("w") as stream:
        for n, row in enumerate(rows):
            loss = 3 + sum(sizes[u] * c / 11 for u, c in row.items())
            stages = [[{"type": TYPES[row.get(u, 0)]}] for u in range(STAGES)]
            stream.write(
                json.dumps({"id": f"r{n}", "arch": {"stages": stages}, "metrics": {"loss": loss}}) + "\n"
            )
    table = ("--space", tmp_path / "space.yaml", "--data", tmp_path / "rows.jsonl")
    nasbuild("fit", *table, "--target", "loss", "--no-baselines", "--out", tmp_path / "fit")
    out = nasbuild("explain", tmp_path / "fit").out
    assert (
        sum(-(-max(len(line), 1) // 100) for line in out.splitlines()) <= 60
    )  # sentences about tied and unseen modules among them
    assert '958 other choices of 120 features (all of them: --json, "unseen")' in " ".join(out.split())
    assert "effects of choices (change of a module's score against the reference's choice" in out
    effects = {(u, c): sizes[u] * c for row in rows for u, c in row.items()}
    (stage, kind), _ = max(effects.items(), key=lambda one: one[1])
    assert out.split("largest of")[1].splitlines()[2].split()[:3] == [f"blk.{stage}.mlp", "type", f"t{kind}"]
    full = nasbuild("explain", tmp_path / "fit", "--json").json["targets"][0]
    assert sum(len(one["choices"]) for one in full["trust"]["unseen"]) == 959
    assert len(full["stages"]) == STAGES  # nothing is left out there
    [feature] = full["features"]
    assert next(c for c in feature["choices"] if c["choice"] == "t0")["effect"] == 0


def test_stages_with_several_features_and_some_that_were_never_changed_fit_as_well(
    nasbuild, tmp_path, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "100")
    features = {f"f{n}": TYPES[:6] for n in range(5)}
    names = [f"blk.{n}" for n in range(40)]
    space = {
        "name": "several",
        "metrics": {"loss": {"direction": "minimize"}},
        "reference": dict.fromkeys(features, TYPES[0]),
        "stages": [{"name": name, "depth": [1], "features": features} for name in names],
    }
    (tmp_path / "space.yaml").write_text(json.dumps(space))
    rng, plain = np.random.default_rng(0), dict.fromkeys(features, TYPES[0])
    with (tmp_path / "rows.jsonl").open("w") as stream:
        for n in range(200):
            # The last stage is never changed, so rows have one module of it.
            u, f, c = int(rng.integers(39)), f"f{rng.integers(5)}", int(rng.integers(1, 6))
            stages = [[plain | ({f: TYPES[c]} if n and v == u else {})] for v in range(40)]
            loss = 3 + (0.01 * (1 + u) * c if n else 0)
            stream.write(
                json.dumps({"id": f"r{n}", "arch": {"stages": stages}, "metrics": {"loss": loss}}) + "\n"
            )
    table = ("--space", tmp_path / "space.yaml", "--data", tmp_path / "rows.jsonl")
    nasbuild("fit", *table, "--target", "loss", "--no-baselines", "--out", tmp_path / "fit")
    done = nasbuild("explain", tmp_path / "fit")
    assert done.code == 0, done.err
    assert sum(-(-max(len(line), 1) // 100) for line in done.out.splitlines()) <= 60
    assert "(2 more)" in done.out  # features
