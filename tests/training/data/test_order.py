"""The order of images: for one process or several, from the start or from any position."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dotcnn.training.data.loader.batches import ALONE, Batches, Sharing
from dotcnn.training.data.loader.image_source import Arrays
from dotcnn.training.data.loader.order import batch_count, permutation, spans
from dotcnn.training.data.loader.store import InMemory

CPU = torch.device("cpu")
counts, sizes = st.integers(1, 200), st.integers(1, 64)


def batches(
    count: int, size: int, *, shuffle: bool = True, sharing: Sharing = ALONE, **options: object
) -> Batches:
    images = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1)
    labels = torch.arange(count)
    store = InMemory(images, labels, Arrays(images, labels))
    return Batches(store, size, CPU, shuffle=shuffle, sharing=sharing, **options)  # type: ignore[arg-type]


def own_labels(made: Batches, epoch: int) -> list[Tensor]:
    """The labels of each batch that count in this process: where a batch has too few images for
    all processes, one has an image of another's in their place."""
    return [batch.labels[: made.own] for batch in made(epoch)]


def test_the_order_is_that_of_seed_and_epoch() -> None:
    """The same on every machine: it is written down here."""
    assert permutation(8, 0, 0).tolist() == [6, 0, 3, 1, 7, 5, 2, 4]
    assert permutation(8, 0, 1).tolist() != permutation(8, 0, 0).tolist()
    assert permutation(8, 1, 0).tolist() != permutation(8, 0, 0).tolist()
    torch.manual_seed(3)
    first = permutation(50, 4, 5)
    torch.manual_seed(9)
    assert torch.equal(permutation(50, 4, 5), first)


@given(counts, sizes, st.booleans())
def test_an_epoch_is_every_image_once(count: int, size: int, drop_last: bool) -> None:
    found = list(spans(count, size, 0, drop_last))
    assert len(found) == batch_count(count, size, drop_last)
    assert all(a.stop == b.start for a, b in pairwise(found))
    done = found[-1].stop if found else 0
    assert done == (count // size * size if drop_last else count)
    assert all(span.stop - span.start <= size for span in found)


@given(counts, sizes)
def test_the_last_batch_is_not_much_smaller_than_others(count: int, size: int) -> None:
    smallest = min(span.stop - span.start for span in spans(count, size))
    assert smallest == count or 4 * smallest >= size


@given(counts, sizes, st.integers(1, 5), st.integers(0, 3), st.booleans())
def test_processes_share_each_batch(
    count: int, size: int, world: int, epoch: int, shuffle: bool
) -> None:
    """Together they have what one process alone would have; in training batch by batch."""
    alone = list(batches(count, size, shuffle=shuffle)(epoch))
    parts = [
        own_labels(batches(count, size, shuffle=shuffle, sharing=Sharing(rank, world)), epoch)
        for rank in range(world)
    ]
    if shuffle:
        assert {len(part) for part in parts} == {len(alone)}
        for whole, *shares in zip(alone, *parts, strict=True):
            assert torch.equal(torch.cat(shares), whole.labels)
            numbers = [len(share) for share in shares]
            assert max(numbers) - min(numbers) <= 1
    else:
        together = [labels for part in parts for labels in part]
        assert torch.cat(together).tolist() == list(range(count))


@given(counts, sizes, st.integers(0, 9), st.booleans())
def test_an_epoch_goes_on_from_any_batch(count: int, size: int, at: int, drop_last: bool) -> None:
    """From the position that was known after a batch, the same batches follow."""
    made = batches(count, size, drop_last=drop_last)
    seen = []
    for batch in made(2):
        assert made.together == len(batch.labels)
        seen.append((made.state.position, batch))
    again = batches(count, size, drop_last=drop_last)
    at = min(at, len(seen))
    position = seen[at - 1][0] if at else 0
    rest = list(again(2, position))
    assert [b.indices.tolist() for b in rest] == [b.indices.tolist() for _, b in seen[at:]]
    assert len(made) == len(seen)


def test_images_labels_and_places_belong_together() -> None:
    for shuffle in (True, False):
        for batch in batches(37, 5, shuffle=shuffle)():
            assert batch.images.flatten().tolist() == batch.labels.tolist()
            assert batch.indices.tolist() == batch.labels.tolist()


def test_the_state_counts_returned_batches() -> None:
    made = batches(10, 4)
    going = made(3)
    next(going)
    assert made.state == (3, 4)
    next(going)
    assert made.state == (3, 8)


def test_waiting_time() -> None:
    made = batches(100, 10)
    assert made.waiting == 0
    list(made())
    assert 0 < made.waited <= made.elapsed
    assert 0 < made.waiting <= 1


@pytest.mark.parametrize("shuffle", [True, False])
def test_length(shuffle: bool) -> None:
    for world in (1, 3):
        for rank in range(world):
            made = batches(50, 12, shuffle=shuffle, sharing=Sharing(rank, world))
            assert len(made) == len(list(made()))


@given(counts, sizes, st.integers(1, 4), st.integers(1, 3), st.booleans())
def test_guests_are_the_images_that_come_next(
    count: int, size: int, world: int, guests: int, drop_last: bool
) -> None:
    """In the order of the epoch, from whose end it goes on at its beginning."""
    order = permutation(count, 0, 3).tolist()
    seen = 0
    parts = []
    for rank in range(world):
        part = batches(count, size, sharing=Sharing(rank, world), drop_last=drop_last)
        part.guests = guests
        parts.append([(batch, part.own) for batch in part(3)])
    for shares in zip(*parts, strict=True):
        for batch, own in shares:
            places = batch.indices.tolist()
            assert len(places) == max(1, own) + guests
            assert batch.labels.tolist() == batch.images.flatten().tolist() == places
            if own:
                assert places == [order[(seen + k) % count] for k in range(len(places))]
            seen += own
    assert seen == (count // size * size if drop_last else count)


def test_the_time_of_an_epoch_goes_on_while_its_batches_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first step counts too: its images took more than the time in which they were read."""
    now = 0.0
    monkeypatch.setattr("dotcnn.training.data.loader.batches.time.perf_counter", lambda: now)
    reader = batches(8, 4)
    assert reader.elapsed == 0
    for number, _ in enumerate(reader(), 1):
        now += 10
        assert reader.elapsed == 10 * number
    now += 100  # validation
    assert reader.elapsed == 20
