"""The weights of Darknet, `.weights`: a header, then the numbers of all layers in the order of the
`.cfg`. Of a convolution the biases come first, then scales, means and variances of its batch norm,
then the filters; of a fully connected layer the weights come before its batch norm.

The header is three whole numbers, the version, and how many images were seen: 32 bits, or 64 since
version 0.2. Files of the first days (a version above 1,000) have fully connected layers as inputs x
outputs.
"""

from __future__ import annotations

import struct
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import numpy

from ...compiler.importing.graph import Graph, Stored
from ...compiler.shapes import size
from ...dsl.diagnostics import Diagnostic, SpecError
from ..untrusted.bad_file import BadFile, damaged, guarded, too_large
from ..untrusted.open_file import LFS, open_regular, refuse_pointer, size_of
from .stored_weights import give, refused

MAX_BYTES = 4 * 2**30
_WHOLE = 4
"""Bytes of a number."""


class _Header(NamedTuple):
    length: int
    turned: bool
    """Whether fully connected layers are inputs x outputs."""


def weigh(graph: Graph, name: str) -> Graph:
    """The network with the weights of a file; raises SpecError."""
    file = PurePath(name).name
    try:
        header, numbers = _read(Path(name))
    except BadFile as error:
        raise refused(error, file) from None
    begins: dict[int, int] = {}
    at = 0
    for stored in graph.stored:
        if stored.owner:
            begins[id(stored)] = at
            at += size(stored.shape)
    _check_length(graph, begins, at, len(numbers), file)

    def fetch(stored: Stored) -> Any:
        first = begins[id(stored)]
        part = numbers[first : first + size(stored.shape)]
        if header.turned and stored.layer.op.word == "fc" and stored.key == "weight":
            return part.reshape(stored.shape[::-1]).T
        return part.reshape(stored.shape)

    return give(graph, fetch, file)


def _read(path: Path) -> tuple[_Header, Any]:
    with open_regular(path) as stream:
        length = size_of(stream)
        if length > MAX_BYTES:
            raise too_large(f"has {length:,} bytes, more than {MAX_BYTES:,}")
        start = stream.read(24)
        refuse_pointer(start[: len(LFS)])
        if len(start) < 16:
            raise damaged("it is truncated")
        major, minor, _ = struct.unpack_from("<3i", start)
        if not (0 <= major < 10**6 and 0 <= minor < 10**6):
            raise damaged("it does not begin with a version of Darknet")
        wide = major * 10 + minor >= 2 and major < 1000 and minor < 1000
        header = _Header(20 if wide else 16, major > 1000 or minor > 1000)
        stream.seek(header.length)
        if (length - header.length) % _WHOLE:
            raise damaged("it is truncated: it ends within a number")
        with guarded():
            return header, numpy.fromfile(stream, "<f4")


def _check_length(graph: Graph, begins: dict[int, int], needed: int, there: int, file: str) -> None:
    """Raises SpecError for a file that is too short, at the first layer without weights, or too
    long."""
    if there < needed:
        late = [
            stored
            for stored in graph.stored
            if stored.owner and begins[id(stored)] + size(stored.shape) > there
        ]
        at = late[0].layer.span
        owners = list(dict.fromkeys(stored.owner for stored in late))
        whole = begins[id(late[0])] == there and late[0].name == "biases"
        if whole:
            message = (
                f"{file} ends before this layer: it has weights for the beginning of the network,"
                f" and none for the last {len(owners):,} layers"
            )
            help = "such files are for further training; take the weights of the whole network"
        else:
            message = (
                f"{file} ends within the weights of this layer: it has {there:,} numbers, and this"
                f" network needs {needed:,}"
            )
            help = "are these the weights of this network?"
        raise SpecError([Diagnostic("weights", message, at, help=help)])
    if there > needed and not graph.unsaid:
        more = f"{there - needed:,} numbers more than the {needed:,} of this network"
        at = graph.layers[-1].span
        help = "are these the weights of this network?"
        raise SpecError([Diagnostic("weights", f"{file} has {more}", at, help=help)])
