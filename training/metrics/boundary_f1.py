"""Boundary F1 of masks: how well outlines are met (Csurka et al., BMVC 2013).

A pixel is on the outline of a class if a neighbor above, below, left or right of it has another
class; so is a step of a series beside one of another class, and a voxel with one of six neighbors.
Precision is the share of the predicted outline that is near the true one, recall the share of the
true outline that is near the predicted one; near is within 0.75 % of the image's diagonal, along
each axis, and at least one pixel. Where there is no label, there is no outline.
"""

from __future__ import annotations

from math import hypot

import torch
import torch.nn.functional as F
from torch import Tensor

from ...compiler.plan.data import UNLABELLED

_NEAR = 0.0075


def boundary_f1(predicted: Tensor, mask: Tensor, classes: int) -> Tensor:
    """The score of one image (class numbers, along one to three axes): the mean over the classes in
    its mask or its prediction; NaN if neither has an outline."""
    reach = max(1, round(_NEAR * hypot(*mask.shape)))
    labeled = mask != UNLABELLED
    scores = []
    both = torch.where(labeled, predicted, UNLABELLED), mask.long()
    there = torch.zeros(UNLABELLED + 1, dtype=torch.bool, device=mask.device)
    for each in both:
        there[each.flatten().long()] = True
    for number in there[:classes].nonzero().flatten().tolist():
        found, true = (_outline(each == number, labeled) for each in both)
        near_found, near_true = _near(found, reach), _near(true, reach)
        sizes = found.sum(), true.sum()
        precision = (found & near_true).sum() / sizes[0].clamp(min=1)
        recall = (true & near_found).sum() / sizes[1].clamp(min=1)
        score = 2 * precision * recall / (precision + recall).clamp(min=1e-12)
        scores.append(torch.where(sizes[0] + sizes[1] > 0, score, torch.nan))
    if not scores:
        return torch.full((), torch.nan, device=mask.device)
    return torch.stack(scores).nanmean()


def _outline(inside: Tensor, labeled: Tensor) -> Tensor:
    """The pixels of a class beside a labeled pixel of another class."""
    other = labeled & ~inside
    beside = torch.zeros_like(inside)
    for axis in range(inside.ndim):
        length = inside.shape[axis] - 1
        beside.narrow(axis, 0, length).logical_or_(other.narrow(axis, 1, length))
        beside.narrow(axis, 1, length).logical_or_(other.narrow(axis, 0, length))
    return inside & beside


def _near(outline: Tensor, reach: int) -> Tensor:
    spread = outline.float()
    for axis in range(outline.ndim):
        along = spread.movedim(axis, -1)
        rows = along.reshape(1, -1, along.shape[-1])
        rows = F.max_pool1d(rows, 2 * reach + 1, 1, reach)
        spread = rows.view(along.shape).movedim(-1, axis)
    return spread > 0
