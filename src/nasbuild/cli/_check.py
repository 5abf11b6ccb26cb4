"""``check``: is the space sound, and is the table?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasbuild.cli._given import given, instead, read
from nasbuild.cli._options import GraphsOption, JsonOption, MergeOption, SkipOption, SpaceOrGraphsOption
from nasbuild.cli._output import Output, number

if TYPE_CHECKING:
    from nasbuild.table import Table


def check(
    space: SpaceOrGraphsOption = None,
    data: Annotated[
        str | None, typer.Option("--data", help="table to check; without it, the space alone")
    ] = None,
    graphs: GraphsOption = None,
    merge: MergeOption = None,
    skip_bad: SkipOption = False,
    as_json: JsonOption = False,
) -> None:
    """Is the space sound, and is the table? Counts, metrics, and what was noticed."""
    from nasbuild.cli._graphs import check_graphs
    from nasbuild.space import count_architectures, count_modules, load_space, merge_stages

    out = Output(as_json)
    if graphs is not None:
        check_graphs(out, instead(graphs, space, merge), data)
        return
    space = given(space)
    definition = load_space(space)
    table = read(space, data, merge, skip_bad) if data else None
    definition = table.space if table else merge_stages(definition, merge) if merge else definition
    total = count_architectures(definition)
    out.line(f"space {definition.name}: {total:,} architectures (about {float(total):.1e})")
    stages = [
        {
            "stage": stage.name,
            "depths": list(stage.depths),
            "modules": count_modules(stage),
            "listed": stage.modules is not None,
            "features": {f.name: list(f.choices) for f in stage.features},
            "shared": sorted(stage.shared),
        }
        for stage in definition.stages
    ]
    rows = [
        [
            s["stage"],
            " ".join(map(str, s["depths"])),
            f"{s['modules']:,}" + (" listed" if s["listed"] else ""),
            "; ".join(
                f"{n}{'*' if n in s['shared'] else ''} {' '.join(map(str, c))}"
                for n, c in s["features"].items()
            ),
        ]
        for s in stages
    ]
    out.table(["stage", "layers", "modules", "features (* shared by the layers)"], rows, right=[2])
    result: dict[str, Any] = {"space": definition.name, "architectures": total, "stages": stages}
    if table is not None:
        result["table"] = _table_summary(table)
        _print_table(out, result["table"])
    out.json(result)


def _table_summary(table: Table) -> dict[str, Any]:
    import numpy as np

    from nasbuild.table import unseen_choices, unseen_rows, unseen_text

    metrics = []
    for name, values in table.columns.items():
        known = values[~np.isnan(values)]
        declared = table.metrics.get(name)
        metrics.append(
            {
                "metric": name,
                "direction": declared.direction if declared else None,
                "unit": declared.unit if declared else None,
                "values": len(known),
                "min": float(known.min()) if len(known) else None,
                "median": float(np.median(known)) if len(known) else None,
                "max": float(known.max()) if len(known) else None,
            }
        )
    notes = [{"kind": n.kind, "text": n.text, "rows": list(n.rows)} for n in table.notes]
    unseen = unseen_choices(table.space, table.architectures)
    if unseen:
        text = f"{unseen_text(table.space, unseen, 'row')} What is learnt from the table can't tell what that is worth."
        notes.append({"kind": "unseen", "text": text, "rows": []})
    return {
        "rows": len(table),
        "metrics": metrics,
        "notes": notes,
        "unseen": unseen_rows(table.space, unseen),
    }


def _print_table(out: Output, summary: dict[str, Any]) -> None:
    out.line(f"\ntable: {summary['rows']:,} architectures")
    rows = [
        [m["metric"], m["direction"] or "not declared", m["unit"] or "", m["values"]]
        + [number(m[k]) if m[k] is not None else "-" for k in ("min", "median", "max")]
        for m in summary["metrics"]
    ]
    out.table(["metric", "direction", "unit", "values", "min", "median", "max"], rows, right=[3, 4, 5, 6])
    for note in summary["notes"]:
        out.line(f"note: {note['text']}", "yellow")
        if note["kind"] == "skipped":
            for row in note["rows"]:
                out.line(f"  {row}")
    if not summary["notes"]:
        out.line("nothing to complain about", "green")
