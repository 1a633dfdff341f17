"""The suite for a machine with a CUDA GPU: is training right, fast and within memory there?

    python benchmarks/cuda.py all                       every command, each within its time limit
    python benchmarks/cuda.py smoke same --out day.jsonl
    python benchmarks/cuda.py table day.jsonl           the results as Markdown, for RESULTS.md
    python benchmarks/cuda.py pack wheels               fetch wheels for a machine without internet
    python benchmarks/cuda.py all --wheels wheels       … and use those that this machine lacks
    python benchmarks/cuda.py all --device cpu --small  whether the suite itself works

Commands, in the order of `all`; together they take less than half an hour:

    smoke      train digits, kill it, resume, evaluate, predict
    same       every directive and every operation: on the CPU and on the GPU, in every precision
    syncs      how often a step makes the program wait for the GPU
    oom        running out of memory at every place of a run: the error, and its advice
    resume     a run that is stopped in an epoch and resumed is equal to the bit
    processes  a process group of one NCCL rank; two gloo ranks that share a GPU
    memory     the memory of training steps, compared with what `cnn report` predicts
    speed      training compared with bare and compiled loops; each directive; reading images
    records    whole recipes: airbench94, resnet50

Each command runs in a process of its own, which is killed at its limit; if a check crashes it, the
next check starts in a new one. Results are written as JSON lines as soon as they are known. torch
2.6 or newer is needed, and this package need not be installed.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def put_on_path() -> None:
    """Lets `import dotcnn` find this folder, in child processes too, whatever it is called.

    The folder of this script is taken off the path: `import cuda`, which is a package of NVIDIA,
    would find this file.
    """
    here = str(ROOT / "benchmarks")
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]
    folder = tempfile.mkdtemp(prefix="dotcnn-path-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.symlink(ROOT, Path(folder) / "dotcnn")
    sys.path.insert(0, folder)
    others = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = folder + (os.pathsep + others if others else "")


if __name__ == "__main__":
    put_on_path()
    from dotcnn.benchmarks.cuda_suite.main import main

    sys.exit(main(sys.argv[1:]))
