"""The training loop over epochs and batches.

    ending = Loop(run, interruption).run()

It uses the optimizer and its state (state.py), the batches (data/loader/batches.py), the checkpoint
writer (checkpoint/writer.py) and the callbacks (callbacks.py).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

from torch import Tensor, nn

from ...compiler.plan.metric_names import TRAIN_LOSS
from ...dsl.diagnostics import SpecError
from ..augment.progressive import progressive
from ..checkpoint.run_folder import shown
from ..data.loader.batches import Batch
from ..data.loader.order import BatchSizes, sample
from ..metrics.better import is_best
from ..metrics.evaluation import count
from ..metrics.tally import Tally
from ..optim.optimizers import rate_of, set_rate, step_unless
from ..restoration.augment import augmenter_for
from ..runtime.async_scalar import AsyncScalars, Sent, send
from ..runtime.constant_outputs import constant_outputs
from ..runtime.interrupts import Interruption, WaitEnded
from ..runtime.memory_errors import is_out_of_memory
from ..runtime.nan_check import FAR, Diverged, Moment, advice, not_finite, too_large
from ..runtime.sync_batchnorm import Shares, set_shares
from .callbacks import BEFORE_TRAINING, Callback, EpochRecord, Step, Stop
from .micro_batches import MicroBatches
from .setup import Run
from .state import Learner

DONE, EARLY, CALLBACK, PRUNED, INTERRUPTED, DIVERGED, STOPPED = (
    "done", "early stop", "callback stop", "pruned", "interrupted", "diverged", "stopped",
)  # fmt: skip
"""The states in which training ends."""

T = TypeVar("T")


class Ending(NamedTuple):
    """How training ended."""

    state: str
    why: str = ""
    """The reason that a callback gave."""


def read_late(learner: Learner) -> bool:
    """Whether losses are read one step late. A step with a loss that is NaN is then left out
    without the program knowing; else the weights would be lost before the error is noticed."""
    return learner.device.type == "cuda"


@dataclass
class Unread:
    """A batch whose loss is not read yet."""

    batch: Batch
    moment: Moment
    loss: float | None = None
    step: Step | None = None
    """The step of the optimizer, once it is made; None if the batch is not the last of its step."""


class _Interrupted(Exception):
    """Training was asked to stop while the network is validated."""


class _WhileValidating(Callback):
    """Ends a validation as soon as training is to stop."""

    def __init__(self, callback: Callback, stopping: Callable[[], bool]) -> None:
        self.callback, self.stopping = callback, stopping

    def evaluating(self, part: str, batch: int, batches: int) -> None:
        self.callback.evaluating(part, batch, batches)
        if batch < batches and self.stopping():
            raise _Interrupted

    def note(self, line: str) -> None:
        self.callback.note(line)


class Loop:
    """Trains one network, from its current state to the end."""

    def __init__(self, run: Run, interruption: Interruption) -> None:
        self.learner = run.learner
        self.data = run.data
        self.batches = run.batches
        self.writer = run.writer
        self.position = run.writer.position
        self.callback = run.job.callback
        self.processes = run.job.processes
        self.interruption = interruption
        self.train = self.learner.plan.train
        self.metric, self.metrics = run.metric, run.metrics
        self.thorough = run.thorough
        self.validated = self.learner.evaluated_part
        self.validate_in_batches_of(
            run.job.evaluation_batch(self.learner.precision) * self.processes.world
        )
        self.augment = augmenter_for(
            self.learner.plan,
            self.data.preparation,
            self.data.pairs,
            mixable=self.data.task.mixable,
            reuse=True,
            behind=self.data.task.behind,
        )
        self.progressive = progressive(self.learner.plan)
        self.batches.guests = self.augment.guests if self.augment else 0
        length = self.learner.rates.length
        self.last_step = length.total if length.total % length.steps else None
        """The step at which training ends within an epoch (`epochs 9.9`)."""
        self.watched = _WhileValidating(self.callback, self.stops_validating)
        self.warned_of_constant_outputs = False
        self.images = 0
        """The number of images since the start of this epoch, or since it was resumed."""
        self.images_of_epoch = 0
        """The position at the end of the last epoch."""
        self.failed: SpecError | None = None
        """Why no more images can be read: what was trained is saved."""
        self.told = Shares.ALL
        """What layers were told of the shares of a batch."""
        self.given_up = False
        """Whether a signal came while images were waited for."""
        self.elsewhere = any(self.processes.gathered(self.batches.elsewhere))
        """Whether images of training are read from elsewhere."""
        self.stopping = False
        """Whether another process was asked to stop."""
        self.saving = False
        """Whether the first process asks for a checkpoint within the epoch."""
        self.facts: Mapping[str, str] = {}
        """What the validation of this epoch found out that belongs to the weights, such as
        thresholds."""
        self.micro_batches = MicroBatches(self.learner, self.processes, self.callback.note)

    def run(self) -> Ending:
        """Trains until all epochs are done or there is another reason to end, which is returned."""
        epochs, early_stopping = self.train.epochs.whole, self.learner.early_stopping
        if (
            early_stopping is not None and early_stopping.over
        ):  # a resumed run that had already ended
            return Ending(EARLY)
        self.validate_before_training()
        while self.position.epoch < epochs:
            began = time.perf_counter()
            if not self.train_epoch(began):
                return self.interrupted(began)
            try:
                record, stop = self.end_epoch(began)
            except _Interrupted:
                return self.interrupted(began)
            self.position.seconds += record.seconds
            last = stop or self.position.epoch == epochs
            self.writer.epoch(self.learner, record, last=last, facts=self.facts)
            asked = self.processes.broadcast(self.callback.epoch(record))
            if stop:
                return Ending(EARLY)
            if asked and not last:
                self.writer.stopped(self.learner)
                return Ending(asked.state if isinstance(asked, Stop) else CALLBACK, str(asked))
        return Ending(DONE)

    def interrupted(self, began: float) -> Ending:
        """Saves the state within an epoch."""
        self.position.seconds += time.perf_counter() - began
        self.writer.interrupted(self.learner)
        if self.failed is not None:
            raise self.saved(self.failed)
        return Ending(INTERRUPTED)

    def saved(self, error: SpecError) -> SpecError:
        """The error, with how to go on."""
        first, *others = error.diagnostics
        go_on = f"`cnn train --resume {shown(self.writer.folder.path)}`"
        help = f"{first.help}: {go_on}" if first.help else f"to go on: {go_on}"
        notes = (*first.notes, "all steps until then are saved")
        return SpecError([replace(first, help=help, notes=notes), *others])

    def close(self) -> None:
        """Ends the worker processes that read images."""
        self.batches.close()
        self.validation.close()

    # ---- steps ----

    def train_epoch(self, began: float | None = None) -> bool:
        """Trains on the remaining batches of the epoch, which `began` at this time; returns False
        if the user interrupts it. Without that time, no checkpoints are written."""
        learner, position = self.learner, self.position
        if learner.start_epoch(position.epoch):
            self.micro_batches.layers_changed()
        optimizer, scaler, average = learner.optimizer, learner.scaler, learner.average
        lookahead = learner.lookahead
        late = read_late(learner)
        metrics, losses = self.writer.metrics, AsyncScalars[Unread](late)
        bad: Tensor | None = None
        agreed: Tensor
        sent: Sent
        self.images = 0

        def computed(loss: Tensor) -> None:
            nonlocal agreed, sent
            save = began is not None and self.writer.due()
            self.saving |= save and self.processes.alone
            weight = self.batches.own * self.processes.world / self.batches.together
            mean = loss if weight == 1 else loss * weight
            agreed = self.processes.agree(mean, self.interruption.requested, save)
            sent = send(agreed)

        for number, (batch, share, last) in self.shares():
            self.tell_shares()
            images, labels = self.preprocess(batch)
            unread = Unread(batch, self.moment())
            loss, outputs = self.micro_batches(
                images,
                labels,
                partial(self.preprocess_again, batch.labels, batch.indices),
                share,
                computed,
                last=last,
                least=self.batches.least,
            )
            if began is not None:
                self.writer.before_step(learner)
            losses.put(sent, unread)
            if late and not scaler:
                infinite = ~agreed.isfinite().all()
                bad = infinite if bad is None else bad | infinite
            self.read(losses.take())
            if self.batches.own:
                metrics.add(loss, outputs, labels)
            self.images += self.batches.together
            if not last:
                continue

            rate = learner.rates.at(position.steps)
            set_rate(optimizer, rate)
            self.micro_batches.step(partial(self.step, bad))
            bad = None
            optimizer.zero_grad()
            position.steps += 1
            if lookahead:
                lookahead.update(position.of_schedule)
            if average:
                average.update()
            position.position = self.batches.state.position
            speed, waiting = self.images / self.batches.elapsed, self.batches.waiting
            unread.step = Step(
                position.epoch + 1, number, math.nan, rate, speed, waiting, position.steps
            )
            self.report(unread)
            if self.stopping or (self.processes.alone and self.interruption.requested):
                self.read(losses.rest())
                return False
            if position.of_schedule == self.last_step:
                break
            if began is not None and (self.saving or self.writer.due_by_steps()):
                self.read(losses.rest())  # a state with a loss that is NaN is not saved
                self.saving = False
                self.writer.within_epoch(learner, time.perf_counter() - began)
        self.read(losses.rest())
        if self.failed is not None or self.given_up:
            return False
        self.images_of_epoch = position.position
        position.epoch += 1
        position.position = 0
        return True

    def tell_shares(self) -> None:
        """Tells layers with statistics of the whole batch if some processes have no image of it."""
        shares = Shares.ALL
        if self.batches.together < self.processes.world:
            shares = Shares.OWN if self.batches.own else Shares.NONE
        if shares is not self.told:
            self.told = shares
            set_shares(self.learner.module, shares)

    def step(self, bad: Tensor | None) -> None:
        """Makes the step of the optimizer, unless `bad`, a tensor on the device, is true."""
        learner, clip = self.learner, self.train.clip
        optimizer, scaler, anchor = learner.optimizer, learner.scaler, learner.anchor
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
        elif bad is not None:
            step_unless(optimizer, bad)
        else:
            optimizer.step()

    def read(self, losses: Iterable[tuple[list[float], Unread]]) -> None:
        """Reads losses that have arrived; raises Diverged for one that is NaN or infinite."""
        for (loss, *asked), unread in losses:
            if not math.isfinite(loss):
                raise self.diverged(unread)
            if asked:
                stop, save = asked
                self.stopping |= stop > 0
                self.saving |= save > 0
            unread.loss = loss
            self.report(unread)

    def report(self, unread: Unread) -> None:
        """Tells the callback of a step when it is made and its loss is read."""
        if unread.step is not None and unread.loss is not None:
            self.callback.step(unread.step._replace(loss=unread.loss))

    def preprocess(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The images of a batch, preprocessed and, if the plan says so, augmented; and the
        labels."""
        laid_out = self.learner.precision.laid_out
        if self.augment is None:
            return self.data.preparation.prepare(laid_out(batch.images)), batch.labels
        images, labels = self.augment(
            batch.images, batch.labels, batch.indices, self.position.epoch
        )
        if self.progressive is not None:
            images, labels = self.progressive.batch(
                images, labels, self.position.epoch, self.data.task.behind
            )
        return laid_out(images), labels

    def preprocess_again(self, labels: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The same for a batch whose images have to be read once more."""
        return self.preprocess(self.batches.again(labels, indices))

    def shares(self) -> Iterator[tuple[int, tuple[Batch, float, bool]]]:
        """The remaining batches of an epoch with their numbers. Each comes with the share of its
        loss in the loss of the optimizer step, and whether it is the last batch of the step. The
        loss of a step is the mean over all its images, in all processes and accumulated batches."""
        position, size = self.position, self.batches.batch
        sizes = BatchSizes(len(self.batches.store), size, position.position, self.batches.drop_last)
        before = len(self.batches) - len(sizes)
        many = self.train.accumulate.batches
        for index, batch in enumerate(self.readable(len(sizes), many)):
            first = index - index % many
            together = sum(sizes[first : first + many])
            share = self.batches.own * self.processes.world / together
            last = index % many == many - 1 or index == len(sizes) - 1
            yield before + index + 1, (batch, share, last)

    def readable(self, count: int, many: int) -> Iterator[Batch]:
        """The next `count` batches of an epoch, or fewer, if their images cannot be read or waited
        for any more: what was trained can then be saved. A step has `many` batches; one that is
        half made is taken back."""
        batches = self.batches(self.position.epoch, self.position.position)
        metrics, before_step = self.writer.metrics, None
        try:
            for done in range(count):
                if many > 1 and done % many == 0:
                    before_step = metrics.mark()
                batch = self.waited_for(partial(next, batches), agree=self.elsewhere)
                if batch is not None:
                    yield batch
                    continue
                if self.failed is not None and not self.position.steps:
                    raise self.failed
                if done % many and before_step is not None:
                    self.micro_batches.take_back()
                    metrics.go_back(before_step)
                return
        finally:
            batches.close()

    def waited_for(self, read: Callable[[], T], *, agree: bool) -> T | None:
        """What is read. None if images cannot be read any more, which `failed` then says, or if a
        signal came while they were waited for from elsewhere: `given_up`. With `agree`, in any of
        the processes; else it is an error where others wait for this one."""
        result: T | None = None
        error: SpecError | None = None
        try:
            with self.interruption.while_waiting() if self.elsewhere else nullcontext():
                result = read()
        except WaitEnded:
            self.given_up = True
        except SpecError as caught:
            error = caught
        if agree:
            self.given_up, error = self.processes.agree_to_end(self.given_up, error)
        elif error is not None and not self.processes.alone:
            raise error
        self.failed = error
        return None if self.given_up or error is not None else result

    def diverged(self, unread: Unread) -> Diverged:
        """The error for a loss that is NaN or infinite; no step was made with this loss."""
        images, _ = self.preprocess(unread.batch)
        forward, cast = (
            self.learner.trained_part,
            self.learner.precision.autocast(self.learner.device),
        )

        def repeat_forward() -> object:
            with cast or nullcontext():
                return forward(images)

        return not_finite(forward, repeat_forward, unread.moment, self.advice())

    # ---- validation ----

    def validate_before_training(self) -> None:
        """Epoch 0: the metrics of the starting weights, of a new run only; of a large validation
        set, on a part of it. The training set, which may be larger still, is not evaluated."""
        position = self.position
        if position.steps or position.position or position.lines:
            return
        began = time.perf_counter()
        images = len(self.validation.store)
        part = sample(images, BEFORE_TRAINING) if images > BEFORE_TRAINING else None
        with self.interruption.at_once():
            self.processes.share_buffers(self.learner.evaluated)
            counts = self.count(part)
            self.processes.add_up(counts.all_counters())
            val_metrics = counts.results()
        if part is not None:
            of = f"{len(part):,} of the {images:,} validation images"
            self.callback.note(f"epoch 0 is measured on {of}, chosen at random")
        record = EpochRecord(
            epoch=0,
            steps=0,
            lr=self.learner.rates.at(0),
            train={},
            val={name: val_metrics[name] for name in self.metrics if name in val_metrics},
            best=False,
            seconds=time.perf_counter() - began,
            images_per_second=0.0,
            waiting=0.0,
        )
        position.seconds += record.seconds
        self.writer.before_training(record)
        self.callback.before_training(record)

    def end_epoch(self, began: float) -> tuple[EpochRecord, bool]:
        """Validates the network, if the plan says so; returns the epoch's record, and whether
        training should stop early."""
        learner, position = self.learner, self.position
        metrics = self.writer.metrics
        self.processes.add_up([metrics.counters()])
        train_metrics = metrics.metrics()
        trained = metrics.state()
        metrics.reset()
        waiting, elapsed = self.batches.waiting, self.batches.elapsed
        guessing = self.data.task.guessing
        if train_metrics["loss"] > FAR * guessing:
            raise too_large(train_metrics["loss"], guessing, self.moment(), self.advice())
        rate = learner.rates.at(position.steps - 1)
        val_metrics: dict[str, float] = {}
        self.facts = {}
        if self.train.validate.follows(position.epoch, self.train.epochs.whole):
            try:
                val_metrics = self.validate()
            except _Interrupted:  # as if it had been after the last step of the epoch
                metrics.restore(trained)
                position.epoch -= 1
                position.position = self.images_of_epoch
                raise
        best, stop = self.judge(train_metrics["loss"], val_metrics)
        return (
            EpochRecord(
                epoch=position.epoch,
                steps=position.steps,
                lr=rate,
                train=train_metrics,
                val={name: val_metrics[name] for name in self.metrics if name in val_metrics},
                best=best,
                seconds=time.perf_counter() - began,
                images_per_second=self.images / elapsed if elapsed else 0.0,
                waiting=waiting,
            ),
            stop,
        )

    def validate(self) -> dict[str, float]:
        """The metrics of the network on the validation set."""
        learner = self.learner
        self.processes.share_buffers(learner.evaluated)
        counts = self.waited_for(self.count, agree=True)
        if counts is None:
            raise _Interrupted
        self.processes.add_up(counts.all_counters())
        if counts.constant and not self.warned_of_constant_outputs:
            self.warned_of_constant_outputs = True
            largest = rate_of(self.train.optimizer)
            self.callback.note(constant_outputs(learner.network, self.position.epoch, largest))
        self.facts = self.data.task.validated(counts).facts
        return counts.results()

    def stops_validating(self) -> bool:
        """Whether a validation after an epoch is to be ended. Several processes, each with batches
        of its own, end together after it; where images are elsewhere, `waited_for` ends it."""
        asked = self.processes.alone and self.interruption.requested
        return asked and self.position.epoch > 0

    def validate_in_batches_of(self, size: int) -> None:
        """Sets the batch size of validation, in all processes together."""
        self.validation = self.data.evaluation("val", batch=size, sharing=self.processes.sharing)
        self.validated_forward: Callable[[Tensor], Any] | None = None
        if self.learner.compile is not None and self.data.tiling is None:
            self.validated_forward = self.learner.compile(self.validated, self.validation.full)

    def count(self, part: Tensor | None = None) -> Tally:
        """The counts of a validation, on all images or those with the indices in `part`; in batches
        of the size of training if larger ones do not fit into memory."""
        usual = self.batches.batch
        while True:
            self.validation.chosen = part
            try:
                return count(
                    self.validated,
                    self.data,
                    self.validation,
                    self.data.loss,
                    self.learner.precision,
                    self.watched,
                    "val",
                    forward=self.validated_forward,
                    thorough=self.thorough,
                )
            except Exception as error:
                if self.validation.batch <= usual or not is_out_of_memory(error):
                    raise
            self.callback.note(f"out of memory: validating with batches of {usual:,} images")
            self.validation.close()
            self.validate_in_batches_of(usual)

    def judge(self, train_loss: float, validated: Mapping[str, float]) -> tuple[bool, bool]:
        """Whether the epoch is the best so far, and whether training should stop early; adapts the
        learning rate. Each is decided by the training loss, after every epoch, or by a metric of
        the validation, if there was one."""
        learner, position = self.learner, self.position
        plateau, early_stopping = learner.rates.plateau, learner.early_stopping
        metrics = {**validated, TRAIN_LOSS: train_loss}

        def waited(metric: str) -> int:
            """The epochs since this metric was known before."""
            return 1 if metric == TRAIN_LOSS else self.train.validate.since(position.epoch)

        best = stop = False
        if self.metric in metrics and is_best(self.metric, metrics, position.best_metrics):
            best, position.best_epoch = True, position.epoch
            position.best_metrics = metrics if self.metric == TRAIN_LOSS else dict(validated)
        if plateau is not None and plateau.schedule.metric in metrics:
            metric, rate = plateau.schedule.metric, learner.rates.at(position.steps)
            plateau.epoch(metrics[metric], waited(metric))
            lower = learner.rates.at(position.steps)
            if lower < rate:
                self.callback.note(
                    f"no improvement for {plateau.schedule.patience} epochs: the learning rate"
                    f" falls to {lower:.3g}"
                )
        if early_stopping is not None and early_stopping.directive.metric in metrics:
            metric = early_stopping.directive.metric
            stop = early_stopping.epoch(metrics[metric], waited(metric))
        return best, stop

    def moment(self) -> Moment:
        steps = self.position.steps
        return Moment(self.position.epoch + 1, steps + 1, self.learner.rates.at(steps))

    def advice(self) -> str:
        train = self.train
        half = self.learner.precision.dtype is not None
        return advice(rate_of(train.optimizer), train.schedule.warmup, train.clip is not None, half)
