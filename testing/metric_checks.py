"""A metric: sums that do not depend on the order of images, on batches or on processes."""

from __future__ import annotations

import math
import random

import torch
from torch import Tensor

from ..compiler.plan.own_metric import Metric
from .as_plugin import refusal
from .checked import Checked
from .loss_checks import CLASSES, IMAGES, Case, cases

CUTS = ((IMAGES,), (1, IMAGES - 1), (5, 4, 3), (1,) * IMAGES)
"""Numbers of images in batches."""


def check_metric(kind: type[Metric], seed: int) -> Checked:
    checked = Checked()
    refused = refusal(kind)
    if refused:
        checked.failures.append(refused)
        return checked
    metric = kind()
    for task in kind.tasks:
        for case in cases(task, torch.Generator().manual_seed(seed)):
            if task == "classification" and case.labels.ndim == 2:
                continue  # labels are mixed in training only
            try:
                _check(checked, metric, case, seed)
            except Exception as error:
                sentence = f"it fails on {case.what}: {type(error).__name__}: {error}"
                checked.failures.append(sentence)
    return checked


def _check(checked: Checked, metric: Metric, case: Case, seed: int) -> None:
    outputs = case.outputs.shape[1]
    shape = tuple(metric.sums(outputs))
    first = metric.count(case.outputs, case.labels)
    checked.that(
        tuple(first.shape) == shape,
        f"`sums({outputs})` says {shape}, and `count` gives {tuple(first.shape)} for {case.what}",
    )
    if tuple(first.shape) != shape:
        return
    whole = _value(metric, _counted(metric, case, (IMAGES,), range(IMAGES)))
    checked.that(
        not math.isinf(whole),
        f"`value` gives {whole!r} for {case.what}, and has to be a number",
    )
    order = list(range(IMAGES))
    random.Random(seed).shuffle(order)
    for cut in CUTS:
        for what, places in (("in order", range(IMAGES)), ("in another order", order)):
            value = _value(metric, _counted(metric, case, cut, places))
            checked.that(
                _same(value, whole),
                f"of {case.what} it is {value:.6g} for batches of {', '.join(map(str, cut))} images"
                f" {what}, and {whole:.6g} for one batch",
            )
    halves = [_counted(metric, case, (len(part),), part) for part in (range(5), range(5, IMAGES))]
    merged = _value(metric, halves[0] + halves[1])
    checked.that(
        _same(merged, whole),
        f"of {case.what} it is {merged:.6g} if two processes are added up, and {whole:.6g} for one",
    )
    if case.right is not None:
        best = float(metric.value(metric.count(case.right, case.labels).double()))
        better = best >= whole if metric.higher else best <= whole
        checked.that(
            better or math.isnan(whole),
            f"`higher` says that {'more' if metric.higher else 'less'} is better, but of"
            f" {case.what} it is {best:.4g} where the outputs are right, and {whole:.4g} where they"
            " are random",
        )
        if metric.share:
            inside = all(-1e-6 <= each <= 1 + 1e-6 for each in (best, whole))
            checked.that(inside, f"`share` says from 0 to 1, but it is {best:.4g} and {whole:.4g}")


def _counted(metric: Metric, case: Case, cut: tuple[int, ...], places: range | list[int]) -> Tensor:
    """The sums of the images at some places, counted batch by batch."""
    sums = torch.zeros(metric.sums(case.outputs.shape[1]), dtype=torch.float64)
    start, chosen = 0, list(places)
    for size in cut:
        batch = chosen[start : start + size]
        sums += metric.count(case.outputs[batch].clone(), case.labels[batch].clone()).double()
        start += size
    return sums


def _value(metric: Metric, sums: Tensor) -> float:
    return float(metric.value(sums))


def _same(value: float, whole: float) -> bool:
    return math.isclose(value, whole, rel_tol=1e-5, abs_tol=1e-6) or (value != value != whole)


__all__ = ["CLASSES", "check_metric"]
