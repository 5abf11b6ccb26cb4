"""The notebooks of the documentation run, and show little enough to be kept.

They share one kernel, as its start and its imports take longer than most cells. Each begins without names and in a folder
of its own, so that it runs from top to bottom by itself.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

NEEDED = {"bits_per_layer": ("onnxruntime", "PIL", "rapidocr_onnxruntime")}
"""Packages of a notebook that nasbuild does without."""
NOTEBOOKS = sorted((Path(__file__).parent.parent / "docs" / "notebooks").glob("*.ipynb"))
MOST = 20_000  # characters of an output


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> dict[Path, tuple[list, Path]]:
    """The cells of each notebook with their outputs, and the folder that it ran in."""
    found, cells = {}, []
    for path in NOTEBOOKS:
        if not all(map(find_spec, NEEDED.get(path.stem, ()))):
            continue
        own, folder = nbformat.read(path, as_version=4).cells, tmp_path_factory.mktemp(path.stem)
        assert all(not cell.get("outputs") for cell in own), "is kept without its outputs"
        begin = f"%reset -f\nimport os\nos.chdir({str(folder)!r})\ndel os"
        cells += [nbformat.v4.new_code_cell(begin), *own]
        found[path] = own, folder
    # An error is an output of its cell, so that the other notebook runs all the same.
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", allow_errors=True).execute()
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(path: Path, executed):
    if path not in executed:
        pytest.skip(f"needs {', '.join(NEEDED[path.stem])}: pip install --no-deps rapidocr-onnxruntime")
    cells, folder = executed[path]
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert len(code) >= 8
    for cell in code:
        assert not [out for out in cell.outputs if out.output_type == "error"]
        for out in cell.outputs:
            texts = {kind: text for kind, text in out.get("data", {}).items() if kind.startswith("text/")}
            assert all(len(text) < MOST for text in texts.values()), cell.source
    # Each cell that ends in a value shows it.
    assert [bool(cell.outputs) for cell in code] == [True] * len(code)
    if path.stem == "learn_and_build":
        truth = next(cell for cell in code if "are better" in cell.source)
        better, total = map(int, re.findall(r"\d+", truth.outputs[-1]["data"]["text/plain"]))
        # Of five by chance, the best would leave a sixth of all above it.
        assert better < total / 20
        assert (folder / "fit" / "fit.json").exists()
    if path.stem == "bits_per_layer":
        _check_bits_per_layer([cell.outputs[-1]["data"]["text/plain"] for cell in code])
    if path.stem == "closed_loop":
        table = next(cell for cell in code if "to_pandas" in cell.source).outputs[-1]["data"]
        assert "early.0.width" in table["text/html"]
        assert "image/png" in code[-2].outputs[-1]["data"]
        dominated = re.findall(r"\d+", code[-1].outputs[-1]["data"]["text/plain"])
        assert int(dominated[0]) < int(dominated[1]) / 2
        assert (folder / "loop.db").exists()


def _check_bits_per_layer(shown: list[str]) -> None:
    """Built is far better than four bits everywhere, and leaving some blocks out of int8 is better than all."""
    judged = next(text for text in shown if "4 bits everywhere" in text)
    kbytes, kl = {}, {}
    for name in ("4 bits everywhere", "built"):
        kbytes[name], kl[name] = map(float, re.search(rf"{name} +([\d.]+) +([\d.]+)", judged).groups())
    assert kbytes["built"] <= kbytes["4 bits everywhere"]
    assert kl["built"] < kl["4 bits everywhere"] / 3
    everything, without = re.findall(
        r"(?:all int8|without [^0-9]*(?:block\d+, )*block\d+) +[\d.]+ +([\d.]+)", shown[-2]
    )
    assert float(without) < float(everything)
