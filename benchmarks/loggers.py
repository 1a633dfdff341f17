"""What loggers cost: the same run on digits without, and with each of them.

    python benchmarks/loggers.py [tensorboard mlflow wandb csv]

A logger is a callback, so the time is that of its calls: the first and the last ones, those of
each epoch, and those of each step. Nothing is sent over a network.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dotcnn
from dotcnn.training.loggers import open_loggers
from dotcnn.training.loggers.logger import Logger
from dotcnn.training.trainer.callbacks import Callback

SPEC = """
network Net {
  input 1x8x8
  conv 8 3x3 same, bn, relu
  repeat 2 { residual { conv 8 3x3 same, bn, relu } }
  conv 16 3x3 stride=2 same, bn, relu
  pool avg global
  flatten
  fc classes
}
train { data digits, epochs 20, batch 32, log TOOL }
"""
EVENTS = ("started", "before_training", "step", "epoch", "finished", "close")
RUNS = 3


def timed(logger: Logger, seconds: dict[str, list[float]]) -> Logger:
    """The same logger, with the time of each call."""

    def around(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*arguments: Any) -> Any:
            began = time.perf_counter()
            result = call(*arguments)
            seconds[name].append(time.perf_counter() - began)
            return result

        return measured

    for name in EVENTS:
        setattr(logger, name, around(name, getattr(logger, name)))
    return logger


def main() -> None:
    os.environ["WANDB_MODE"] = "offline"
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    real = open_loggers._logger
    print(f"{'':12}{'start s':>10}{'epoch ms':>10}{'step µs':>10}{'end s':>10}{'run s':>10}")
    for tool in sys.argv[1:] or ["off", "csv", "tensorboard", "wandb", "mlflow"]:
        rows = []
        for _ in range(RUNS):
            seconds: dict[str, list[float]] = defaultdict(list)
            open_loggers._logger = lambda *a, s=seconds: timed(real(*a), s)  # type: ignore[misc]
            with tempfile.TemporaryDirectory() as folder:
                began = time.perf_counter()
                dotcnn.train(
                    SPEC.replace("TOOL", tool), output=Path(folder) / "run", device="cpu",
                    quiet=True, callback=Callback(),
                )  # fmt: skip
                whole = time.perf_counter() - began
            # The median: the first flush of each tool imports what it needs.
            epoch = statistics.median(seconds["epoch"] or [0.0])
            step = statistics.median(seconds["step"] or [0.0])
            end = sum(seconds["finished"]) + sum(seconds["close"])
            rows.append((sum(seconds["started"]), 1e3 * epoch, 1e6 * step, end, whole))
        best = [statistics.median(column) for column in zip(*rows, strict=True)]
        print(f"{tool:12}" + "".join(f"{value:10.2f}" for value in best), flush=True)


if __name__ == "__main__":
    main()
