"""What torch's allocator reserves, by hand."""

from __future__ import annotations

import pytest

from dotcnn.compiler.analysis.caching_allocator import CachingAllocator, OutOfMemory, simulate
from dotcnn.compiler.analysis.peak import Bytes, Event

MIB = 2**20


def test_sizes_are_rounded_and_small_ones_share_a_segment() -> None:
    allocator = CachingAllocator()
    for size in (1, 512, 513):
        allocator.allocate(size)
    assert allocator.most == (512 + 512 + 1024, 2 * MIB)
    allocator.allocate(MIB)
    allocator.allocate(MIB)  # no longer fits
    assert allocator.reserved == 4 * MIB


@pytest.mark.parametrize(
    ("size", "segment"),
    [(MIB, 2), (MIB + 1, 20), (10 * MIB - 512, 20), (10 * MIB, 10), (11 * MIB, 12), (12 * MIB, 12)],
)
def test_segments(size: int, segment: int) -> None:
    allocator = CachingAllocator()
    allocator.allocate(size)
    assert allocator.reserved == segment * MIB


def test_a_rest_of_one_mebibyte_is_not_split_off() -> None:
    allocator = CachingAllocator()
    allocator.allocate(11 * MIB)
    assert allocator.allocated == 12 * MIB
    first, second = allocator.allocate(8 * MIB), allocator.allocate(11 * MIB)
    assert (first.size, second.size) == (8 * MIB, 12 * MIB)  # both in a segment of 20
    assert allocator.reserved == 32 * MIB


def test_freed_neighbors_are_merged_and_used_again() -> None:
    allocator = CachingAllocator()
    blocks = [allocator.allocate(4 * MIB) for _ in range(5)]
    assert allocator.reserved == 20 * MIB
    for block in (blocks[1], blocks[3], blocks[2]):
        allocator.release(block)
    assert allocator.allocate(12 * MIB).place == blocks[1].place
    assert allocator.reserved == 20 * MIB


def test_the_smallest_that_fits_is_taken() -> None:
    allocator = CachingAllocator()
    small, large = allocator.allocate(30 * MIB), allocator.allocate(50 * MIB)
    allocator.release(large)
    allocator.release(small)
    assert allocator.allocate(28 * MIB).place == small.place
    assert allocator.allocate(32 * MIB).place == large.place
    assert allocator.reserved == 80 * MIB


def test_free_segments_are_returned_when_memory_is_short() -> None:
    allocator = CachingAllocator(100 * MIB)
    held = allocator.allocate(60 * MIB)
    allocator.release(allocator.allocate(40 * MIB))
    allocator.allocate(4 * MIB)  # from the 40
    with pytest.raises(OutOfMemory):
        allocator.allocate(38 * MIB)  # 36 are left, and cannot be returned
    allocator.release(held)
    allocator.allocate(58 * MIB)
    assert allocator.reserved == 100 * MIB


def test_two_steps() -> None:
    """What a name held is freed once it has a new value: there are two of them then. If memory is
    short, the segment of the scratch is returned for the second."""
    step = [Event("logits", 0, 20 * MIB), Event("scratch", 30 * MIB), Event("scratch")]
    usage = simulate([Bytes(10 * MIB)], step, 2)
    assert usage == (90 * MIB, 120 * MIB)  # 10, twice 40; and 30 that are free by then
    assert simulate([Bytes(10 * MIB)], step, 2, 90 * MIB).reserved == 90 * MIB
    with pytest.raises(OutOfMemory):
        simulate([Bytes(10 * MIB)], step, 2, 88 * MIB)
