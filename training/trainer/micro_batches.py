"""Micro-batches: a batch that does not fit into memory is computed in parts; gradients add up.

    loss, outputs = micro_batches(images, labels, share, computed)

The first step of an epoch is where memory runs out, if it does: layers may have been unfrozen, and
the evaluation before has left its segments. So only there is kept what a failed attempt changes:
running statistics, random numbers, gradients of earlier batches of the step. After a failure they
are put back, and the batch is computed again in twice as many parts. The number of parts stays, and
is saved with the checkpoint: a resumed run computes the same.

A step has the same images and, up to rounding, the same gradient; only batch norms see the parts.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..runtime.out_of_memory import is_out_of_memory
from ..runtime.seeding import random_state, restore_random_state
from .state import Learner

Outputs = Tensor | tuple[Tensor, ...]
"""Logits, in float32; with auxiliary heads, those of each head after them."""


class Before(NamedTuple):
    """What an attempt changes, as it was before."""

    buffers: list[Tensor]
    gradients: list[Tensor | None]
    """On the CPU: there is little room where they are."""
    random: Any


class MicroBatches:
    """Computes the gradient of batches, in parts where that is necessary."""

    def __init__(self, learner: Learner, note: Callable[[str], None], *, alone: bool) -> None:
        self.learner = learner
        self.note = note
        self.alone = alone
        """Other processes would wait for the gradients of a failed attempt."""

    def __call__(
        self,
        images: Tensor,
        labels: Tensor,
        share: float,
        computed: Callable[[Tensor], None],
        *,
        guarded: bool,
    ) -> tuple[Tensor, Outputs]:
        """Adds `share` times the gradient of a batch's loss; returns the loss and the outputs.
        `computed` is called with the loss once, as soon as it is certain. With `guarded`, memory
        may run out."""
        if not (guarded and self.alone):
            return self._attempt(images, labels, share, computed)
        before = self._before()
        while True:
            try:
                loss, outputs = self._attempt(images, labels, share, _nothing)
                computed(loss)
                return loss, outputs
            except Exception as error:
                if not is_out_of_memory(error) or self.learner.micro_batches >= len(images):
                    raise
            # Outside of `except`, which would hold the tensors of the attempt.
            self._put_back(before)
            self.learner.micro_batches = min(2 * self.learner.micro_batches, len(images))
            self.note(
                f"out of memory: a batch is computed in {self.learner.micro_batches} parts from now"
                " on; batch norms see the parts"
            )

    def _attempt(
        self, images: Tensor, labels: Tensor, share: float, computed: Callable[[Tensor], None]
    ) -> tuple[Tensor, Outputs]:
        parts = min(self.learner.micro_batches, len(images))
        if parts == 1:
            return self._gradient(images, labels, share, computed)
        total = torch.zeros((), device=images.device)
        outputs: list[Outputs] = []
        pairs = zip(images.tensor_split(parts), labels.tensor_split(parts), strict=True)
        for number, (some, theirs) in enumerate(pairs):
            weight = len(some) / len(images)

            def known(
                loss: Tensor, weight: float = weight, last: bool = number == parts - 1
            ) -> None:
                nonlocal total
                total = total + weight * loss.detach()
                if last:
                    computed(total)

            outputs.append(_detached(self._gradient(some, theirs, share * weight, known)[1]))
        return total, _joined(outputs)

    def _gradient(
        self, images: Tensor, labels: Tensor, share: float, known: Callable[[Tensor], None]
    ) -> tuple[Tensor, Outputs]:
        learner = self.learner
        cast = learner.precision.autocast(learner.device)
        with cast or nullcontext():
            outputs = learner.forward(images)
        if cast:
            alone = isinstance(outputs, Tensor)
            outputs = outputs.float() if alone else tuple(each.float() for each in outputs)
        loss = learner.criterion(outputs, labels)
        known(loss)
        part = loss if share == 1 else loss * share
        scaler = learner.scaler
        (scaler.scale(part) if scaler else part).backward()  # type: ignore[no-untyped-call]
        return loss, outputs

    # ---- a failed attempt ----

    def _before(self) -> Before:
        learner = self.learner
        return Before(
            [buffer.clone() for buffer in learner.module.buffers()],
            [_on_cpu(parameter.grad) for parameter in learner.parameters],
            random_state(learner.device),
        )

    @torch.no_grad()
    def _put_back(self, before: Before) -> None:
        learner = self.learner
        for buffer, value in zip(learner.module.buffers(), before.buffers, strict=True):
            buffer.copy_(value)
        for parameter, gradient in zip(learner.parameters, before.gradients, strict=True):
            parameter.grad = None if gradient is None else gradient.to(parameter.device)
        restore_random_state(before.random, learner.device)
        if learner.device.type == "cuda":
            torch.cuda.empty_cache()


def _on_cpu(gradient: Tensor | None) -> Tensor | None:
    """A copy in pinned memory, which nothing waits for: it is read after it on the same stream."""
    return None if gradient is None else gradient.to("cpu", non_blocking=True, copy=True)


def _nothing(loss: Tensor) -> None:
    """Not certain yet: the backward pass may run out of memory."""


def _detached(outputs: Outputs) -> Outputs:
    if isinstance(outputs, Tensor):
        return outputs.detach()
    return tuple(each.detach() for each in outputs)


def _joined(outputs: list[Outputs]) -> Outputs:
    """The outputs of all parts."""
    if isinstance(outputs[0], Tensor):
        return torch.cat([each for each in outputs if isinstance(each, Tensor)])
    return tuple(map(torch.cat, zip(*outputs, strict=True)))
