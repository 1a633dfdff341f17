"""Checkpoints that are written while training goes on: part of `speed` and of `resume`."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import numpy
import torch

from .check import Check, Facts, Setting, require
from .training import NETWORK, AfterSteps, checkpoint, resumed, trained

_WIDE = """
network Wide {{
  input 1x28x28
  flatten
  fc {width}, relu
  fc {width}, relu
  fc 10
}}
train {{
  optimizer adamw lr=1e-4
}}
"""
_WIDTHS = {"100 M parameters": 9_500, "1 B parameters": 31_200}


def speed_checks(setting: Setting) -> Iterator[Check]:
    widths = {"0.3 M parameters": 256} if setting.small else _WIDTHS
    for name, width in widths.items():
        yield Check("steps beside checkpoints", name, partial(_steps, setting, width))


def resume_checks(setting: Setting) -> Iterator[Check]:
    yield Check("resumed", "copied beside the next step", partial(_states, setting))


def _steps(setting: Setting, width: int) -> Facts:
    """Milliseconds of steps without checkpoints and with some. Each ends when the GPU is done, so
    that a copy is seen that makes the next step wait."""
    count = 24 if setting.small else 60
    facts: dict[str, object] = {}
    for name, every in (("without", 10**6), ("with", count // 3)):
        times = _times(setting, width, count, every)
        facts[f"median {name}"] = statistics.median(times)
        facts[f"p99 {name}"] = times[round(0.99 * (len(times) - 1))]
        facts[f"worst {name}"] = times[-1]
    return facts


def _times(setting: Setting, width: int, count: int, every: int) -> list[float]:
    """The sorted milliseconds of all steps but the first few."""
    images = numpy.zeros((64 * count, 1, 28, 28), dtype=numpy.uint8)
    data: Any = (images, numpy.arange(len(images)) % 10)
    ends: list[float] = []

    def ended(step: int) -> None:
        if setting.device.startswith("cuda"):
            torch.cuda.synchronize(setting.device)
        ends.append(time.perf_counter())

    result = trained(
        setting,
        _WIDE.format(width=width),
        data={"train": data, "val": (images[:64], data[1][:64])},
        callback=AfterSteps(ended),
        train__epochs=1,
        train__batch=64,
        train__checkpoint=f"every={every} steps",
    )
    shutil.rmtree(result.folder)
    return sorted(1000 * (after - before) for before, after in pairwise(ends[3:]))


def _states(setting: Setting) -> Facts:
    """Each checkpoint is the state of its step: from whichever a run goes on, it comes to the same
    weights."""
    spec = NETWORK.replace("flatten", "flatten, dropout 0.2") + "train { ema 0.9\n accumulate 2 }"
    options: dict[str, Any] = {"train__deterministic": True, "train__epochs": 3}
    whole = checkpoint(trained(setting, spec, **options).folder)
    run = trained(setting, spec, train__checkpoint="every=1 steps keep=50", **options).folder
    older = sorted(run.glob("step-*.ckpt"))
    require(bool(older), "no older checkpoint is there")
    some = older[:: max(1, len(older) // 3)]
    for path in some:
        copy = setting.new_folder("older")
        shutil.copytree(run, copy)
        shutil.copyfile(path, copy / "last.ckpt")
        resumed(setting, copy)
        found = checkpoint(copy)
        for part in ("model", "average"):
            one, other = whole[part], found[part]
            one, other = (each.get("weights", each) for each in (one, other))
            same = all(torch.equal(one[key], other[key]) for key in one)
            require(same, f"{part} differs after {path.name}")
    return {"checkpoints": len(some)}
