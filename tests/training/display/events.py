"""A training as the loop would tell it, and a clock that does what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from dotcnn.dsl.source import Source
from dotcnn.training.request import Request, request
from dotcnn.training.trainer.callbacks import Callback, EpochRecord, RunEnd, RunStart, Step

SPEC = """network Small {
  input 1x8x8
  conv 4 3x3, relu, flatten
  fc 10
}
train {
  data digits
  log csv tensorboard
}
"""


@cache
def a_request() -> Request:
    return request(Source("small.cnn", SPEC))


def start(folder: Path, epochs: int = 3, batches: int = 10, name: str = "Small") -> RunStart:
    return RunStart(
        folder,
        name,
        a_request().plan,
        "cpu (2 cores)",
        ["precision fp32: nothing else is faster"],
        {"train": 640, "val": 160},
        tuple("0123456789"),
        1_234,
        1_000,
        epochs,
        batches,
        ("loss", "top1", "top5"),
        None,
        total_steps=epochs * batches,
        spec=SPEC,
        graph=a_request().network,
    )


def step(epoch: int, batch: int, loss: float = 1.0) -> Step:
    return Step(epoch, batch, loss, 0.05, 6400.0, 0.02, 10 * (epoch - 1) + batch)


def record(
    epoch: int,
    loss: float = 0.5,
    top1: float = 0.9,
    *,
    best: bool = False,
    waiting: float = 0.0,
    seconds: float = 2.0,
    validated: bool = True,
) -> EpochRecord:
    val = {"loss": loss * 1.1, "top1": top1, "top5": 0.99} if validated else {}
    train = {"loss": loss, "top1": top1 - 0.05}
    return EpochRecord(epoch, epoch * 10, 0.05, train, val, best, seconds, 6400.0, waiting)


def before_training() -> EpochRecord:
    """Epoch 0 as the loop tells it."""
    val = {"loss": 2.3, "top1": 0.1, "top5": 0.5}
    return EpochRecord(0, 0, 0.05, {}, val, False, 0.2, 0.0, 0.0)


def finished(folder: Path, best: Mapping[str, float] | None = None) -> RunEnd:
    numbers = best or {"loss": 0.2, "top1": 0.95, "precision": 0.94}
    return RunEnd(folder, "done", 3, 2, numbers, 187.0, folder / "report.html")


def whole_run(callback: Callback, folder: Path, epochs: int = 3) -> None:
    """From the beginning to the end, with a note in between."""
    callback.reading("reading the images for training", 0, 800)
    callback.started(start(folder, epochs))
    callback.before_training(before_training())
    for epoch in range(1, epochs + 1):
        for batch in range(1, 11):
            callback.step(step(epoch, batch, 2.0 / (10 * epoch + batch)))
        callback.evaluating("val", 1, 1)
        callback.epoch(record(epoch, 1 / epoch, 1 - 0.3 / epoch, best=epoch != 2))
        if epoch == 1:
            callback.note("something to read")
    callback.finished(finished(folder))
    callback.close()


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time
