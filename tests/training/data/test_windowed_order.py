"""The order within a window: every image once, near a full shuffle, each piece on one computer."""

from __future__ import annotations

from itertools import pairwise

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dotcnn.training.data.loader.batches import Batches
from dotcnn.training.data.loader.epoch_order import EpochOrder, epoch_order, own_positions
from dotcnn.training.data.loader.image_source import Arrays
from dotcnn.training.data.loader.keyed_permutation import permuted
from dotcnn.training.data.loader.order import (
    BatchSizes,
    Sharing,
    Span,
    permutation,
    spans,
    weighted,
)
from dotcnn.training.data.loader.store import InMemory
from dotcnn.training.data.loader.weighted_draws import WeightedDraws
from dotcnn.training.data.loader.windowed_order import ShuffleWindow, WindowedOrder

SMALL = ShuffleWindow(3, 8)
windows = st.builds(ShuffleWindow, st.integers(1, 20), st.sampled_from([1, 2, 4, 8, 16, 64]))
counts, seeds, epochs = st.integers(1, 700), st.integers(0, 2**40), st.integers(0, 1000)


@given(st.integers(1, 300), st.integers(0, 2**64 - 1))
def test_a_keyed_permutation_is_one(count: int, key: int) -> None:
    places = numpy.arange(count, dtype=numpy.uint64)
    sizes, keys = numpy.full_like(places, count), numpy.full_like(places, key)
    assert (numpy.sort(permuted(places, sizes, keys)) == places).all()


@given(counts, windows, seeds, epochs)
def test_an_epoch_has_each_image_once(
    more: int, window: ShuffleWindow, seed: int, epoch: int
) -> None:
    count = window.images + more
    order = WindowedOrder(count, window, seed, epoch).at(torch.arange(count))
    assert order.sort().values.tolist() == list(range(count))


@given(counts, windows, st.data())
def test_any_part_is_known_without_the_others(
    more: int, window: ShuffleWindow, data: st.DataObject
) -> None:
    count = window.images + more
    order = WindowedOrder(count, window, 1, 2)
    whole = order.at(torch.arange(count))
    some = torch.tensor(data.draw(st.lists(st.integers(0, count - 1), max_size=9))).long()
    assert torch.equal(order.at(some), whole[some])
    assert torch.equal(order.lanes_at(some), order.lanes_at(torch.arange(count))[some])


def test_the_order_is_the_same_on_every_machine() -> None:
    """Runs that go on need it: it is written down here."""
    order = WindowedOrder(40, ShuffleWindow(4, 4), 0, 0)
    first = order.at(torch.arange(12)).tolist()
    assert first == [17, 23, 34, 32, 15, 6, 33, 21, 3, 36, 24, 18]
    billion = WindowedOrder(10**9, ShuffleWindow(38, 1024), 7, 3)
    assert billion.at(torch.tensor([0, 1, 10**9 - 1])).tolist() == [129588699, 776232058, 749322920]


@pytest.mark.parametrize("count", [20_000, 20_011, 2**14 + 2**13])
def test_images_of_a_piece_come_within_the_window(count: int) -> None:
    """But for those at its ends, where the next piece begins."""
    window = ShuffleWindow(10, 64)
    order = WindowedOrder(count, window, 0, 0)
    position = order.at(torch.arange(count)).sort().indices  # of each image
    apart = (position[1:] - position[:-1]).abs()
    assert (apart <= 2 * window.images).float().mean() > 0.85
    assert apart.float().mean() > 64  # and they do not follow each other


def test_lanes_come_to_the_end_of_their_pieces_at_different_times() -> None:
    """Else a whole window would have to be read at once."""
    order = WindowedOrder(2**17, ShuffleWindow(16, 64), 0, 0)
    starts = numpy.arange(64) * 2**17 // 64 % order.piece
    assert len({*starts.tolist()}) == order.piece


@given(
    st.integers(1, 500), windows, st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.integers(1, 60), st.integers(0, 2), st.booleans(),
)  # fmt: skip
def test_processes_divide_a_batch(
    more: int, window: ShuffleWindow, machines: list[int], size: int, guests: int, full: bool
) -> None:
    """Whatever the machines: each image is read by one process, and equally many by each."""
    count, world = window.images + more, sum(machines)
    batch = Span(0, min(count, max(size, world)))
    order = epoch_order(count, None, None if full else window, 0, 0)
    parts, rank = [], 0
    for machine in machines:
        for local in range(machine):
            ranks = Sharing(rank, world), Sharing(local, machine)
            own = own_positions(order, count, batch, guests, *ranks)
            parts.append(own[: len(own) - guests])
            rank += 1
    assert torch.cat(parts).sort().values.tolist() == list(range(batch.stop))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    if full or (len(machines) == 1 and not guests):  # one after the other, as they come
        assert torch.cat(parts).tolist() == list(range(batch.stop))


def pairs_of(
    order: EpochOrder, count: int, batch: Span, guests: int, machines: list[int]
) -> list[tuple[int, ...]]:
    """Each image of a batch with the next ones that it is mixed with, whatever the machines are."""
    found, rank = [], 0
    for machine in machines:
        for local in range(machine):
            ranks = Sharing(rank, sum(machines)), Sharing(local, machine)
            own = own_positions(order, count, batch, guests, *ranks).tolist()
            found += [tuple(own[at : at + guests + 1]) for at in range(len(own) - guests)]
            rank += 1
    return sorted(found)


@given(
    st.integers(1, 500), windows, st.lists(st.integers(1, 4), min_size=2, max_size=4),
    st.integers(1, 60), st.integers(1, 2), st.booleans(), st.integers(0, 100),
)  # fmt: skip
def test_images_are_mixed_with_the_same_ones_on_any_computers(
    more: int, window: ShuffleWindow, machines: list[int], size: int, guests: int, full: bool,
    start: int,
) -> None:  # fmt: skip
    count = window.images + more
    start %= count
    batch = Span(start, min(count, start + max(size, sum(machines))))
    order = epoch_order(count, None, None if full else window, 0, 0)
    alone = pairs_of(order, count, batch, guests, [1])
    assert [own for own, *_ in alone] == [*range(batch.start, batch.stop)]
    for others in (machines, [sum(machines)], [1] * sum(machines)):
        assert pairs_of(order, count, batch, guests, others) == alone


def test_images_are_mixed_with_those_of_other_pieces() -> None:
    """Also in batches of several rounds; and a computer reads few pieces all the same."""
    count, window = 300_000, ShuffleWindow(8, 256)
    order = WindowedOrder(count, window, 0, 0)
    for size in (64, 256, 1000, 8192):
        lanes = order.lanes_at(torch.tensor(pairs_of(order, count, Span(0, size), 1, [1])))
        assert (lanes[:, 0] == lanes[:, 1]).float().mean() < 0.1
    read = []
    for computer in range(4):
        for batch in (Span(0, 1024), Span(1024, 2048)):
            ranks = [(Sharing(8 * computer + each, 32), Sharing(each, 8)) for each in range(8)]
            own = [own_positions(order, count, batch, 1, *each) for each in ranks]
            read += order.lanes_at(torch.cat(own)).unique().tolist()
    assert len(read) < 1.25 * 2 * 256


@pytest.mark.parametrize("size", [96, 256, 1000])
def test_a_piece_is_read_by_one_computer(size: int) -> None:
    """Of four with two processes each: almost all lanes belong to one of them, also when a batch
    has fewer images than there are lanes."""
    count, window = 30_000, ShuffleWindow(8, 256)
    order = WindowedOrder(count, window, 0, 0)
    read: list[set[int]] = [set() for _ in range(4)]
    for batch in spans(count, size):
        for computer in range(4):
            own = own_positions(order, count, batch, 0, Sharing(2 * computer, 8), Sharing(0, 2))
            read[computer] |= {*order.lanes_at(own).tolist()}
    assert sum(map(len, read)) < 1.25 * 256


@pytest.mark.parametrize("window", [None, SMALL])
@pytest.mark.parametrize("drop_last", [False, True])
def test_an_epoch_goes_on_in_another_world(window: ShuffleWindow | None, drop_last: bool) -> None:
    """At every batch, with any other number of processes and computers: the images that are left,
    batch for batch, and no other."""
    images = torch.arange(101, dtype=torch.uint8).view(-1, 1, 1, 1)
    store = InMemory(images, torch.arange(101), Arrays(images, torch.arange(101)))

    def part(rank: int, world: int, local: int) -> Batches:
        return Batches(
            store, 12, torch.device("cpu"), shuffle=True, seed=5, drop_last=drop_last,
            sharing=Sharing(rank, world), machine=Sharing(rank % local, local), window=window,
        )  # fmt: skip

    alone = part(0, 1, 1)
    expected, positions = [], [0]
    for batch in alone(4):
        expected.append({*batch.indices.tolist()})
        positions.append(alone.state.position)
    everything = [index for batch in expected for index in batch]
    assert len(everything) == len({*everything}) == (96 if drop_last else 101)
    for world, local in ((1, 1), (2, 1), (3, 3), (6, 2)):
        for done, position in enumerate(positions):
            parts = []
            for rank in range(world):
                own = part(rank, world, local)
                parts.append([batch.indices[: own.own].tolist() for batch in own(4, position)])
            for batch, *shares in zip(expected[done:], *parts, strict=True):
                seen = [index for share in shares for index in share]
                assert {*seen} == batch
                assert len(seen) == len(batch)


@given(st.lists(st.floats(0, 10), min_size=30, max_size=200), epochs)
def test_weighted_draws_in_a_window(weights: list[float], epoch: int) -> None:
    """Each image comes as often as its weight says, rounded up or down."""
    given_weights = torch.tensor(weights, dtype=torch.float64)
    if float(given_weights.max()) < 1e-3:
        return
    order = epoch_order(len(weights), given_weights, SMALL, 3, epoch)
    drawn = order.at(torch.arange(len(weights))).bincount(minlength=len(weights))
    share = given_weights * len(weights) / given_weights.sum()
    assert bool(((drawn - share).abs() < 1.001).all())
    assert not drawn[given_weights == 0].any()


@given(counts, st.integers(1, 20), epochs)
def test_equal_weights_draw_each_image_once(count: int, piece: int, epoch: int) -> None:
    draws = WeightedDraws(torch.full((count,), 0.3), piece, 0, epoch)
    assert draws.at(torch.arange(count)).sort().values.tolist() == list(range(count))


@given(st.integers(1, 200))
def test_without_a_window_the_order_is_as_it_was(count: int) -> None:
    """So that runs that were started before there was one go on."""
    weights = torch.rand(count) + 0.1
    every = torch.arange(count)
    for window in (None, ShuffleWindow(100, 2)):
        order = epoch_order(count, None, window, 3, 4)
        assert torch.equal(order.at(every), permutation(count, 3, 4))
        order = epoch_order(count, weights, window, 3, 4)
        assert torch.equal(order.at(every), weighted(weights, 3, 4))


@given(st.integers(0, 300), st.integers(1, 64), st.integers(0, 300), st.booleans())
def test_sizes_of_batches(count: int, size: int, start: int, drop_last: bool) -> None:
    start = min(start, count)
    expected = [span.stop - span.start for span in spans(count, size, start, drop_last)]
    sizes = BatchSizes(count, size, start, drop_last)
    assert list(sizes) == expected
    assert sizes.least == min(expected, default=0)
    assert all(sizes[a : a + 2] == [x, y] for a, (x, y) in enumerate(pairwise(expected)))


def neighbors_of_a_class(order: torch.Tensor, classes: int) -> float:
    """How often an image is of the class of the one before, where files are sorted by class;
    as a multiple of how often that is by chance."""
    label = order * classes // len(order)
    return float((label[1:] == label[:-1]).double().mean()) * classes


def test_files_that_are_sorted_by_class_are_shuffled() -> None:
    count = 100_000
    order = WindowedOrder(count, ShuffleWindow(16, 256), 0, 0).at(torch.arange(count))
    assert neighbors_of_a_class(order, 100) < 1.2
    places = torch.arange(count).double()
    assert abs(float(torch.corrcoef(torch.stack([order.double(), places]))[0, 1])) < 0.05
    other = WindowedOrder(count, ShuffleWindow(16, 256), 0, 1).at(torch.arange(count))
    assert abs(float(torch.corrcoef(torch.stack([order.double(), other.double()]))[0, 1])) < 0.02


def test_a_window_is_as_large_as_it_is_asked_for() -> None:
    assert ShuffleWindow.of(110_000) == (38, 1024)
    assert ShuffleWindow.of(110_000, 65_536) == (64, 1024)
    assert ShuffleWindow.of(3_000, 10_000) == (39, 256)  # rather shorter pieces than few lanes
    assert ShuffleWindow.of(110_000, 2) == (1, 2)
