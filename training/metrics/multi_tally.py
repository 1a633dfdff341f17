"""Counts the results of an evaluation where a network has several outputs: those of each."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from .outcome import Outcome
from .tally import Tally

if TYPE_CHECKING:
    from ..tasks.multi_task import MultiTask


class MultiTally(Tally):
    """A tally for each output. An image without the label of an output counts nothing there."""

    def __init__(self, task: MultiTask, device: torch.device) -> None:
        self.task = task
        self.each = [one.task.tally(one.known_loss, device) for one in task.each]
        super().__init__(task.sum_of([tally.loss for tally in self.each]), device)

    def count(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        rows = zip(self.each, self.task.parts(outputs), self.task.labeled(labels), strict=True)
        for tally, (one, own), (_, wanted) in rows:
            if not one.answer.complete:
                known = one.known(wanted).nonzero().squeeze(1)
                own, wanted = own[known], wanted[known]
            if len(own):
                tally.add(own, one.read(wanted))
        return ()

    def thorough(self) -> Self:
        for tally in self.each:
            tally.thorough()
        return self

    def counters(self) -> tuple[Tensor, ...]:
        each = [counter for tally in self.each for counter in tally.counters()]
        return self.sums, self.differing, *each

    def metrics(self) -> dict[str, float]:
        """The whole loss, and the metrics of each output with its name before them."""
        count, loss = self.sums.tolist()
        if not count:
            return {}
        own = {
            f"{one.name}.{name}": value
            for one, tally in zip(self.task.each, self.each, strict=True)
            for name, value in (tally.metrics() or dict.fromkeys(one.task.metrics, nan)).items()
        }
        return {"loss": loss / count, **own}

    def outcomes(self, part: str, answers: Tensor, truth: Tensor) -> dict[str, Outcome]:
        """The outcome of each output, for the images that have its label."""
        rows = zip(self.each, self.task.answered(answers), self.task.labeled(truth), strict=True)
        found = {}
        for tally, (one, own), (_, wanted) in rows:
            known = one.known(wanted).nonzero().squeeze(1)
            found[one.name] = Outcome(
                part,
                tally.metrics(),
                tally.per_class(),
                tally.confusion(),
                own[known],
                one.read(wanted[known]),
                rows=known,
            )
        return found
