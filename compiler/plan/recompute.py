"""The parts of a network that `recompute layer3` names: their activations are not kept for the
backward pass, but computed again when it needs them (gradient checkpointing, Chen et al., 2016,
arXiv:1604.06174).

Each iteration of a loop is a part of its own: in `layer3: repeat 6 { … }` only the inputs of six
blocks are kept, and the inside of one block at a time is computed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from ..analysis.storage import storages
from ..network import Network, Node
from .layer_names import LayerNames, is_pattern


def parts_of(network: Network, names: Sequence[str]) -> dict[str, frozenset[int]]:
    """The parts by name, each with the indices of its layers; none lies inside another. Parts that
    compute nothing of their own, such as a `flatten`, are left out."""
    known = LayerNames(network).names
    parts: dict[str, frozenset[int]] = {}
    for name in names:
        for found in (n for n in known if fnmatchcase(n, name)) if is_pattern(name) else (name,):
            for part in _iterations(known, found):
                parts[part] = frozenset(node.index for node in known[part])
    places = storages(network)
    return {
        name: nodes
        for name, nodes in parts.items()
        if places[max(nodes)] in nodes
        and any(network.nodes[index].torch.module for index in nodes)
        and not any(name.startswith(f"{other}.") for other in parts)
    }


def _iterations(known: Mapping[str, list[Node]], name: str) -> Iterator[str]:
    """The iterations of a loop, also of loops in it; otherwise the name itself."""
    inside = {n for n in known if n.startswith(f"{name}.") and "." not in n[len(name) + 1 :]}
    if inside and all(each[-1:].isdecimal() for each in inside):
        for each in sorted(inside, key=lambda n: int(n.rpartition(".")[2])):
            yield from _iterations(known, each)
    elif name in known:
        yield name
