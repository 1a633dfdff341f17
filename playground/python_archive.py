"""Packs what the page runs in Python: the language, the compiler, the language server and the
gallery, with the libraries that the server needs; and copies Python itself beside it.

    python playground/python_archive.py DIST
    python playground/python_archive.py --files FOLDER     # the same as files, without Python
"""

from __future__ import annotations

import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OWN = ("__init__.py", "dsl", "compiler", "editor/__init__.py", "editor/server", "specs")
"""Of the package; training and its commands need torch."""
NOT_COMMANDS = ("compiler/commands", "compiler/importing")
LIBRARIES = ("attrs", "cattrs", "lsprotocol", "pygls", "typing_extensions")
PYTHON = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip",
          "pyodide-lock.json")  # fmt: skip
KINDS = (".py", ".cnn", ".json", ".lark", ".typed")


def own_files() -> list[tuple[Path, str]]:
    found: list[tuple[Path, str]] = []
    for part in OWN:
        path = ROOT / part
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            name = file.relative_to(ROOT).as_posix()
            left_out = name.startswith(NOT_COMMANDS) or "__pycache__" in name
            if file.is_file() and file.suffix in KINDS and not left_out:
                found.append((file, f"dotcnn/{name}"))
    return found


def library_files() -> list[tuple[Path, str]]:
    found: list[tuple[Path, str]] = []
    for library in LIBRARIES:
        files = distribution(library).files or ()
        found += [(Path(str(f.locate())), f.as_posix()) for f in files if f.suffix == ".py"]
    return found


def as_files(folder: Path) -> None:
    for file, name in [*own_files(), *library_files()]:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())


def main(folder: Path) -> None:
    target = folder / "python"
    target.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target / "dotcnn.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
        for file, name in [*own_files(), *library_files()]:
            # Times of 1980: equal files give an equal archive.
            made.writestr(zipfile.ZipInfo(name), file.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    for name in PYTHON:
        data = (ROOT / "playground" / "node_modules" / "pyodide" / name).read_bytes()
        (target / name).write_bytes(data)


if __name__ == "__main__":
    if sys.argv[1] == "--files":
        as_files(Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1]))
