"""Micro-batches: a batch that does not fit into memory is computed in parts; gradients add up.

    loss, outputs = micro_batches(images, labels, share, computed, last=True, least=64)

Before an attempt, what it changes is kept: running statistics and random numbers. If memory runs
out, they are put back, and the batch is computed again in twice as many parts. The number of parts
stays, and is saved with the checkpoint: a resumed run computes the same.

Two things cost too much to be done in each step, and are done only in the first steps after a
change: at the start of a run, when other layers are trained, and when images change their size.

- Where a step accumulates batches, the gradients of the earlier ones are kept, too.
- In distributed training, each process rehearses a batch by itself, and all agree on the number of
  parts. In the real step, the others would wait for the gradients of a process that failed.

A step has the same images and, up to rounding, the same gradient; only batch norms see the parts.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..runtime.compiled import Compiled
from ..runtime.out_of_memory import NotOneImage, is_out_of_memory
from ..runtime.process_group import Processes
from ..runtime.seeding import random_state, restore_random_state
from .state import Learner

Outputs = Tensor | tuple[Tensor, ...]
"""Logits, in float32; with auxiliary heads, those of each head after them."""

FIRST_STEPS = 2
"""The first step allocates the state of the optimizer, which leaves less memory for the second."""


class Before(NamedTuple):
    """What an attempt changes, as it was before; buffers are kept apart."""

    gradients: list[Tensor | None]
    """On the CPU: there is little room where they are."""
    random: Any


class MicroBatches:
    """Computes the gradient of batches, in parts where that is necessary."""

    def __init__(self, learner: Learner, processes: Processes, note: Callable[[str], None]) -> None:
        self.learner = learner
        self.processes = processes
        self.note = note
        # With `sync_bn`, a process cannot compute anything by itself.
        self._guards = processes.alone or not learner.plan.train.sync_bn.on
        self._size: torch.Size | None = None
        """The size of the images before."""
        self._first_steps = FIRST_STEPS
        """The number of first steps after a change that are still to come."""
        self._starts = True
        """Whether the next batch is the first one of its step."""
        by_dtype: dict[torch.dtype, list[Tensor]] = {}
        for buffer in learner.module.buffers():
            by_dtype.setdefault(buffer.dtype, []).append(buffer)
        self._buffers = [(own, [each.clone() for each in own]) for own in by_dtype.values()]
        """The buffers of the module, and room for their values before an attempt. Those of one
        dtype are copied together: on a GPU, that is a single launch."""

    def layers_changed(self) -> None:
        """Called when other layers are trained from now on."""
        self._first_steps = FIRST_STEPS

    def __call__(
        self,
        images: Tensor,
        labels: Tensor,
        share: float,
        computed: Callable[[Tensor], None],
        *,
        last: bool,
        least: int,
    ) -> tuple[Tensor, Outputs]:
        """Adds `share` times the gradient of a batch's loss; returns the loss and the outputs.
        `computed` is called with the loss as soon as it is known, and again if the attempt fails
        and is repeated. `last` says whether this is the last batch of its step; `least` is the
        number of images in the process that has fewest."""
        if images.shape[1:] != self._size:
            self._size, self._first_steps = images.shape[1:], FIRST_STEPS
        alone, starts, early = self.processes.alone, self._starts, self._first_steps > 0
        self._starts = last
        self._first_steps -= early and last

        def attempt(known: Callable[[Tensor], None], last: bool) -> tuple[Tensor, Outputs]:
            parts = min(self.learner.micro_batches, least)
            return self._attempt(images, labels, share, known, parts, last)

        def rehearse() -> None:
            attempt(_nothing, False)

        while self._guards and (early or (alone and starts)):
            before = self._before()
            try:
                if alone:
                    return attempt(computed, last)
                self.processes.together(rehearse)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if self.learner.micro_batches >= least:
                    raise NotOneImage(str(error)) from None
                fits = False
            else:
                fits = True
            # Outside of `except`, which would hold the tensors of the attempt.
            self._put_back(before)
            if fits:
                break
            if images.device.type == "cuda":
                torch.cuda.empty_cache()
            self.learner.micro_batches = min(2 * self.learner.micro_batches, least)
            self.note(
                f"out of memory: a batch is computed in {self.learner.micro_batches} parts from now"
                " on; batch norms see the parts"
            )
        return attempt(computed, last)

    def _attempt(
        self,
        images: Tensor,
        labels: Tensor,
        share: float,
        known: Callable[[Tensor], None],
        parts: int,
        last: bool,
    ) -> tuple[Tensor, Outputs]:
        """Gradients are exchanged once, after the last part of the last batch of the step."""
        forward = self.learner.forward
        if isinstance(forward, Compiled):
            forward.parts = self.learner.micro_batches
        total: Tensor | None = None
        outputs: list[Outputs] = []
        pairs = zip(images.tensor_split(parts), labels.tensor_split(parts), strict=True)
        for number, (some, theirs) in enumerate(pairs, 1):
            weight = len(some) / len(images)

            def loss_known(loss: Tensor, weight: float = weight, number: int = number) -> None:
                nonlocal total
                own = loss.detach() if parts == 1 else weight * loss.detach()
                total = own if total is None else total + own
                if number == parts:
                    known(total)

            exchanges = last and number == parts
            with nullcontext() if exchanges else self.processes.without_sum(forward):
                outputs.append(self._gradient(some, theirs, share * weight, loss_known))
        assert total is not None
        return total, _joined(outputs)

    def _gradient(
        self, images: Tensor, labels: Tensor, share: float, known: Callable[[Tensor], None]
    ) -> Outputs:
        learner = self.learner
        cast = learner.precision.autocast(learner.device)
        with cast or nullcontext():
            outputs = learner.forward(images)
        alone = isinstance(outputs, Tensor)
        if cast:
            outputs = outputs.float() if alone else tuple(each.float() for each in outputs)
        loss = learner.criterion(outputs, labels)
        known(loss)
        part = loss if share == 1 else loss * share
        scaler = learner.scaler
        (scaler.scale(part) if scaler else part).backward()  # type: ignore[no-untyped-call]
        return outputs.detach() if alone else tuple(each.detach() for each in outputs)

    # ---- a failed attempt ----

    @torch.no_grad()
    def _before(self) -> Before:
        for own, kept in self._buffers:
            torch._foreach_copy_(kept, own)
        return Before(
            [_on_cpu(parameter.grad) for parameter in self.learner.parameters],
            random_state(self.learner.device),
        )

    @torch.no_grad()
    def _put_back(self, before: Before) -> None:
        for own, kept in self._buffers:
            torch._foreach_copy_(own, kept)
        for parameter, gradient in zip(self.learner.parameters, before.gradients, strict=True):
            parameter.grad = None if gradient is None else gradient.to(parameter.device)
        restore_random_state(before.random, self.learner.device)


def _on_cpu(gradient: Tensor | None) -> Tensor | None:
    """A copy in pinned memory, which nothing waits for: it is read after it on the same stream."""
    return None if gradient is None else gradient.to("cpu", non_blocking=True, copy=True)


def _nothing(loss: Tensor) -> None:
    """The loss of a rehearsal does not count."""


def _joined(outputs: list[Outputs]) -> Outputs:
    """The outputs of all parts."""
    if len(outputs) == 1:
        return outputs[0]
    if isinstance(outputs[0], Tensor):
        return torch.cat([each for each in outputs if isinstance(each, Tensor)])
    return tuple(map(torch.cat, zip(*outputs, strict=True)))
