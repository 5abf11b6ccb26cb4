"""The notebooks of the documentation run, and show little enough to be kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

NOTEBOOKS = sorted((Path(__file__).parent.parent / "docs" / "notebooks").glob("*.ipynb"))
MOST = 20_000  # characters of an output


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(path: Path, tmp_path: Path):
    notebook = nbformat.read(path, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "is kept without its outputs"
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
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
        assert (tmp_path / "fit" / "fit.json").exists()
