"""Notebooks of the tutorials, made from their pages: `python -m dotcnn.docs.site.notebooks`.

A file of the page is a cell that writes it, a command is a cell that runs it, with the output that
the page shows. The first cell installs the package where it is missing, as on Colab.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from .page_cells import Before, Cell, File, Prose, cells

TUTORIALS = Path(__file__).parent.parent / "tutorial"
_INSTALL = '%pip install -q "dotcnn[torchvision,onnx,sweep,draw]"'


def main() -> None:
    for page in sorted(TUTORIALS.glob("*.md")):
        path = TUTORIALS / "notebooks" / f"{page.stem}.ipynb"
        path.parent.mkdir(exist_ok=True)
        path.write_text(notebook(page.read_text(encoding="utf-8")), encoding="utf-8")


def notebook(page: str) -> str:
    """The page as a notebook in nbformat 4.5."""
    made = [_code(_INSTALL, "")]
    for cell in cells(page):
        made += _cells(cell)
    for number, one in enumerate(made):
        one["id"] = f"cell-{number}"
    whole = {
        "cells": made,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _cells(cell: Cell) -> list[dict[str, Any]]:
    if isinstance(cell, Prose):
        # Pictures lie beside the page, one folder up.
        text = re.sub(r"\]\((?!\w+:)([^)#]+)", r"](../\1", cell.text)
        return [{"cell_type": "markdown", "metadata": {}, "source": _lines(text)}]
    if isinstance(cell, File):
        return [_code(f"%%writefile {cell.name}\n{cell.text.rstrip()}", "")]
    if isinstance(cell, Before):
        return [_code(f"%%bash\n{cell.text.rstrip()}", "")]
    return [_code(f"!{line}", output) for line, output in cell.commands]


def _code(source: str, output: str) -> dict[str, Any]:
    stream = {"output_type": "stream", "name": "stdout", "text": _lines(output + "\n")}
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [stream] if output else [],
        "source": _lines(source),
    }


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


if __name__ == "__main__":
    main()
