"""The targets for atheris, whose mutations follow what parts of the code an input reaches.

    pip install atheris
    python -m fuzz.atheris spec -max_total_time=600 corpus

What fails lies in a file `crash-…` then. Nothing else needs atheris, so it
is not among the requirements of the project.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main() -> None:
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["dotcnn.dsl", "dotcnn.compiler", "dotcnn.training"]):
        from .frame import Inputs, attempt, targets

        known = targets()
    name, *arguments = sys.argv[1:]
    corpus = Path(arguments[-1])
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(Inputs(known[name]).seeds):
        (corpus / f"seed{number}").write_bytes(seed)

    def one_input(data: bytes) -> None:
        failure = attempt(known[name], data).failure
        if failure is not None:
            raise RuntimeError(f"{failure.kind}: {failure.text}")

    atheris.Setup([sys.argv[0], *arguments], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
