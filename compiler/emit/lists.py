"""Lists of maps in `forward`: a list that the spec has as one value is one variable, `maps`, from
which steps read the whole or an item, `maps[0]`.

Steps are written for single maps. `Row` connects them: where what a step reads is part of a list,
its text reads an item; where it reads a list that no variable holds, the list is put together from
what there is, `[*maps, x]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..network import Node, Scope
from .steps import Key, Ref, Step


class MapList(Node):
    """A list of maps as a value of `forward`: in place of a node among inputs and outputs."""

    __slots__ = ("nodes", "title")

    def __init__(self, number: int, nodes: Sequence[Node], title: str) -> None:
        last = nodes[-1]
        super().__init__(-1000 - number, last.op, (), last.shape, last.span, last.scope)
        self._weights = ()
        self.nodes = tuple(nodes)
        self.title = title
        """What the spec calls it; empty if it has no name."""


class MapLists:
    """The lists of a network, one for each sequence of maps."""

    def __init__(self) -> None:
        self.known: dict[tuple[int, ...], MapList] = {}

    def of(self, nodes: Sequence[Node], title: str = "") -> MapList:
        key = tuple([node.index for node in nodes])
        if key not in self.known:
            self.known[key] = MapList(len(self.known), nodes, title)
        known = self.known[key]
        known.title = known.title or title
        return known


def maps_in(value: Node) -> tuple[Node, ...]:
    """The maps of a list; of anything else, itself."""
    return value.nodes if isinstance(value, MapList) else (value,)


class Zip(NamedTuple):
    """A loop that makes a list of maps, each from one map of other lists, or from the same."""

    reads: tuple[Node, ...]
    varying: tuple[int, ...]
    """Which of them are lists of which each round reads its own item."""
    left: MapList

    def template(self) -> str:
        names = [f"{{each{place}}}" for place in self.varying]
        texts = dict(zip(self.varying, names, strict=True))
        given = ", ".join(texts.get(n, f"{{{n}}}") for n in range(len(self.reads)))
        if not self.varying:
            return f"[{{item}}({given}) for {{item}} in {{m}}]"
        lists = ", ".join(f"{{{place}}}" for place in self.varying)
        return f"[{{item}}({given}) for {{item}}, {', '.join(names)} in zip({{m}}, {lists})]"


class Row:
    """The steps of a class and their values, while they are connected."""

    def __init__(self, inputs: Sequence[Node]) -> None:
        self.steps: list[Step] = []
        self.values: dict[int, Ref] = {}
        self.items: dict[int, tuple[MapList, int]] = {}
        """By index of a map: the list that holds it, and its place."""
        self.lists: dict[tuple[int, ...], MapList] = {}
        for number, node in enumerate(inputs):
            self.enter(node, (-1 - number, 0))

    def enter(self, node: Node, ref: Ref) -> None:
        self.values[node.index] = ref
        if isinstance(node, MapList):
            self.lists[tuple([each.index for each in node.nodes])] = node
            for place, each in enumerate(node.nodes):
                self.items[each.index] = node, place

    def read(self, node: Node) -> tuple[Node, str]:
        """The value that holds a map, and what its name is followed by: `[0]`."""
        if node.index in self.values:
            return node, ""
        whole, place = self.items[node.index]
        last = len(whole.nodes) - 1
        return whole, f"[{place}]" if place < last or not last else "[-1]"

    def refs(self, nodes: Sequence[Node]) -> tuple[Ref, ...]:
        return tuple([self.values[node.index] for node in nodes])

    def add(self, step: Step, sources: Sequence[Node], results: Sequence[Node]) -> None:
        """Adds a step, after those that put together the lists that it reads."""
        key = *step.key, "list"
        if step.carry is not None:  # each value has a variable
            for number, source in enumerate(sources):
                self.hold(source, step.item, (*key, number))
            self.put(step._replace(operands=self.refs(sources)), results)
            return
        operands: list[Node] = []
        texts: dict[str, str] = {}
        template, held = self.merged(step.template, sources)
        for number, source in held:
            if isinstance(source, MapList):
                self.hold(source, step.item, (*key, number))
            value, item = self.read(source)
            texts[str(number)] = f"{{{len(operands)}}}{item}"
            operands.append(value)
        if ".add_(" in template and any(text.endswith("]") for text in texts.values()):
            template = " + ".join(f"{{{number}}}" for number, _ in held)
        written = re.sub(r"\{(\d+)\}", lambda found: texts[found[1]], template)
        self.put(step._replace(template=written, operands=self.refs(operands)), results)

    def put(self, step: Step, results: Sequence[Node]) -> None:
        lists = tuple([n for n, node in enumerate(results) if isinstance(node, MapList)])
        shapes = tuple([node.shape for node in results])
        step = step._replace(outputs=len(results), shapes=shapes, lists=lists)
        for position, node in enumerate(results):
            self.enter(node, (len(self.steps), position))
        self.steps.append(step)

    def hold(self, wanted: Node, reader: Node | Scope, key: Key) -> None:
        """Gives a variable to a list, or to an item of one, if it has none."""
        if wanted.index in self.values:
            return
        if isinstance(wanted, MapList):
            template, parts = self.packed(wanted)
        else:
            whole, item = self.read(wanted)
            template, parts = f"{{0}}{item}", [whole]
        made = MapList(0, maps_in(wanted), "")
        made.span, made.scope = reader.span, reader.scope if isinstance(reader, Node) else reader
        self.put(Step(key, made, "", template, self.refs(parts), 1), [wanted])

    def packed(self, wanted: MapList) -> tuple[str, list[Node]]:
        """The text of a list that is put together, and what it reads."""
        texts: list[str] = []
        parts: list[Node] = []
        runs = [*self.runs(wanted.nodes)]
        at = 0
        while at < len(runs):
            whole, count = self.slice_of(runs[at:])
            star = "*" * (count > 1 or isinstance(runs[at], MapList))
            if count == 1:
                run = runs[at]
                value, item = (run, "") if isinstance(run, MapList) else self.read(run)
            else:
                assert whole is not None
                value, low = whole, self.items[runs[at].index][1]
                high = low + count
                item = f"[{low or ''}:{high if high < len(whole.nodes) else ''}]"
            texts.append(f"{star}{{{len(parts)}}}{item}")
            parts.append(value)
            at += count
        if len(texts) == 1 and texts[0].startswith("*") and texts[0].endswith("]"):
            return texts[0][1:], parts
        return f"[{', '.join(texts)}]", parts

    def slice_of(self, nodes: Sequence[Node]) -> tuple[MapList | None, int]:
        """How many of these nodes, from the first on, follow each other in a list, and which."""
        held = [None if node.index in self.values else self.items.get(node.index) for node in nodes]
        if held[0] is None:
            return None, 1
        whole, place = held[0]
        count = 1
        while count < len(held) and held[count] == (whole, place + count):
            count += 1
        return whole, count

    def runs(self, nodes: Sequence[Node]) -> Iterator[Node]:
        """The nodes in order; where several are the whole of a list that is there, that list."""
        at = 0
        while at < len(nodes):
            lengths = sorted({len(key) for key in self.lists}, reverse=True)
            found = None
            for length in lengths:
                found = self.lists.get(tuple([node.index for node in nodes[at : at + length]]))
                if found is not None:
                    break
            yield nodes[at] if found is None else found
            at += 1 if found is None else len(found.nodes)

    def merged(self, template: str, sources: Sequence[Node]) -> tuple[str, list[tuple[int, Node]]]:
        """The text of a step with lists in the place of all their maps, where it concatenates or
        adds them."""
        plain = list(enumerate(sources))
        numbered = [f"{{{number}}}" for number in range(len(sources))]
        is_cat = template == f"torch.cat([{', '.join(numbered)}], 1)"
        first, rest = numbered[:1], numbered[1:]
        is_sum = bool(rest) and template in (
            " + ".join(numbered), "".join([*first, *[f".add_({each})" for each in rest]])
        )  # fmt: skip
        if not self.lists or not (is_cat or is_sum):
            return template, plain
        runs = list(self.runs(sources))
        if not any(isinstance(run, MapList) for run in runs):
            return template, plain
        if is_sum:
            whole = len(runs) == 1
            return ("sum({0}[1:], {0}[0])", [(0, runs[0])]) if whole else (template, plain)
        texts = [f"{'*' * isinstance(run, MapList)}{{{n}}}" for n, run in enumerate(runs)]
        listed = "{0}" if texts == ["*{0}"] else f"[{', '.join(texts)}]"
        return f"torch.cat({listed}, 1)", list(enumerate(runs))
