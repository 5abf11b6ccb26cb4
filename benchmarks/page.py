"""The page of networks: a first use from ONNX files, and the frame rate of a network of 500 nodes in a browser.

    python benchmarks/page.py [--files DIR]

The first use goes through the command line: 300 random networks of the digits table, each trained from scratch and measured,
are exported to ONNX, imported, fitted and reported. Then a page shows networks of about 500 nodes (Swin transformers of
transformers, shapes only). Chromium pans, zooms and changes hops, at 1280 x 900 and without a graphics card. The result is
the time between frames in milliseconds.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import torch

from _common import arguments, resume, save
from nasbuild.ir import OperatorGraph, from_torch
from nasbuild.predictor import OperatorRecipe
from nasbuild.report import write_report
from nasbuild.report.networks import lay_out
from nasbuild.score.graphs import fit_graphs
from nasbuild.table import GraphTable, load_builtin
from nasbuild.zoo.digits.network import build_network

NETWORKS, COMPARED, SEED = 300, 30, 0
SWINS, FRAMES = 12, 240
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def main() -> None:
    parser = arguments("The page of networks", "page")
    parser.add_argument("--files", type=Path, help="folder that keeps files, run and pages")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    folder = options.files or Path(mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    result = resume(options.out) | {"seed": SEED}
    if "first use" not in result:
        result["first use"] = first_use(folder, options.workers)
        save(options.out, result)
        print(json.dumps(result["first use"], indent=1), flush=True)
    result["500 nodes"] = fluid(folder)
    save(options.out, result)
    print(json.dumps(result["500 nodes"], indent=1))


def first_use(folder: Path, workers: int) -> dict[str, Any]:
    """From ONNX files to the page, with the commands of docs/ir.md."""
    table = load_builtin("digits-macro")
    rows = np.sort(np.random.default_rng(SEED).choice(len(table), NETWORKS, replace=False))
    files, lines = [], []
    for n, row in enumerate(rows):
        ops = [[str(layer[0]) for layer in module] for module in table.architectures[row].modules]
        files.append(folder / f"digits-{n:03}.onnx")
        if not files[-1].exists():
            network = build_network(ops).eval()
            torch.onnx.export(network, (torch.zeros(1, 1, 8, 8),), str(files[-1]), dynamo=False)
        lines.append({"id": files[-1].stem, "metrics": {"acc": float(table.columns["acc"][row])}})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    graphs, fit_folder, page = folder / "graphs.parquet", folder / "run", folder / "report.html"
    figures: dict[str, Any] = {"networks": NETWORKS}
    fit = (
        "--data",
        folder / "metrics.jsonl",
        "--target=+acc",
        "--workers",
        workers,
        "--overwrite",
        "--out",
        fit_folder,
    )
    for name, command in (
        ("import", ("import", *files, "--out", graphs)),
        ("fit", ("fit", "--graphs", graphs, *fit)),
        ("report", ("report", fit_folder, "--out", page)),
    ):
        figures[f"{name}, processor seconds"] = nasbuild(*command)[0]
    seconds, text = nasbuild("explain", fit_folder, "--json")
    (target,) = json.loads(text)["targets"]
    lines.sort(key=lambda line: line["metrics"]["acc"])
    for name, some in (("worst", lines[:COMPARED]), ("best", lines[-COMPARED:])):
        (folder / f"{name}.txt").write_text("\n".join(line["id"] for line in some))
    _, text = nasbuild("compare", fit_folder, folder / "worst.txt", folder / "best.txt", "--json")
    differences = json.loads(text)["differences"]
    figures |= {
        f"best {COMPARED} less worst {COMPARED}": round(sum(d["effect"] for d in differences), 2),
        "most of it": differences[:3],
        "explain, processor seconds": seconds,
        "page, MB": round(page.stat().st_size / 1e6, 2),
        "hops": [round(v, 3) for v in target["hops"]],
        "prediction": round(target["prediction"], 3),
        "baselines": {name: round(v, 3) for name, v in target["baselines"].items()},
        "verdict": target["verdict"],
        "best and worst operation": [
            f["choice"]
            for f in sorted(target["features"], key=lambda f: -f["effect"])
            if f["feature"] == "op"
        ][:: len([f for f in target["features"] if f["feature"] == "op"]) - 1],
        "sizes by how far they move": {c["feature"]: round(c["range"], 2) for c in target["numbers"]},
        "best and worst piece": [target["pieces"][i] for i in (0, -1)],
    }
    return figures


def nasbuild(*command: object) -> tuple[float, str]:
    """CPU seconds of a command and its workers, including start-up, and its output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "nasbuild", *map(str, command)], check=True, capture_output=True, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1), done.stdout


def fluid(folder: Path) -> dict[str, Any]:
    """Pan, zoom and hops of networks of about 500 nodes."""
    from playwright.sync_api import sync_playwright

    graphs = [swin(n) for n in range(SWINS)]
    labels = np.random.default_rng(SEED).normal(size=SWINS)
    recipe = OperatorRecipe(epochs=1, feature_epochs=1, few=0, members=3)
    fitted = fit_graphs(
        GraphTable(tuple(graphs), {"acc": labels}, {}), ["+acc"], recipe=recipe, baselines=False
    )
    start = time.process_time()
    write_report(fitted, folder / "swin.html")
    made = time.process_time() - start
    widths = [90.0] * len(graphs[0])
    start = time.process_time()
    lay_out(graphs[0].edges, widths)
    laid = time.process_time() - start
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        start = time.perf_counter()
        page.goto((folder / "swin.html").as_uri())
        page.wait_for_selector("[data-network] option:nth-child(2)", state="attached")
        opened = time.perf_counter() - start
        page.eval_on_selector("[data-network]", "(e) => e.scrollIntoView({behavior: 'instant'})")
        page.wait_for_timeout(500)
        frames, hops, draws = page.evaluate(DRIVEN, FRAMES)
        nodes = page.eval_on_selector("[data-network]", "(e) => e.view.state().nodes")
        version = browser.version
        browser.close()
    return {
        "chromium": version,
        "load of the machine": round(os.getloadavg()[0], 1),
        "networks": SWINS,
        "nodes": nodes,
        "edges": int(graphs[0].edges.shape[1]),
        "page, MB": round((folder / "swin.html").stat().st_size / 1e6, 2),
        "page made, processor seconds": round(made, 2),
        "layout of one, processor seconds": round(laid, 2),
        "page opened, seconds": round(opened, 2),
        "frames of pan and zoom": FRAMES,
        "milliseconds a frame": spread(frames),
        "milliseconds to paint a frame": spread(draws),
        "milliseconds from choosing a hop to its picture": spread(hops),
    }


DRIVEN = """async (frames) => {
  const root = document.querySelector("[data-network]"), canvas = root.querySelector("canvas");
  const frame = () => new Promise(requestAnimationFrame);
  const key = (k, shiftKey) => canvas.dispatchEvent(new KeyboardEvent("keydown", {key: k, shiftKey, cancelable: true}));
  const wheel = (deltaY) => canvas.dispatchEvent(new WheelEvent("wheel", {deltaY, ctrlKey: true, clientX: canvas.getBoundingClientRect().left + 300, clientY: canvas.getBoundingClientRect().top + 200, cancelable: true}));
  const times = [], draws = [];
  for (let i = 0; i < 20; i++) { wheel(i % 2 ? 8 : -8); await frame(); }
  let last = await frame();
  for (let i = 0; i < frames; i++) {
    // From the whole network to legible texts and back, moving sideways and down on the way.
    wheel(i % 120 < 60 ? -4 : 4);
    key(["ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"][Math.floor(i / 15) % 4], true);
    const now = await frame();
    times.push(now - last);
    last = now;
  }
  key("0", false);
  // Reading a pixel waits until everything is painted.
  const painted = () => canvas.getContext("2d").getImageData(0, 0, 1, 1);
  for (let i = 0; i < 60; i++) {
    wheel(i % 40 < 20 ? -12 : 12);
    await frame();
    const start = performance.now();
    root.view.draw();
    painted();
    draws.push(performance.now() - start);
  }
  const hops = [], radios = [...root.querySelectorAll("fieldset input")];
  key("0", false);
  for (let i = 0; i < 20; i++) {
    await frame();
    const start = performance.now();
    radios[i % radios.length].click();
    await frame();
    painted();
    hops.push(performance.now() - start);
  }
  return [times, hops, draws];
}"""


def spread(values: list[float]) -> dict[str, float]:
    """Mean, median and the worst of twenty."""
    return {
        "mean": round(float(np.mean(values)), 1),
        "median": round(float(np.median(values)), 1),
        "95 %": round(float(np.quantile(values, 0.95)), 1),
    }


def swin(number: int) -> OperatorGraph:
    """A Swin transformer of about 500 nodes; its widths and heads differ by number."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import transformers

    width = 24 * (1 + number % 4)
    config = transformers.SwinConfig(depths=[2, 2, 9, 2], embed_dim=width, num_heads=[1, 2, 4, 8])
    with torch.device("meta"):
        model = transformers.SwinForImageClassification(config).eval()

    class Logits(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return model(pixel_values=x).logits

    return from_torch(Logits(), torch.zeros(1, 3, 224, 224, device="meta"), name=f"swin-{number}")


if __name__ == "__main__":
    main()
