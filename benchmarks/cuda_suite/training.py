"""Small runs for the checks: images drawn at random, specs, callbacks."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

import dotcnn
import dotcnn.training.page.write as page
from dotcnn.training.checkpoint.checkpoint import read_checkpoint
from dotcnn.training.trainer.callbacks import Callback, Step
from dotcnn.training.trainer.result import Result

from .check import Setting

NETWORK = """
network Net {
  input 3x16x16
  stem: conv 8 3x3 same, bn, relu
  layer1: conv 8 3x3 same, bn, relu
  layer2: conv 12 3x3 stride=2 same, bn, relu
  layer3: conv 12 3x3 same, bn, relu
  layer4: conv 16 3x3 stride=2 same, bn, relu
  pool avg global
  flatten
  fc 6
}
"""
"""With the names of layers that the examples of directives use."""

PLAIN = {
    "train.epochs": "2",
    "train.batch": "16",
    "train.optimizer": "sgd lr=0.05 momentum=0.9",
    "train.precision": "fp32 tf32=off",
    "train.channels_last": "off",
    "train.log": "off",
}
"""The same on every device; directives of a spec replace them."""


def images(count: int, shape: tuple[int, ...] = (3, 16, 16), classes: int = 6) -> tuple[Any, Any]:
    """Images of classes that can be told apart, as bytes, and their labels. They repeat after some
    hundred: drawing gigabytes would take longer than training on them."""
    random = numpy.random.default_rng(0)
    distinct = min(count, classes * 40)
    base = random.integers(0, 135, (classes, shape[0], 1, 1), dtype=numpy.uint8)
    noise = random.integers(0, 120, (distinct, *shape), dtype=numpy.uint8)
    labels = numpy.arange(count) % classes
    pixels = base[labels[:distinct]] + noise
    return pixels[numpy.arange(count) % distinct], labels


def images_for(name: str, side: int, count: int) -> tuple[Any, Any]:
    """Images for a network of the gallery, whatever its number of classes is."""
    network = dotcnn.compile(name, input=(3, side, side))
    classes = network.output.shape[0]
    pixels, labels = images(count, (3, side, side), min(10, classes))
    return pixels, numpy.eye(classes, dtype=numpy.uint8)[labels]


def trained(
    setting: Setting,
    text: str,
    *,
    device: str | None = None,
    data: Any = None,
    callback: Callback | None = None,
    folder: Path | None = None,
    plain: bool = True,
    input: tuple[int, ...] | None = None,
    **changes: object,
) -> Result:
    """Trains a spec in a new folder. `changes` are directives: `train__epochs=3`."""
    named = {name.replace("__", "."): value for name, value in changes.items()}
    with without_report():
        return dotcnn.train(
            text,
            data=images(96) if data is None else data,
            input=input,
            output=folder or setting.new_folder("train"),
            device=device or setting.device,
            callback=callback or Callback(),
            set={**(_missing(text) if plain else {}), **named},
        )


def resumed(setting: Setting, folder: Path, data: Any = None, **options: Any) -> Result:
    with without_report():
        return dotcnn.train(
            resume=folder,
            data=images(96) if data is None else data,
            device=setting.device,
            callback=options.pop("callback", None) or Callback(),
            **options,
        )


@contextmanager
def without_report() -> Iterator[None]:
    """A context in which no report.html is written: it takes longer than a small run, and `smoke`
    looks at it."""
    written = page.write_report
    page.write_report = lambda folder, *others: folder / page.NAME  # type: ignore[assignment]
    try:
        yield
    finally:
        page.write_report = written


def _missing(text: str) -> Mapping[str, str]:
    """The directives of PLAIN that a spec does not set itself."""
    section = text.partition("train {")[2].partition("}")[0]
    heads = {line.split()[0] for line in section.replace(",", "\n").splitlines() if line.split()}
    return {name: value for name, value in PLAIN.items() if name.split(".")[1] not in heads}


class AfterSteps(Callback):
    """Calls a function after each step, with the number of steps since the start."""

    def __init__(self, action: Callable[[int], object]) -> None:
        self.action = action
        self.steps = 0

    def step(self, step: Step) -> None:
        self.steps += 1
        self.action(self.steps)


def interrupt_after(steps: int) -> AfterSteps:
    """Presses Ctrl-C after a step."""

    def action(done: int) -> None:
        if done == steps:
            os.kill(os.getpid(), signal.SIGINT)

    return AfterSteps(action)


def checkpoint(folder: Path) -> dict[str, Any]:
    """The last checkpoint of a run."""
    return read_checkpoint(folder / "last.ckpt")


def distance(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """The norm of the difference of two state dicts, relative to the norm of the second one."""
    pairs = [(a.double().cpu(), other[key].double().cpu()) for key, a in one.items()]
    difference = torch.stack([(a - b).norm() for a, b in pairs]).norm()
    return float(difference / torch.stack([b.norm() for _, b in pairs]).norm().clamp(min=1e-30))
