"""Resolves `transfer` before the data is read: the weights to load, and their preprocessing."""

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
    """Opens the weights, only once; None if nothing is transferred."""


def resolve_transfer(request: Request, resume: Path | None) -> ResolvedTransfer:
    """The request with the preprocessing of the weights; raises SpecError if there are no such
    weights. A resumed run takes the preprocessing from its folder instead."""
    transfer = request.plan.transfer
    if transfer is None:
        return ResolvedTransfer(request, None)
    directive, base = transfer.source, request.base

    @cache
    def source() -> Source:
        return open_source(directive, base)

    if resume is not None:
        return ResolvedTransfer(replace(request, plan=_as_started(request.plan, resume)), source)
    pixels = source().pixels
    plan = request.plan if pixels is None else with_pixels(request.plan, pixels)
    return ResolvedTransfer(replace(request, plan=plan), source)


def _as_started(plan: TrainPlan, folder: Path) -> TrainPlan:
    """The plan of a resumed run: what the spec leaves open is as it was when the run was
    started."""
    try:
        before = read_plan(folder)
    except BadFile:  # the error is reported when the run folder is checked
        return plan
    evaluate, then = plan.evaluate, before.evaluate
    if not evaluate.normalize.written:
        evaluate = replace(evaluate, normalizations=then.normalizations)
    sized = (evaluate.resize, evaluate.crop)
    if not any(one is not None and one.written for one in sized):
        evaluate = replace(evaluate, resize=then.resize)
    transfer, old_transfer = plan.transfer, before.transfer
    assert transfer is not None
    policy = transfer.policy
    if old_transfer is not None and policy is not None and policy == old_transfer.policy:
        transfer = replace(
            transfer,
            freeze=old_transfer.freeze,
            features=old_transfer.features,
            decay=old_transfer.decay,
            head=transfer.head or old_transfer.head,
        )
    return replace(plan, evaluate=evaluate, transfer=transfer)
