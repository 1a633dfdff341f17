"""The loop: every epoch, every batch, from top to bottom.

    reason = Loop(learner, opened, batches, keeper, callback, interruption).run()

What stands around it is elsewhere: what is learned with (`learner.py`), which images come
(`data/batches.py`), what is written down and when (`keeper.py`), what is shown (`watch.py`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext

from torch import Tensor, nn

from ..augment import augmenter
from ..checkpoint.writer import CheckpointWriter
from ..data.loader.batches import Batch, Batches
from ..data.loader.order import spans
from ..data.open import Opened
from ..metrics.confusion import is_better
from ..metrics.evaluation import count
from ..optim.optimizers import rate_of, set_rate
from ..runtime.async_scalar import AsyncScalar
from ..runtime.interrupts import Interruption
from ..runtime.nan_check import FAR, Diverged, Moment, advice, no_number, too_large
from ..runtime.process_group import ALONE, Processes
from .callbacks import Callback, EpochRecord, Step
from .state import Learner

DONE, EARLY, INTERRUPTED, DIVERGED, STOPPED = (
    "done", "early stop", "interrupted", "diverged", "stopped",
)  # fmt: skip
"""Why it ended."""


class Loop:
    """One training, from wherever it stands to its end."""

    def __init__(
        self,
        learner: Learner,
        opened: Opened,
        batches: Batches,
        keeper: CheckpointWriter,
        callback: Callback,
        interruption: Interruption,
        processes: Processes = ALONE,
    ) -> None:
        self.learner = learner
        self.opened = opened
        self.batches = batches
        self.validation = opened.evaluation("val", sharing=processes.sharing)
        self.keeper = keeper
        self.position = keeper.position
        self.callback = callback
        self.interruption = interruption
        self.processes = processes
        self.train = learner.plan.train
        self.augment = augmenter(learner.plan, opened.preparation, reuse=True)
        self.batches.guests = self.augment.guests if self.augment else 0
        self.images = 0
        """Learned from since this epoch began, or was gone on with."""

    def run(self) -> str:
        """Until all epochs are done, or something else is a reason to end."""
        epochs, patience = self.train.epochs.count, self.learner.patience
        if patience is not None and patience.over:  # gone on with, and it was at its end
            return EARLY
        while self.position.epoch < epochs:
            began = time.perf_counter()
            if not self.epoch():
                self.position.seconds += time.perf_counter() - began
                self.keeper.interrupted(self.learner)
                return INTERRUPTED
            record, enough = self.result(began)
            self.position.seconds += record.seconds
            self.keeper.epoch(self.learner, record, last=enough or self.position.epoch == epochs)
            self.callback.epoch(record)
            if enough:
                return EARLY
        return DONE

    def close(self) -> None:
        """Ends the processes that read images."""
        self.batches.close()
        self.validation.close()

    # ---- learning ----

    def epoch(self) -> bool:
        """Once over all images that are left of it; False where somebody ended it before."""
        learner, position, clip = self.learner, self.position, self.train.clip
        learner.begin(position.epoch)
        forward, criterion, anchor = learner.forward, learner.criterion, learner.anchor
        optimizer, scaler, average = learner.optimizer, learner.scaler, learner.average
        cast = learner.precision.autocast(learner.device)
        gauge, fetch = self.keeper.gauge, AsyncScalar(learner.device)
        heads = bool(learner.network.aux)
        self.images = 0

        for number, (batch, share, last) in self.shares():
            images, labels = self.prepared(batch)
            with nullcontext() if last else self.processes.without_sum(forward):
                with cast or nullcontext():
                    outputs = forward(images)
                if cast:
                    outputs = tuple(o.float() for o in outputs) if heads else outputs.float()
                loss = criterion(outputs, labels)
                fetch.begin(loss)
                part = loss if share == 1 else loss * share
                (scaler.scale(part) if scaler else part).backward()  # type: ignore[no-untyped-call]
            value, asked = self.processes.agreed(fetch.value(), self.interruption.asked)
            if not math.isfinite(value):
                raise self.broken(images)
            gauge.add(loss, outputs[0] if heads else outputs, labels)
            self.images += self.batches.together
            if not last:
                continue

            rate = learner.rates.at(position.steps)
            set_rate(optimizer, rate)
            if scaler and (clip or anchor):
                scaler.unscale_(optimizer)
            if anchor:
                anchor.pull()
            if clip:
                if clip.by == "norm":
                    nn.utils.clip_grad_norm_(learner.parameters, clip.limit)
                else:
                    nn.utils.clip_grad_value_(learner.parameters, clip.limit)
            if scaler:
                scaler.step(optimizer)
                scaler.update()
            else:
                optimizer.step()
            optimizer.zero_grad()
            if average:
                average.update()

            position.steps += 1
            position.position = self.batches.state.position
            speed, waiting = self.images / self.batches.elapsed, self.batches.waiting
            self.callback.step(Step(position.epoch + 1, number, value, rate, speed, waiting))
            if asked or (self.processes.alone and self.interruption.asked):
                return False
        position.epoch += 1
        position.position = 0
        return True

    def prepared(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Images as the network takes them, augmented where the plan says so, and their labels."""
        laid_out = self.learner.precision.laid_out
        if self.augment is None:
            return self.opened.preparation.prepare(laid_out(batch.images)), batch.labels
        images, labels = self.augment(
            batch.images, batch.labels, batch.indices, self.position.epoch
        )
        return laid_out(images), labels

    def shares(self) -> Iterator[tuple[int, tuple[Batch, float, bool]]]:
        """The batches that are left of an epoch, by number: each with what its loss counts in its
        step, and whether the step follows. Steps are means over all images that they are worked out
        from, whoever has them and in whatever portions."""
        position, size = self.position, self.batches.batch
        sizes = [
            span.stop - span.start
            for span in spans(
                len(self.batches.store), size, position.position, self.batches.drop_last
            )
        ]
        before = len(self.batches) - len(sizes)
        many = self.train.accumulate.batches
        for index, batch in enumerate(self.batches(position.epoch, position.position)):
            first = index - index % many
            together = sum(sizes[first : first + many])
            own = len(batch.labels) - self.batches.guests
            share = own * self.processes.world / together
            last = index % many == many - 1 or index == len(sizes) - 1
            yield before + index + 1, (batch, share, last)

    def broken(self, images: Tensor) -> Diverged:
        """What is said where a loss is no number; no step has been done with it."""
        forward, cast = self.learner.taught, self.learner.precision.autocast(self.learner.device)

        def once_more() -> object:
            with cast or nullcontext():
                return forward(images)

        return no_number(forward, once_more, self.moment(), self.advice())

    # ---- what came of it ----

    def result(self, began: float) -> tuple[EpochRecord, bool]:
        """What the epoch came to, and whether it was the last one that makes sense."""
        learner, position, plan = self.learner, self.position, self.learner.plan
        gauge = self.keeper.gauge
        self.processes.add_up([gauge.counters()])
        learned = gauge.metrics()
        gauge.reset()
        waiting, elapsed = self.batches.waiting, self.batches.elapsed
        guessing = math.log(max(2, len(self.opened.dataset.classes)))
        if learned["loss"] > FAR * guessing:
            raise too_large(learned["loss"], guessing, self.moment(), self.advice())
        rate = learner.rates.at(position.steps - 1)
        found = count(
            learner.examined,
            self.opened,
            self.validation,
            plan.train.loss,
            learner.precision,
            self.callback,
            "val",
            merge=self.processes.add_up,
        ).metrics()
        best = is_better(self.metric, found[self.metric], position.best)
        if best:
            position.best, position.best_epoch = found[self.metric], position.epoch
        plateau, patience = learner.rates.plateau, learner.patience
        if plateau is not None and plateau.epoch(found[plateau.schedule.metric]):
            self.callback.note(
                f"nothing has got better for long: the learning rate falls to"
                f" {learner.rates.at(position.steps):.3g}"
            )
        enough = patience is not None and patience.epoch(found[patience.directive.metric])
        return (
            EpochRecord(
                position.epoch,
                position.steps,
                rate,
                learned,
                self.shown(found),
                best,
                time.perf_counter() - began,
                self.images / elapsed if elapsed else 0.0,
                waiting,
            ),
            enough,
        )

    @property
    def metric(self) -> str:
        """What makes a state the best; `top5` of five classes is always 1."""
        wanted = self.train.checkpoint.metric
        few = len(self.opened.dataset.classes) <= 5 or self.opened.dataset.multi_label
        return "top1" if wanted == "top5" and few else wanted

    def shown(self, found: Mapping[str, float]) -> dict[str, float]:
        """Those metrics that the plan wants, and those that something depends on."""
        train = self.train
        wanted = {*train.metrics.names, self.metric}
        wanted |= {train.early_stop.metric} if train.early_stop else set()
        plateau = self.learner.rates.plateau
        wanted |= {plateau.schedule.metric} if plateau else set()
        return {name: value for name, value in found.items() if name in wanted}

    def moment(self) -> Moment:
        steps = self.position.steps
        return Moment(self.position.epoch + 1, steps + 1, self.learner.rates.at(steps))

    def advice(self) -> str:
        train = self.train
        half = self.learner.precision.dtype is not None
        return advice(rate_of(train.optimizer), train.schedule.warmup, train.clip is not None, half)
