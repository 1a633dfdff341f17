"""`oom`: running out of memory at every place of a run: the error is ours, and says what to do.

First the run is given a share of the memory that it needs, so that it fails while it is set up or
in its steps; then all that is left is taken away at an event of the run, so that what comes next
fails. Where only a part of it is taken away, the run must end all the same, in parts of batches. On
a CPU, tensors are counted and torch's error is raised by the suite.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.trainer.callbacks import Callback, EpochRecord, RunStart, Step
from dotcnn.training.trainer.result import Result

from .check import Check, Facts, Failed, Setting, Skipped, require
from .measure import MemoryLimit
from .training import NETWORK, checkpoint, images_for, trained

_SHARES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_LEFT = 0.6
"""Of the memory that a step needs: enough for half a batch."""
_EVENTS = ("started", "step", "evaluating", "epoch", "last epoch")

_PEAKS: dict[object, int] = {}


def checks(setting: Setting) -> Iterator[Check]:
    for share in _SHARES[::3] if setting.small else _SHARES:
        yield Check("a share of the memory", f"{share:.0%}", partial(_with_share, setting, share))
    for event in _EVENTS:
        yield Check("no more memory after", event, partial(_after_event, setting, event))
    for lines in ({}, {"train__accumulate": 2}, {"train__optimizer": "muon", "train__clip": 1}):
        name = ", ".join(f"{key.removeprefix('train__')} {value}" for key, value in lines.items())
        yield Check("less memory after a step", name or "plain", partial(_in_parts, setting, lines))


def _run(setting: Setting, callback: Callback | None = None, **lines: Any) -> Result:
    """Two epochs of a few steps, with averaged weights."""
    options: dict[str, Any] = {"train__ema": 0.9, "train__optimizer": "adamw", "train__epochs": 2}
    options |= lines
    if setting.small:
        return trained(setting, NETWORK, callback=callback, **options)
    data = images_for("resnet18", 96, 480)
    options |= {"input": (3, 96, 96), "train__batch": 96}
    return trained(setting, "resnet18", data=data, callback=callback, **options)


def _with_share(setting: Setting, share: float) -> Facts:
    if setting.folder not in _PEAKS:
        if setting.device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats(setting.device)
        with MemoryLimit(setting.device) as memory:
            _run(setting)
            _PEAKS[setting.folder] = memory.peak
    limit = share * _PEAKS[setting.folder]
    with MemoryLimit(setting.device, limit):
        facts = _failing(lambda: _run(setting))
    return {"MiB": limit / 2**20, **facts}


def _after_event(setting: Setting, event: str) -> Facts:
    with MemoryLimit(setting.device) as memory:
        callback = _Squeeze(memory, event)
        facts = _failing(lambda: _run(setting, callback))
    if not callback.done:
        raise Skipped("the run has no such event")
    return facts


def _in_parts(setting: Setting, lines: dict[str, Any]) -> Facts:
    """After its third step, a run gets less memory than a step needs."""
    with MemoryLimit(setting.device) as memory:
        callback = _Squeeze(memory, "third step", _LEFT)
        result = _run(setting, callback, **lines)
    parts = checkpoint(result.folder)["micro_batches"]
    require(callback.done and parts > 1, "the batches were not computed in parts", {"parts": parts})
    return {"parts": parts}


def _failing(run: Any) -> Facts:
    """Runs out of memory: the place, and the error, which must be ours and have advice."""
    try:
        run()
    except SpecError as error:
        found = error.diagnostics[0]
        facts = {"place": _place(error), "error": found.code, "help": found.help}
        error.__traceback__ = error.__context__ = None  # their frames hold tensors
        if "memory" not in found.code + found.message or not found.help:
            raise Failed(f"not about memory, or without advice: {found.message}", facts) from None
        return facts
    except Exception as error:  # noqa: BLE001 - this is what must not happen
        facts = {"place": _place(error), "error": type(error).__name__}
        message = " ".join(str(error).split())[:120]
        error.__traceback__ = None
        raise Failed(f"not explained: {message}", facts) from None
    finally:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return {"place": "nowhere: it was enough"}


def _place(error: BaseException) -> str:
    """The place of a run at which the first error was raised: `loop.py: train_epoch`."""
    while error.__context__ is not None:
        error = error.__context__
    best = "?"
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if "training" in path.parts and "cuda_suite" not in path.parts:
            best = f"{path.name}: {trace.tb_frame.f_code.co_name}"
        trace = trace.tb_next
    return best


class _Squeeze(Callback):
    """Takes free memory away at the first event of a name; all of it, or but for a share."""

    def __init__(self, memory: MemoryLimit, event: str, left: float = 0.0) -> None:
        self.memory = memory
        self.event = event
        self.left = left
        self.steps = 0
        self.done = False
        self.epochs = 0

    def _at(self, event: str) -> None:
        if event == self.event and not self.done:
            self.done = True
            self.memory.squeeze(self.left)

    def started(self, start: RunStart) -> None:
        self._at("started")

    def step(self, step: Step) -> None:
        self.steps += 1
        self._at("third step" if self.steps == 3 else "step")

    def evaluating(self, part: str, batch: int, batches: int) -> None:
        self._at("evaluating")

    def epoch(self, record: EpochRecord) -> None:
        self.epochs += 1
        self._at("epoch" if self.epochs == 1 else "last epoch")
