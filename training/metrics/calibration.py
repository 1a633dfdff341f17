"""Measures calibration: whether of the answers with a confidence of 80 %, 80 % are right.

ECE, the expected calibration error, is the mean difference of the two over 15 bins of confidence,
each weighted by its answers (Guo et al., 2017, arXiv:1706.04599).
"""

from __future__ import annotations

import torch
from torch import Tensor

BINS = 15


def calibration(confidence: Tensor, right: Tensor, known: Tensor | None = None) -> Tensor:
    """For each of the bins of confidence, the number of answers, the sum of their confidences, and
    how many of them are right: 3 x bins. The upper end of a bin belongs to it. Only
    those count of which it is `known` whether they are right."""
    confidence, right = confidence.flatten(), right.flatten()
    bins = ((confidence * BINS).ceil().long() - 1).clamp(0, BINS - 1)
    columns = torch.stack([torch.ones_like(confidence), confidence, right.to(confidence)])
    if known is not None:
        columns = columns * known.flatten()
    sums = columns.new_zeros(3, BINS)
    return sums.index_add_(1, bins, columns)


def calibration_error(sums: Tensor) -> float:
    """The expected calibration error (ECE) of the sums."""
    count, confidence, right = sums.cpu().double()
    return float((confidence - right).abs().sum() / count.sum().clamp(min=1))
