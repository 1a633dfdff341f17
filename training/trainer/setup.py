"""Sets up the training of a network: module, weights, precision, optimizer, batches, checkpoint.

A run that has a checkpoint continues with the state and the choices in it. The steps must stay in
this order: it determines the random numbers of each step, so that a run can be reproduced bit by
bit.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...compiler.analysis import analyse
from ...compiler.plan.fusion import fuse
from ...compiler.plan.metric_names import TRAIN_LOSS
from ...compiler.plan.plan import TrainPlan
from ...compiler.plan.plan_differences import Difference
from ...compiler.plan.schedule import Plateau
from ...compiler.report.explain.augment import in_short
from ..checkpoint.checkpoint import (
    Found,
    facts_about,
    mark_of,
    must_be_same,
    read_newest,
    restoring,
)
from ..checkpoint.record import start_record
from ..checkpoint.resumption import (
    OF_THE_START,
    continued_record,
    in_words,
    plan_changes,
    rate_in_words,
)
from ..checkpoint.run_files import read_epochs, read_record
from ..checkpoint.run_folder import PLAN, RECORD, TRANSFER, RunFolder, shown, spec_hash
from ..checkpoint.writer import CheckpointWriter
from ..data.diagnostic import plural_noun
from ..data.loader.batches import Batches
from ..data.opened import Opened
from ..find_lr.found_rate import FIND_LR
from ..inference.load import live, taking_samples
from ..metrics.running_metrics import RunningMetrics
from ..optim.choose_compile import CompileChoice, choose_compile
from ..optim.choose_precision import Choice, choose
from ..optim.optimizers import set_rate, slow_with_fp16
from ..optim.precision import Precision
from ..optim.whitening import whiten
from ..runtime.compiled import Compiled
from ..runtime.devices import describe
from ..runtime.gradient_checkpointing import must_be_compilable, recompute
from ..runtime.interrupts import Interruption
from ..runtime.seeding import seed_all
from ..runtime.sync_batchnorm import synchronized
from ..tasks.classification import Classification
from ..transfer.feature_cache import CachedFeatures, FeatureCache
from ..transfer.setup import TransferSetup, set_up_transfer
from ..untrusted.bad_file import BadFile
from .callbacks import RunStart
from .job import Job
from .state import Compile, Learner, criterion_of, make_learner


@dataclass(frozen=True, eq=False, kw_only=True)
class Run:
    """A network and its run folder, ready for the loop."""

    job: Job
    learner: Learner
    data: Opened
    """The data of the batches: the job's images, or cached features."""
    batches: Batches
    writer: CheckpointWriter
    record: dict[str, Any]
    """The contents of record.json at the start."""

    @property
    def metric(self) -> str:
        """The metric that selects the best epoch."""
        return best_metric(self.job)

    @property
    def deciding(self) -> set[str]:
        """The metrics that decide about checkpoints, early stopping and the learning rate."""
        return _deciding(self.job)

    @property
    def thorough(self) -> bool:
        """Whether a metric that takes long is measured after every epoch: one that decides, or that
        the spec names."""
        metrics = self.job.plan.train.metrics
        named = metrics.names if metrics.written else ()
        return self.job.data.task.takes_long({*self.deciding, *named})

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of a validation that are shown and recorded."""
        return _shown_metrics(self.job)


def set_up(job: Job, path: Path, interruption: Interruption) -> Run:
    """Sets up training in the folder `path`; raises SpecError if the checkpoint in it is of another
    network."""
    folder = RunFolder(path)
    network, train, processes = job.request.network, job.plan.train, job.processes
    checkpoint, checkpoint_file = _checkpoint(folder, job)
    if checkpoint is not None:
        must_be_same(checkpoint, network, shown(path))
    elif processes.writes:
        folder.write_request(job.request, job.version)

    seed_all(train.seed.value)
    module = taking_samples(live(network, job.version), network)
    with restoring(checkpoint_file) if checkpoint else nullcontext():
        transfer = set_up_transfer(
            job.request, module, job.open_weights, checkpoint, job.policy_lines, job.data
        )
    if transfer.table and processes.writes:
        folder.write_text(TRANSFER, transfer.table)
    whitened = network.init.whitened
    if whitened and checkpoint is None and f"{whitened}.weight" not in transfer.transferred:
        whiten(module.get_submodule(whitened), job.data)
    changes: list[Difference] = []
    choice = _choose_precision(job, module, transfer, checkpoint)
    compiling = _choose_compile(job, transfer, checkpoint)
    module.to(job.device)
    choice.precision.lay_out(module)
    if train.sync_bn.on and processes.world > 1:
        module = synchronized(module, job.device)
    if train.recompute:
        if compiling.on:
            must_be_compilable(train.recompute)
        recompute(module, network, train.recompute.parts)
    started = time.perf_counter()
    with interruption.at_once():
        features = _cache_features(job, path, module, transfer, choice.precision)
    feature_seconds = time.perf_counter() - started if features else 0.0
    data = features.data if features else job.data
    batches = (features or data).training(seed=train.seed.value, sharing=processes.sharing)
    learner = make_learner(
        network,
        module,
        replace(job.plan, augment=()) if features else job.plan,
        criterion=criterion_of(network, job.plan, job.data),
        precision=choice.precision,
        device=job.device,
        steps_per_epoch=-(-len(batches) // train.accumulate.batches),
        wrap=processes.wrapped,
        compile=_compile(job) if compiling.on else None,
        batch=batches.full,
        freezing=transfer.freezing,
        transferred=transfer.transferred,
        cut=features.cut if features else None,
    )
    writer = _checkpoint_writer(job, folder, choice, compiling)
    seed_all(train.seed.value, processes.rank)
    if checkpoint is not None:
        with restoring(checkpoint_file):
            writer.restore(learner, checkpoint, checkpoint_file)
        if train.deterministic.on:
            torch.set_num_threads(checkpoint["threads"])
        changes = _go_on(job, learner, writer, checkpoint, len(data.stores["train"]))
    writer.position.seconds += feature_seconds
    if choice.warning:
        job.callback.note(choice.warning)
    loss_note = _loss_by_the_last_layer(job)
    if loss_note:
        job.callback.note(loss_note)
    if learner.scaler and job.device.type == "cuda":
        note = slow_with_fp16(train.optimizer, learner.optimizer)
        if note:
            job.callback.note(note)
    choices = (
        *((job.found_rate.line,) if job.found_rate else ()),
        *choice.lines,
        *compiling.lines,
        f"{plural_noun(job.data.dataset.noun)} stay {_STORES[job.data.where]}",
        f"preprocessing: {', '.join(job.data.preparation.lines())}",
        *_augmentation(job.plan, plural_noun(job.data.dataset.noun)),
        *transfer.lines,
        *job.data.dataset.lines(),
    )
    record = _announce(
        job, learner, writer, choices, batches=len(batches), resumed=checkpoint is not None
    )
    if checkpoint is not None:
        record = _continued(job, learner, writer, changes, record)
    if job.found_rate:
        record["find_lr"] = job.found_rate.summary()
        if processes.writes:
            folder.write_text(FIND_LR, job.found_rate.text())
    if processes.writes:
        folder.write_record(record)
    return Run(job=job, learner=learner, data=data, batches=batches, writer=writer, record=record)


def _loss_by_the_last_layer(job: Job) -> str:
    """What is said where a sigmoid chose the loss, and the images have one class; "" otherwise."""
    loss, task = job.data.loss, job.data.task
    if loss.written or loss.word != "loss bce" or task.word != Classification.word:
        return ""
    return (
        "the network ends in `sigmoid`, so the loss is `bce`: each class is predicted"
        f" independently, although each {job.data.dataset.noun} has one; without that layer, the"
        " loss is `cross_entropy`"
    )


def _go_on(
    job: Job,
    learner: Learner,
    writer: CheckpointWriter,
    checkpoint: Mapping[str, Any],
    images: int,
) -> list[Difference]:
    """Takes over changes of the plan: returns them. If the number of steps of an epoch has changed,
    the schedule goes on from where it is in epochs."""
    position, rates = writer.position, learner.rates
    changes = plan_changes(checkpoint, job.plan)
    if any(change.word in ("batch", "accumulate") for change in changes):
        done = position.epoch + position.position / max(1, images)
        position.shift = round(done * rates.length.steps) - position.steps
    rates.shift = position.shift
    if position.steps:  # the optimizer is as it was after its last step
        set_rate(learner.optimizer, rates.at(position.steps - 1))
    if job.processes.writes:
        writer.folder.write_text(PLAN, job.plan.to_json())
        writer.folder.write_spec(job.request)
    return changes


def _continued(
    job: Job,
    learner: Learner,
    writer: CheckpointWriter,
    changes: Sequence[Difference],
    record: dict[str, Any],
) -> dict[str, Any]:
    """The record of a run that goes on; tells what has changed."""
    position = writer.position
    said = in_words(changes, position.epoch + 1, position.position)
    left = position.epoch < job.plan.train.epochs.whole
    if not job.processes.writes:
        return record
    if said and left:
        epochs = read_epochs(writer.folder.path)
        jump = rate_in_words(epochs[-1]["lr"], learner.rates.at(position.steps)) if epochs else ""
        said += [jump] if jump else []
    for line in said:
        job.callback.note(line)
    try:
        old = read_record(writer.folder.path)
    except BadFile:  # the run was stopped before its record was written
        old = {}
    if not left:
        return {**record, **{name: old[name] for name in OF_THE_START if name in old}, **_kept(old)}
    return continued_record(
        record,
        old,
        epoch=position.epoch + 1,
        position=position.position,
        steps=position.steps,
        changes=changes,
        said=said,
    )


def _kept(old: Mapping[str, Any]) -> dict[str, Any]:
    return {"resumptions": old["resumptions"]} if old.get("resumptions") else {}


def _checkpoint(folder: RunFolder, job: Job) -> tuple[dict[str, Any] | None, Path]:
    """The checkpoint to continue from, and its file; None for a new run. The first process reads it
    for all of them, which may be on machines that do not have the run folder."""
    processes = job.processes
    found: Found | None = None

    def read() -> None:
        nonlocal found
        found = read_newest(folder.path)
        if found and found.note:
            job.callback.note(found.note)

    processes.from_first(read)
    state, path = (found.state, found.path) if found else (None, folder.checkpoint)
    # The best weights in it are for the first process, which alone writes them.
    sent = processes.broadcast_state({**state, "best": None} if state else None)
    return state if processes.writes else sent, path


def best_metric(job: Job) -> str:
    """The metric that selects the best epoch; if the task does not have it, as `top5` of at most
    five classes, which is always 1, that which is usual for the task."""
    name = job.plan.train.checkpoint.metric
    if name == TRAIN_LOSS:
        return name
    return name if name is not None and name in job.data.task.all_metrics else job.data.task.best


def _shown_metrics(job: Job) -> tuple[str, ...]:
    """The metrics that the plan names, and those that decide about checkpoints, early stopping and
    the learning rate."""
    task = job.data.task
    return task.shown({*task.wanted(job.plan.train.metrics), *_deciding(job)})


def _deciding(job: Job) -> set[str]:
    """The validation metrics that decide about checkpoints, early stopping and the learning
    rate."""
    train = job.plan.train
    names = {best_metric(job)}
    names |= {train.early_stop.metric} if train.early_stop else set()
    names |= {train.schedule.metric} if isinstance(train.schedule, Plateau) else set()
    return names - {TRAIN_LOSS}


_STORES = {
    "device": "on the device, decoded",
    "memory": "in memory, decoded",
    "files": "in their files, and are decoded in each epoch",
}


def _augmentation(plan: TrainPlan, nouns: str) -> tuple[str, ...]:
    """A line that says how training images are augmented."""
    short = in_short(fuse(plan)) if plan.augment else ""
    return (f"{nouns} are augmented: {short}",) if short else ()


# ---- precision -------------------------------------------------------------------------------


def _choose_precision(
    job: Job, module: nn.Module, transfer: TransferSetup, checkpoint: Mapping[str, Any] | None
) -> Choice:
    """Chooses the precision; a resumed run keeps the one that it was started with."""
    if checkpoint is not None:
        saved = checkpoint["numbers"]
        precision = Precision.of(saved["precision"], saved["channels_last"])
        return Choice(precision, tuple(saved["lines"]))
    train, freezing = job.plan.train, transfer.freezing

    def freeze(copy: nn.Module) -> None:
        """Freezes layers as in the last epoch, in which most layers are trained."""
        if freezing is not None:
            freezing.start_epoch(copy, train.epochs.whole - 1)

    choice = choose(
        job.request.network,
        train,
        module,
        job.device,
        batch=job.batch_per_device,
        images=_images_computed(job, transfer),
        freeze=freeze,
    )
    return job.processes.broadcast(choice)  # type: ignore[no-any-return]


def _choose_compile(
    job: Job, transfer: TransferSetup, checkpoint: Mapping[str, Any] | None
) -> CompileChoice:
    """Decides whether to compile; a resumed run keeps to that, unless the spec now decides it."""
    train = job.plan.train
    if checkpoint is not None and not isinstance(train.compile.on, bool):
        saved = checkpoint["numbers"].get("compile", {})
        return CompileChoice(bool(saved.get("on")), tuple(saved.get("lines", ())))
    totals, world = analyse(job.request.network).totals, job.processes.world
    images = _images_computed(job, transfer) / world
    return choose_compile(train, job.device, totals, images=images, world=world)


def _compile(job: Job) -> Compile:
    """Compiles modules as the plan says. If the plan leaves it open, the network is trained
    uncompiled where torch cannot compile it."""
    directive, noted = job.plan.train.compile, False
    sizes_vary = any(one.by_epoch for one in job.plan.augment)

    def give_up(reason: str) -> None:
        nonlocal noted
        if not noted:
            job.callback.note(f"torch cannot compile this network, which runs uncompiled: {reason}")
        noted = True

    def compiled(module: Any, size: int) -> Compiled:
        fallback = None if directive.on is True else give_up
        return Compiled(module, size, mode=directive.mode, sizes_vary=sizes_vary, give_up=fallback)

    return compiled


def _images_computed(job: Job, transfer: TransferSetup) -> int:
    """About how many images go through the network in the whole run. If features are cached, images
    go through the frozen layers only once."""
    train_images, val_images = (len(job.data.stores[part]) for part in ("train", "val"))
    epochs = job.plan.train.epochs.whole
    validations = -(-epochs // job.plan.train.validate.every)
    images = train_images * epochs + val_images * validations
    plan = job.plan.transfer
    if plan is None or plan.cache is None or transfer.freezing is None:
        return images
    once = train_images * (plan.cache.passes or 1) + val_images
    frozen = transfer.freezing.strategy.stages[0].frozen
    macs = [
        (node.index in frozen, node.op.macs(node.shape, *node.input_shapes))
        for node in job.request.network.nodes
    ]
    frozen_macs = sum(count for is_frozen, count in macs if is_frozen)
    share = frozen_macs / max(1, sum(count for _, count in macs))
    return round(share * once + (1 - share) * images)


# ---- cached features -------------------------------------------------------------------------


def _cache_features(
    job: Job, path: Path, module: nn.Module, transfer: TransferSetup, precision: Precision
) -> CachedFeatures | None:
    """The cached outputs of the frozen layers, if the spec says `cache features`; else None."""
    plan = job.plan.transfer
    if plan is None or plan.cache is None or transfer.freezing is None:
        return None
    return FeatureCache(
        directive=plan.cache,
        network=job.request.network,
        module=module,
        frozen=transfer.freezing.strategy.stages[0].frozen,
        data=job.data,
        precision=precision,
        base=job.request.base,
        run=job.ensemble_folder or path,
        callback=job.callback,
        processes=job.processes,
    ).open()


# ---- checkpoint and record -------------------------------------------------------------------


def _checkpoint_writer(
    job: Job, folder: RunFolder, choice: Choice, compiling: CompileChoice
) -> CheckpointWriter:
    network, data = job.request.network, job.data
    spec = spec_hash(job.request.program)
    fixed = {
        "plan": job.plan.to_json(),
        "network": mark_of(network),
        "spec": spec,
        "seed": job.plan.train.seed.value,
        "version": job.version,
        "numbers": {
            "precision": choice.precision.word,
            "channels_last": choice.precision.channels_last,
            "lines": list(choice.lines),
            "compile": {"on": compiling.on, "lines": list(compiling.lines)},
        },
    }
    metadata = facts_about(data.task, data.preparation.to_json(), network.name, spec)
    return CheckpointWriter(
        folder=folder,
        fixed=fixed,
        metadata=metadata,
        when=job.plan.train.checkpoint,
        metrics=RunningMetrics(job.device, data.task),
        callback=job.callback,
        processes=job.processes,
        device=job.device,
    )


def _group(folder: Path) -> Path | None:
    """The folder of the ensemble, or of the cross-validation, that a run is in."""
    parent = folder.absolute().parent
    return parent if (parent / RECORD).is_file() else None


def _announce(
    job: Job,
    learner: Learner,
    writer: CheckpointWriter,
    choices: tuple[str, ...],
    *,
    batches: int,
    resumed: bool,
) -> dict[str, Any]:
    """Tells the callback that the run starts; returns the record to write to record.json."""
    dataset, position = job.data.dataset, writer.position
    device = describe(job.device)
    if job.processes.world > 1:
        device = f"{job.processes.world} x {device}"
    parameters = sum(weight.numel() for weight in learner.module.parameters())
    trainable = sum(weight.numel() for weight in learner.parameters)
    job.callback.started(
        RunStart(
            folder=writer.folder.path,
            network=job.request.network.name,
            plan=job.plan,
            device=device,
            choices=choices,
            images={part.name: part.count for part in dataset.parts},
            classes=dataset.classes,
            parameters=parameters,
            trainable=trainable,
            epochs=job.plan.train.epochs.whole,
            batches=batches,
            metrics=_shown_metrics(job),
            resumed=(position.epoch + 1, position.position) if resumed else None,
            running=tuple(dict.fromkeys(("loss", job.data.task.running))),
            noun=dataset.noun,
            total_steps=learner.rates.length.total,
            first_step=position.steps,
            spec=job.request.source.text,
            graph=job.request.network,
            group=_group(writer.folder.path),
        )
    )
    return start_record(
        job.request,
        job.data,
        device=device,
        choices=choices,
        parameters=parameters,
        trainable=trainable,
        metric=best_metric(job),
        folder=writer.folder.path,
        processes=job.processes,
        version=job.version,
    )
