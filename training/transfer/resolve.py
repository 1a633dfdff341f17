"""A request with a transfer section is resolved before data is read: which weights are loaded, and
which preprocessing they need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ...compiler.plan.plan import TrainPlan
from ..checkpoint.run_files import read_plan
from ..request import Request
from ..untrusted.bad_file import BadFile
from .preprocessing_of_weights import with_pixels
from .source import Source, open_source


class ResolvedTransfer(NamedTuple):
    request: Request
    open_weights: Callable[[], Source] | None
    """Opens the weights to load, once; None where nothing is transferred."""


def resolve_transfer(request: Request, resume: Path | None) -> ResolvedTransfer:
    """With the preprocessing of the weights; raises SpecError where there are no such weights. A
    run that is resumed has all it needs in its folder."""
    transfer = request.plan.transfer
    if transfer is None:
        return ResolvedTransfer(request, None)
    directive, base = transfer.source, request.base

    @cache
    def source() -> Source:
        return open_source(directive, base)

    if resume is not None:
        return ResolvedTransfer(replace(request, plan=_as_begun(request.plan, resume)), source)
    pixels = source().pixels
    plan = request.plan if pixels is None else with_pixels(request.plan, pixels)
    return ResolvedTransfer(replace(request, plan=plan), source)


def _as_begun(plan: TrainPlan, folder: Path) -> TrainPlan:
    """With what the spec left open as it was settled when the run began."""
    try:
        before = read_plan(folder)
    except BadFile:  # said where it is found out whether this is a run at all
        return plan
    evaluate, then = plan.evaluate, before.evaluate
    if not evaluate.normalize.written:
        evaluate = replace(evaluate, normalize=then.normalize)
    sized = (evaluate.resize, evaluate.crop)
    if not any(one is not None and one.written for one in sized):
        evaluate = replace(evaluate, resize=then.resize)
    transfer, settled = plan.transfer, before.transfer
    assert transfer is not None
    if settled is not None and transfer.policy is not None and transfer.policy == settled.policy:
        transfer = replace(
            transfer,
            freeze=settled.freeze,
            features=settled.features,
            decay=settled.decay,
            head=transfer.head or settled.head,
        )
    return replace(plan, evaluate=evaluate, transfer=transfer)
