"""One table of evaluated networks in the shapes in which people have theirs, made from labels that ship."""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nasbuild.space import to_dict
from nasbuild.table import Table, load_builtin

SLOTS = 4
METRICS = ("acc", "latency")


@cache
def _shipped() -> Table:
    return load_builtin("fashion-ofa")


def known_table(rows: int = 40) -> Table:
    """Once-for-all networks: five stages of two to four layers with expand and kernel."""
    table = _shipped()
    return table.select(range(0, len(table), len(table) // rows)[:rows])


def plain_rows(table: Table) -> list[dict[str, Any]]:
    """Each network as depths, kernels and expands of all slots (None beyond the depth), with its labels."""
    rows = []
    for n, architecture in enumerate(table.architectures):
        stages = to_dict(table.space, architecture)["stages"]
        slots = [layers + [{}] * (SLOTS - len(layers)) for layers in stages]
        rows.append(
            {
                "id": f"net{n}",
                "d": [len(layers) for layers in stages],
                "k": [[layer.get("kernel") for layer in stage] for stage in slots],
                "e": [[layer.get("expand") for layer in stage] for stage in slots],
                "acc": float(table.columns["acc"][n]),
                "latency": float(table.columns["latency_cpu"][n]),
            }
        )
    return rows


def wide(row: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """``d1``, ``k1_1``, ``e1_1`` and so on."""
    found = {f"{prefix}d{u + 1}": depth for u, depth in enumerate(row["d"])}
    for letter in "ke":
        for u, stage in enumerate(row[letter]):
            found |= {f"{prefix}{letter}{u + 1}_{n + 1}": value for n, value in enumerate(stage)}
    return found


def once_for_all(row: dict[str, Any]) -> dict[str, Any]:
    """``ks``, ``e``, ``d``: slots beyond the depth have values as well, which mean nothing."""
    kernels = [value or 7 for stage in row["k"] for value in stage]
    expands = [value or 6 for stage in row["e"] for value in stage]
    return {"wid": None, "ks": kernels, "e": expands, "d": row["d"], "r": [28]}


def _csv(path: Path, rows: list[dict[str, Any]], separator: str = ",", decimal: str = ".") -> Path:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, delimiter=separator)
        writer.writerow(rows[0])
        for row in rows:
            cells = ["" if value is None else value for value in row.values()]
            writer.writerow([repr(c).replace(".", decimal) if isinstance(c, float) else c for c in cells])
    return path


def wide_csv(folder: Path, rows: list[dict[str, Any]]) -> Path:
    own = [{"name": r["id"], **wide(r), "acc": r["acc"], "latency_ms": r["latency"], "seed": 0} for r in rows]
    return _csv(folder / "runs.csv", own)


def german_csv(folder: Path, rows: list[dict[str, Any]]) -> Path:
    own = [{**wide(r), "Top-1 Acc (%)": r["acc"], "Latency (ms)": r["latency"]} for r in rows]
    path = _csv(folder / "excel.csv", own, ";", ",")
    with path.open("a") as stream:
        stream.write((";" * (len(own[0]) - 1) + "\r\n") * 3)
    return path


def tsv(folder: Path, rows: list[dict[str, Any]]) -> Path:
    own = []
    for r in rows:
        line: dict[str, Any] = {"arch_id": r["id"]}
        for u in range(len(r["d"])):
            line[f"stage{u + 1}.depth"] = r["d"][u]
            for n in range(SLOTS):
                line[f"stage{u + 1}.{n}.kernel"] = r["k"][u][n]
                line[f"stage{u + 1}.{n}.expand"] = r["e"][u][n]
        own.append(line | {"val_acc": r["acc"], "latency": r["latency"]})
    return _csv(folder / "runs.tsv", own, "\t")


def excel(folder: Path, rows: list[dict[str, Any]]) -> Path:
    pytest.importorskip("fastexcel")
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    own = [{"network": r["id"], **wide(r), "acc": r["acc"], "latency": r["latency"]} for r in rows]
    for line in [list(own[0]), *(list(row.values()) for row in own), [None] * len(own[0])]:
        book.active.append(line)
    book.save(folder / "runs.xlsx")
    return folder / "runs.xlsx"


def json_list(folder: Path, rows: list[dict[str, Any]]) -> Path:
    own = [
        {"name": r["id"], "config": wide(r), "result": {"acc": r["acc"], "latency": r["latency"]}}
        for r in rows
    ]
    path = folder / "runs.json"
    path.write_text(json.dumps(own))
    return path


def nested_jsonl(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "runs.jsonl"
    with path.open("w") as stream:
        for r in rows:
            stages = [
                {"layers": [{"kernel": k, "expand": e} for k, e in zip(ks, es, strict=True)][:d]}
                for d, ks, es in zip(r["d"], r["k"], r["e"], strict=True)
            ]
            data = {"run": r["id"], "network": {"stages": stages}, "acc": r["acc"], "latency": r["latency"]}
            stream.write(json.dumps(data) + "\n")
    return path


def parquet(folder: Path, rows: list[dict[str, Any]]) -> Path:
    own = [{"id": r["id"], **wide(r), "acc": r["acc"], "latency": r["latency"]} for r in rows]
    pl.DataFrame(own, infer_schema_length=None).write_parquet(folder / "runs.parquet")
    return folder / "runs.parquet"


def _study(storage: Any, rows: list[dict[str, Any]]) -> None:
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(study_name="nas", storage=storage, directions=["maximize", "minimize"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names(list(METRICS))
    sizes = {"d": [2, 3, 4], "k": [3, 5, 7], "e": [3, 4, 6]}
    for r in rows:
        params = {name: value for name, value in wide(r).items() if value is not None}
        distributions = {
            name: optuna.distributions.CategoricalDistribution(sizes[name[0]]) for name in params
        }
        study.add_trial(
            optuna.create_trial(params=params, distributions=distributions, values=[r["acc"], r["latency"]])
        )


def optuna_database(folder: Path, rows: list[dict[str, Any]]) -> str:
    place = f"sqlite:///{folder / 'study.db'}"
    _study(place, rows)
    return place


def optuna_journal(folder: Path, rows: list[dict[str, Any]]) -> Path:
    optuna = pytest.importorskip("optuna")
    path = folder / "journal.log"
    _study(optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path))), rows)
    return path


def wandb_csv(folder: Path, rows: list[dict[str, Any]]) -> Path:
    own = [
        {"Name": r["id"], "State": "finished", "Created": "2026-01-01T00:00:00", "config.batch_size": 64}
        | wide(r, "config.")
        | {
            "summary.acc": r["acc"],
            "summary.latency": r["latency"],
            "summary._runtime": 10.0 + n,
            "summary._step": 3,
        }
        for n, r in enumerate(rows)
    ]
    return _csv(folder / "wandb.csv", own)


def mlflow_csv(folder: Path, rows: list[dict[str, Any]]) -> Path:
    own = [
        {
            "run_id": f"{n:032x}",
            "experiment_id": 0,
            "status": "FINISHED",
            "start_time": f"2026-01-01 00:00:{n:02}",
        }
        | {"metrics.latency": r["latency"], "metrics.acc": r["acc"]}
        | {f"params.stage{u}_depth": r["d"][u] for u in range(5)}
        | {f"params.stage{u}_layer{n}_kernel": r["k"][u][n] for u in range(5) for n in range(SLOTS)}
        | {f"params.stage{u}_layer{n}_expand": r["e"][u][n] for u in range(5) for n in range(SLOTS)}
        | {"params.lr": 0.1, "tags.mlflow.user": "me", "tags.mlflow.runName": r["id"]}
        for n, r in enumerate(rows)
    ]
    return _csv(folder / "mlflow.csv", own)


def once_for_all_json(folder: Path, rows: list[dict[str, Any]]) -> Path:
    own = [{**once_for_all(r), "acc": r["acc"], "latency": r["latency"]} for r in rows]
    path = folder / "ofa.json"
    path.write_text(json.dumps(own))
    return path


def dicts_csv(folder: Path, rows: list[dict[str, Any]]) -> Path:
    own = [
        {
            "Sub-network": repr(once_for_all(r)),
            "Date": f"2026-01-01 00:00:{n:02}",
            "Latency (ms)": r["latency"],
        }
        | {"Top-1 Acc (%)": r["acc"]}
        for n, r in enumerate(rows)
    ]
    return _csv(folder / "dicts.csv", own)


SLOW = {"Optuna database"}
"""Shapes that take half a second a row to write."""
SHAPES: dict[str, Callable[[Path, list[dict[str, Any]]], Path | str]] = {
    "wide CSV": wide_csv,
    "semicolons and decimal commas": german_csv,
    "TSV": tsv,
    "Excel": excel,
    "JSON list": json_list,
    "nested JSON Lines": nested_jsonl,
    "Parquet": parquet,
    "Optuna database": optuna_database,
    "Optuna journal": optuna_journal,
    "Weights & Biases CSV": wandb_csv,
    "MLflow CSV": mlflow_csv,
    "once-for-all JSON": once_for_all_json,
    "dicts in a column": dicts_csv,
}
