"""Permutations that are computed one place at a time, so that they need no memory.

    permuted(places, counts, keys)    the numbers at these places of permutations of 0..count-1

A permutation of a billion numbers that is drawn takes 8 GB, and seconds, before its first number is
known. Here each number is computed from its place and a key, by steps that can be undone: so no
two places get the same number.

Arrays are NumPy's, uint64: torch has no unsigned arithmetic, and its threads, which the training
uses meanwhile, would slow this down.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy

from ...augment.random_numbers import FIRST, GOLDEN, SECOND

Numbers = Any
"""An array of uint64."""

_ROUNDS = 4
"""Two mix the bits of a number well enough for a hash; twice that, since some have few bits."""
_POWERS = numpy.left_shift(numpy.uint64(1), numpy.arange(1, 48, dtype=numpy.uint64))


def key_of(purpose: str, seed: int, epoch: int) -> int:
    """A key for each purpose, seed and epoch, the same on every machine."""
    digest = sha256(f"{purpose}/{seed}/{epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def keys_of(key: int, numbers: Numbers) -> Numbers:
    """A key for each of some numbers."""
    return _mix(numbers * GOLDEN + numpy.uint64(key))


def permuted(places: Numbers, counts: Numbers, keys: Numbers) -> Numbers:
    """The number at each place in a permutation of 0..count-1, which the key chooses. The place,
    the count (at most 2^47) and the key may differ from element to element."""
    bits = numpy.searchsorted(_POWERS, counts - 1, side="right").astype(numpy.uint64) + 1
    one = numpy.uint64(1)
    half, mask = (bits + 1) >> one, (one << bits) - 1
    rounds = []
    for number in range(_ROUNDS):
        drawn = keys_of(number, keys)
        rounds.append((drawn, (drawn >> numpy.uint64(16)) | one))

    def once(values: Numbers) -> Numbers:
        """A permutation of all numbers that have as many bits."""
        for added, factor in rounds:
            values = ((values + added) * factor) & mask  # an odd factor can be undone
            values = values ^ (values >> half)
        return values

    values = once(places)
    # What is too large is permuted again until it is not: still no two places get the same number.
    while (outside := values >= counts).any():
        values = numpy.where(outside, once(values), values)
    return values


def _mix(values: Numbers) -> Numbers:
    """The last steps of splitmix64 (Steele et al., 2014)."""
    values = (values ^ (values >> numpy.uint64(30))) * FIRST
    values = (values ^ (values >> numpy.uint64(27))) * SECOND
    return values ^ (values >> numpy.uint64(31))
