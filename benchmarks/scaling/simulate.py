"""The order of an epoch for up to 1,024 processes and a billion images, beside a full shuffle.

Nothing is trained and no image is read; computers have 8 processes, each of which takes 32 images
of a batch. What each reads is what training would read (`own_positions`).

    start      milliseconds until a process knows the images of its first batch
    middle     … of a run that goes on in the middle of the epoch
    memory     MiB that the order takes in a process
    images     of a process in the epoch: the least and the most of any
    pieces     that a computer reads from at a time, in the mean of all computers
    network    bytes that all computers fetch, relative to those of the images, in blocks of 256 KiB
               that a computer keeps; `by lanes` is what is built, `as they come` divides a batch
               without regard to files, `full` is a full shuffle of the whole set; `mixed`: by lanes
               where images are mixed (mixup, CutMix), each with the same one on any computers
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import torch
from torch import Tensor

from dotcnn.benchmarks.scaling.table import print_machine, print_table
from dotcnn.training.data.loader.epoch_order import (
    EpochOrder,
    epoch_order,
    own_positions,
)
from dotcnn.training.data.loader.order import BatchSizes, Sharing, Span
from dotcnn.training.data.loader.windowed_order import ShuffleWindow

LOCAL, EACH = 8, 32
BLOCK = 2**18
COLUMNS = (
    "images", "processes", "batch", "start, ms", "middle, ms", "memory", "images", "pieces",
    "network: by lanes", "mixed", "as they come", "full",
)  # fmt: skip
LARGEST = 10**8
"""The most images for which a full shuffle is made: of a billion it would take 8 GB."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, nargs="*", default=[1_281_167, 10**7, 10**8, 10**9])
    parser.add_argument("--processes", type=int, nargs="*", default=[8, 64, 256, 1024])
    parser.add_argument("--bytes", type=int, default=110_000, help="bytes of an image")
    parser.add_argument("--window", type=int, help="as in the spec; by default that of 4 GiB")
    parser.add_argument("--windows", type=float, default=12, help="length of the part simulated")


def run(options: argparse.Namespace) -> int:
    print_machine("numpy", "torch")
    window = ShuffleWindow.of(options.bytes, options.window)
    print(f"window of {window.images:,}: {window.lanes:,} pieces of {window.piece}\n")
    print_table(COLUMNS, _rows(options, window))
    print()
    print_table(("full shuffle of", "start, ms", "memory"), _full(options))
    return 0


def _rows(options: argparse.Namespace, window: ShuffleWindow) -> Iterator[list[object]]:
    for count in options.images:
        for world in options.processes:
            batch = EACH * world

            def order(count: int = count) -> EpochOrder:
                return epoch_order(count, None, window, 0, 1)

            start, memory = _cost(order, count, world, 0)
            middle, _ = _cost(order, count, world, count // 2)
            yield [
                f"{count:,}", f"{world:,}", f"{batch:,}", f"{start:.1f}", f"{middle:.1f}",
                f"{memory / 2**20:.2f}", "{:,}–{:,}".format(*_balance(count, batch, world)),
                *_network(order(), count, world, options, window),
            ]  # fmt: skip


def _full(options: argparse.Namespace) -> Iterator[list[object]]:
    for count in options.images:
        if count > LARGEST:
            yield [f"{count:,}", "not run", f"{8 * count / 2**20:,.0f} (computed)"]
            continue
        took = _cost(lambda count=count: epoch_order(count, None, None, 0, 1), count, 8, 0)[0]
        yield [f"{count:,}", f"{took:.1f}", f"{8 * count / 2**20:,.0f}"]


def _cost(
    make: Callable[[], EpochOrder], count: int, world: int, position: int
) -> tuple[float, int]:
    """Milliseconds to the indices of the first batch of the last process, and bytes that stay."""
    batch = Span(position, min(count, position + EACH * world))

    def first() -> tuple[EpochOrder, Tensor]:
        order = make()
        ranks = Sharing(world - 1, world), Sharing(LOCAL - 1, LOCAL)
        return order, order.at(own_positions(order, count, batch, 0, *ranks))

    times = []
    for _ in range(3):
        began = time.perf_counter()
        first()
        times.append(1000 * (time.perf_counter() - began))
    tracemalloc.start()
    kept = first()
    memory = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del kept
    return min(times), memory


def _balance(count: int, batch: int, world: int) -> tuple[int, int]:
    """The least and the most images that a process has in an epoch."""
    sizes = BatchSizes(count, batch)
    last = [size for size in sizes[-2:] if size != batch]
    full = (len(sizes) - len(last)) * (batch // world)
    shares = [[Span(0, size).share(rank, world) for size in last] for rank in (0, world - 1)]
    most, least = (full + sum(own.stop - own.start for own in each) for each in shares)
    return least, most


def _network(
    order: EpochOrder,
    count: int,
    world: int,
    options: argparse.Namespace,
    window: ShuffleWindow,
) -> list[str]:
    """How many pieces a computer has at a time, and what is fetched, in some windows from the
    middle of the epoch on."""
    computers, batch = max(1, world // LOCAL), EACH * world
    begin = count // 2
    length = min(count - begin, max(int(options.windows * window.images), 2 * batch))
    spans = [
        Span(at, min(at + batch, begin + length)) for at in range(begin, begin + length, batch)
    ]
    every = torch.arange(begin, begin + length)
    ideal = length * options.bytes
    lanes = order.lanes_at(every)
    assert lanes is not None
    by_lanes = _computers(order, count, spans, computers, 0)
    mixed = _computers(order, count, spans, computers, 1)
    sizes = [span.stop - span.start for span in spans]
    as_they_come = torch.cat([torch.arange(size) * computers // size for size in sizes])
    pieces = len(torch.unique(by_lanes[1] * window.lanes + lanes[by_lanes[0] - begin])) / computers
    if count <= 10**7:
        whole = epoch_order(count, None, None, 0, 1).at(every)
    else:  # as good as one, for what follows
        whole = torch.randint(count, (length,), generator=torch.Generator().manual_seed(0))
    return [
        f"{pieces:,.0f}",
        f"{_fetched(order.at(by_lanes[0]), by_lanes[1], options.bytes) / ideal:.2f}",
        f"{_fetched(order.at(mixed[0]), mixed[1], options.bytes) / ideal:.2f}",
        f"{_fetched(order.at(every), as_they_come, options.bytes) / ideal:.2f}",
        f"{_fetched(whole, as_they_come, options.bytes) / ideal:.2f}",
    ]


def _computers(
    order: EpochOrder, count: int, spans: list[Span], computers: int, guests: int
) -> tuple[Tensor, Tensor]:
    """Positions, and the computer that reads each. The shares of its processes make up its share,
    so each is seen as one process."""
    positions, found = [], []
    for span in spans:
        for computer in range(computers):
            ranks = Sharing(computer, computers), Sharing()
            own = own_positions(order, count, span, guests, *ranks)
            positions.append(own)
            found.append(torch.full_like(own, computer))
    return torch.cat(positions), torch.cat(found)


def _fetched(indices: Tensor, computers: Tensor, size: int) -> int:
    """Bytes of the blocks that each computer fetches, once each."""
    start, stop = indices * size // BLOCK, ((indices + 1) * size - 1) // BLOCK
    pairs: list[Any] = []
    for more in range(int((stop - start).max()) + 1):
        within = start + more <= stop
        pairs.append(((start + more) * 2**12 + computers)[within].numpy())
    return len(numpy.unique(numpy.concatenate(pairs))) * BLOCK
