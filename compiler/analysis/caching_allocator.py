"""A simulation of torch's caching allocator for CUDA: what it reserves for the tensors of a step.

Sizes are rounded up to 512 bytes. Up to 1 MiB they are cut from segments of 2 MiB; up to 10 MiB,
from segments of 20 MiB; larger ones have segments of their own, rounded up to 2 MiB. Freed memory
is kept, merged with its neighbors in the segment, and reused for the smallest request that leaves
no rest worth keeping; only if the GPU has no more, whole free segments are returned to it. So more
is reserved than tensors need, and a step can fail although the free memory would suffice in sum.

The constants are those of c10/core/AllocatorConfig.h, the default settings of
PYTORCH_CUDA_ALLOC_CONF those of torch 2.6 to 2.13. Segments are assumed to lie in memory in the
order in which they were allocated.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import NamedTuple

from ...dsl.gc_pause import gc_paused
from .peak import Bytes, Event

BLOCK = 512
SMALL = 2**20
SMALL_SEGMENT = 2 * 2**20
LARGE_SEGMENT = 20 * 2**20
OWN_SEGMENT = 10 * 2**20
"""From this size on, a tensor gets a segment of its own."""
ROUND_SEGMENT = 2 * 2**20


class OutOfMemory(Exception):
    """The limit does not suffice."""


class Usage(NamedTuple):
    """The most bytes at a time."""

    allocated: int
    """By tensors, with rounding."""
    reserved: int
    """By the allocator, with what is free in its segments."""


class Block:
    """A part of a segment, between two others."""

    __slots__ = ("after", "before", "free", "place", "size", "small")

    def __init__(self, place: int, size: int, small: bool) -> None:
        self.place = place
        self.size = size
        self.small = small
        self.free = False
        self.before: Block | None = None
        self.after: Block | None = None


Entry = tuple[int, int, Block]
"""A free block, after its size and place, which no two have in common."""


class CachingAllocator:
    """Blocks are allocated and released; `most` says how much that took."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self.allocated = self.reserved = 0
        self.most = Usage(0, 0)
        self._free: tuple[list[Entry], list[Entry]] = ([], [])
        """The free blocks of large and of small segments, sorted."""
        self._end = 0
        """The end of the last segment."""

    def allocate(self, size: int) -> Block:
        size = max(BLOCK, -(-size // BLOCK) * BLOCK)
        small = size <= SMALL
        block = self._reuse(size, small) or self._segment(size, small)
        rest = block.size - size
        if rest >= BLOCK if small else rest > SMALL:
            self._split(block, size)
        self.allocated += block.size
        if self.allocated > self.most.allocated:
            self.most = self.most._replace(allocated=self.allocated)
        return block

    def release(self, block: Block) -> None:
        """Frees a block, and merges it with its neighbors."""
        self.allocated -= block.size
        before, after = block.before, block.after
        if before is not None and before.free:
            self._take_out(before)
            before.size += block.size
            before.after = after
            if after is not None:
                after.before = before
            block = before
        if after is not None and after.free:
            self._take_out(after)
            block.size += after.size
            block.after = after.after
            if after.after is not None:
                after.after.before = block
        self._put(block)

    # ---- blocks ----

    def _reuse(self, size: int, small: bool) -> Block | None:
        blocks = self._free[small]
        index = bisect_left(blocks, (size,))
        if index == len(blocks):
            return None
        block = blocks.pop(index)[2]
        block.free = False
        return block

    def _split(self, block: Block, size: int) -> None:
        rest = Block(block.place + size, block.size - size, block.small)
        rest.before, rest.after = block, block.after
        if rest.after is not None:
            rest.after.before = rest
        block.size, block.after = size, rest
        self._put(rest)

    def _put(self, block: Block) -> None:
        block.free = True
        insort(self._free[block.small], (block.size, block.place, block))

    def _take_out(self, block: Block) -> None:
        blocks = self._free[block.small]
        del blocks[bisect_left(blocks, (block.size, block.place))]
        block.free = False

    # ---- segments ----

    def _segment(self, size: int, small: bool) -> Block:
        if small:
            size = SMALL_SEGMENT
        elif size < OWN_SEGMENT:
            size = LARGE_SEGMENT
        else:
            size = -(-size // ROUND_SEGMENT) * ROUND_SEGMENT
        if self.limit is not None and self.reserved + size > self.limit:
            self._return_segments()
            if self.reserved + size > self.limit:
                raise OutOfMemory
        self.reserved += size
        if self.reserved > self.most.reserved:
            self.most = self.most._replace(reserved=self.reserved)
        block = Block(self._end, size, small)
        self._end += size
        return block

    def _return_segments(self) -> None:
        """Returns segments in which nothing is allocated."""
        for blocks in self._free:
            whole = [b for _, _, b in blocks if b.before is None and b.after is None]
            self.reserved -= sum(block.size for block in whole)
            blocks[:] = [e for e in blocks if e[2].before is not None or e[2].after is not None]


@gc_paused()
def simulate(
    resident: Iterable[Bytes], step: Iterable[Event], batch: int, limit: int | None = None
) -> Usage:
    """The usage of two training steps of `batch` images: the second one finds the memory that the
    first one has left. Raises OutOfMemory.
    """
    allocator = CachingAllocator(limit)
    for fixed, each in resident:
        allocator.allocate(fixed + each * batch)
    blocks: dict[object, Block] = {}
    events = [(tensor, fixed + each * batch) for tensor, fixed, each in step]
    for _ in range(2):
        for tensor, size in events:
            before = blocks.pop(tensor, None)
            if size:
                # What a name in the training loop held before is freed once it has a new value.
                blocks[tensor] = allocator.allocate(size)
            if before is not None:
                allocator.release(before)
    return allocator.most
