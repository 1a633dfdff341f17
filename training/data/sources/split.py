"""The random split into training, validation and test images, by their names alone.

Every name is hashed together with the seed, and the names with the smallest hashes are drawn first.
So the same files are divided in the same way on every machine and in any order, and adding a file
moves few other files to another part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b


def ranked(keys: Iterable[str], seed: int) -> list[int]:
    """The indices of the keys in a random order, which depends only on the keys and the seed."""
    salt = f"{seed}/".encode()
    marks = [
        (blake2b(salt + key.encode("utf-8", "surrogatepass"), digest_size=16).digest(), place)
        for place, key in enumerate(keys)
    ]
    return [place for _, place in sorted(marks)]


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
    keys: Iterable[str], groups: Sequence[int] | None, shares: Sequence[float], seed: int
) -> list[list[int]]:
    """Draws the indices of each share, then lists those that are left; each list is sorted.

    `groups` has the group of each key; every group is divided in the same proportion.
    """
    order = ranked(keys, seed)
    by_group: dict[int, list[int]] = {}
    for place in order:
        by_group.setdefault(groups[place] if groups is not None else 0, []).append(place)
    members = [by_group[group] for group in sorted(by_group)]
    sizes = [len(group) for group in members]
    taken = [0] * len(members)
    parts: list[list[int]] = []
    for share in shares:
        left = [size - gone for size, gone in zip(sizes, taken, strict=True)]
        whole = sum(sizes) or 1
        rest = sum(left) / whole  # a share is relative to all keys, of which some are taken already
        counts = quotas(left, share / rest if rest else 0)
        part = [
            place
            for group, start, count in zip(members, taken, counts, strict=True)
            for place in group[start : start + count]
        ]
        parts.append(sorted(part))
        taken = [gone + count for gone, count in zip(taken, counts, strict=True)]
    rest_of_all = [
        place for group, start in zip(members, taken, strict=True) for place in group[start:]
    ]
    return [*parts, sorted(rest_of_all)]
