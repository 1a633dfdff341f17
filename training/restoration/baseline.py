"""How far inputs are from their targets: what a network has to be better than.

Inputs are compared as they are, brought to the size of the target by bicubic interpolation, and to
its channels.
"""

from __future__ import annotations

import torch

from ..data.loader.thread_pool import Progress, unwatched
from ..data.opened import Opened
from ..metrics.comparison import INPUT, Comparison
from ..metrics.image_tally import BEST
from ..metrics.outcome import Outcome
from .degrade import in_gray, scaled


def against_inputs(
    opened: Opened, outcome: Outcome, progress: Progress = unwatched
) -> tuple[Comparison, ...]:
    """The answers to a part compared with the inputs themselves; empty if answers are not images,
    or if the input is the target."""
    if opened.pairs is None:
        return ()
    base = of_inputs(opened, outcome.part, progress)
    if base.get("psnr", BEST) > _SAME:
        return ()
    images = len(outcome.answers)
    return (Comparison("the network", INPUT, images, outcome.metrics, base, "psnr"),)


_SAME = 60.0
"""From this PSNR on, inputs are their targets."""


def of_inputs(opened: Opened, part: str, progress: Progress = unwatched) -> dict[str, float]:
    """The metrics of inputs, as if a network answered with them."""
    assert opened.pairs is not None
    task, pairs = opened.task, opened.pairs
    tally = task.counts(opened.loss, opened.device)
    for one in opened.stores if part == "all" else (part,):
        batches = opened.evaluation(one)
        try:
            with torch.inference_mode():
                for number, (inputs, targets, _) in enumerate(batches()):
                    progress("comparing inputs", number, len(batches))
                    levels = scaled(inputs.float(), (targets.shape[-2], targets.shape[-1]))
                    if levels.shape[1] != targets.shape[1]:
                        gray = in_gray(levels) if levels.shape[1] > 1 else levels
                        levels = gray.expand(-1, pairs.target_channels, -1, -1)
                    tally.add(task.outputs(levels), targets)
        finally:
            batches.close()
    return tally.results()
