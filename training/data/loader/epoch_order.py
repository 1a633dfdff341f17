"""The order in which images come in an epoch of training, and which of them a process reads.

    order = epoch_order(count, weights, window, seed, epoch)
    order.at(own_positions(order, count, batch, guests, sharing, machine))

The order is that of a full shuffle, unless the set is shuffled within a window (windowed_order.py).
It depends on the seed, the epoch and the set alone: not on batches, processes or workers.
"""

from __future__ import annotations

from typing import Protocol

import numpy
import torch
from torch import Tensor

from .order import Sharing, Span, permutation, weighted
from .weighted_draws import WeightedDraws
from .windowed_order import ShuffleWindow, WindowedOrder


class EpochOrder(Protocol):
    """The images at positions of an epoch."""

    @property
    def lanes(self) -> int:
        """How many of them there are, if images are shuffled within a window."""

    def at(self, positions: Tensor) -> Tensor:
        """The indices of the images at some positions."""

    def lanes_at(self, positions: Tensor) -> Tensor | None:
        """A number for each position: images of near ones are near each other in their files. None
        if any image may come anywhere."""


class FullShuffle:
    """Any image may come anywhere in the epoch."""

    lanes = 1

    def __init__(self, order: Tensor) -> None:
        self._order = order

    def at(self, positions: Tensor) -> Tensor:
        return self._order[positions]

    def lanes_at(self, positions: Tensor) -> None:
        return None


class DrawnInWindow:
    """Weighted draws, shuffled within a window."""

    def __init__(self, order: WindowedOrder, draws: WeightedDraws) -> None:
        self._order, self._draws = order, draws
        self.lanes = order.lanes

    def at(self, positions: Tensor) -> Tensor:
        return self._draws.at(self._order.at(positions))

    def lanes_at(self, positions: Tensor) -> Tensor:
        return self._order.lanes_at(positions)


def epoch_order(
    count: int, weights: Tensor | None, window: ShuffleWindow | None, seed: int, epoch: int
) -> EpochOrder:
    """The order of `count` images in one epoch. Draws with weights are as many as there are
    images. A window that is as large as the set is a full shuffle."""
    if window is None or window.images >= count:
        if weights is None:
            return FullShuffle(permutation(count, seed, epoch))
        return FullShuffle(weighted(weights, seed, epoch))
    order = WindowedOrder(count, window, seed, epoch)
    if weights is None:
        return order
    return DrawnInWindow(order, WeightedDraws(weights, order.piece, seed, epoch))


def own_positions(
    order: EpochOrder, count: int, batch: Span, guests: int, sharing: Sharing, machine: Sharing
) -> Tensor:
    """The positions of the images that a process reads of a batch, and of as many guests: the next
    ones, with which the last images are mixed.

    Processes divide a batch equally. Where there is a window, computers divide it by lanes, so that
    a piece is read by one computer; its processes divide the computer's share in the order of the
    epoch. `machine` is the rank among the processes of the computer, and their number.

    With guests, an image and the next one must be the same ones for any number of computers: see
    `_mixed`.

    A process that gets no image of a small batch reads the first one of it, which then does not
    count there.
    """
    own = batch.share(*sharing)
    if own.start == own.stop:
        return torch.arange(batch.start, batch.start + 1 + guests) % count
    positions = torch.arange(batch.start, batch.stop)
    if guests:
        lanes = order.lanes_at(positions)
        if lanes is not None:
            mixed = _mixed(positions, lanes, order.lanes)
            places = torch.arange(own.start - batch.start, own.stop - batch.start + guests)
            return mixed[places % len(mixed)]
    else:
        lanes = order.lanes_at(positions) if machine.world < sharing.world else None
    if lanes is None:
        return torch.arange(own.start, own.stop + guests) % count
    first = sharing.rank - machine.rank
    start = batch.share(first, sharing.world).start
    stop = batch.share(first + machine.world - 1, sharing.world).stop
    by_lane = numpy.argsort(lanes.numpy(), kind="stable")[start - batch.start : stop - batch.start]
    share = positions[numpy.sort(by_lane)]
    return share[own.start - start : own.stop - start]


_GROUP = 32
"""About the number of images of a batch in a group of lanes."""
_FEWEST_LANES = 4
"""With fewer lanes in a group, images would be mixed with others of the same piece."""


def _mixed(positions: Tensor, lanes: Tensor, count: int) -> Tensor:
    """The order of a batch whose images are mixed with the next ones, the last with the first:
    group by group of lanes that are next to each other, within each in the order of the epoch.

    It depends on the batch alone, so that partners do not change with the number of computers. And
    each process has almost all partners of its images in its own share, and each computer most
    pieces for itself, although the order of the epoch alternates between all lanes.
    """
    together = max(_FEWEST_LANES, _GROUP * count // max(1, len(positions)))
    groups = lanes.numpy() // (1 << (together.bit_length() - 1))
    return positions[numpy.argsort(groups, kind="stable")]
