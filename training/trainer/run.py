"""A whole training: from a request to a folder with everything that came of it.

result = train(request(open_spec("digits")), version)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...compiler.plan.fusion import fuse
from ...compiler.plan.plan import TrainPlan
from ...compiler.report.explain.augment import in_short
from ...dsl.diagnostics import Diagnostic, SpecError
from ..checkpoint.checkpoint import facts_about, mark_of, must_be_same, read_checkpoint
from ..checkpoint.record import begun, ended, plain
from ..checkpoint.run_folder import (
    PLAN,
    TRANSFER,
    RunFolder,
    make_folder,
    must_be_run,
    shown,
    spec_hash,
)
from ..checkpoint.writer import CheckpointWriter, Position
from ..data.check_classes import check_classes
from ..data.loader.batches import Batches
from ..data.open import Opened, open_data
from ..inference.load import live
from ..metrics.evaluation import evaluate
from ..metrics.outcome import Outcome
from ..metrics.running_metrics import RunningMetrics
from ..optim.choose_precision import Choice, choose
from ..optim.precision import Precision
from ..request import Request
from ..runtime.devices import describe, find_device, set_up
from ..runtime.errors import explained
from ..runtime.interrupts import Interruption
from ..runtime.nan_check import Diverged
from ..runtime.process_group import ALONE, Processes
from ..runtime.seeding import seed_all
from ..runtime.sync_batchnorm import synchronised
from ..transfer.feature_cache import Cached, Caching
from ..transfer.resolve import prepared
from ..transfer.setup import Settled, Start, settled, start
from ..transfer.source import Source
from ..weights.read import read_weights
from .callbacks import Callback, RunEnd, RunStart, Silent
from .loop import DIVERGED, INTERRUPTED, STOPPED, Loop
from .result import Result
from .state import Learner, criterion_of, make_learner


def train(
    request: Request,
    version: str,
    *,
    output: Path | None = None,
    resume: Path | None = None,
    device: str = "auto",
    callback: Callback | None = None,
    processes: Processes = ALONE,
) -> Result:
    """Trains what is asked for; raises SpecError with what is wrong with spec, data or folder, and
    where a training diverges. `resume` is the folder of a run to go on with."""
    request, source = prepared(request, resume)
    if resume is not None:
        must_be_run(resume, request)
    plan = request.plan
    where = processes.device if processes.world > 1 else find_device(device)
    if callback is None or not processes.writes:
        callback = Silent()
    try:
        with set_up(where, plan.train.precision, plan.train.deterministic, plan.train.compile):
            opened = open_data(
                plan,
                request.base,
                device=where,
                progress=callback.reading,
                world=processes.world,
            )
            _must_fit(request, opened)
            request, decided = Settled(request) if resume else settled(request, opened)
            training = Training(
                request, opened, where, version, callback, processes, source, decided
            )
            path = resume or processes.told(
                make_folder(request, output) if processes.writes else None
            )
            with Interruption() as interruption:
                if plan.train.ensemble.count > 1:
                    from .ensemble import train_several  # it needs this file

                    return train_several(training, path, interruption)
                return training.one(path, interruption)
    finally:
        callback.close()


def _must_fit(request: Request, opened: Opened) -> None:
    """The data to the network and its loss."""
    plan, data = request.plan, opened.dataset
    wrong = check_classes(request.network, plan, data)
    loss = plan.train.loss
    if wrong is None and data.multi_label and not loss.several_labels:
        wrong = Diagnostic(
            "several-labels",
            f"an image of {data.name} may be of several classes, and `{loss.word}` is for one",
            loss.span or request.network.output.span,
            help="write `loss bce`, or let the network end in `sigmoid`",
        )
    if wrong is not None:
        raise SpecError([wrong])


def _augmented(plan: TrainPlan) -> tuple[str, ...]:
    """What happens to images that are learned from, in a line."""
    if not plan.augment:
        return ()
    short = in_short(fuse(plan))
    return (f"images are augmented: {short}",) if short else ()


@dataclass(frozen=True, eq=False)
class Training:
    """One network that is to be trained, with its data at hand."""

    request: Request
    opened: Opened
    device: torch.device
    version: str
    callback: Callback
    processes: Processes
    source: Callable[[], Source] | None = None
    """Opens what weights are taken from; None where the network begins with its own."""
    decided: tuple[str, ...] = ()
    """What a policy of the spec came to, in words."""
    around: Path | None = None
    """The folder of a run of several networks of which this is one."""

    @property
    def plan(self) -> TrainPlan:
        return self.request.plan

    def one(self, path: Path, interruption: Interruption) -> Result:
        """In a folder; if there is a checkpoint in it, from there on."""
        folder = RunFolder(path)
        state = read_checkpoint(folder.checkpoint) if folder.checkpoint.exists() else None
        if state is not None:
            must_be_same(state, self.request.network, shown(path))
        elif self.processes.writes:
            folder.write_request(self.request, self.version)

        train = self.plan.train
        seed_all(train.seed.value)
        module = live(self.request.network, self.version)
        begun = start(self.request, module, self.source, state, self.decided)
        if begun.table and self.processes.writes:
            folder.write_text(TRANSFER, begun.table)
        choice = self._choice(module, begun, state)
        module.to(self.device)
        choice.precision.lay_out(module)
        if train.sync_bn.on and self.processes.world > 1:
            module = synchronised(module, self.device)
        with interruption.at_once():
            features = self._features(path, module, begun, choice)
        opened = features.opened if features else self.opened
        batches = (features or opened).training(
            seed=train.seed.value, sharing=self.processes.sharing
        )
        steps = -(-len(batches) // train.accumulate.batches)
        learner = make_learner(
            self.request.network,
            module,
            replace(self.plan, augment=()) if features else self.plan,
            criterion_of(self.request.network, self.plan, self.opened),
            choice.precision,
            self.device,
            steps,
            self.processes.wrapped,
            begun.freezing,
            begun.taken,
            features.cut if features else None,
        )
        keeper = self._keeper(folder, choice)
        seed_all(train.seed.value, self.processes.rank)
        if state is not None:
            keeper.restore(learner, state)
            if train.deterministic.on:
                torch.set_num_threads(state["threads"])
            if self.processes.writes:
                folder.write_text(PLAN, self.plan.to_json())
        record = self._begin(learner, keeper, choice, begun, len(batches), state is not None)
        if self.processes.writes:
            folder.write_record(record)
        reason = self._learn(learner, opened, keeper, batches, interruption, record)
        return self._end(learner, keeper, record, reason)

    # ---- before ----

    def _choice(self, module: nn.Module, begun: Start, state: Mapping[str, Any] | None) -> Choice:
        """What a run has begun with it goes on with."""
        if state is not None:
            chosen = state["numbers"]
            return Choice(
                Precision.of(chosen["precision"], chosen["channels_last"]), tuple(chosen["lines"])
            )
        batch = max(1, self.plan.train.batch.size // self.processes.world)
        train, freezing = self.plan.train, begun.freezing

        def begin(copy: nn.Module) -> None:
            """As in the last epoch, in which most of it learns."""
            if freezing is not None:
                freezing.begin(copy, train.epochs.count - 1)

        found = choose(
            self.request.network, train, module, self.device, batch, self._images(begun), begin
        )
        return self.processes.told(found)  # type: ignore[no-any-return]

    def _images(self, begun: Start) -> int:
        """How many go through the network, about. Where features are kept, most of each goes
        through once."""
        learned, looked_at = (len(self.opened.stores[part]) for part in ("train", "val"))
        images = (learned + looked_at) * self.plan.train.epochs.count
        transfer = self.plan.transfer
        if transfer is None or transfer.cache is None or begun.freezing is None:
            return images
        once = learned * (transfer.cache.passes or 1) + looked_at
        frozen = begun.freezing.strategy.stages[0].frozen
        costs = [
            (node.index in frozen, node.op.macs(node.shape, *node.input_shapes))
            for node in self.request.network.nodes
        ]
        share = sum(macs for still, macs in costs if still) / max(1, sum(m for _, m in costs))
        return round(share * once + (1 - share) * images)

    def _features(
        self, path: Path, module: nn.Module, begun: Start, choice: Choice
    ) -> Cached | None:
        """What frozen layers compute, where that is kept."""
        transfer = self.plan.transfer
        if transfer is None or transfer.cache is None or begun.freezing is None:
            return None
        return Caching(
            transfer.cache,
            self.request.network,
            module,
            begun.freezing.strategy.stages[0].frozen,
            self.opened,
            choice.precision,
            self.request.base,
            self.around or path,
            self.callback,
            self.processes,
        ).cached()

    def _keeper(self, folder: RunFolder, choice: Choice) -> CheckpointWriter:
        network, opened = self.request.network, self.opened
        spec = spec_hash(self.request.program)
        fixed = {
            "plan": self.plan.to_json(),
            "network": mark_of(network),
            "spec": spec,
            "seed": self.plan.train.seed.value,
            "version": self.version,
            "numbers": {
                "precision": choice.precision.word,
                "channels_last": choice.precision.channels_last,
                "lines": list(choice.lines),
            },
        }
        about = facts_about(
            opened.dataset.classes,
            opened.preparation.to_json(),
            network.name,
            spec,
            opened.dataset.multi_label,
        )
        return CheckpointWriter(
            folder,
            fixed,
            about,
            self.plan.train.checkpoint.every,
            RunningMetrics(self.device, opened.dataset.multi_label),
            self.callback,
            self.processes,
        )

    def _begin(
        self,
        learner: Learner,
        keeper: CheckpointWriter,
        choice: Choice,
        start: Start,
        batches: int,
        resumed: bool,
    ) -> dict[str, Any]:
        """Says how it begins; returns what is to be written about that."""
        data, position = self.opened.dataset, keeper.position
        device = describe(self.device)
        if self.processes.world > 1:
            device = f"{self.processes.world} x {device}"
        choices = (
            *choice.lines,
            f"images are kept {_WHERE[self.opened.where]}",
            f"images become {', '.join(self.opened.preparation.lines())}",
            *_augmented(self.plan),
            *start.lines,
            *data.lines(),
        )
        parameters = sum(weight.numel() for weight in learner.module.parameters())
        trainable = sum(weight.numel() for weight in learner.parameters)
        self.callback.started(
            RunStart(
                keeper.folder.path,
                self.request.network.name,
                self.plan,
                device,
                choices,
                {part.name: part.count for part in data.parts},
                data.classes,
                parameters,
                trainable,
                self.plan.train.epochs.count,
                batches,
                (position.epoch + 1, position.position) if resumed else None,
            )
        )
        return begun(
            self.request,
            self.opened,
            device,
            choices,
            (parameters, trainable),
            self.processes,
            self.version,
        )

    # ---- learning ----

    def _learn(
        self,
        learner: Learner,
        opened: Opened,
        keeper: CheckpointWriter,
        batches: Batches,
        interruption: Interruption,
        record: Mapping[str, Any],
    ) -> str:
        """Runs the loop; says why it has ended."""
        loop = Loop(learner, opened, batches, keeper, self.callback, interruption, self.processes)
        try:
            return loop.run()
        except Diverged as error:
            raise self._stopped(keeper, record, DIVERGED, error.diagnostic) from None
        except SpecError as error:
            raise self._stopped(keeper, record, STOPPED, *error.diagnostics) from None
        except Exception as error:
            batch = max(1, self.plan.train.batch.size // self.processes.world)
            found = explained(
                error,
                self.request.network,
                self.plan.train,
                learner.precision,
                self.device,
                batch,
            )
            if found is None:
                raise
            raise self._stopped(keeper, record, STOPPED, found) from None
        finally:
            loop.close()
            if self.processes.writes:
                keeper.close(learner)

    def _stopped(
        self, keeper: CheckpointWriter, record: Mapping[str, Any], state: str, *found: Diagnostic
    ) -> SpecError:
        """For a training that cannot go on; what was written before stays."""
        if self.processes.writes:
            self._write(keeper, ended(record, state, _facts(keeper.position), None, None))
            self.callback.finished(_finished(keeper, state, {}, None))
        return SpecError(found)

    # ---- after ----

    def _end(
        self, learner: Learner, keeper: CheckpointWriter, record: Mapping[str, Any], reason: str
    ) -> Result:
        """The best weights once more, and everything about them."""
        position, path = keeper.position, keeper.folder.path
        module = learner.evaluated
        outcome: Outcome | None = None
        test: Outcome | None = None
        report: Path | None = None
        if self.processes.writes and reason != INTERRUPTED:
            if keeper.folder.best.exists() and not keeper.trouble:
                module.load_state_dict(read_weights(keeper.folder.best))
            outcome = evaluate(module, self.opened, "val", callback=self.callback)
            if "test" in self.opened.stores:
                test = evaluate(module, self.opened, "test", callback=self.callback)
        found = dict(outcome.metrics) if outcome else dict(keeper.last)
        if self.processes.writes:
            self._write(keeper, ended(record, reason, _facts(position), outcome, test))
            if outcome is not None:
                report = self._report(keeper, module, outcome)
            self.callback.finished(_finished(keeper, reason, found, report))
            if reason == INTERRUPTED and not keeper.trouble:
                self.callback.note(f"to go on: cnn train --resume {shown(path)}")
        return Result(
            path,
            reason,
            position.epoch,
            position.best_epoch,
            found,
            position.seconds,
            module.eval(),
            self.opened.dataset.classes,
            self.opened.preparation,
            outcome,
            test,
            report,
            keeper.trouble,
        )

    def _report(self, keeper: CheckpointWriter, module: nn.Module, outcome: Outcome) -> Path | None:
        from ..page.write import write_report

        network = self.request.network
        try:
            return write_report(keeper.folder.path, network, module, outcome, self.opened)
        except OSError as error:
            keeper.not_written(error)
            return None

    def _write(self, keeper: CheckpointWriter, record: Mapping[str, Any]) -> None:
        try:
            keeper.folder.write_record(record)
        except OSError as error:
            keeper.not_written(error)


_WHERE = {
    "device": "on the device, decoded",
    "memory": "in memory, decoded",
    "files": "in their files, and read anew in each epoch",
}


def _facts(position: Position) -> dict[str, Any]:
    return {
        "epochs": position.epoch,
        "steps": position.steps,
        "seconds": round(position.seconds, 3),
        "best_epoch": position.best_epoch,
        "best": None if position.best is None else plain(position.best),
    }


def _finished(
    keeper: CheckpointWriter, reason: str, metrics: Mapping[str, float], report: Path | None
) -> RunEnd:
    position = keeper.position
    return RunEnd(
        keeper.folder.path,
        reason,
        position.epoch,
        position.best_epoch,
        metrics,
        position.seconds,
        report,
    )
