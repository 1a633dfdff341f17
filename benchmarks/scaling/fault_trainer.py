"""Trains in child processes, which can be killed, and writes down which images each step had.

Reads a command of `cnn` from each line of standard input, as JSON, runs it in a fork, so that torch
is imported once, and answers with the number of the process, then with its exit code. What the
process does just now is in a file, so that faults can be made to fall there.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from dotcnn import cli
from dotcnn.training.checkpoint.checkpoint_files import CheckpointFiles
from dotcnn.training.data.images import image_store
from dotcnn.training.data.loader import batches

from .fault_moments import Moments


def main() -> None:
    folder = Path(os.environ["FAULTS_FOLDER"])
    moments = Moments(folder)
    _write_down_images(folder, moments)
    _write_slowly(moments)
    for line in sys.stdin:
        moments.now("start")
        moments.writing(False)
        pid = os.fork()
        if not pid:
            os.setpgid(0, 0)
            output = os.open(folder / "output.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.dup2(output, 1)
            os.dup2(output, 2)
            code = 70
            try:
                code = cli.main(json.loads(line)) or 0
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _write_down_images(folder: Path, moments: Moments) -> None:
    """For each batch of training: its epoch, its place in the epoch, and its images. Steps take as
    long as the benchmark wants."""
    usual = batches.Batches.__call__
    log, pace = folder / "images.log", folder / "pace"
    trained = False

    def call(self: batches.Batches, epoch: int = 0, position: int = 0) -> Iterator[Any]:
        nonlocal trained
        place = position
        if not self.shuffle and trained:
            moments.now("validation")
        for batch in usual(self, epoch, position):
            if self.shuffle:
                trained = True
                moments.now("step")
                entry = [epoch, place, batch.indices.tolist()]
                with open(log, "a") as file:
                    file.write(json.dumps(entry) + "\n")
            time.sleep(float(pace.read_text()) if pace.exists() else 0.0)
            place = self.state.position
            yield batch

    batches.Batches.__call__ = call  # type: ignore[method-assign,assignment]
    image_store.place = lambda *_: "files"  # as if the set were larger than memory
    torch.set_num_threads(1)


def _write_slowly(moments: Moments) -> None:
    """As on a slow disk: a file of a small network would be written between two faults."""
    write = CheckpointFiles.write
    usual = {name: getattr(os, name) for name in ("fsync", "replace")}

    def written(*arguments: Any, **options: Any) -> Any:
        moments.writing(True)
        try:
            return write(*arguments, **options)
        finally:
            moments.writing(False)

    def slow(name: str) -> Any:
        def slowly(*arguments: Any, **options: Any) -> Any:
            if moments.is_writing:
                time.sleep(random.SystemRandom().uniform(0.02, 0.1))
            return usual[name](*arguments, **options)

        return slowly

    if (Path(os.environ["FAULTS_FOLDER"]) / "pace").exists():
        CheckpointFiles.write = written  # type: ignore[method-assign]
        for name in usual:
            setattr(os, name, slow(name))


if __name__ == "__main__":
    main()
