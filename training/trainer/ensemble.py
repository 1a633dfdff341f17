"""`ensemble 5`: several networks of one plan, each with a seed of its own; they answer together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ...compiler.plan.train import Ensemble, Seed
from ...dsl.diagnostics import SpecError
from ..checkpoint.record import ended, plain
from ..checkpoint.run_folder import RECORD, RunFolder, member_name
from ..inference.trained_model import TrainedModel, open_run
from ..metrics.evaluation import evaluate
from ..metrics.outcome import Outcome
from ..request import Request
from ..runtime.interrupts import Interruption
from ..saved_request import read_record
from .callbacks import RunEnd
from .loop import DONE, EARLY
from .result import Result

if TYPE_CHECKING:
    from .run import Training


class EnsembleModule(nn.Module):
    """Logits of the mean of what several networks hold to be probable."""

    def __init__(self, members: Sequence[nn.Module], multi_label: bool) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.multi_label = multi_label

    def forward(self, images: Tensor) -> Tensor:
        logits = torch.stack([member(images).float() for member in self.members])
        if self.multi_label:
            return logits.sigmoid().mean(0).logit(eps=1e-7)
        return logits.log_softmax(2).logsumexp(0) - math.log(len(self.members))


def train_several(training: Training, path: Path, interruption: Interruption) -> Result:
    """One after the other, each in a folder of its own; those that are done are left alone."""
    count = training.plan.train.ensemble.count
    folder = RunFolder(path)
    if training.processes.writes and not (path / RECORD).exists():
        folder.write_request(training.request, training.version)
    found: list[Result] = []
    for number in range(1, count + 1):
        member = replace(training, request=_of_member(training.request, number), around=path)
        inside = path / member_name(number)
        if _is_done(inside, training.plan.train.epochs.count):
            training.callback.note(f"network {number} of {count} is there already")
            continue
        training.callback.note(f"network {number} of {count}, seed {member.plan.train.seed.value}")
        if training.processes.writes:
            inside.mkdir(exist_ok=True)
        found.append(member.one(inside, interruption))
        if number == 1 and training.processes.writes:
            record = read_record(inside)
            about = training.request.beside.to_json()
            folder.write_record({**record, "made_with": about, "state": "running", "result": None})
        if found[-1].interrupted:
            return replace(found[-1], folder=path, outcome=None)
    return _evaluated(training, folder, found)


def _of_member(request: Request, number: int) -> Request:
    """The same request for one network, whose seed is the plan's and those that follow it."""
    train = request.plan.train
    seed = train.seed.value + number - 1
    alone = replace(train, seed=Seed(value=seed), ensemble=Ensemble(count=1))
    said = (*request.beside.set, f"train.seed={seed}", "train.ensemble=1")
    return replace(
        request,
        plan=replace(request.plan, train=alone),
        beside=replace(request.beside, set=said),
    )


def _is_done(folder: Path, epochs: int) -> bool:
    try:
        record = read_record(folder)
        enough = int(record["result"]["epochs"]) >= epochs
        return record["state"] == EARLY or (record["state"] == DONE and enough)
    except (SpecError, KeyError, TypeError):  # not begun, or not at its end
        return False


def _evaluated(training: Training, folder: RunFolder, found: Sequence[Result]) -> Result:
    """All of them together on the images for validation, and on those for a test."""
    opened, path = training.opened, folder.path
    if not training.processes.writes:
        return found[-1]
    together = open_run(path, training.version, device=training.device)
    module = EnsembleModule(together.modules, opened.dataset.multi_label).eval()
    outcome = evaluate(module, opened, "val", callback=training.callback)
    test = evaluate(module, opened, "test") if "test" in opened.stores else None
    numbers = range(1, training.plan.train.ensemble.count + 1)
    records = [read_record(path / member_name(number)) for number in numbers]
    results: list[dict[str, Any]] = [dict(record["result"]) for record in records]
    seconds = sum(float(result["seconds"]) for result in results)
    epochs = max(int(result["epochs"]) for result in results)
    facts = {
        "epochs": epochs,
        "seconds": seconds,
        "best_epoch": None,
        "best": plain(outcome.metrics["top1"]),
        "members": [result["val"] for result in results],
    }
    folder.write_record(ended(read_record(path), DONE, facts, outcome, test))
    report = _report(training, together, outcome)
    training.callback.finished(RunEnd(path, DONE, epochs, None, outcome.metrics, seconds, report))
    return Result(
        path,
        DONE,
        epochs,
        None,
        outcome.metrics,
        seconds,
        module,
        opened.dataset.classes,
        opened.preparation,
        outcome,
        test,
        report,
        next((result.trouble for result in found if result.trouble), ""),
    )


def _report(training: Training, together: TrainedModel, outcome: Outcome) -> Path | None:
    """Of all of them; what is inside a network is shown of the first."""
    from ..page.write import NAME, write_page

    assert together.folder is not None
    try:
        return write_page(together.folder / NAME, together, outcome, training.opened)
    except OSError as error:
        training.callback.note(f"cannot write the report: {error.strerror}")
        return None
