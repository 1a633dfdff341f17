"""The loss and accuracy of guessing: of a network that gives every image the same answer.

The best such answer is the frequencies of the classes, whose loss is their entropy: ln(classes) if
all classes have as many images. A network that learns nothing from its images ends there.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, nan
from typing import NamedTuple


class Guessing(NamedTuple):
    """What can be reached without looking at the images."""

    loss: float
    loss_text: str
    """`2.303 = ln 10`; the number alone if the classes have different numbers of images. Empty, and
    the loss NaN, if it is not known."""
    shares: dict[str, float]
    """The accuracies: `top1`, and `top5` for more than five classes; empty if an image may have
    several classes."""


def guessing(counts: Sequence[int], images: int, *, separate: bool, multi_label: bool) -> Guessing:
    """For `images` images, of which `counts` belong to each class. `separate` is for a loss that
    decides each class by itself (`bce`)."""
    frequencies = [count / images for count in counts] if images else []
    if separate:
        each = [_entropy((share, 1 - share)) for share in frequencies]
        loss = sum(each) / max(1, len(each))
    else:
        loss = _entropy(frequencies)
    text = f"{loss:.4g}"
    even = log(max(2, len(counts)))
    if not separate and abs(loss - even) < _EVEN * even:
        text = f"{even:.4g} = ln {len(counts)}"
    shares: dict[str, float] = {}
    if not multi_label:
        largest = sorted(frequencies, reverse=True)
        shares = {"top1": sum(largest[:1])}
        if len(counts) > _FIVE:
            shares["top5"] = sum(largest[:_FIVE])
    return Guessing(loss, text, shares)


def guessing_masks(counts: Sequence[int]) -> Guessing:
    """For masks with so many pixels of each class: what one class for all pixels gives. Their loss
    may consist of parts whose best constant answers differ, so it is not said."""
    pixels, there = max(1, sum(counts)), max(1, sum(count > 0 for count in counts))
    most = max(counts, default=0) / pixels
    shares = {"pixels": most, "miou": most / there, "dice": 2 * most / (1 + most) / there}
    return Guessing(nan, "", shares)


def guessing_numbers() -> Guessing:
    """For numbers: what their mean, as the answer to every image, gives. Its R2 is 0 by definition;
    what is best for a loss depends on it, so that is not said."""
    return Guessing(nan, "", {"r2": 0.0})


_FIVE = 5
_EVEN = 5e-4
"""Up to this relative difference, the entropy is that of equal frequencies."""


def _entropy(shares: Sequence[float]) -> float:
    return -sum(share * log(share) for share in shares if share > 0)
