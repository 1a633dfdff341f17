"""The entry point of `cnn train` and `dotcnn.train`: from a request to a finished run folder.

    result = train(request(open_spec("digits")), version)

First the request is checked against its data. Then the network goes through setup.py, loop.py and
finish.py; in an ensemble or a cross-validation, one network after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ...compiler.plan.metric_names import TRAIN_LOSS
from ...compiler.plan.plan import TrainPlan
from ...compiler.plan.schedule import Plateau
from ...dsl.diagnostics import Diagnostic, SpecError
from ..checkpoint.claim_folder import claimed
from ..checkpoint.resume import check_same_data, must_be_run
from ..checkpoint.resumption import latest
from ..checkpoint.run_folder import make_folder, shown, usual_folder
from ..checkpoint.run_lock import lock_run
from ..data.check_classes import check_classes
from ..data.dataset import in_words
from ..data.diagnostic import plural_noun
from ..data.loader.fold_stores import FoldStores
from ..data.loader.windowed_order import ShuffleWindow
from ..data.open import open_data
from ..data.opened import Opened
from ..data.remote.notes import shown_by
from ..display.rate_chart import rate_chart
from ..find_lr.find_rate import find_rate, with_rate
from ..find_lr.found_rate import FoundRate, rate_of_run
from ..optim.optimizers import rate_of
from ..request import Request
from ..runs.tags_and_note import NO_NOTES, TagsAndNote, add_notes
from ..runtime.devices import find_device, set_up_torch
from ..runtime.errors import explained
from ..runtime.interrupts import Interruption
from ..runtime.memory_errors import is_out_of_memory
from ..runtime.out_of_memory import Situation
from ..runtime.process_group import ALONE, Processes
from ..saved_request import read_record
from ..tasks.task import Task
from ..transfer.resolve import resolve_transfer
from ..transfer.setup import PolicyResult, apply_policy
from .callbacks import Callback
from .combined import Combined
from .cross_validation import fold_request, train_folds
from .ensemble import train_ensemble
from .job import Job
from .one_network import train_network
from .one_request import must_be_one_request
from .own_callbacks import OwnCallbacks
from .result import Result

OpenData = Callable[[Request, torch.device, Callback, Processes], Opened]
"""Opens the data of a request, as `open_for` does."""


def train(
    request: Request,
    version: str,
    *,
    output: Path | None = None,
    resume: Path | bool | None = None,
    device: str = "auto",
    callback: Callback | None = None,
    own: Sequence[Callback] = (),
    processes: Processes = ALONE,
    find_lr: bool = False,
    open_with: OpenData | None = None,
    interruption: Interruption | None = None,
    notes: TagsAndNote = NO_NOTES,
) -> Result:
    """Trains the network of a request. `output` is the run folder to create, `resume` the folder of
    a run to continue. In distributed training, only the first process needs the folder itself; the
    others a copy of its text files (`copied_texts`). If `resume` is true, the run in `output`, or
    in `runs/NAME`, is continued if there is one, and started if not. With `find_lr`, a new run
    takes the learning rate that a range test suggests. `own` are callbacks of the user: one that
    raises an exception ends training, and what was trained is saved. `open_with` opens the data,
    where several runs share it; `interruption` is that of a program that makes several runs.
    `notes` are written into the run folder.

    Raises SpecError for errors in the spec, the data or the run folder, if training diverges, and
    if a callback of the user fails.
    """
    if callback is None or not processes.writes:
        callback = Callback()
    own_callbacks = OwnCallbacks(own if processes.writes else ())
    if own and processes.writes:
        callback = Combined([callback, own_callbacks])
    run = partial(
        _train,
        request,
        version,
        device=device,
        callback=callback,
        own=own_callbacks,
        processes=processes,
        find_lr=find_lr,
        open_with=open_with,
        interruption=interruption,
        notes=notes,
    )
    with closing(callback), shown_by(callback.note), ExitStack() as claim:
        if resume is not True:
            return run(output=output, resume=resume or None)
        folder = output or usual_folder(request)
        continued = claim.enter_context(claimed(folder, request, processes, callback.note))
        if continued is None:
            callback.note(f"there is nothing to resume in {shown(folder)}: a new run starts")
        return run(claim=folder, resume=continued)


def _train(
    request: Request,
    version: str,
    *,
    output: Path | None = None,
    resume: Path | None,
    claim: Path | None = None,
    device: str,
    callback: Callback,
    own: OwnCallbacks,
    processes: Processes,
    find_lr: bool,
    open_with: OpenData | None,
    interruption: Interruption | None,
    notes: TagsAndNote,
) -> Result:
    """`claim` is the run folder if it exists, and is locked already."""
    with ExitStack() as locks, interruption or Interruption() as interrupted:
        with interrupted.at_once():
            job = locks.enter_context(
                _opened_job(
                    request,
                    version,
                    resume=resume,
                    locked=claim is not None,
                    device=device,
                    callback=callback,
                    processes=processes,
                    open_with=open_with,
                )
            )
            job = replace(job, own=own)
            opened = job
            folder = processes.from_first(
                lambda: claim or resume or make_folder(opened.request, output)
            )
            if resume is None and find_lr:
                job = _with_found_rate(job, folder)
            if resume is None and claim is None:
                locks.enter_context(lock_run(folder, processes))
            if processes.writes:
                _add_notes(folder, notes, callback)
        train_job = train_ensemble if job.plan.train.ensemble.count > 1 else train_network
        if job.folds is not None:
            train_job = train_folds
        own.end_training = interrupted.request
        result = train_job(job, folder, interrupted)
        processes.wait_for_first()
        if own.error is not None:
            raise own.saved(folder, finished=True)
        return result


def range_test(
    request: Request, version: str, *, device: str = "auto", callback: Callback | None = None
) -> FoundRate:
    """The range test of `cnn find-lr`, which trains nothing else and writes no run folder. Raises
    SpecError as `train` does."""
    callback = callback or Callback()
    with (
        closing(callback),
        _opened_job(request, version, device=device, callback=callback) as job,
    ):
        return find_rate(job, usual_folder(request))


def _with_found_rate(job: Job, folder: Path) -> Job:
    """The job with the learning rate of a range test, which is kept in the new run folder."""
    try:
        found = find_rate(job, folder)
    except BaseException:
        if job.processes.writes:
            with suppress(OSError):
                folder.rmdir()  # a run that never began leaves nothing
        raise
    if len(found.rates) > 1:
        job.callback.note("\n".join(rate_chart(found)))
    return replace(job, request=with_rate(job.request, found), found_rate=found)


@contextmanager
def _opened_job(
    request: Request,
    version: str,
    *,
    resume: Path | None = None,
    locked: bool = False,
    device: str,
    callback: Callback,
    processes: Processes = ALONE,
    open_with: OpenData | None = None,
) -> Iterator[Job]:
    """A context with a request that is checked against its data, which is open, and with torch set
    up for it. The run to resume is locked meanwhile, unless it is `locked` already."""
    request, open_weights = resolve_transfer(request, resume)
    found_rate = None
    if resume is not None:
        found_rate = rate_of_run(resume)
        if found_rate and rate_of(request.plan.train.optimizer) == found_rate.before:
            request = with_rate(request, found_rate)  # the spec is given again
        request = must_be_run(resume, request)
    must_be_one_request(request, processes)
    train = request.plan.train
    torch_device = processes.device if processes.world > 1 else find_device(device)
    with (
        set_up_torch(torch_device, train.precision, train.deterministic, train.compile) as warning,
        ExitStack() as lock,
    ):
        if warning:
            callback.note(warning)
        if resume is not None and not locked:
            lock.enter_context(lock_run(resume, processes))
        folds = FoldStores() if train.data.cross_validated else None

        def open_it(request: Request) -> Opened:
            if open_with is not None and folds is None:
                data = open_with(request, torch_device, callback, processes)
            else:
                data = open_for(request, torch_device, callback, processes, folds)
            _check_data(request, data)
            return data if resume is None else _shuffled_as_before(resume, data, callback)

        data = open_it(request if folds is None else fold_request(request, 1))
        if resume is not None:
            _check_run(resume, version, data, callback)
        policy = PolicyResult(request) if resume else apply_policy(request, data)
        yield Job(
            request=policy.request,
            data=data,
            device=torch_device,
            version=version,
            callback=callback,
            processes=processes,
            open_weights=open_weights,
            policy_lines=policy.lines,
            found_rate=found_rate,
            folds=folds,
            open_data=open_it,
        )


def _add_notes(folder: Path, notes: TagsAndNote, callback: Callback) -> None:
    try:
        add_notes(folder, notes)
    except OSError as error:
        callback.note(f"tags and note cannot be written: {error.strerror}")


def open_for(
    request: Request,
    device: torch.device,
    callback: Callback,
    processes: Processes,
    folds: FoldStores | None = None,
) -> Opened:
    """The data of a request: where the device has no room for it, outside. `folds` is what the
    folds of a cross-validation share."""
    open_it = partial(
        open_data,
        request.plan,
        request.base,
        device=device,
        progress=callback.reading,
        processes=processes,
        arrays=request.arrays,
        folds=folds,
    )
    try:
        return open_it()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    callback.note(f"the data set does not fit into the memory of {device}, and stays outside")
    batch = max(1, request.plan.train.batch.size // processes.world)
    situation = Situation(
        request=request, device=device, batch=batch, world=processes.world, phase="setup"
    )
    with explained(situation):
        return open_it(budget=0)


def _check_data(request: Request, data: Opened) -> None:
    """Raises SpecError if the network or its loss does not fit the data."""
    plan, dataset = request.plan, data.dataset
    problem = check_classes(request.network, plan, dataset)
    loss, task = data.loss, data.task
    one = not dataset.answers  # the losses of several outputs are checked with their labels
    if problem is None and one and task.word not in loss.tasks and not dataset.multi_label:
        problem = Diagnostic(
            "loss",
            f"`{loss.word}` does not fit the labels of {dataset.name}: {task.labels} for each"
            f" {dataset.noun}",
            loss.span or request.network.output.span,
            help="take it out: then the loss is chosen by the labels",
        )
    if problem is None and dataset.multi_label and not loss.several_labels:
        problem = Diagnostic(
            "several-labels",
            f"images of {dataset.name} may have several classes; `{loss.word}` expects one",
            loss.span or request.network.output.span,
            help="write `loss bce`, or take `loss` out: then it is chosen by the labels",
        )
    problem = problem or _unmeasured(plan, task)
    if problem is not None:
        raise SpecError([problem])


def _unmeasured(plan: TrainPlan, task: Task) -> Diagnostic | None:
    """The error for a directive that decides by a metric that these labels do not have."""
    train = plan.train
    plateau = train.schedule if isinstance(train.schedule, Plateau) else None
    deciding = (train.checkpoint, train.early_stop, plateau)
    known = {*task.all_metrics, TRAIN_LOSS}
    for directive in deciding:
        if directive is None or not directive.written or directive.metric in known:
            continue
        place = directive.place("metric")
        if directive.metric == "top5" or place == directive.span:  # a default
            continue
        listed_ones = ", ".join(f"`{name}`" for name in (*task.all_metrics, TRAIN_LOSS))
        return Diagnostic(
            "unknown-name",
            f"the labels of the data are {task.labels}, for which `{directive.metric}` is not"
            " measured",
            place,
            help=f"there are {listed_ones}",
        )
    return None


def _check_run(folder: Path, version: str, data: Opened, callback: Callback) -> None:
    """Raises SpecError if the run was started with other data; notes if another version started
    it."""
    try:
        record = read_record(folder)
    except SpecError:  # the run was stopped before its record was written
        return
    check_same_data(record, data.dataset, shown(folder))
    note = _version_note(record, version)
    if note:
        callback.note(note)


def _shuffled_as_before(folder: Path, data: Opened, callback: Callback) -> Opened:
    """The data, with the order of images that the run was started with: else an epoch that goes on
    would have some images twice, and others not at all. By default the order depends on where the
    files are, which may have changed."""
    try:
        saved = read_record(folder)["dataset"].get("window")
        window = None if saved is None else ShuffleWindow(*map(int, saved))
    except (SpecError, KeyError, TypeError, ValueError, AttributeError):
        return data
    dataset = data.dataset
    if window == dataset.window or (window is not None and not window.is_valid):
        return data
    callback.note(f"as this run was started, {in_words(window, plural_noun(dataset.noun))}")
    return replace(data, dataset=replace(dataset, window=window))


def _version_note(record: Mapping[str, Any], version: str) -> str:
    """A note if a run is resumed by another version than it was started with; else empty."""
    record = latest(record)
    now = {"dotcnn": version, "torch": torch.__version__}
    changed = [key for key in now if record.get(key) not in (None, now[key])]
    if not changed:
        return ""
    before = " and ".join(f"{key} {record[key]}" for key in changed)
    after = " and ".join(f"{key} {now[key]}" for key in changed)
    return f"this run was trained with {before}, and continues with {after}: results may differ"
