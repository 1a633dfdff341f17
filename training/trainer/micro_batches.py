"""Micro-batches: a batch that does not fit into memory is computed in parts; gradients add up.

    loss, outputs = micro_batches(images, labels, again, share, computed, last=True, least=64)
    micro_batches.step(optimizer.step)

Before a step, what its batches change is kept: running statistics and random numbers. If memory
runs out at one of them, these are put back, and all batches of the step are computed again in twice
as many parts. The number of parts stays, and is saved with the checkpoint: a resumed run computes
the same.

Two things cost too much to be done in each step, and are done only in the first steps after a
change: at the start of a run, when other layers are trained, and when images change their size.

- The first step of the optimizer allocates its state. If memory runs out there, the weights and the
  state are put back, too.
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

from ..optim.optimizers import state_before
from ..runtime.compiled import Compiled
from ..runtime.memory_errors import NotOneImage, is_out_of_memory
from ..runtime.process_group import Processes
from ..runtime.seeding import random_state, restore_random_state
from .state import Learner

Outputs = Tensor | tuple[Tensor, ...]
"""Logits, in float32; with auxiliary heads, those of each head after them."""

Again = Callable[[], tuple[Tensor, Tensor]]
"""Reads and preprocesses a batch once more, with the same result. Images of batches that are done
are not kept: those of a step that accumulates many would need a lot of memory."""

FIRST_STEPS = 2
"""The first step allocates the state of the optimizer, which leaves less memory for the second."""


class _Share(NamedTuple):
    """A batch of a step."""

    again: Again
    share: float
    """Of its loss in the loss of the step."""
    last: bool
    """Whether it is the last one of the step."""
    least: int
    """The number of images in the process that has fewest."""


class MicroBatches:
    """Computes the gradient of batches, in parts where that is necessary."""

    def __init__(self, learner: Learner, processes: Processes, note: Callable[[str], None]) -> None:
        self.learner = learner
        self.processes = processes
        self.note = note
        # With `sync_bn`, a process cannot compute anything by itself.
        self._rehearses = not processes.alone and not learner.plan.train.sync_bn.on
        self._size: torch.Size | None = None
        """The size of the images before."""
        self._first_steps = FIRST_STEPS
        """The number of first steps after a change that are still to come."""
        self._allocates = True
        """Whether the optimizer may allocate state in the next step."""
        self._batches: list[_Share] = []
        """The batches of this step until now."""
        self._random: Any = None
        """The random numbers before this step."""
        by_dtype: dict[torch.dtype, list[Tensor]] = {}
        for buffer in learner.module.buffers():
            by_dtype.setdefault(buffer.dtype, []).append(buffer)
        self._buffers = [(own, [each.clone() for each in own]) for own in by_dtype.values()]
        """The buffers of the module, and room for their values before this step. Those of one dtype
        are copied together: on a GPU, that is a single launch."""

    def layers_changed(self) -> None:
        """Called when other layers are trained from now on."""
        self._first_steps = FIRST_STEPS
        self._allocates = True

    def __call__(
        self,
        images: Tensor,
        labels: Tensor,
        again: Again,
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
        batch = _Share(again, share, last, least)
        if not self._batches:
            self._keep()
            if self._rehearses and self._first_steps:
                self._rehearse(batch, images, labels)
        self._batches.append(batch)
        if not self.processes.alone:
            return self._attempt(batch, images, labels, computed)
        fits = True
        while True:
            try:
                if not fits:
                    self._repeat(self._batches[:-1])
                return self._attempt(batch, images, labels, computed)
            except (RuntimeError, MemoryError) as error:
                self._must_be_divisible(error)
            # Outside of `except`, which would hold the tensors of the attempt.
            fits = False
            self._put_back()
            self._divide()

    def step(self, make_step: Callable[[], None]) -> None:
        """Makes the step of the optimizer, whose gradients are known now."""
        if self._allocates:
            self._first_step(make_step)
        else:
            make_step()
        self._allocates = False
        self._first_steps -= self._first_steps > 0
        self._batches.clear()

    def take_back(self) -> None:
        """The batches of a step that is not made are forgotten."""
        if self._batches:
            self._batches.clear()
            self._put_back()

    def _first_step(self, make_step: Callable[[], None]) -> None:
        put_back = state_before(self.learner.optimizer)
        while True:
            try:
                self.processes.together(make_step)
                return
            except (RuntimeError, MemoryError) as error:
                self._must_be_divisible(error)
            put_back()
            self._reset_scaler()
            self._put_back()
            self._divide()
            self._repeat(self._batches)

    def _rehearse(self, batch: _Share, images: Tensor, labels: Tensor) -> None:
        """Divides batches until one fits in all processes, beside the gradients of one before if
        the step has several."""

        def rehearse() -> None:
            for _ in range(1 if batch.last else 2):
                self._attempt(batch._replace(last=False), images, labels, _nothing)

        fits = False
        while not fits:
            try:
                self.processes.together(rehearse)
                fits = True
            except (RuntimeError, MemoryError) as error:
                self._must_be_divisible(error, batch)
            self._put_back()
            if not fits:
                self._divide(batch)

    def _repeat(self, batches: list[_Share]) -> None:
        """Computes the gradients of batches of this step again; their losses are known already."""
        for batch in batches:
            self._attempt(batch, *batch.again(), _nothing)

    def _attempt(
        self, batch: _Share, images: Tensor, labels: Tensor, known: Callable[[Tensor], None]
    ) -> tuple[Tensor, Outputs]:
        """Gradients are exchanged once, after the last part of the last batch of the step."""
        parts = min(self.learner.micro_batches, batch.least)
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

            exchanges = batch.last and number == parts
            with nullcontext() if exchanges else self.processes.without_sum(forward):
                outputs.append(self._gradient(some, theirs, batch.share * weight, loss_known))
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

    def _must_be_divisible(self, error: Exception, *batches: _Share) -> None:
        """Raises the error again unless memory ran out and batches can be divided further."""
        if not is_out_of_memory(error):
            raise error
        if self.learner.micro_batches >= self._most(*batches):
            raise NotOneImage(str(error)) from None

    def _most(self, *batches: _Share) -> int:
        return max(batch.least for batch in batches or self._batches)

    def _divide(self, *batches: _Share) -> None:
        """From now on, batches are computed in twice as many parts."""
        if self.learner.device.type == "cuda":
            torch.cuda.empty_cache()
        self.learner.micro_batches = min(2 * self.learner.micro_batches, self._most(*batches))
        self.note(
            f"out of memory: a batch is computed in {self.learner.micro_batches} parts from now"
            " on; batch norms see the parts"
        )

    @torch.no_grad()
    def _keep(self) -> None:
        for own, kept in self._buffers:
            torch._foreach_copy_(kept, own)
        self._random = random_state(self.learner.device)

    @torch.no_grad()
    def _put_back(self) -> None:
        """As it was before this step, which begins without gradients."""
        for own, kept in self._buffers:
            torch._foreach_copy_(own, kept)
        for parameter in self.learner.parameters:
            parameter.grad = None
        restore_random_state(self._random, self.learner.device)

    def _reset_scaler(self) -> None:
        """As before a step of the optimizer that has failed."""
        scaler = self.learner.scaler
        if scaler:
            scaler.update(scaler.get_scale())
            for name in ("grad_scale", "found_inf"):
                self.learner.optimizer.__dict__.pop(name, None)


def _nothing(loss: Tensor) -> None:
    """The loss of a batch that is computed once more does not count."""


def _joined(outputs: list[Outputs]) -> Outputs:
    """The outputs of all parts."""
    if len(outputs) == 1:
        return outputs[0]
    if isinstance(outputs[0], Tensor):
        return torch.cat([each for each in outputs if isinstance(each, Tensor)])
    return tuple(map(torch.cat, zip(*outputs, strict=True)))
