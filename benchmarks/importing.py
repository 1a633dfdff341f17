"""Imports the networks of other tools: are they proved, and how long are the specs?

    python benchmarks/importing.py corpora              ../shared/corpora, all formats
    python benchmarks/importing.py gallery [--module]   our own specs, with the program forgotten;
                                                        or emitted and read again as torch modules
    python benchmarks/importing.py torchvision          its 68 networks, from the module
    python benchmarks/importing.py torchvision-onnx     … and exported to ONNX by torch
    python benchmarks/importing.py timm [--sample 50]   the names of tests/specs/timm_names.txt
    python benchmarks/importing.py keras                keras.applications, where Keras is installed
    python benchmarks/importing.py accuracy             ResNet-20 as a module with trained weights
    python benchmarks/importing.py times                ResNet-152 beside `onnx.load`; long chains
    python benchmarks/importing.py damaged              10,000 truncated and changed files
    python benchmarks/importing.py all                  one after the other; hours

NAMES after a command choose networks. Lines are those that are neither blank nor only a comment.
`ours` are the lines of the spec of the gallery with the blocks that it uses, `ratio` is that of the
imported spec to it. `proved`: compiled again, the spec is the same network, layer by layer; `part`
is one whose end cannot be said. `differ` is how far the outputs are from those of the original, of
the largest, where it can be run. The times are those of a shared machine.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The tests' package `importing` would be hidden by this file.
sys.path[:] = [
    each for each in sys.path if os.path.abspath(each or ".") != str(ROOT / "benchmarks")
]
sys.path.insert(0, str(ROOT / "tests"))

from dotcnn.benchmarks.import_suite.table import Options  # noqa: E402

COMMANDS = {
    "corpora": "corpora.run",
    "gallery": "gallery.run",
    "torchvision": "modules.torchvision_networks",
    "torchvision-onnx": "modules.torchvision_by_onnx",
    "timm": "modules.timm_networks",
    "keras": "keras_applications.run",
    "accuracy": "accuracy.run",
    "times": "times.run",
    "damaged": "damaged.run",
}
"""Functions in import_suite, imported when they are needed: not all need torch. Each returns how
many results may not be, such as tracebacks."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", nargs="?", default="corpora", choices=[*COMMANDS, "all"])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--module", action="store_true", help="gallery: by way of torch modules")
    parser.add_argument("--sample", type=int, default=0, help="timm: so many, drawn at random")
    parser.add_argument("--count", type=int, default=10_000, help="damaged: files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=120, help="the most for one network")
    parser.add_argument("--keep", type=Path, help="a folder for the specs that were written")
    given = vars(parser.parse_args(arguments))
    command = given.pop("command")
    options = Options(**given)
    failed = 0
    for name in COMMANDS if command == "all" else [command]:
        print(f"\n== {name}", flush=True)
        module, _, function = COMMANDS[name].partition(".")
        part = import_module(f"dotcnn.benchmarks.import_suite.{module}")
        failed += getattr(part, function)(options)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
