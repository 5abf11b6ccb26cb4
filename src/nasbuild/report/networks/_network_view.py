"""Data of the network view: positions and descriptions of nodes, and their scores at every hop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nasbuild.ir import OperatorGraph, describe_node
from nasbuild.report.data._health import health
from nasbuild.report.data._number_format import Scale, correlation, plural
from nasbuild.report.draw._choice_colors import diverging, ink_on
from nasbuild.report.draw._svg import fitted, text_width
from nasbuild.report.networks._layout import lay_out
from nasbuild.report.networks._network_selection import MAX_NODES, select_networks

if TYPE_CHECKING:
    from nasbuild.score.graphs import GraphFit, GraphTargetFit

_STEPS = 17  # number of colours
_COLOUR_QUANTILE = 0.98  # share of nodes within the range of colours
_SAMPLE = 200  # networks from which that range is computed
_FONT, _MAX_WIDTH = 11, 176  # of texts in nodes
_DECIMALS = 2


def network_data(fit: GraphFit, target_fit: GraphTargetFit) -> dict[str, Any]:
    """Returns the networks to draw (`select_networks`); ``view`` has all data for the page's script."""
    from nasbuild.score.graphs import node_scores

    rows, sign = target_fit.labels.rows, target_fit.target.sign
    predictions, spread = target_fit.ensemble.predict(fit.graphs.select(rows))
    # Several targets share the size of the page.
    most = 12 if len(fit.targets) == 1 else 6
    chosen = select_networks(fit, target_fit, predictions, most)
    hops = range(target_fit.ensemble.hops + 1)
    # First the drawn networks, then others for the range of colours.
    shown = [int(rows[position]) for position, _ in chosen]
    others = rows[np.linspace(0, len(rows) - 1, min(len(rows), _SAMPLE)).astype(int)].tolist()
    shown_and_others = fit.graphs.select([*shown, *(row for row in others if row not in shown)])
    scores = [node_scores(target_fit.ensemble, shown_and_others, m) for m in hops]
    scale = Scale.of(target_fit.labels.values, target_fit.target.unit)
    networks = []
    for n, (position, roles) in enumerate(chosen):
        graph = fit.table.graphs[shown[n]]
        nodes = slice(shown_and_others.offsets[n], shown_and_others.offsets[n + 1])
        networks.append(
            {
                "name": graph.name,
                "roles": roles,
                "label": scale.full(float(target_fit.labels.values[position])),
                "prediction": f"{scale.plain(float(predictions[position]))} ± {scale.plain(float(spread[position]))}",
                **drawn_network(graph),
                "scores": [np.round(one.value[nodes], _DECIMALS).tolist() for one in scores],
                "spreads": [np.round(one.std[nodes], _DECIMALS).tolist() for one in scores],
            }
        )
    large = sum(len(fit.table.graphs[row]) > MAX_NODES for row in rows)
    found = []
    if large:
        found.append(
            ("note", f"{plural(large, 'network')} of more than {MAX_NODES:,} nodes are too large to draw")
        )
    colours = {
        kind: [(fill, ink_on(fill)) for fill in diverging(_STEPS, dark=kind == "dark")]
        for kind in ("light", "dark")
    }
    return {
        "hops": [{"hop": m, "srcc": correlation(target_fit.trust.hops[m].mean)} for m in hops],
        "shown": len(networks),
        "of": len(rows),
        "view": {
            "sign": sign,
            "limits": [
                round(float(np.quantile(np.abs(one.value), _COLOUR_QUANTILE)), 3) or 1.0 for one in scores
            ],
            "colours": colours,
            "networks": networks,
        },
        "health": health(found, "") if found else None,
        "next": [],
    }


def drawn_network(graph: OperatorGraph) -> dict[str, Any]:
    """Returns a network's layout and descriptions of its nodes, without scores.

    ``shapes`` are the distinct tensor shapes; ``before`` and ``after`` index the input and output shape of each node.
    ``facts`` has one text per node, which may be empty.

    Examples
    --------
    >>> drawn = networks.drawn_network(network)
    >>> drawn["texts"], drawn["shapes"]
    (['Input', 'Gemm', 'Relu', 'Gemm'], ['–', '1 × 4', '1 × 8', '1 × 2'])
    """
    texts = [describe_node(graph, node) for node in range(len(graph))]
    # Domains of operations appear beside the picture only; boxes have no room for them.
    shown = [fitted(text.rpartition("::")[2], _MAX_WIDTH - 12, _FONT) for text in texts]
    widths = [max(text_width(text, _FONT) + 12, 44) for text in shown]
    layout = lay_out(graph.edges, widths)
    shapes: dict[str, int] = {}
    before, after = (
        [shapes.setdefault(_sizes(shape), len(shapes)) for shape in column.tolist()]
        for column in (graph.input_shape, graph.output_shape)
    )
    return {
        "texts": texts,
        "shown": shown,
        "names": [str(label) for label in graph.labels],
        "x": np.rint(layout.x).astype(int).tolist(),
        "y": np.rint(layout.y).astype(int).tolist(),
        "widths": np.rint(widths).astype(int).tolist(),
        "edges": graph.edges.tolist(),
        "paths": [np.rint(points).astype(int).ravel().tolist() for points in layout.edges],
        "width": round(layout.width),
        "height": round(layout.height),
        "shapes": list(shapes),
        "before": before,
        "after": after,
        "facts": {name: texts for name, texts in _facts(graph).items() if any(texts)},
    }


def _facts(graph: OperatorGraph) -> dict[str, list[str]]:
    spatial = {name: [_sizes(row, least=1) for row in getattr(graph, name).tolist()] for name in _SPATIAL}
    counts = {
        name: [
            "not counted" if n != n else f"{int(n):,}" if n > 0 else ""
            for n in getattr(graph, column).tolist()
        ]
        for name, column in _COUNTS.items()
    }
    grouping = [("", "dense", "grouped", "depthwise")[g] for g in graph.grouping.tolist()]
    bias = ["yes" if b else "" for b in graph.bias.tolist()]
    return {**spatial, "convolution": grouping, **counts, "bias": bias}


_SPATIAL = ("kernel", "stride", "dilation")
_COUNTS = {"groups": "groups", "heads": "heads", "parameters": "parameters", "MACs": "macs"}


def _sizes(row: list[int], least: int = 0) -> str:
    """Formats a shape as ``1 × 64 × 56 × 56``; a question mark is an unknown size, a dash an empty shape."""
    sizes = [str(n) if n else "?" for n in row if n >= least]
    return " × ".join(sizes) or ("" if least else "–")
