"""How well an epoch is shuffled, beside a full shuffle, WebDataset and MosaicML Streaming.

The worst case: as many images as ImageNet has, of 1,000 classes, in 1,282 shards sorted by class.
Only numbers of images are shuffled; no image is read.

    reads      how often each block of 256 KiB of the files is fetched in an epoch, if 10 GB of them
               are kept, those that were used last
    rank       correlation of an image's place in the files and in the epoch; 0 is best
    next       how often an image is of the class of the one before it, 1 is as by chance
    run        the longest run of images of a class
    classes    the number of different classes in a batch of 256
    spread     variance of the number of images of a class in a batch; 1 is as by chance, less is
               more even
    distance   Kolmogorov-Smirnov distance between how far images that follow each other are apart
               in the files, and how far they are in a full shuffle; 0 is best
    together   how often two images of a batch are together in a batch of the next epoch, too; 1 is
               as by chance
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import numpy
import torch

from dotcnn.benchmarks.scaling.peer_orders import Order, streaming_order, webdataset_order
from dotcnn.benchmarks.scaling.table import print_machine, print_table
from dotcnn.training.data.loader.epoch_order import epoch_order
from dotcnn.training.data.loader.windowed_order import ShuffleWindow

COLUMNS = (
    "order", "reads", "rank", "next", "run", "classes", "spread", "distance", "together",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=1_281_167)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--shard", type=int, default=1000, help="images in a shard")
    parser.add_argument("--bytes", type=int, default=110_000, help="bytes of an image")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--peers", help="a folder with webdataset and streaming, if not installed")


def run(options: argparse.Namespace) -> int:
    if options.peers:
        sys.path.append(options.peers)
    print_machine("numpy", "torch", "webdataset", "mosaicml-streaming")
    print_table(COLUMNS, (_row(name, order, options) for name, order in _orders(options)))
    return 0


def _orders(options: argparse.Namespace) -> Iterator[tuple[str, Order]]:
    count, batch = options.images, options.batch
    sizes = numpy.full(-(-count // options.shard), options.shard)
    sizes[-1] = count - options.shard * (len(sizes) - 1)

    def ours(window: ShuffleWindow | None) -> Order:
        every = torch.arange(count)
        return lambda epoch: epoch_order(count, None, window, 0, epoch).at(every).numpy()

    usual = ShuffleWindow.of(options.bytes)
    yield "full shuffle (`window=full`)", ours(None)
    yield f"by default elsewhere: a window of {usual.images:,}", ours(usual)
    for images in (65_536, 10_000, 5_000, 1_000):
        yield f"`window={images}`", ours(ShuffleWindow.of(options.bytes, images))
    try:
        for buffer, workers in ((1_000, 1), (5_000, 1), (usual.images, 1), (5_000, 8)):
            name = f"WebDataset, shardshuffle=100, buffer {buffer:,}, {workers} worker(s)"
            yield name, webdataset_order(sizes, 100, buffer, workers, batch)
        for algorithm in ("py1s", "py1br", "py1e"):
            for block in (4_000_000, usual.images):
                name = f"Streaming, {algorithm}, block {block:,}"
                yield name, streaming_order(sizes, algorithm, block)
    except ImportError as error:
        print(f"left out: {error}; see --peers")


def _row(name: str, order: Order, options: argparse.Namespace) -> list[object]:
    first, second = order(0), order(1)
    count = options.images
    assert (numpy.sort(first) == numpy.arange(count)).all(), name
    label = first * options.classes // count
    same = label[1:] == label[:-1]
    rank = numpy.corrcoef(first, numpy.arange(count))[0, 1]
    classes, spread = _in_batches(label, options.batch, options.classes)
    return [
        name,
        f"{_reads(first, max(1, round(2**18 / options.bytes)), 10**10 // options.bytes):.2f}",
        f"{rank:+.3f}",
        f"{same.mean() * options.classes:.2f}",
        _longest(same),
        f"{classes:.1f}",
        f"{spread:.2f}",
        f"{_distance(first):.3f}",
        f"{_together(first, second, options.batch):.2f}",
    ]


def _reads(order: Any, block: int, kept: int) -> float:
    """How often a block of images is fetched on average. Blocks are kept for as long after their
    last use as makes those that are kept have `kept` images on average (a working set)."""
    blocks = order // block
    uses = numpy.lexsort((numpy.arange(len(order)), blocks))  # of each block, one after the other
    gaps = numpy.diff(uses).astype(float)
    gaps[numpy.diff(blocks[uses]) != 0] = len(order)  # until another block's first use
    low, high = 1.0, float(len(order))
    while high - low > 1:
        middle = (low + high) / 2
        in_use = numpy.minimum(gaps, middle).sum() / len(order) * block
        low, high = (middle, high) if in_use < kept else (low, middle)
    fetched = (gaps > low).sum() + 1
    return float(fetched / (int(blocks.max()) + 1))


def _longest(same: Any) -> int:
    """The longest run, of pairs that are the same."""
    ends = numpy.flatnonzero(~numpy.concatenate([[False], same, [False]]))
    return int(numpy.diff(ends).max())


def _in_batches(label: Any, batch: int, classes: int) -> tuple[float, float]:
    """The mean number of classes in a batch, and the variance of how often each is there, relative
    to that of chance."""
    whole = len(label) // batch
    number = numpy.repeat(numpy.arange(whole), batch)
    counts = numpy.bincount(number * classes + label[: whole * batch], minlength=whole * classes)
    counts = counts.reshape(whole, classes)
    expected = batch / classes * (1 - 1 / classes)
    return float((counts > 0).sum(1).mean()), float(counts.var() / expected)


def _distance(order: Any) -> float:
    """How the distances of neighbors differ from those of a full shuffle."""
    apart = numpy.sort(numpy.abs(numpy.diff(order))) / len(order)
    expected = 1 - (1 - apart) ** 2
    steps = numpy.arange(len(apart) + 1) / len(apart)
    return float(max((expected - steps[:-1]).max(), (steps[1:] - expected).max()))


def _together(first: Any, second: Any, batch: int) -> float:
    """How often pairs of a batch are in one batch of the next epoch, relative to chance."""
    position = numpy.argsort(second)
    whole = len(first) // batch
    later = numpy.sort((position[first[: whole * batch]] // batch).reshape(whole, batch), axis=1)
    flat = later + numpy.arange(whole)[:, None] * (len(first) // batch + 2)
    counts = numpy.unique(flat, return_counts=True)[1]
    pairs = float((counts * (counts - 1)).sum()) / (whole * batch * (batch - 1))
    return pairs / ((batch - 1) / (len(first) - 1))
