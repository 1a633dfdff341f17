"""Commands that run into a diagnostic which no spec alone shows: files, folders, options, plug-ins.

The reference runs each in a folder of its own and shows what it prints.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from dotcnn.cli import main

_NET = "network Net { input 1x8x8, conv 8 3x3, relu, flatten, fc 10 }\n"
_PLUGIN = "from dotcnn.plugins import Metric\n\n1 / 0\n"
_METRIC = """from dotcnn.plugins import Metric


class Odd(Metric):
    \"\"\"The share of odd answers.\"\"\"

    word = "odd"
    title = "odd"
"""
_CALLBACK = """import dotcnn


class Mine(dotcnn.Callback):
    def __init__(self, address):
        self.address = address
"""
_SAID = re.compile(r"^(?:error|warning)\[([a-z0-9-]+)\]", re.MULTILINE)

CASES: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("cnn train digits --data nowhere", {}),
    ("cnn train net.cnn -o full", {"net.cnn": _NET, "full/notes.txt": "mine\n"}),
    ("cnn augment net.cnn -o sheet.png", {"net.cnn": _NET}),
    ("cnn sweep net.cnn", {"net.cnn": _NET}),
    ("cnn import net.cfg -o net.cnn", {"net.cfg": "[net]\nwidth=8\nheight 8\n"}),
    ("cnn import net.cfg -o net.cnn",
     {"net.cfg": "[net]\nwidth=8\nheight=8\nchannels=3\n[yolo]\nclasses=1\n"}),
    ("cnn import net.prototxt -o net.cnn", {"net.prototxt": "name: 'empty'\n"}),
    ("cnn import net.json -o net.cnn", {"net.json": "{}\n"}),
    ("cnn import net.onnx -o net.cnn", {"net.onnx": "this is text\n"}),
    ("cnn show net.cnn text.png", {"net.cnn": _NET, "text.png": "not an image\n"}),
    ("cnn check net.cnn --plugin mine.py", {"net.cnn": _NET, "mine.py": _PLUGIN}),
    ("cnn check net.cnn --plugin mine.py", {"net.cnn": _NET, "mine.py": "x = 1\n"}),
    ("cnn export net.cnn --weights w.pt -o net.onnx", {"net.cnn": _NET, "w.pt": "text\n"}),
    ("cnn report net.cnn --set depth=3", {"net.cnn": _NET}),
    ("cnn train net.cnn --data images", {"net.cnn": _NET, "images/a/x.txt": "x\n"}),
    ("cnn train net.cnn --data file.csv", {"net.cnn": _NET, "file.csv": "image,label\n"}),
    ("cnn train net.cnn --device cuda:7", {"net.cnn": _NET}),
    ("cnn show net.cnn --filters relu", {"net.cnn": _NET}),
    ("cnn runs tag nothing good", {}),
    ("cnn check net.cnn --plugin mine.txt", {"net.cnn": _NET, "mine.txt": "x = 1\n"}),
    ("cnn check net.cnn --plugin a/mine.py --plugin b/mine.py",
     {"net.cnn": _NET, "a/mine.py": _METRIC, "b/mine.py": _METRIC}),
    ("cnn show net.cnn --dream conv:99", {"net.cnn": _NET}),
    ("cnn show net.cnn --patches conv:1", {"net.cnn": _NET}),
    ("cnn train net.cnn --callback mine.py", {"net.cnn": _NET, "mine.py": _CALLBACK}),
    ("cnn train net.cnn --callback mine.py", {"net.cnn": _NET, "mine.py": "x = 1\n"}),
    ("cnn train net.cnn --data file.txt", {"net.cnn": _NET, "file.txt": "x\n"}),
    ("cnn train net.cnn", {"net.cnn": _NET.replace("1x8x8", "3x64x64")}),
    ("cnn find-lr net.cnn", {"net.cnn": _NET.replace("1x8x8", "3x64x64")}),
)  # fmt: skip
"""Each command with the files that it finds."""


def shown_by_commands() -> Iterator[tuple[str, str, str]]:
    """The code that each command runs into first, its files and itself, and what it prints."""
    for line, files in CASES:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            printed = _printed(line, Path(folder))
        said = _SAID.search(printed)
        if said:
            listed = [f"# {name}\n{text}" for name, text in files.items()]
            yield said[1], "\n".join([*listed, f"$ {line}"]), printed


def _printed(line: str, folder: Path) -> str:
    """What a command prints where people read it, without the folder's name."""
    text, before = io.StringIO(), Path.cwd()
    os.chdir(folder)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(text):
            main(shlex.split(line)[1:])
    finally:
        os.chdir(before)
    return text.getvalue().replace(f"{folder.resolve()}/", "").replace(f"{folder}/", "")
