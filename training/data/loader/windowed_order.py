"""The order of a large set that is shuffled within a window: near a full shuffle, but images that
are close to each other in their files are needed at about the same time.

The set is cut into pieces of images that are next to each other. The pieces are shuffled over the
whole set, and dealt in equal parts to lanes. Each round takes one image of each lane, in an order
that differs from round to round; within a lane, the images of a piece are shuffled. So at any time
one piece is read in each lane, and the window is their images.

    lane 0    | piece 71  | piece 4   | …         round 0: an image of 71, of 18, of 52, of 9
    lane 1    | piece 18  | piece 33  | …         round 1: another of each, in another order
    lane 2    | piece 52  | piece 90  | …
    lane 3    | piece 9   | piece 61  | …

Everything is computed from the place of an image in the order, by permutations that need no memory:
the order of a billion images costs no more than that of a thousand, and goes on at any place. It
depends on the seed, the epoch and the number of images alone. How images are divided among files
does not matter, nor that files differ in size.

Several computers divide each batch by lanes, so that a piece is read by one of them, not by all
(epoch_order.py).
"""

from __future__ import annotations

from math import gcd, isqrt
from typing import NamedTuple

import numpy
import torch
from torch import Tensor

from .keyed_permutation import Numbers, key_of, keys_of, permuted

LANES = 1024
"""With as many pieces at a time, the shuffle cannot be told from a full one, whatever the order of
the files (benchmarks/scale.py shuffle)."""
PIECE_BYTES = 4 * 2**20
"""The bytes of a piece: worth a request to a server, or a disk's seek."""
_FEWEST = 256
"""The least number of lanes that a window is divided into; in a small one, pieces get shorter."""


class ShuffleWindow(NamedTuple):
    """The window of a shuffle."""

    piece: int
    """About the number of images in a piece."""
    lanes: int
    """The number of pieces at a time, a power of two."""

    @classmethod
    def of(cls, bytes_of_image: float, images: int | None = None) -> ShuffleWindow:
        """The window of images of about this size in their files; `images` is the size that the
        user asks for."""
        piece = max(1, round(PIECE_BYTES / max(1.0, bytes_of_image)))
        if images is None:
            return cls(piece, LANES)
        lanes = max(images // piece, min(images, _FEWEST))
        lanes = 1 << (lanes.bit_length() - 1)
        return cls(images // lanes, lanes)

    @property
    def is_valid(self) -> bool:
        """Whether this can be a window: it may be read from a file."""
        return self.piece >= 1 and self.lanes >= 1 and not self.lanes & (self.lanes - 1)

    @property
    def images(self) -> int:
        """The number of images that are shuffled with each other."""
        return self.piece * self.lanes


class WindowedOrder:
    """The order of one epoch."""

    def __init__(self, count: int, window: ShuffleWindow, seed: int, epoch: int) -> None:
        """There must be at least as many images as lanes."""
        self.count = count
        self.lanes = window.lanes
        self.piece = _staggered(window.piece, count // window.lanes)
        self._pieces = count // self.piece
        self._order, self._within, self._rounds = (
            key_of(purpose, seed, epoch) for purpose in ("pieces", "within pieces", "rounds")
        )
        # Pieces begin elsewhere in each epoch, and the images that are left over are others.
        self._first = key_of("first", seed, epoch) % count

    def at(self, positions: Tensor) -> Tensor:
        """The indices of the images at some positions of the epoch."""
        at = positions.numpy().astype(numpy.uint64)
        lanes = self._lanes(at)
        start, end = self._start(lanes), self._start(lanes + 1)
        place = start + at // self.lanes
        piece = place // self.piece
        start = numpy.maximum(piece * self.piece, start)
        size = numpy.minimum((piece + 1) * self.piece, end) - start
        keys = keys_of(self._within, piece * self.lanes + lanes)
        place = start + permuted(place - start, size, keys)
        chosen = piece
        if self._pieces > 1:
            counts, key = numpy.array([[self._pieces], [self._order]], numpy.uint64)
            chosen = permuted(numpy.minimum(piece, counts - 1), counts, key)
            chosen = numpy.where(piece < counts, chosen, piece)  # the last one may be shorter
        indices = (chosen * self.piece + place % self.piece + self._first) % self.count
        return torch.from_numpy(indices.astype(numpy.int64))

    def lanes_at(self, positions: Tensor) -> Tensor:
        """The lane of each position."""
        lanes = self._lanes(positions.numpy().astype(numpy.uint64))
        return torch.from_numpy(lanes.astype(numpy.int64))

    def _lanes(self, positions: Numbers) -> Numbers:
        number, turn = positions // self.lanes, positions % self.lanes
        lanes = _spread(turn, self.lanes, keys_of(self._rounds, number))
        # If lanes differ in length, the last round has only those that are longer, in order.
        left, last = self.count % self.lanes, self.count // self.lanes
        if left and len(number) and number.max() == last:
            longer = ((turn + 1) * self.lanes + (left - 1)) // left - 1
            lanes = numpy.where(number == last, longer, lanes)
        return lanes

    def _start(self, lanes: Numbers) -> Numbers:
        """Where lanes begin in the order of pieces."""
        return lanes * self.count // self.lanes


def _staggered(piece: int, length: int) -> int:
    """About the size of a piece, so that lanes of this length do not all come to the end of their
    pieces at the same time: then all of the next ones would have to be read at once."""
    for size in range(piece, piece + isqrt(piece) + 8):
        if gcd(size, length) == 1:
            return size
    return piece


def _spread(turns: Numbers, lanes: int, keys: Numbers) -> Numbers:
    """The lanes of a round in a random order in which, of 2, 4, 8, … turns from the start of as
    many, one falls into each half, quarter, eighth, … of the lanes (a van der Corput sequence,
    scrambled as by Owen, 1995). So a batch has as many images of the lanes of each computer,
    although it is smaller than a round."""
    mask, one = numpy.uint64(lanes - 1), numpy.uint64(1)
    mixed = (turns + keys) & mask
    for shift in (8, 24, 40):  # a bit changes with those below it alone: that keeps the property
        drawn = keys >> numpy.uint64(shift)
        mixed = (mixed ^ (mixed * (drawn & ~one))) & mask
        mixed = (mixed * ((drawn >> numpy.uint64(4)) | one)) & mask
    reverse = numpy.zeros_like(mixed)
    for _ in range(lanes.bit_length() - 1):
        reverse = (reverse << one) | (mixed & one)
        mixed = mixed >> one
    return reverse
