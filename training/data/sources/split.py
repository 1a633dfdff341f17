"""The random split into training, validation and test images, by their names alone.

Every name is hashed together with the seed, and the names with the smallest hashes are drawn first.
So the same files are divided in the same way on every machine and in any order, and adding a file
moves few other files to another part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import accumulate

import numpy


def ranked(keys: Iterable[str], seed: int) -> list[int]:
    """The indices of the keys in a random order, which depends only on the keys and the seed."""
    found: list[int] = _ranked(keys, seed).tolist()
    return found


def _ranked(keys: Iterable[str], seed: int) -> numpy.ndarray:
    """The same as an array: of ten million names, lists would take gigabytes."""
    salted = blake2b(f"{seed}/".encode(), digest_size=16)
    digests = bytearray()
    for key in keys:
        digest = salted.copy()
        digest.update(key.encode("utf-8", "surrogatepass"))
        digests += digest.digest()
    marks = numpy.frombuffer(digests, ">u8").reshape(-1, 2).astype(numpy.uint64)
    return numpy.lexsort((marks[:, 1], marks[:, 0]))


def quotas(sizes: Sequence[int], share: float, spare: int = 1) -> list[int]:
    """How many of each group belong to a share of all. Groups that would lose most by rounding down
    are rounded up. Each group keeps `spare` items, if it has them."""
    most = [max(0, size - spare) for size in sizes]
    counts = [min(limit, int(size * share)) for size, limit in zip(sizes, most, strict=True)]
    total = max(1, round(sum(sizes) * share)) if sum(sizes) and share else 0
    by_loss = sorted(range(len(sizes)), key=lambda i: (counts[i] - sizes[i] * share, i))
    for i in by_loss:
        if sum(counts) >= total:
            break
        if counts[i] < most[i]:
            counts[i] += 1
    return counts


def drawn(
    keys: Iterable[str],
    groups: Sequence[int] | numpy.ndarray | None,
    shares: Sequence[float],
    seed: int,
) -> list[numpy.ndarray]:
    """Draws the indices of each share, then gives those that are left; each sorted, int64.

    `groups` has the group of each key; every group is divided in the same proportion.
    """
    order = _ranked(keys, seed)
    if groups is None:
        sizes = [len(order)] if len(order) else []
    else:  # group by group, each in its random order
        of = numpy.asarray(groups, dtype=numpy.int64)[order]
        order = order[numpy.argsort(of, kind="stable")]
        sizes = numpy.unique(of, return_counts=True)[1].tolist()
    starts = [0, *accumulate(sizes)]
    taken = [0] * len(sizes)
    parts: list[numpy.ndarray] = []

    def some(counts: Sequence[int]) -> numpy.ndarray:
        """The next ones of each group, as many as `counts` says."""
        pieces = [
            order[start + gone : start + gone + count]
            for start, gone, count in zip(starts, taken, counts, strict=False)
        ]
        return numpy.sort(numpy.concatenate([order[:0], *pieces]))

    for share in shares:
        left = [size - gone for size, gone in zip(sizes, taken, strict=True)]
        whole = sum(sizes) or 1
        rest = sum(left) / whole  # a share is relative to all keys, of which some are taken already
        counts = quotas(left, share / rest if rest else 0)
        parts.append(some(counts))
        taken = [gone + count for gone, count in zip(taken, counts, strict=True)]
    left = [size - gone for size, gone in zip(sizes, taken, strict=True)]
    return [*parts, some(left)]


def folds(keys: Sequence[str], labels: Sequence[int] | None, count: int, seed: int) -> list[int]:
    """The fold of each item, from 0 to `count` - 1. Items of the same key, which is the name of an
    image or of its group, are in the same fold; folds have about as many items of each label.

    Keys come in an order that depends only on them and the seed, those with many items first. Each
    goes to the fold that has the fewest items of its labels, then of all.
    """
    members: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        members.setdefault(key, []).append(place)
    names = list(members)
    if len(names) == len(keys):  # no groups: each label is dealt out in turn
        alone = ranked(names, seed)
        dealt = sorted(alone, key=labels.__getitem__) if labels is not None else alone
        fold_by_place = {place: turn % count for turn, place in enumerate(dealt)}
        return [fold_by_place[place] for place in range(len(keys))]
    order = sorted(ranked(names, seed), key=lambda index: -len(members[names[index]]))
    sizes = [0] * count
    of_label: dict[int, list[int]] = {}
    fold_of = [0] * len(keys)
    for index in order:
        places = members[names[index]]
        own = Counter(labels[place] for place in places) if labels is not None else Counter()
        there = [(of_label.setdefault(label, [0] * count), many) for label, many in own.items()]
        fold = min(
            range(count),
            key=lambda fold: (sum(many * have[fold] for have, many in there), sizes[fold], fold),
        )
        sizes[fold] += len(places)
        for have, many in there:
            have[fold] += many
        for place in places:
            fold_of[place] = fold
    return fold_of
