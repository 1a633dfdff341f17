"""The weights of Caffe, `.caffemodel`: the network again as protocol buffers, with blobs in its
layers; of old files (`layers`) and new ones (`layer`), with four sizes or a shape.

    NetParameter: name = 1, layers = 2 (V1LayerParameter), layer = 100 (LayerParameter)
    LayerParameter: name = 1, type = 2, blobs = 7;  V1LayerParameter: name = 4, type = 5, blobs = 6
    BlobProto: num = 1, channels = 2, height = 3, width = 4, data = 5, shape = 7, double_data = 8
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

import numpy

from ...compiler.importing.graph import Graph, Stored
from ...compiler.shapes import Shape, size
from ..untrusted.bad_file import BadFile, damaged, guarded, too_large
from ..untrusted.open_file import LFS, open_regular, refuse_pointer, size_of
from ..untrusted.protobuf_wire import fields, varints
from .stored_weights import give, refused

MAX_BYTES = 8 * 2**30
MAX_BLOBS = 200_000
WRONG = "it is not a network of Caffe"
_OLD, _NEW = 2, 100
_NAME = {_OLD: 4, _NEW: 1}
_BLOBS = {_OLD: 6, _NEW: 7}
_DATA, _SHAPE, _DOUBLE = 5, 7, 8
_MEANS = ("mean", "variance")
_FACTOR = 2
"""The blob by which the running averages of a batch norm are divided."""


def weigh(graph: Graph, name: str) -> Graph:
    """The network with the weights of a file; raises SpecError."""
    file = PurePath(name).name
    try:
        blobs = read_blobs(Path(name))
    except BadFile as error:
        raise refused(error, file) from None
    taken: set[str] = set()

    def fetch(stored: Stored) -> Any:
        (owner,) = stored.owner
        there = blobs.get(owner, [])
        taken.add(owner)
        if stored.position >= len(there):
            return None
        array = _shaped(there[stored.position], stored.shape)
        if stored.name in _MEANS and len(there) == _FACTOR + 1:
            factor = there[_FACTOR][1].ravel()
            if factor.size == 1:
                array = array / factor[0] if factor[0] else array * 0
        return array

    graph = give(graph, fetch, file)
    left = [owner for owner, there in blobs.items() if there and owner not in taken]
    if left and not graph.unsaid:
        # As in Caffe, layers of these names are not looked for: `--weights` of a training network.
        listed = ", ".join(f"`{each[:60]}`" for each in left[:3])
        more = f" and {len(left) - 3:,} others" if len(left) > 3 else ""
        graph.remarks.append(f"weights of {listed}{more}, for which there are no layers")
    return graph


def _shaped(blob: tuple[Shape, Any], wanted: Shape) -> Any:
    """With the shape that is wanted, if it differs by axes of one number only."""
    shape, array = blob
    if [side for side in shape if side > 1] == [side for side in wanted if side > 1]:
        return array.reshape(wanted)
    return array.reshape(shape)


# ---- the file -----------------------------------------------------------------------------------


def read_blobs(path: Path) -> dict[str, list[tuple[Shape, Any]]]:
    """The blobs of each layer, by its name; raises BadFile."""
    with open_regular(path) as stream:
        length = size_of(stream)
        if length > MAX_BYTES:
            raise too_large(f"has {length:,} bytes, more than {MAX_BYTES:,}")
        if not length:
            raise damaged("it is empty")
        refuse_pointer(stream.read(len(LFS)))
        with guarded():
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    found: dict[str, list[tuple[Shape, Any]]] = {}
    count = 0
    for name, blobs in _layers(memoryview(data)):
        count += 1 + len(blobs)
        if count > MAX_BLOBS:
            raise too_large(f"has more than {MAX_BLOBS:,} layers and blobs")
        if blobs or name not in found:
            found[name] = [_blob(blob, name) for blob in blobs]
    if not found:
        raise damaged(WRONG)
    return found


def _layers(network: memoryview) -> Iterator[tuple[str, list[memoryview]]]:
    for number, layer in fields(network, WRONG):
        if number not in _NAME or isinstance(layer, int):
            continue
        name = ""
        blobs: list[memoryview] = []
        for field, value in fields(layer, WRONG):
            if isinstance(value, int):
                continue
            if field == _NAME[number]:
                name = bytes(value[:1000]).decode("utf-8", "replace")
            elif field == _BLOBS[number]:
                blobs.append(value)
                if len(blobs) > MAX_BLOBS:
                    raise too_large(f"has a layer of more than {MAX_BLOBS:,} blobs")
        yield name, blobs


def _blob(blob: memoryview, layer: str) -> tuple[Shape, Any]:
    """Its shape and its numbers."""
    sides: dict[int, int] = {}
    shape: list[int] | None = None
    parts: list[Any] = []
    for field, value in fields(blob, WRONG):
        if isinstance(value, int):
            if field <= 4:
                sides[field] = value
        elif field == _SHAPE:
            shape = []
            for inner, dims in fields(value, WRONG):
                if inner == 1:
                    shape += [dims] if isinstance(dims, int) else varints(dims)
        elif field in (_DATA, _DOUBLE):
            kind = "<f4" if field == _DATA else "<f8"
            if len(value) % int(kind[-1]):
                raise damaged(f"a blob of `{layer[:60]}` ends within a number")
            parts.append(numpy.frombuffer(value, kind))
    numbers = parts[0] if len(parts) == 1 else numpy.concatenate([numpy.empty(0, "<f4"), *parts])
    said = tuple(shape) if shape is not None else tuple([sides.get(n, 1) for n in range(1, 5)])
    if size(said) != numbers.size or len(said) > 32:
        sizes = "x".join(map(str, said[:8]))
        raise damaged(f"a blob of `{layer[:60]}` is {sizes} and has {numbers.size:,} numbers")
    return said, numbers
