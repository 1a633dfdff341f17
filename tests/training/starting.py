"""Training in other processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


class Trainer:
    """Trains in other processes."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("killable_trainer.py")
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error::FutureWarning", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def __call__(self, spec: str, folder: Path, *, resume: bool = False, **job: Any) -> int:
        """The exit code; with several processes, that of the first one that fails."""
        return self.run(spec=spec, folder=str(folder), resume=resume, **{"set": {}, **job})

    def command(self, *arguments: object, error: Path, **job: Any) -> int:
        """The exit code of `cnn` with these arguments; what it prints is in the file `error`."""
        return self.run(command=[str(argument) for argument in arguments], error=str(error), **job)

    def run(self, **job: Any) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        codes: list[int] = json.loads(self.process.stdout.readline())["codes"]
        return next((code for code in codes if code), 0)

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
