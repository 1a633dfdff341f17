"""Trains in child processes, which can be killed, and writes down which images each step had.

Reads a command of `cnn` from each line of standard input, as JSON, runs it in a fork, so that torch
is imported once, and answers with the number of the process, then with its exit code.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import torch

from dotcnn import cli
from dotcnn.training.data.images import image_store
from dotcnn.training.data.loader import batches


def main() -> None:
    _write_down_images(os.environ["FAULTS_LOG"])
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            os.setpgid(0, 0)
            output = os.open(os.environ["FAULTS_OUTPUT"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
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


def _write_down_images(log: str) -> None:
    """For each batch of training: its epoch, its place in the epoch, and its images."""
    usual = batches.Batches.__call__

    def call(self: batches.Batches, epoch: int = 0, position: int = 0) -> Iterator[Any]:
        place = position
        for batch in usual(self, epoch, position):
            if self.shuffle:
                entry = [epoch, place, batch.indices.tolist()]
                with open(log, "a") as file:
                    file.write(json.dumps(entry) + "\n")
            place = self.state.position
            yield batch

    batches.Batches.__call__ = call  # type: ignore[method-assign]
    image_store.place = lambda *_: "files"  # as if the set were larger than memory
    torch.set_num_threads(1)


if __name__ == "__main__":
    main()
