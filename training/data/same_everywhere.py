"""Distributed training reads the data on each computer: whether it is the same everywhere."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from torch import Tensor

from ...dsl.diagnostics import Diagnostic, SpecError
from ..runtime.process_group import Processes
from .diagnostic import listed


class _Labelled(Protocol):
    @property
    def labels(self) -> Tensor: ...

    def __len__(self) -> int: ...


class _Seen(NamedTuple):
    """What the data is on one computer."""

    host: str
    classes: tuple[str, ...]
    counts: Mapping[str, int]
    labels: Mapping[str, int]
    """A checksum of the labels of each part, in their order."""


def must_be_same_everywhere(
    classes: Sequence[str], parts: Mapping[str, _Labelled], nouns: str, processes: Processes
) -> None:
    """Raises SpecError, in all processes, unless all of them found the same classes, as many images
    in each part, and the same labels in the same order: each trains on its share of one order."""
    if processes.alone:
        return
    own = _Seen(
        socket.gethostname(),
        tuple(classes),
        {name: len(part) for name, part in parts.items()},
        {name: _checksum(part.labels) for name, part in parts.items()},
    )
    first, *others = processes.gathered(own)
    for other in others:
        difference = _difference(first, other, nouns)
        if difference:
            where = f"on {first.host} and on {other.host}"
            if first.host == other.host:
                where = f"in two processes on {first.host}"
            message = f"the data is not the same {where}"
            help = "copy the data anew, or name its place on each computer with --data"
            raise SpecError([Diagnostic("other-data", message, notes=(difference,), help=help)])


def _difference(first: _Seen, other: _Seen, nouns: str) -> str:
    if first.classes != other.classes:
        return (
            f"classes: {listed(list(first.classes), 12)}; there {listed(list(other.classes), 12)}"
        )
    for part, count in first.counts.items():
        there = other.counts.get(part, 0)
        if count != there:
            return f"{nouns} for {part}: {count:,}; there {there:,}"
        if first.labels[part] != other.labels.get(part):
            return f"{nouns} for {part}: as many, with other labels or in another order"
    return ""


def _checksum(labels: Tensor) -> int:
    return zlib.crc32(labels.detach().cpu().contiguous().numpy().data)
