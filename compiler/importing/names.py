"""Names of blocks and labels: after the names in the file where those say something, otherwise
after what they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from .fold import Block, Folded
from .graph import Layer
from .template import Line, Lines, Template

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]+")
_BEGINNING = re.compile(r"[A-Za-z]+")
_CONTAINERS = frozenset(
    ("backbone", "block", "body", "conv", "encoder", "feature", "group", "layer", "model", "module",
     "net", "node", "sequential", "stage", "trunk")
)  # fmt: skip
"""What names in files begin with that says what holds a part, not what it is."""
_LONGEST = 24
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def identifier(name: str, *, capital: bool = False) -> str:
    """A name that the language takes."""
    plain = _NOT_IN_NAMES.sub("_", name).strip("_")[:_LONGEST].strip("_")
    if not plain or plain[0].isdigit():
        plain = f"Net_{plain}".strip("_") if capital else f"layer_{plain}".strip("_")
    if capital:
        return "".join(part[:1].upper() + part[1:] for part in plain.split("_"))
    return plain.lower()


def unused(name: str, taken: set[str]) -> str:
    """The name, with a number if there is one already."""
    chosen = name
    if name in taken:
        between = "_" if name[-1].isdigit() else ""
        first, last = 1, 2  # they count up, so that the first free one is found by halving
        while f"{name}{between}{last}" in taken:
            first, last = last, 2 * last
        while last - first > 1:
            middle = (first + last) // 2
            used = f"{name}{between}{middle}" in taken
            first, last = (middle, last) if used else (first, middle)
        chosen = f"{name}{between}{last}"
    taken.add(chosen)
    return chosen


# ---- blocks -------------------------------------------------------------------------------------


def name_blocks(folded: Folded, taken: set[str]) -> None:
    used = set(taken)
    named: dict[str, list[Block]] = {}
    for block in sorted(folded.blocks, key=_first_layer):
        own = _common(block)
        named.setdefault(own if own and own not in taken else _kind(block), []).append(block)
    for name, blocks in named.items():
        if len(blocks) > 1 and name == "unit":
            _name_units(blocks, used)
        elif len(blocks) > 1:
            for letter, block in zip(_LETTERS, blocks, strict=False):
                block.name = unused(f"{name}_{letter}", used)
        for block in blocks:
            block.name = block.name or unused(name, used)


def _first_layer(block: Block) -> int:
    """The first layer of its first place."""
    items = [each.item for each in block.parts[0]]
    layers = [item.layer.index for item in items if item is not None and item.layer is not None]
    return min(layers, default=0)


def _name_units(blocks: list[Block], used: set[str]) -> None:
    """Names for lines of a layer with its norm and activation, the most frequent first."""
    for block in sorted(blocks, key=lambda block: -len(block.parts)):
        line = block.body[0]
        kinds = [each.item.op.kind for each in line if each.item is not None and each.item.op]
        name = "unit"
        if "activation" not in kinds:
            name = "linear"
        elif name in used and "same" not in line[0].flags:
            name = "unpadded"
        block.name = unused(name, used)


def _common(block: Block) -> str:
    """What the names in the file of all its layers begin with: `fire` of `fire2/squeeze1x1`."""
    beginnings: set[str] = set()
    for parts in block.parts:
        names = [name for each in parts for name in _layer_names(each)]
        if not names:
            return ""
        scopes = {re.split(r"[/.]", name)[0] for name in names}
        if len(scopes) != 1 or len(names) < 2:
            return ""
        match = _BEGINNING.match(scopes.pop())
        beginnings.add(match.group().lower() if match else "")
    common = beginnings.pop() if len(beginnings) == 1 else ""
    return common if len(common) > 2 and common.rstrip("s") not in _CONTAINERS else ""


def _layer_names(each: Template) -> Iterator[str]:
    layer = each.item.layer if each.item is not None else None
    if layer is not None and layer.name:
        yield layer.name
    for path in each.paths:
        for line in path:
            for inner in line:
                yield from _layer_names(inner)


def _kind(block: Block) -> str:
    """A name after what it consists of."""
    heads = [line[0] for line in block.body]
    head = next((each for each in heads if each.kind == "form"), heads[0])
    inside = list(_heads(head.paths[0])) if head.paths else []
    if head.kind == "form" and head.word == "residual":
        if "multiplier" in _fields(head.paths[0]):
            return "inverted"
        if head.bars:
            return "reduction"
        return {2: "basic", 3: "bottleneck"}.get(len(inside), "addition")
    if head.kind == "form":
        return {"dense": "layer", "gate": "squeeze", "concat": "mixed"}.get(head.word, "merged")
    if head.kind != "layer":
        return "part"
    return "unit" if "out" in _fields(block.body) else f"{head.word.replace(' ', '_')}_unit"


def _fields(body: Lines) -> Iterator[str]:
    """The arguments of all layers in it."""
    for line in body:
        for each in line:
            yield from (column.name for column in each.columns)
            if each.kind == "call":
                yield from _fields(each.block.body)
            for path in each.paths:
                yield from _fields(path)


def _heads(body: Lines) -> Iterator[str]:
    """The words of the layers that begin lines, also those of blocks that are called."""
    for line in body:
        if line[0].kind == "call":
            yield from _heads(line[0].block.body)
        else:
            yield line[0].word
            for path in line[0].paths:
                yield from _heads(path)


# ---- labels ------------------------------------------------------------------------------------


def name_labels(folded: Folded, taken: set[str], layers: Iterable[Layer]) -> None:
    """Names for all that something refers to, and for outputs."""
    ends = ends_of_modules(layers)
    for body in [folded.lines, *(block.body for block in folded.blocks)]:
        used = set(taken)
        for line in body:
            _name_in(line, used, (), ends)


def ends_of_modules(layers: Iterable[Layer]) -> dict[str, str]:
    """By the path of a layer that ends modules, that of the outermost: `inc` for `inc.conv.5`."""
    last: dict[str, str] = {}
    for layer in layers:
        parts = layer.name.split(".")
        for count in range(1, len(parts)):
            last[".".join(parts[:count])] = layer.name
    outermost_last = sorted(last.items(), key=lambda each: -len(each[0]))
    return {name: module for module, name in outermost_last}


def _name_in(line: Line, used: set[str], scope: tuple[str, ...], ends: Mapping[str, str]) -> None:
    for each in line:
        item = each.item
        if item is not None and (each.labeled or item.targets):
            item.scope = scope
        if item is not None and (each.labeled or each.kind == "side"):
            name = item.layer.name if item.layer is not None else ""
            own = item.output or item.label or ends.get(name, name)
            item.label = unused(identifier(own or "skip"), used)
        named = item is not None and (each.labeled or each.kind == "side")
        inside = (*scope, item.label) if item is not None and named else scope
        for path in each.paths:
            for inner in path:
                _name_in(inner, used, inside, ends)
