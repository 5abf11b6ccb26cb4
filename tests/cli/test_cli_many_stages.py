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
        sum(-(-max(len(line), 1) // 100) for line in out.splitlines()) <= 70
    )  # sentences about tied and unseen modules among them
    assert "effects of choices (change of a module's score against the reference's choice" in out
    effects = {(u, c): sizes[u] * c for row in rows for u, c in row.items()}
    (stage, kind), _ = max(effects.items(), key=lambda one: one[1])
    assert out.split("largest of")[1].splitlines()[2].split()[:3] == [f"blk.{stage}.mlp", "type", f"t{kind}"]
    full = nasbuild("explain", tmp_path / "fit", "--json").json["targets"][0]
    assert len(full["stages"]) == STAGES  # nothing is left out there
    [feature] = full["features"]
    assert next(c for c in feature["choices"] if c["choice"] == "t0")["effect"] == 0
