"""``check``: validates a space and a table, and summarizes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasbuild.cli._inputs import only_graphs, only_one, read, space_with
from nasbuild.cli._options import (
    CostsOption,
    GraphsOption,
    JsonOption,
    MergeOption,
    SkipOption,
    SpaceOrGraphsOption,
)
from nasbuild.cli._output import Output, number
from nasbuild.errors import NasbuildError

if TYPE_CHECKING:
    from nasbuild.space import Architecture, Feature, Space
    from nasbuild.table import Table, UnseenChoice


_NAMED_ATTRIBUTES = 6


def check(
    space: SpaceOrGraphsOption = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data", help="table to check; may be repeated, see fit; default: check only the space"
        ),
    ] = None,
    graphs: GraphsOption = None,
    costs: CostsOption = None,
    merge: MergeOption = None,
    skip_bad: SkipOption = False,
    as_json: JsonOption = False,
) -> None:
    """Validate a space and a table; show counts, metrics and notes."""
    from nasbuild.cli._graph_commands import check_graphs
    from nasbuild.space import (
        count_architectures,
        count_log10,
        count_modules,
        format_count,
        json_count,
        merge_stages,
    )

    out = Output(as_json)
    if graphs is not None:
        check_graphs(out, only_graphs(graphs, space, merge), only_one(data) if data else None)
        return
    table = read(space, data, merge, skip_bad, costs) if data else None
    if table is not None:
        definition = table.space
    elif space is None:
        raise NasbuildError(
            "there is nothing to check", todo="give --space, --data, or --graphs for networks"
        )
    else:
        definition = space_with(space, costs)
        definition = merge_stages(definition, merge) if merge else definition
    total = count_architectures(definition)
    size = (
        f"{total:,} architectures (about {float(total):.1e})"
        if 10**6 <= total < 10**21
        else f"{format_count(total)} architectures"
    )
    out.line(f"space {definition.name}: {size}")
    stages = stage_records(definition)
    rows = [
        [
            s["stage"],
            _few(s["depths"]),
            format_count(count_modules(stage)) + (" listed" if s["listed"] else ""),
            "; ".join(
                f"{n}{'*' if n in s['shared'] else ''} {_choices(stage.feature(n), c)}{_condition(stage.feature(n))}"
                for n, c in s["features"].items()
            ),
        ]
        for s, stage in zip(stages, definition.stages, strict=True)
    ]
    out.table(["stage", "layers", "modules", "features (* shared by all layers)"], rows, right=[2])
    result: dict[str, Any] = {
        "space": definition.name,
        "architectures": json_count(total),
        "architectures_log10": count_log10(total),
        "stages": stages,
    }
    if definition.reference is not None:
        result["reference"] = reference_record(definition, definition.reference)
        out.line(f"\nreference: {_reference_text(result['reference'])}")
    if definition.attributes:
        result["attributes"] = _attribute_rows(definition)
        out.line(f"\nattributes of choices: {_attributes_text(result['attributes'])}")
    if definition.costs:
        result["costs"] = _cost_rows(definition, table)
        _print_costs(out, result["costs"])
    if table is not None:
        result["table"] = _table_summary(table)
        _print_table(out, result["table"])
    out.json(result)


def stage_records(space: Space) -> list[dict[str, Any]]:
    """Returns the stages of a space as in JSON output."""
    from nasbuild.space import count_log10, count_modules, json_count, plain_choice

    return [
        {
            "stage": stage.name,
            "depths": list(stage.depths),
            "modules": json_count(count_modules(stage)),
            "modules_log10": count_log10(count_modules(stage)),
            "listed": stage.modules is not None,
            "features": {f.name: [plain_choice(c) for c in f.shown] for f in stage.features},
            "shared": sorted(stage.shared),
            "conditions": {
                f.name: {other: [plain_choice(c) for c in choices] for other, choices in f.when}
                for f in stage.features
                if f.when
            },
            "ranges": {f.name: asdict(f.range) for f in stage.features if f.range is not None},
        }
        for stage in space.stages
    ]


def reference_record(space: Space, reference: Architecture) -> dict[str, Any]:
    """Returns the reference as in `space.yaml`."""
    from nasbuild.space import reference_to_dict

    return reference_to_dict(space, reference)


def _reference_text(record: dict[str, Any]) -> str:
    """The reference in words; a long one ends in dots."""
    if "stages" in record:
        return f"an architecture of {len(record['stages'])} stages"
    return _few([f"{name} {choice}," for name, choice in record.items()], 20).rstrip(",")


def _attribute_rows(space: Space) -> list[dict[str, Any]]:
    """Returns each attribute of each feature, with the range of its numbers."""
    import numpy as np

    from nasbuild.space import choice_attributes, features_by_name

    return [
        {
            "feature": feature,
            "attribute": name,
            "choices": int((~np.isnan(values)).sum()),
            "minimum": float(np.nanmin(values)),
            "maximum": float(np.nanmax(values)),
        }
        for feature in features_by_name(space.stages)
        for name, values in choice_attributes(space, feature).items()
    ]


def _attributes_text(rows: Sequence[dict[str, Any]]) -> str:
    """The attributes in words, of many features the first ones."""
    parts = [
        f"{row['attribute']} of {row['feature']} ({row['choices']:,} choices, {number(row['minimum'])} to "
        f"{number(row['maximum'])})"
        for row in rows
    ]
    more = [f"and {len(parts) - _NAMED_ATTRIBUTES} more"] if len(parts) > _NAMED_ATTRIBUTES else []
    return ", ".join(parts[:_NAMED_ATTRIBUTES] + more)


def _few(values: Sequence[object], most: int = 40) -> str:
    """Joins values; omits those in the middle where there are more than ``most``."""
    texts = [str(value) for value in values]
    if len(texts) > most:
        texts = [*texts[: most // 2], f"... {len(texts) - most:,} more ...", *texts[-most // 2 :]]
    return " ".join(texts)


def _choices(feature: Feature, shown: Sequence[object]) -> str:
    """The choices of a feature, or its range."""
    from nasbuild.space import choice_text

    if feature.range is not None:
        return feature.range.text
    return _few([choice_text(feature, c) for c in shown])


def _condition(feature: Feature) -> str:
    """With what a feature exists, such as `` (with op conv)``; empty if it always does."""
    parts = [f"{name} {_few(choices)}" for name, choices in feature.when]
    return f" (with {' and '.join(parts)})" if parts else ""


def _cost_rows(space: Space, table: Table | None) -> list[dict[str, Any]]:
    """Returns declared costs, each compared with the column of its name in the table."""
    from nasbuild.table import cost_differences

    found = {} if table is None else {one.cost: one for one in cost_differences(table)}
    rows = []
    for name, cost in space.costs.items():
        difference = found.get(name)
        row: dict[str, Any] = {"cost": name, "unit": cost.unit, "function": cost.function}
        if difference is not None:
            row |= {
                "compared": difference.n_compared,
                "differ": difference.n_different,
                "largest_difference": difference.largest,
            }
            if difference.first is not None:
                first, declared, in_table = difference.first
                row["first"] = {"id": first, "declared": declared, "table": in_table}
        rows.append(row)
    return rows


def cost_notes(table: Table) -> list[str]:
    """Says which declared costs the table contradicts. Functions are left to `check`: they may be slow."""
    plain = {name: cost for name, cost in table.space.costs.items() if not cost.function}
    table = replace(table, space=replace(table.space, costs=plain))
    return [note for row in _cost_rows(table.space, table) if (note := _cost_note(row))]


def _cost_note(row: Mapping[str, Any]) -> str | None:
    """Says how a row of `_cost_rows` differs from the table; None if it does not or nothing was compared."""
    if not row.get("differ"):
        return None
    unit, first = (f" [{row['unit']}]" if row["unit"] else ""), row["first"]
    return (
        f"note: {row['cost']}{unit}: differs from the table in {row['differ']:,} of {row['compared']:,} rows, by at "
        f"most {abs(row['largest_difference']):.4g}; the first is {first['id']}: declared {first['declared']:g}, "
        f"in the table {first['table']:g}"
    )


def _print_costs(out: Output, rows: list[dict[str, Any]]) -> None:
    out.line("\ndeclared costs")
    for row in rows:
        unit = f" [{row['unit']}]" if row["unit"] else ""
        if "compared" not in row:
            out.line(f"{row['cost']}{unit}: no column in a table to compare with")
        elif note := _cost_note(row):
            out.line(note, "yellow")
        else:
            out.line(f"{row['cost']}{unit}: equals the table in all {row['compared']:,} rows", "green")


def _table_summary(table: Table) -> dict[str, Any]:
    import numpy as np

    from nasbuild.table import changes_summary, unseen_choices, unseen_text, unseen_to_dicts

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
    told: set[UnseenChoice] = set()
    if unseen and table.space.attributes:
        from nasbuild.predictor import interpolated_choices

        told = set(interpolated_choices(table.space, unseen, table.architectures))
    for some, what in (
        ([one for one in unseen if one not in told], "A fit of this table can't estimate their effect."),
        ([one for one in unseen if one in told], "A fit predicts their effect from their attributes."),
    ):
        if some:
            notes.append(
                {"kind": "unseen", "text": f"{unseen_text(table.space, some, 'row')} {what}", "rows": []}
            )
    return {
        "rows": len(table),
        "metrics": metrics,
        "notes": notes,
        "unseen": unseen_to_dicts(table.space, unseen),
        "changes": changes_summary(table),
    }


def _print_table(out: Output, summary: dict[str, Any]) -> None:
    out.line(f"\ntable: {summary['rows']:,} architectures")
    rows = [
        [m["metric"], m["direction"] or "not declared", m["unit"] or "", m["values"]]
        + [number(m[k]) if m[k] is not None else "-" for k in ("min", "median", "max")]
        for m in summary["metrics"]
    ]
    out.table(["metric", "direction", "unit", "values", "min", "median", "max"], rows, right=[3, 4, 5, 6])
    if summary["changes"] is not None:
        from nasbuild.table import changes_text

        out.line(changes_text(summary["changes"]))
    for note in summary["notes"]:
        out.line(f"note: {note['text']}", "yellow")
        if note["kind"] == "skipped":
            for row in note["rows"]:
                out.line(f"  {row}")
    if not summary["notes"]:
        out.line("no problems found", "green")
