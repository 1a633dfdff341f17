"""Takes the answers of a run from an evaluation, to be kept in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.opened import Opened
from ..metrics.outcome import Outcome
from ..tasks.multi_label import MultiLabel
from .kept_answers import (
    BEST,
    MASKS,
    MOST_IMAGES,
    MOST_NAMES,
    MOST_NUMBERS,
    NUMBERS,
    ONE_CLASS,
    TAGS,
    UNKNOWN,
    Array,
    KeptAnswers,
    OutputAnswers,
    identities,
    smallest,
)

_AT_ONCE = 4096
_SMALLEST = torch.finfo(torch.float32).tiny


class _Output(NamedTuple):
    name: str
    task: str
    classes: tuple[str, ...]
    thresholds: tuple[float, ...]
    outcome: Outcome


def collected(outcome: Outcome, data: Opened, epoch: int | None) -> KeptAnswers:
    """The answers of an evaluation on one part."""
    ids = identities(data.keys(outcome.part))
    kept = numpy.arange(len(ids))
    if len(ids) > MOST_IMAGES:
        kept = numpy.sort(numpy.argsort(ids, kind="stable")[:MOST_IMAGES])
    names: list[str] = []
    size = 0
    for place in kept.tolist():
        name = data.name(outcome.part, place)
        size += len(name) + 4
        if size > MOST_NAMES:
            names = []
            break
        names.append(name)
    outputs = [_kept(one, kept, len(ids)) for one in _outputs(outcome, data)]
    return KeptAnswers(
        outcome.part, data.dataset.noun, epoch, len(ids), ids[kept], tuple(names), tuple(outputs)
    )


def _outputs(outcome: Outcome, data: Opened) -> Sequence[_Output]:
    dataset, task = data.dataset, data.task
    if not dataset.answers:
        thresholds = task.thresholds if isinstance(task, MultiLabel) else ()
        return [_Output("", dataset.task, dataset.classes, thresholds, outcome)]
    return [
        _Output(
            answer.output, answer.task, answer.classes, answer.thresholds,
            outcome.outputs[answer.output],
        )
        for answer in dataset.answers
    ]  # fmt: skip


def _kept(output: _Output, kept: NDArray[numpy.int64], images: int) -> OutputAnswers:
    """The answers of an output to those images that are kept and have its label."""
    outcome = output.outcome
    rows = numpy.arange(images) if outcome.rows is None else outcome.rows.cpu().numpy()
    places = numpy.searchsorted(kept, rows)
    there = (places < len(kept)) & (kept[numpy.minimum(places, len(kept) - 1)] == rows)
    chosen = torch.from_numpy(there)
    arrays = _arrays(output, outcome.answers.cpu()[chosen], outcome.labels.cpu()[chosen])
    return OutputAnswers(
        output.name, output.task, output.classes, places[there], arrays, output.thresholds
    )


def _arrays(output: _Output, answers: Tensor, labels: Tensor) -> Mapping[str, Array]:
    few = answers.numel() <= MOST_NUMBERS
    if output.task == ONE_CLASS:
        return _one_class(answers.float(), labels.long(), len(output.classes))
    if output.task == TAGS:
        known = ~labels.isnan()
        if not few:
            thresholds = torch.tensor(output.thresholds or (0.5,) * len(output.classes))
            right = ((answers >= thresholds) == (labels > 0.5)) | ~known
            return {"exact": right.all(1).to(torch.uint8).numpy()}
        present = torch.where(known, (labels > 0.5).to(torch.uint8), UNKNOWN).to(torch.uint8)
        logits = answers.double().clamp(1e-12, 1 - 1e-12).logit()
        return {"logits": logits.to(torch.float16).numpy(), "present": present.numpy()}
    if output.task == NUMBERS:
        if few:
            return {"numbers": answers.float().numpy(), "truth": labels.float().numpy()}
        return {"error": (answers - labels).abs().nanmean(1).float().numpy()}
    assert output.task == MASKS or answers.ndim == 1
    return {"score": answers.float().numpy()}


def _one_class(shares: Tensor, labels: Tensor, classes: int) -> Mapping[str, Array]:
    best = shares.topk(min(BEST, shares.shape[1]), dim=1)
    true = shares.gather(1, labels[:, None])
    kind = smallest(classes - 1)
    return {
        "label": labels.numpy().astype(kind),
        "best": best.indices.numpy().astype(kind),
        "shares": best.values.to(torch.float16).numpy(),
        "loss": -true[:, 0].clamp(min=_SMALLEST).log().numpy(),
        # Of equally probable classes, the order of `topk` counts, as in the metrics.
        "rank": _ranks(shares, labels, true, best.indices).numpy().astype(kind),
    }


def _ranks(shares: Tensor, labels: Tensor, true: Tensor, best: Tensor) -> Tensor:
    """How many classes are more probable than the true one."""
    rows = zip(torch.split(shares, _AT_ONCE), torch.split(true, _AT_ONCE), strict=True)
    above = torch.cat([(each > own).sum(1) for each, own in rows])
    among = best == labels[:, None]
    return torch.where(among.any(1), among.int().argmax(1), above.clamp(min=best.shape[1]))
