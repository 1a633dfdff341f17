"""Overhead of `cnn sweep`, compared with plain runs of the same trials.

    python benchmarks/sweep.py [--trials 12] [--epochs 10] [--rounds 3] [--prune]

A sweep of the bundled digits is run; then its trials, with the values that it proposed, once more
as plain runs: in one process that calls `dotcnn.train` for each, and with a command `cnn train`
each. Process time is measured, of all three, so that other programs matter less; each is the least
of its rounds. The sweep does more than the runs: it imports Optuna, makes proposals, compiles them
also where they are not trained, and writes its journal. It does less where trials share the data.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SPEC = """\
network Digits(width=16, depth=1, drop=0.1) {
  input 1x8x8
  conv width 3x3 same, bn, relu
  repeat depth { conv 2*width 3x3 same, bn, relu, pool max 2x2 }
  pool avg global, flatten, dropout drop
  fc classes
}

train { epochs EPOCHS, optimizer sgd lr=0.1 momentum=0.9 }

augment { rotate 5 }

sweep {
  lr log 1e-3..1
  width in [8, 16, 24, 64]
  depth 1..5
  drop 0..0.5 step=0.1
  augment.rotate 0..20
  trials TRIALS
  limit params < 30k
  PRUNE
}
"""

IN_ONE = """\
import json, sys
from pathlib import Path
from dotcnn import __version__
from dotcnn.compiler.language.overrides import read_override
from dotcnn.dsl.files import read_file
from dotcnn.training.request import request
from dotcnn.training.trainer.train import train
source = read_file(Path(sys.argv[1]), "net.cnn")
for number, texts in enumerate(json.loads(sys.argv[3])):
    train(
        request(source, set=[read_override(text) for text in texts]), __version__,
        output=Path(sys.argv[2]) / str(number), device="cpu",
    )
"""


def seconds_of(command: list[str], folder: Path) -> float:
    """Process time of a command, with that of its own processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prune", action="store_true", help="with pruning, which saves epochs")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    cnn = [sys.executable, "-m", "dotcnn"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = SPEC.replace("EPOCHS", str(options.epochs)).replace("TRIALS", str(options.trials))
        text = text.replace("PRUNE", "prune after=2" if options.prune else "")
        (folder / "net.cnn").write_text(text)
        swept, in_one, commands = [], [], []
        for number in range(options.rounds):
            out = folder / f"sweep{number}"
            arguments = ["sweep", "net.cnn", "-o", str(out), "--device", "cpu"]
            swept.append(seconds_of([*cnn, *arguments], folder))
            measured(out, folder, options, cnn, in_one, commands)
        facts = facts_of(folder / "sweep0")
    least = min(swept)
    print(f"{options.trials} trials of {options.epochs} epochs; {facts}")
    print(f"cnn sweep                   {least:6.1f} s of processor time")
    for what, times in (
        ("one process, dotcnn.train", in_one),
        ("a command cnn train each", commands),
    ):
        print(f"{what:<26}  {min(times):6.1f} s; the sweep takes {least / min(times) - 1:+.1%}")


def measured(
    out: Path,
    folder: Path,
    options: argparse.Namespace,
    cnn: list[str],
    in_one: list[float],
    commands: list[float],
) -> None:
    """Runs the trials of a sweep as plain runs."""
    import json

    from dotcnn.training.sweep.sweep_facts import read_sweep

    trials = [list(trial.set) for trial in read_sweep(out).trials]
    again = folder / "again"
    again.mkdir()
    script = [sys.executable, "-c", IN_ONE, "net.cnn", str(again), json.dumps(trials)]
    in_one.append(seconds_of(script, folder))
    shutil.rmtree(again)
    again.mkdir()
    total = 0.0
    for number, texts in enumerate(trials):
        given = [word for text in texts for word in ("--set", text)]
        place = str(again / str(number))
        total += seconds_of(
            [*cnn, "train", "net.cnn", "-o", place, "--device", "cpu", *given], folder
        )
    commands.append(total)
    shutil.rmtree(again)


def facts_of(out: Path) -> str:
    from dotcnn.training.sweep.sweep_facts import read_sweep

    return read_sweep(out).saved or "every proposal was trained"


if __name__ == "__main__":
    main()
