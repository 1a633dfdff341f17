"""Whether two runs were measured on the same images, and which of one is which of the other."""

from __future__ import annotations

from typing import NamedTuple

import numpy
from numpy.typing import NDArray

from ..answers.kept_answers import NUMBERS, ONE_CLASS, TAGS, KeptAnswers, OutputAnswers
from ..data.diagnostic import plural_noun

Places = NDArray[numpy.int64]

PARTS = {"val": "validation", "test": "test"}


class Pairing(NamedTuple):
    """The same images in both, as places among those that have the label of an output."""

    first: Places
    second: Places


def paired(first: KeptAnswers, second: KeptAnswers, output: int) -> Pairing | str:
    """Pairs the images of two runs; or says why they cannot be."""
    reason = different_images(first, second)
    if reason:
        return reason
    one, other = first.outputs[output], second.outputs[output]
    left, right = first.ids[one.rows], second.ids[other.rows]
    if numpy.array_equal(left, right):
        pairing = Pairing(numpy.arange(len(left)), numpy.arange(len(right)))
    else:
        pairing = Pairing(numpy.argsort(left, kind="stable"), numpy.argsort(right, kind="stable"))
    nouns = plural_noun(first.noun)
    if not numpy.array_equal(left[pairing.first], right[pairing.second]):
        return f"not the same {nouns} have labels"
    changed = _changed_labels(one, other, pairing)
    if changed:
        return (
            f"the labels of {changed:,} of {len(pairing.first):,} {nouns} differ: these are other"
            f" {nouns} of the same names, or their labels were corrected"
        )
    return pairing


def different_images(first: KeptAnswers, second: KeptAnswers) -> str:
    """Why the images of two runs are not the same; empty if they are."""
    if numpy.array_equal(numpy.sort(first.ids), numpy.sort(second.ids)):
        return ""
    common = len(numpy.intersect1d(first.ids, second.ids))
    nouns, part = plural_noun(first.noun), PARTS[first.part]
    sizes = (
        f"{len(first.ids):,}"
        if len(first.ids) == len(second.ids)
        else f"{len(first.ids):,} and {len(second.ids):,}"
    )
    return f"their {part} sets differ: {common:,} of {sizes} {nouns} are in both"


_LABELS = {ONE_CLASS: "label", TAGS: "present", NUMBERS: "truth"}


def labels_are_kept(output: OutputAnswers) -> bool:
    """Whether the labels of images are among the answers: those of masks and images are not."""
    return _LABELS.get(output.task, "") in output.arrays


def _changed_labels(one: OutputAnswers, other: OutputAnswers, pairing: Pairing) -> int:
    """How many images have other labels; of masks and images, that is not known."""
    if not (labels_are_kept(one) and labels_are_kept(other)):
        return 0
    name = _LABELS[one.task]
    left = one.arrays[name][pairing.first].astype(numpy.float64)
    right = other.arrays[name][pairing.second].astype(numpy.float64)
    # Numbers went through the scale of the training set, which costs the last digits.
    scale = float(numpy.nanmax(numpy.abs(left), initial=0.0)) if left.size else 0.0
    same = numpy.isclose(left, right, rtol=1e-4, atol=1e-5 * scale, equal_nan=True)
    return int((~same.reshape(len(same), -1).all(1)).sum())
