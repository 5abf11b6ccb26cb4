"""``space``: makes spaces from other things than tables."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from nasbuild.cli._examples import examples
from nasbuild.cli._options import JsonOption
from nasbuild.cli._output import Output

VaryOption = Annotated[
    str,
    typer.Option(
        "--vary",
        metavar="PARTS",
        help="what varies, with commas: blocks (there or not), attention, mlp (there or not), width (channels of the MLP), "
        "heads (key-value heads), bits (types of matrices)",
    ),
]
TypesOption = Annotated[
    str | None,
    typer.Option(
        "--types",
        metavar="TYPES",
        help="types of matrices, with commas, such as q5_0,q4_0,w3g64; default: one for each number of bits that makes a "
        "matrix smaller",
    ),
]
app = typer.Typer(
    help="Make a space from a model.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command("from-model", epilog=examples("space from-model"))
def from_model(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="language model: GGUF file or Hugging Face folder")
    ],
    out_file: Annotated[Path, typer.Option("--out", help="space file to write (.yaml)")],
    vary: VaryOption = "attention,mlp",
    types: TypesOption = None,
    tie: Annotated[
        list[str] | None,
        typer.Option(
            "--tie",
            metavar="MATRICES",
            help="matrices of a block that share a type, such as attn_q,attn_k,attn_v; may be repeated; default: q with k "
            "and gate with up",
        ),
    ] = None,
    context: Annotated[
        int, typer.Option("--context", min=1, help="tokens in the key-value cache, for kv_bytes and macs")
    ] = 512,
    as_json: JsonOption = False,
) -> None:
    """Write the space of what a language model can become, with exact costs and the model as reference."""
    from nasbuild._file_formats import check_output
    from nasbuild.space import count_architectures, format_count, save_space
    from nasbuild.zoo.lm import language_costs, model_space, read_shape

    out = Output(as_json)
    check_output(out_file, (".yaml", ".yml"), "a space")
    shape = read_shape(model)
    space = model_space(
        shape, names(vary), types=names(types), context=context, tie=[names(one) for one in tie or ()]
    )
    save_space(space, out_file)
    costs = language_costs(shape, shape.unchanged, context)
    changes = sum(len(feature.choices) - 1 for stage in space.stages for feature in stage.features)
    out.line(
        f"{shape.name}: {len(shape.blocks)} blocks, {costs['params']:,.0f} parameters in {costs['bytes']:,.0f} bytes"
    )
    out.line(
        f"{format_count(count_architectures(space))} architectures with {changes:,} single changes of the model written to {out_file}"
    )
    out.line(
        "measure the single changes and what is built from them, with an evaluator (docs/language-models.md):"
    )
    out.line(
        f"  nasbuild optimize --space {shlex.quote(str(out_file))} --evaluator lm:FILE.yaml --target loss "
        f"--where 'bytes <= {0.8 * costs['bytes']:.3g}' --budget {2 * changes} --store results.db --out found"
    )
    out.json({"out": str(out_file), "blocks": len(shape.blocks), "single_changes": changes, "costs": costs})


def names(text: str | None) -> list[str]:
    """Names with commas between them."""
    return [name for one in (text or "").split(",") if (name := one.strip())]
