"""Integrated gradients: what each pixel adds to the score of a class (Sundararajan et al.,
arXiv:1703.01365).

The image is faded in from a plain one. The value of a pixel is its change times the mean gradient
along that way, so that all values sum to the change of the score (completeness). The mean is taken
at the middles of equal steps. If the sum is not close, there are three times as many steps, which
use those before them again: the middle of a step is also that of its middle third.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...data.loader.thread_pool import Progress, unwatched

STEPS = 27
MOST_STEPS = 81
CLOSE = 0.02
"""The difference between the sum of the values and the change of the score, as a share of it, at
which no more steps are taken."""


@dataclass(frozen=True, eq=False)
class Integrated:
    values: Tensor
    """classes x channels x height x width."""
    change: Tensor
    """For each class, the score of the image minus that of the plain image."""
    steps: int

    @property
    def error(self) -> Tensor:
        """How far the sum of the values is from the change of the score."""
        return (self.values.flatten(1).sum(1) - self.change).abs()


def integrated_gradients(
    score: Callable[[Tensor], Tensor],
    image: Tensor,
    plain: Tensor,
    classes: Sequence[int],
    *,
    steps: int = STEPS,
    most_steps: int = MOST_STEPS,
    batch: int = 8,
    progress: Progress = unwatched,
) -> Integrated:
    """`image` and `plain` are channels x height x width; `score` gives images x classes."""
    index = list(classes)
    with torch.no_grad():
        change = (score(image[None]) - score(plain[None]))[0, index].cpu()
    total = torch.zeros(len(index), *image.shape)
    new = [(2 * step + 1, 2 * steps) for step in range(steps)]  # fractions of the way
    while True:
        for start in range(0, len(new), batch):
            progress("integrated gradients", start, len(new))
            shares = [above / below for above, below in new[start : start + batch]]
            total += _gradients(score, image, plain, index, shares)
        progress("integrated gradients", len(new), len(new))
        values = total / steps * (image - plain).cpu()
        result = Integrated(values, change, steps)
        # A class whose score hardly changes need not be as exact as that.
        change_at_least = change.abs().clamp(min=float(change.abs().max()) / 10)
        close = result.error <= CLOSE * change_at_least
        if steps * 3 > most_steps or bool(close.all()):
            return result
        steps *= 3
        new = [(2 * step + 1, 2 * steps) for step in range(steps) if step % 3 != 1]


def _gradients(
    score: Callable[[Tensor], Tensor],
    image: Tensor,
    plain: Tensor,
    classes: list[int],
    shares: list[float],
) -> Tensor:
    """The gradient of each class, summed over some places on the way."""
    with torch.enable_grad():
        share = torch.tensor(shares, device=image.device).view(-1, 1, 1, 1)
        between = (plain + share * (image - plain)).requires_grad_()
        scores = score(between)
        gradients = [
            torch.autograd.grad(scores[:, each].sum(), between, retain_graph=each != classes[-1])[0]
            for each in classes
        ]
    return torch.stack([each.sum(0) for each in gradients]).cpu()
