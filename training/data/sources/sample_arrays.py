"""Series and scans of arrays: those that have NaN or infinite numbers are left out and named."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ....compiler.shapes import Shape
from ..left_out import BadFile
from ..loader.image_source import Arrays
from ..samples.sample_layout import as_samples, not_finite


def sample_arrays(
    array: Any, labels: Tensor, wanted: Shape, prefix: str = ""
) -> tuple[Arrays, list[BadFile], str]:
    """The good samples of an array, the others with the reason, and a note on their layout.
    `prefix` comes before the number of a sample in its name. Raises Unfit."""
    samples, note = as_samples(array, wanted)
    bad = not_finite(samples)
    if not bad or len(samples) != len(labels):
        return Arrays(samples, labels), [], note
    good = torch.tensor([row for row in range(len(samples)) if row not in bad]).long()
    named = [BadFile(f"{prefix}#{row}", reason) for row, reason in bad.items()]
    return Arrays(samples[good], labels[good], good), named, note
