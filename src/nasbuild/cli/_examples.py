"""Examples for ``--help``: calls that are complete, the commonest first, 78 characters wide at most."""

from __future__ import annotations

_EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("nasbuild demo --out demo",),
    "sample-data": ("nasbuild sample-data --out runs.csv",),
    "init": (
        "nasbuild init runs.csv",
        "nasbuild init sqlite:///study.db --yes --out space.yaml",
    ),
    "shrink-model": (
        "nasbuild shrink-model LM.gguf --text book.txt --budget 'bytes<=6e7' --out S",
        "nasbuild shrink-model LM --text T --vary bits --budget 'bytes<=6e7' --out S",
    ),
    "space from-model": (
        "nasbuild space from-model SmolLM2.gguf --vary attention,mlp --out space.yaml",
        "nasbuild space from-model MODEL --vary bits --types q4_0,w3g64 --out S",
    ),
    "template": (
        "nasbuild template --space space.yaml --n 20 --out table.csv",
        "nasbuild template --space S --near base --data D --changes 1..4 --out T",
    ),
    "check": ("nasbuild check --space space.yaml --data archs.jsonl",),
    "fit": (
        "nasbuild fit --space space.yaml --data archs.csv --target acc --out my-fit",
        'nasbuild fit --space S --data D --target acc --target "-latency" --out F',
        "nasbuild fit --graphs graphs.parquet --data acc.csv --target=+acc --out F",
    ),
    "explain": ("nasbuild explain my-fit",),
    "compare": (
        "nasbuild compare my-fit r17 reference",
        "nasbuild compare my-fit mine.json theirs.json",
        "nasbuild compare graphs-fit mine.txt theirs.txt",
    ),
    "modules": (
        "nasbuild modules my-fit --out modules.csv",
        "nasbuild modules my-fit --stage stage2 --top 20 --out modules.csv",
    ),
    "predict": ("nasbuild predict my-fit --archs mine.jsonl --out predicted.csv",),
    "build": (
        "nasbuild build my-fit --top 10 --out built.jsonl",
        'nasbuild build my-fit --where "params <= 3e6" --out small.csv',
        'nasbuild build my-fit --fix "stage3.depth = 2" --out built.jsonl',
        "nasbuild build my-fit --front 20 --out front.jsonl",
        "nasbuild build my-fit --propose 8 --out next.jsonl",
    ),
    "equations": ("nasbuild equations my-fit",),
    "shrink": ("nasbuild shrink my-fit --k 25 --out small.yaml",),
    "search": (
        "nasbuild search --space S --evaluator mine.py:measure --target acc \\",
        "    --budget 250 --out found",
    ),
    "evaluate": (
        "nasbuild evaluate --space space.yaml --archs built.jsonl \\",
        "    --evaluator mine.py:measure --store results.db --workers 2",
        "nasbuild evaluate --space S --archs A --store results.db \\",
        "    --evaluator costs:nets.py:build@1x3x224x224",
    ),
    "optimize": (
        "nasbuild optimize --space space.yaml --evaluator mine.py:measure \\",
        "    --target acc --first 20 --batch 10 --rounds 4 \\",
        "    --store results.db --out found",
    ),
    "report": ("nasbuild report my-fit --out report.html",),
    "bench": ("nasbuild bench scores --quick --out scores.json",),
    "import": (
        "nasbuild import resnet.onnx vit.onnx --out graphs.parquet",
        "nasbuild import nets.py:all --out graphs.parquet",
    ),
}


def examples(command: str) -> str:
    """The examples of a command as the last lines of its help, which the help must not wrap."""
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in _EXAMPLES[command])))
