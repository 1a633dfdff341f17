"""A target for atheris, which mutates inputs by what parts of the code they reach.

    pip install atheris
    mkdir corpus && cp -r specs/*/*.cnn tests/errors/syntax/*.cnn corpus
    python tests/fuzz/target.py -max_total_time=600 corpus

What it finds, it leaves in a file `crash-…`: shorten it, move it to tests/fuzz/cases under a name
that says what was wrong, and mend it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parent))

with atheris.instrument_imports(include=["dotcnn.dsl"]):
    from oracle import examine


def one_input(data: bytes) -> None:
    examine(data)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
