"""Finds the learning rate of a job, before its run: `cnn train --find-lr`.

    found = find_rate(job, folder)
    job = with_rate(job, found)

A network of its own is set up for that, from the same seed and so with the same starting weights,
and thrown away afterwards. The run is then set up as if it had been given the rate: its weights,
random numbers and order of images are those of a spec in which the rate is written.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from ..optim.optimizers import rate_of
from ..request import Request
from ..runtime.errors import explained
from ..runtime.interrupts import Interruption
from ..trainer.callbacks import Callback
from ..trainer.job import Job
from ..trainer.setup import set_up
from .found_rate import FoundRate
from .range_test import RangeTest
from .suggest import smoothed, suggest

STEPS = 100
LOW, HIGH = 1e-4, 1e3
"""The range of rates, as factors of the usual rate of the optimizer."""
_READING = "learning-rate range test: step"


class _Quiet(Callback):
    """Tells nothing of a run but what takes long before it."""

    def __init__(self, callback: Callback) -> None:
        self._callback = callback

    def reading(self, what: str, done: int, total: int | None) -> None:
        self._callback.reading(what, done, total)


def find_rate(job: Job, folder: Path) -> FoundRate:
    """The learning rate for a job whose run folder will be `folder`; nothing is written to it.
    Raises SpecError if training could not begin."""
    optimizer = job.plan.train.optimizer
    began = time.perf_counter()
    rates = [optimizer.usual_lr * LOW * (HIGH / LOW) ** (n / (STEPS - 1)) for n in range(STEPS)]
    losses = job.processes.broadcast(_losses(job, folder, rates))
    rates = rates[: len(losses)]
    means = smoothed(losses)
    suggestion = suggest(rates, losses, means)
    before = rate_of(optimizer)
    return FoundRate(
        lr=before if suggestion.lr is None else suggestion.lr,
        found=suggestion.lr is not None,
        reason=suggestion.reason,
        before=before,
        rates=tuple(rates),
        losses=tuple(losses),
        smoothed=tuple(means),
        seconds=time.perf_counter() - began,
    )


def _losses(job: Job, folder: Path, rates: list[float]) -> list[float]:
    """The losses of the steps of a range test."""
    train = job.plan.train
    # Compiling takes longer than the test.
    plan = replace(job.plan, train=replace(train, compile=train.compile.replace(on=False)))
    tested = replace(
        job,
        request=replace(job.request, plan=plan),
        callback=_Quiet(job.callback),
        ensemble_folder=job.ensemble_folder or folder,  # cached features are shared with the run
    )

    def progress(step: int, steps: int) -> None:
        job.callback.reading(_READING, step, steps)

    with tempfile.TemporaryDirectory(prefix="dotcnn-") as scratch:
        with explained(tested.situation(phase="setup")):
            run = set_up(tested, Path(scratch), Interruption())
        with explained(tested.situation(precision=run.learner.precision)):
            losses = RangeTest(run, rates, progress).losses()
    del run
    if job.device.type == "cuda":
        torch.cuda.empty_cache()
    return losses


def with_rate(request: Request, found: FoundRate) -> Request:
    """The request as if its spec had the rate written in its optimizer."""
    if not found.found:
        return request
    train = request.plan.train
    optimizer = train.optimizer.replace(lr=found.lr)
    override = f"train.optimizer.lr={found.lr:g}"
    return replace(
        request,
        plan=replace(request.plan, train=replace(train, optimizer=optimizer)),
        options=request.options._replace(set=(*request.options.set, override)),
    )
