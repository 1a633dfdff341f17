"""The orders in which WebDataset and MosaicML Streaming give the images of an epoch.

Their own code shuffles numbers of images in place of images: `webdataset.filters._shuffle`, and
`streaming.base.shuffle`. The latter needs none of what the package needs that it is in: its modules
are loaded alone. Both are looked for in a folder, too:

    pip install --no-deps --target FOLDER webdataset braceexpand mosaicml-streaming
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import numpy

Order = Callable[[int], Any]
"""The order of an epoch, as an array of the numbers of images."""


def webdataset_order(sizes: Any, shards: int, buffer: int, workers: int, batch: int) -> Order:
    """`WebDataset(shardshuffle=shards).shuffle(buffer)`, read by as many workers, each of which has
    every so manieth shard; their batches come in turn."""
    shuffle = import_module("webdataset.filters")._shuffle
    starts = numpy.cumsum(sizes) - sizes

    def images(own: Iterator[int]) -> Iterator[int]:
        for shard in own:
            yield from range(starts[shard], starts[shard] + sizes[shard])

    def order(epoch: int) -> Any:
        streams = []
        for worker in range(workers):
            rng = Random(1000 * epoch + worker)
            own = shuffle(iter(range(worker, len(sizes), workers)), shards, shards, rng=rng)
            streams.append(shuffle(images(own), buffer, 100, rng=rng))
        return numpy.fromiter(_in_turn(streams, batch), numpy.int64)

    return order


def _in_turn(streams: list[Iterator[int]], batch: int) -> Iterator[int]:
    while streams:
        for stream in list(streams):
            some = [image for _, image in zip(range(batch), stream, strict=False)]
            yield from some
            if len(some) < batch:
                streams.remove(stream)


def streaming_order(sizes: Any, algorithm: str, block: int, nodes: int = 1) -> Order:
    """`StreamingDataset(shuffle_algo=algorithm, shuffle_block_size=block)` on one computer."""
    get = getattr(_module(f"streaming.base.shuffle.{algorithm}"), f"get_shuffle_{algorithm}")
    return lambda epoch: get(numpy.asarray(sizes), nodes, 0, epoch, block)


def _module(name: str) -> ModuleType:
    """A module of Streaming, without what its packages import: clients of all clouds."""
    for path in sys.path:
        if (Path(path) / "streaming" / "base").is_dir():
            break
    else:
        raise ImportError("No module named 'streaming'")
    parts = name.split(".")[:-1]
    for end in range(1, len(parts) + 1):
        package = ModuleType(".".join(parts[:end]))
        package.__path__ = [str(Path(path, *parts[:end]))]
        sys.modules.setdefault(package.__name__, package)
    return import_module(name)
