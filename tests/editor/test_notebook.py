"""A notebook, executed as nbclient executes one: a mistake, a network, a training."""

from __future__ import annotations

from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient", reason="nbclient and ipykernel are not installed")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

CELLS = [
    "%load_ext dotcnn",
    "%%cnn wrong\nnetwork N { input 1x8x8, conv 8 3x3 saem }",
    "%%cnn net\nnetwork Net {\n  input 1x8x8\n  conv 8 3x3 same, bn, relu\n"
    "  pool avg global, flatten\n  fc 10\n}\ntrain { data digits, epochs 2 }",
    "import dotcnn\nresult = dotcnn.train(net, device='cpu', output='run')\nresult",
    "%%cnn 3 <script>\nnetwork N { input 1x8x8 }",
]


def html(cell: object) -> str:
    outputs = getattr(cell, "outputs", [])
    return "\n".join(each["data"].get("text/html", "") for each in outputs if "data" in each)


@pytest.mark.slow
def test_a_notebook(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in CELLS])
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    _, wrong, network, training, unnamed = notebook.cells
    assert "&#x27;" in html(wrong) or "`saem`" in html(wrong)
    assert "^^^^" in html(wrong)
    assert "<svg" in html(network)
    assert "8x8x8" in html(network)
    shown = html(training)
    assert "<th>epoch</th>" in shown
    assert "iframe sandbox" in shown
    assert shown.count("<tr>") >= 4
    assert "<script>" not in html(unnamed)
    nbformat.write(notebook, tmp_path / "executed.ipynb")
