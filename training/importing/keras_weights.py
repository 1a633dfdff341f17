"""The weights of Keras, from HDF5.

Keras 1 and 2 keep a group for each layer, with `weight_names` in an order that each kind of layer
has; the weights of a model within the model are in its group. Keras 3 has `layers/conv2d_1/vars/0`,
named after the classes of the layers in their order; models within have `layers` of their own.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import IO, Any

from ...compiler.importing.graph import Graph, Stored
from ...dsl.diagnostics import Diagnostic, SpecError
from ..untrusted.bad_file import BadFile, damaged
from ..untrusted.hdf5_file import Group, open_hdf5
from ..untrusted.open_file import open_regular, size_of
from ..untrusted.zip_archive import may_unpack_to, open_zip, read_member
from .stored_weights import MOST, give, refused

WEIGHTS = "model.weights.h5"
"""The member of a `.keras`."""
_CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
_NOT_OURS = frozenset("seed_generator seed_generators optimizer metrics loss_tracker".split())
_RUNNING = frozenset("moving_mean moving_variance running_mean running_std".split())


def weigh(graph: Graph, name: str) -> Graph:
    """The network with the weights of a file; raises SpecError."""
    file = PurePath(name).name
    try:
        with open_regular(Path(name)) as stream:
            if PurePath(name).suffix.lower() == ".keras":
                with open_zip(stream) as archive, member_stream(archive, WEIGHTS) as (inner, size):
                    return _weighed(graph, inner, size, file)
            return _weighed(graph, stream, size_of(stream), file)
    except BadFile as error:
        raise refused(error, file) from None


@contextmanager
def member_stream(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[IO[bytes], int]]:
    """A member of an archive, in memory, with its size."""
    if name not in archive.namelist():
        raise damaged(f"{name} is missing in it")
    packed = archive.getinfo(name)
    data = read_member(archive, name, may_unpack_to(packed.compress_size))
    yield io.BytesIO(data), len(data)


def _weighed(graph: Graph, stream: Any, size: int, file: str) -> Graph:
    with open_hdf5(stream, size) as root:
        return weights_of(graph, root, file)


def weights_of(graph: Graph, root: Group, file: str) -> Graph:
    """The network with the weights of an HDF5 file."""
    whole = root.group("model_weights") or root
    names = whole.texts("layer_names")
    if names is not None:
        backend = whole.text("backend") or root.text("backend")
        return _Layered(whole, names, graph, backend).give(file)
    if any(root.has(each) for each in _CONTAINERS):
        return _Numbered(root).give(graph, file)
    raise damaged("it has neither `layer_names` nor `layers`, as weights of Keras have")


# ---- Keras 1 and 2 ------------------------------------------------------------------------------


class _Layered:
    """A group for each layer."""

    def __init__(self, root: Group, names: list[str], graph: Graph, backend: str) -> None:
        self.root = root
        self.graph = graph
        self.weights: dict[str, list[str]] = {}
        for name in names:
            group = root.group(name)
            self.weights[name] = (group.texts("weight_names") or []) if group is not None else []
        self.owners = list(dict.fromkeys(each.owner for each in graph.stored if each.owner))
        self.names = self._by_layer()
        self.flipped = backend == "theano" or (not backend and _theano(graph))
        self.taken: set[tuple[str, int]] = set()

    def _by_layer(self) -> dict[str, str]:
        """The name in the file for each of our layers: the same, or the one at the same place, as
        Keras itself reads it."""
        ours = list(dict.fromkeys(owner[0] for owner in self.owners))
        theirs = [name for name, weights in self.weights.items() if weights]
        if all(name in self.weights for name in ours) or len(ours) != len(theirs):
            return {name: name for name in ours}
        return dict(zip(ours, theirs, strict=True))

    def give(self, file: str) -> Graph:
        graph = give(self.graph, self.fetch, file)
        left = [
            name
            for name, weights in self.weights.items()
            for number in range(len(weights))
            if (name, number) not in self.taken and not _counts(weights[number])
        ]
        _refuse_left(graph, list(dict.fromkeys(left)), file)
        if self.flipped:
            said = "filters are turned by 180 degrees, as those of Theano are"
            return graph._replace(layout=(*graph.layout, said))
        return graph

    def fetch(self, stored: Stored) -> Any:
        name = self.names.get(stored.owner[0], "")
        group, weights = self.root.group(name), self.weights.get(name, [])
        at = stored.position if len(stored.owner) == 1 else self._within(stored, weights)
        if group is None or not 0 <= at < len(weights):
            return None
        self.taken.add((name, at))
        array = group.array(weights[at])
        if self.flipped and array is not None and _is_kernel(stored):
            turned = (stored.axes or range(array.ndim))[2:]
            array = _flip(array, tuple(turned))
        return array

    def _within(self, stored: Stored, weights: list[str]) -> int:
        """The place of a weight of a layer within a model, among all of that model."""
        named = [
            at
            for at, name in enumerate(weights)
            if _last(name) == stored.name and stored.owner[-1] in name.split("/")[:-1]
        ]
        if len(named) == 1:
            return named[0]
        inside = [each for each in self.graph.stored if each.owner[:1] == stored.owner[:1]]
        places = list(dict.fromkeys((each.owner, each.position, each.name) for each in inside))
        places.sort(key=lambda place: place[2] in _RUNNING)  # what is not trained comes last
        return places.index((stored.owner, stored.position, stored.name))


def _last(name: str) -> str:
    """`kernel` of `block/conv/kernel:0`."""
    return name.rpartition("/")[2].partition(":")[0]


def _counts(name: str) -> bool:
    """Whether it is a count of batches, or the state of random numbers."""
    return _last(name).startswith(("count", "seed_generator", "rng"))


def _is_kernel(stored: Stored) -> bool:
    return stored.name == "kernel" and len(stored.shape) > 2


def _theano(graph: Graph) -> bool:
    """Whether filters have Theano's order of axes, in a file that names no backend."""
    return any(_is_kernel(each) and not each.axes for each in graph.stored)


def _flip(array: Any, axes: tuple[int, ...]) -> Any:
    import numpy

    return numpy.flip(array, axes)


# ---- Keras 3 ------------------------------------------------------------------------------------


class _Numbered:
    """`layers/conv2d_1/vars/0`."""

    def __init__(self, root: Group) -> None:
        self.root = root
        self.taken: set[str] = set()

    def give(self, graph: Graph, file: str) -> Graph:
        graph = give(graph, self.fetch, file)
        left = [path for path in _variables(self.root) if path not in self.taken]
        _refuse_left(graph, left, file)
        return graph

    def fetch(self, stored: Stored) -> Any:
        group = self.root
        for part in stored.place:
            paths = [f"{each}/{part}" for each in _CONTAINERS]
            found = next((inner for each in paths if (inner := group.group(each))), None)
            if found is None:
                return None
            group = found
        self.taken.add(group.path)
        return group.array(f"vars/{stored.position}")


def _variables(root: Group) -> Iterator[str]:
    """The paths of all layers that have weights."""
    stack = [root]
    count = 0
    while stack:
        group = stack.pop()
        for name in group.names():
            inner = group.group(name)
            if inner is None or name in _NOT_OURS:
                continue
            count += 1
            if count > 10**5:
                raise damaged("it has more than 100,000 groups")
            if name == "vars":
                if inner.names():
                    yield group.path
            else:
                stack.append(inner)


def _refuse_left(graph: Graph, left: list[str], file: str) -> None:
    """Raises SpecError for weights in the file that no layer has."""
    if not left or graph.unsaid:
        return
    listed = ", ".join(f"`{name.lstrip('/')[:60]}`" for name in left[:3])
    more = f" and {len(left) - 3:,} others" if len(left) > 3 else ""
    message = f"{file} has weights of {listed}{more}, which this network does not have"
    help = "are these the weights of this network?"
    raise SpecError([Diagnostic("weights", message, graph.layers[0].span, help=help)][:MOST])
