"""Graph -> statements: the series-parallel structure of an imported network. A merge and the layer
that dominates it become a form with paths: `residual`, `gate`, `dense`, `concat`. Where paths are
entangled, or very long, layers get labels, and `from` continues from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, Literal, cast

from ...dsl.diagnostics import Diagnostic, SpecError
from ..build.shortcuts import strides_along
from ..ops.base import Op
from ..ops.shortcut import PadShortcut, projection
from ..shapes import axes_of
from .graph import Graph, Layer
from .normal import normal, unsettled, writing
from .prove import free

MAX_DEPTH = 40
"""Forms within forms. Deeper ones are labels, as are paths of `LONG` steps beside an empty one."""
LONG = 100
SHORT = 4
"""The most layers of a path that can be written behind a long one."""

TANGLE = 30
"""Paths of so many layers that cross are written one after the other, with labels."""
WIDEST = 150
"""So many layers are looked at before a merge."""

TRAILING = ("norm", "activation", "dropout")
"""Kinds of layers that stand on the line of the layer before them."""

Kind = Literal["layer", "form", "from", "merge", "side"]


@dataclass(slots=True, eq=False)
class Item:
    """A statement."""

    kind: Kind
    word: str
    op: Op | None = None
    """Of a layer."""
    common: Mapping[str, Any] = field(default_factory=dict)
    """The settings of nearly all layers of its kind: `default bn eps=0.001`."""
    implied: bool = False
    """Whether a shortcut that nothing is written for has them, too."""
    options: tuple[str, ...] = ()
    """`shortcut=project`."""
    paths: list[Body] = field(default_factory=list)
    bars: bool = False
    """Whether its paths have bars in front of them; otherwise there is one, its body."""
    targets: list[Item] = field(default_factory=list)
    """The statements whose labels it names: of `from`, `concat other`."""
    layer: Layer | None = None
    """The layer that it ends in."""
    arriving: Layer | None = None
    """The layer before it, or in front of its paths."""
    label: str = ""
    labeled: bool = False
    """Whether something refers to it."""
    output: str = ""
    """Its name, if it is an output."""
    scope: tuple[str, ...] = ()
    """The labels around it, once there are names: they begin its own."""
    at: int = 0
    """Its number among all statements, those in its paths after it."""
    read: int = -1
    """The number of the last statement that refers to it."""


Body = list[Item]


class _Dominators:
    """The immediate dominator of each layer, found as the lowest common ancestor of its inputs;
    jump pointers keep that logarithmic.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.above: list[int] = []
        self.depth: list[int] = []
        self.jump: list[int] = []
        for layer in layers:
            inputs = [source.index for source in layer.inputs]
            if not inputs:
                self.above.append(layer.index)
                self.depth.append(0)
                self.jump.append(layer.index)
                continue
            common = inputs[0]
            for other in inputs[1:]:
                common = self.common(common, other)
            self.above.append(common)
            self.depth.append(self.depth[common] + 1)
            far = self.jump[common]
            even = (
                self.depth[common] - self.depth[far] == self.depth[far] - self.depth[self.jump[far]]
            )
            self.jump.append(self.jump[far] if even else common)

    def common(self, one: int, two: int) -> int:
        one, two = self.lift(one, self.depth[two]), self.lift(two, self.depth[one])
        while one != two:
            if self.jump[one] != self.jump[two]:
                one, two = self.jump[one], self.jump[two]
            else:
                one, two = self.above[one], self.above[two]
        return one

    def lift(self, at: int, depth: int) -> int:
        while self.depth[at] > depth:
            far = self.jump[at]
            at = far if self.depth[far] >= depth else self.above[at]
        return at


class _Regions:
    """What lies between a merge and the layer that dominates it."""

    def __init__(self, graph: Graph, consumers: list[list[Layer]], dominators: _Dominators) -> None:
        self.graph = graph
        self.consumers = consumers
        self.dominators = dominators
        self.entries: dict[int, int] = {}
        """By merge, how often what lies before it reads the layer above, if that is all that leads
        into it, and nothing else reads of it."""
        self.sizes: dict[int, int] = {}
        self.entangled: set[int] = set()
        """Merges with others before them that are not closed."""
        for layer in graph.layers:
            if len(layer.inputs) > 1:
                self.look(layer)

    def look(self, merge: Layer) -> None:
        above = self.dominators.above[merge.index]
        reads: dict[int, int] = {}
        stack: list[tuple[int, int]] = [(source.index, 1) for source in merge.inputs]
        entered, size = 0, 0
        while stack:
            at, edges = stack.pop()
            if at == above:
                entered += edges
                continue
            reads[at] = reads.get(at, 0) + edges
            if reads[at] > edges:
                continue  # seen already
            size += 1
            inputs = self.graph.layers[at].inputs
            if len(inputs) < 2:
                stack.append((inputs[0].index, 1))
            elif at in self.entries:
                size += self.sizes[at]
                stack.append((self.dominators.above[at], self.entries[at]))
            else:
                self.entangled.add(merge.index)
                stack += [(source.index, 1) for source in inputs]
            if len(reads) > WIDEST:
                self.entangled.add(merge.index)
                self.sizes[merge.index] = size
                return
        self.sizes[merge.index] = size
        if all(count == len(self.consumers[at]) for at, count in reads.items()):
            self.entries[merge.index] = entered

    def tangled(self, merge: Layer) -> bool:
        """Whether forms within forms would be hard to read."""
        return merge.index in self.entangled and self.sizes[merge.index] >= TANGLE

    def simple(self, merge: Layer) -> bool:
        return merge.index in self.entries and merge.index not in self.entangled


class _Structure:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.consumers = graph.consumers
        self.dominators = _Dominators(graph.layers)
        self.regions = _Regions(graph, self.consumers, self.dominators)
        self.items: dict[int, Item] = {}
        """By layer, the statement that ends in it; a layer is written once."""
        self.returned = {output.layer.index for output in graph.outputs}
        self.common = _common(graph)
        self.implied: set[str] = set()

    # ---- bodies ----

    def body(self, start: Layer, end: Layer, depth: int = 0) -> Body:
        """The statements that lead from a layer to another that it dominates."""
        backwards: Body = []
        waiting: list[tuple[int, Layer, Layer, int]] = []
        at = end
        while at is not start:
            if at.index in self.items:
                backwards.append(self.reference(at))
                break
            if len(at.inputs) == 1:
                backwards.append(self.plain(at))
                at = at.inputs[0]
                continue
            above = self.graph.layers[self.dominators.above[at.index]]
            if self.regions.tangled(at) or depth >= MAX_DEPTH:
                backwards += reversed(self.tangle(above, at, depth))
                at = above
                continue
            long = self.long_path(at, above)
            if long is None:
                backwards.append(self.form(at, above, depth))
                at = above
            else:
                # What the other paths read must be written before them, so the long path is first.
                waiting.append((len(backwards), at, above, long))
                backwards.append(Item("form", at.op.word))
                at = at.inputs[long]
        for place, merge, above, long in reversed(waiting):
            backwards[place] = self.beside(merge, above, long, depth)
        backwards.reverse()
        return backwards

    def plain(self, layer: Layer) -> Item:
        followers = [each.op for each in self.consumers[layer.index]]
        op = unsettled(layer.op, followers)
        item = Item("layer", layer.op.word, op, layer=layer, arriving=layer.inputs[0])
        self.items[layer.index] = item
        return item

    def reference(self, layer: Layer) -> Item:
        item = self.items[layer.index]
        item.labeled = True
        return Item("from", "from", targets=[item], layer=layer)

    def tangle(self, start: Layer, end: Layer, depth: int) -> Body:
        """The statements between two layers one after the other, with labels for all that is not
        read directly after it. What is closed in itself is a form.
        """
        sources: dict[int, tuple[Layer, ...]] = {}
        stack = [end]
        while stack:
            at = stack.pop()
            if at is start or at.index in sources or at.index in self.items:
                continue
            inputs = at.inputs
            if len(inputs) > 1 and self.regions.simple(at) and depth < MAX_DEPTH:
                inputs = (self.graph.layers[self.dominators.above[at.index]],)
            sources[at.index] = inputs
            stack.extend(inputs)
        readers: dict[int, list[int]] = {}
        missing: dict[int, int] = {}
        ready: list[int] = []
        for index in sorted(sources):
            before = {each.index for each in sources[index]} & {*sources}
            missing[index] = len(before)
            for each in before:
                readers.setdefault(each, []).append(index)
            if not before:
                heappush(ready, index)
        body: Body = []
        last = start
        done: set[int] = set()
        following: list[int] = []
        while len(done) < len(sources):
            index = following[0] if following else heappop(ready)
            if index in done:
                continue
            at = self.graph.layers[index]
            body += self.statement(at, sources[index], last, start, depth)
            last = at
            done.add(index)
            following = []
            for reader in readers.get(index, ()):
                missing[reader] -= 1
                if not missing[reader]:
                    following.append(reader)
                    heappush(ready, reader)
        return body

    def statement(
        self, at: Layer, sources: Sequence[Layer], last: Layer, start: Layer, depth: int
    ) -> Body:
        """A layer or a form behind another, with `from` in front of it if it does not read that."""
        first = sources[0]
        if len(sources) == 2 and free(at.op, 2) and sources[1] is last:
            sources = (last, first)
            first = last
        before: Body = []
        if at.op.paths and len(sources) > 1:
            return self.by_name(at, sources, last, start)
        if first is not last and len(sources) < 3:
            before = [Item("from", "from", targets=[self.named(first, start)], layer=first)]
        if len(sources) > 1:
            # One name is merged with what arrives; several are merged with one another.
            named = sources[1:] if len(sources) < 3 else sources
            targets = [self.named(source, start) for source in named]
            item = Item("merge", at.op.word, targets=targets, layer=at, arriving=first)
            self.items[at.index] = item
        elif len(at.inputs) > 1:
            item = self.form(at, first, depth)
        else:
            item = self.plain(at)
        return [*before, item]

    def by_name(self, at: Layer, sources: Sequence[Layer], last: Layer, start: Layer) -> Body:
        """A form whose paths are labels: `attention { | from q | from k | from v }`."""
        paths: list[Body] = []
        for source in sources:
            target = self.named(source, start)
            target.labeled = True
            paths.append([Item("from", "from", targets=[target], layer=source)])
        before = paths[0] if len(at.op.paths) == 1 and sources[0] is not last else []
        item = self.over_paths(at, paths)
        item.arriving = sources[0]
        self.items[at.index] = item
        return [*before, item]

    def named(self, layer: Layer, start: Layer) -> Item:
        """The statement of a layer, which gets a label."""
        assert layer is start or layer.index in self.items
        return self.label_of(layer)

    # ---- merges ----

    def long_path(self, merge: Layer, above: Layer) -> int | None:
        """Of two paths, the one that is so long that the other is better written with a label."""
        if len(merge.op.paths) == 1 and merge.inputs[0] is not above:
            return 0  # it reads what arrives
        if len(merge.inputs) != 2 or above.index == 0 or merge.op.paths:
            return None
        depths = self.dominators.depth
        lengths = [depths[source.index] - depths[above.index] for source in merge.inputs]
        longer = int(lengths[1] > lengths[0])
        source = merge.inputs[longer]
        if source.index in self.items or lengths[1 - longer] > SHORT:
            return None
        return longer if lengths[longer] >= LONG or self.grows(source, above) else None

    def grows(self, source: Layer, above: Layer) -> bool:
        """Whether a path makes maps smaller and larger again, as those of a U-Net do."""
        for _ in range(LONG):
            if source is above or not source.inputs:
                return False
            before = source.inputs[0].shape
            alone = len(source.inputs) == 1  # a gate's factors are smaller than its other input
            if alone and len(before) == len(source.shape) == len(above.shape):
                sides = zip(before[1:], source.shape[1:], above.shape[1:], strict=True)
                if all(side < larger <= whole for side, larger, whole in sides):
                    return len(before) > 1
            source = self.graph.layers[self.dominators.above[source.index]]
        return False

    def beside(self, merge: Layer, above: Layer, long: int, depth: int) -> Item:
        """`concat { | | from skip, … }`, behind the long path that is the empty one here."""
        paths: list[Body] = []
        label = self.label_of(above)
        for position, source in enumerate(merge.inputs):
            if position == long:
                paths.append([])
            elif source is above:
                paths.append([Item("from", "from", targets=[label], layer=above)])
            else:
                rest = self.body(above, source, depth + 1)
                if rest[0].kind != "from":
                    rest.insert(0, Item("from", "from", targets=[label], layer=above))
                paths.append(rest)
        label.labeled = True
        if merge.op.paths:
            item = self.over_paths(merge, paths)
        elif long == 0 and all(len(path) == 1 for path in paths[1:]):
            targets = [target for path in paths[1:] for target in path[0].targets]
            item = Item("merge", merge.op.word, targets=targets, layer=merge)
        else:
            item = Item("form", merge.op.word, paths=paths, bars=True, layer=merge)
        item.arriving = merge.inputs[long]
        self.items[merge.index] = item
        return item

    def label_of(self, layer: Layer) -> Item:
        """The statement of a layer that is not written yet, but will be: it comes before."""
        if layer.index in self.items:
            self.items[layer.index].labeled = True
            return self.items[layer.index]
        if layer.index not in self.pending:
            self.pending[layer.index] = Item("layer", layer.op.word)
        return self.pending[layer.index]

    def form(self, merge: Layer, above: Layer, depth: int) -> Item:
        if merge.op.word == "concat" and len(merge.inputs) > 2:
            paths = self.nested(merge.inputs, above, depth)
        else:
            paths = [self.body(above, source, depth + 1) for source in merge.inputs]
        item = self.shaped(merge, above, paths)
        item.arriving = above
        self.items[merge.index] = item
        return item

    def nested(self, inputs: Sequence[Layer], above: Layer, depth: int) -> list[Body]:
        """The paths of a concatenation; neighbors that part later than the others are one of them,
        which is a concatenation itself.
        """
        paths: list[Body] = []
        at = 0
        while at < len(inputs):
            common, end = inputs[at].index, at + 1
            while end < len(inputs):
                wider = self.dominators.common(common, inputs[end].index)
                if wider == above.index or (end > at + 1 and wider != common):
                    break
                common, end = wider, end + 1
            parting = self.graph.layers[common]
            if end == at + 1 or end - at == len(inputs) or common in self.items:
                paths.append(self.body(above, inputs[at], depth + 1))
                at += 1
                continue
            stem = self.body(above, parting, depth + 1)
            inner = [self.body(parting, source, depth + 2) for source in inputs[at:end]]
            if not inner[0] and len(inner) == 2:
                form = Item("form", "dense", paths=inner[1:], arriving=parting)
            else:
                form = Item("form", "concat", paths=inner, bars=True, arriving=parting)
            paths.append([*stem, form])
            at = end
        return paths

    def shaped(self, merge: Layer, above: Layer, paths: list[Body]) -> Item:
        """The form that says it best."""
        word = merge.op.word
        two = len(paths) == 2
        empty = [index for index, path in enumerate(paths) if not path]
        spread = len({source.shape for source in merge.inputs}) > 1
        if two and len(empty) == 1:
            body = paths[1 - empty[0]]
            own = {"add": "residual", "mul": "gate"}.get(word, "")
            if word == "concat" and empty == [0]:
                own = "dense"
            if own and body[0].kind != "from" and not (spread and own == "residual"):
                return Item("form", own, paths=[body], layer=merge)
        if two and word == "add" and not empty and not spread:
            for index in (1, 0):
                options = self.projected(above, merge, paths[1 - index], paths[index])
                if options is not None:
                    return Item(
                        "form", "residual", options=options, paths=[paths[1 - index]], layer=merge
                    )
            short = min((1, 0), key=lambda index: len(paths[index]))
            if len(paths[short]) < len(paths[1 - short]):
                paths = [paths[1 - short], paths[short]]
                return Item("form", "residual", paths=paths, bars=True, layer=merge)
        return self.over_paths(merge, paths)

    def over_paths(self, merge: Layer, paths: list[Body]) -> Item:
        """A form with its arguments: `attention heads=2 { | queries | keys | values }`. Of what
        reads the stream and one path more, `deform 64 3x3 { shifts }`, only that is written."""
        op = None
        if merge.op.fields:
            op = unsettled(merge.op, [each.op for each in self.consumers[merge.index]])
        alone = len(merge.op.paths) == 1
        inner = paths[1:] if alone else paths
        return Item("form", merge.op.word, op, paths=inner, bars=not alone, layer=merge)

    def projected(
        self, above: Layer, merge: Layer, body: Body, short: Body
    ) -> tuple[str, ...] | None:
        """The options with which `residual` makes the short path by itself; None if none do."""
        if len(short) == 1 and isinstance(short[0].op, PadShortcut) and axes_of(above.shape):
            same = PadShortcut.between(above.shape, merge.shape) == short[0].op
            return ("shortcut=pad",) if same else None
        if len(short) != 2 or not axes_of(above.shape) or any(each.op is None for each in short):
            return None
        first, second = short[0].layer, short[1].layer
        assert first is not None
        assert second is not None
        if any(len(self.consumers[each.index]) > 1 for each in (first, second)):
            return None
        end: Any = merge.inputs[merge.inputs[0] is second]
        strides = strides_along(cast(Any, above), end)
        if strides is None:
            return None
        conv, norm = projection(merge.shape[0], strides)
        norm = norm.replace(**self.common.get(norm.word, {}))
        if normal(conv, above.shape) != first.op or norm != second.op:
            return None
        self.implied.add(norm.word)
        return ("shortcut=project",) if above.shape == merge.shape else ()

    # ---- the whole ----

    def build(self) -> Body:
        self.pending: dict[int, Item] = {}
        start = self.graph.layers[0]
        self.items[start.index] = Item("layer", "input", start.op, layer=start)
        main = self.graph.outputs[-1].layer
        body = [self.items[0], *self.body(start, main)]
        for item in _walk(body):
            if isinstance(item.op, PadShortcut):
                why = "channels of zeros are added to a map that is no input of a residual"
                span = item.layer.span if item.layer else start.span
                raise SpecError([Diagnostic("cannot-say", why, span)])
            item.common = self.common.get(item.word, {})
            item.implied = item.word in self.implied
        written = {id(stand_in): self.items[index] for index, stand_in in self.pending.items()}
        for item in written.values():
            item.labeled = True
        for item in _walk(body):
            item.targets = [written.get(id(target), target) for target in item.targets]
        for output in self.graph.outputs[:-1]:
            self.side(body, output.layer, output.name, output.aux)
        if any(output.aux is None for output in self.graph.outputs[:-1]):
            self.items[main.index].output = self.graph.outputs[-1].name or "main"
        _share(body)
        return body

    def side(self, body: Body, end: Layer, name: str, aux: float | None) -> None:
        """An output beside the main stream."""
        if end.index in self.items:
            item = self.items[end.index]
            item.labeled, item.label = True, name
            host, index = _find(body, item)
            # After `output name: conv`, what arrived at it would go on.
            host.insert(index + 1, Item("merge", "output", targets=[item]))
            return
        known = set(self.items)
        at = end
        while at.index not in known:
            at = self.graph.layers[self.dominators.above[at.index]]
        inner = self.body(at, end, 1)
        options = (f"weight={aux:g}",) if aux is not None else ()
        item = Item(
            "side", "output" if aux is None else "aux", options=options, paths=[inner], label=name
        )
        read = {id(each) for path in _walk(inner) for each in path.targets}
        place = self.items[at.index]
        host, index = _find(body, place)
        if read:
            # It reads layers that come later: behind the last of them.
            order = [each for each in _walk(body) if id(each) in read or each is place]
            host, index = _find(body, order[-1])
            if order[-1] is not place:
                if inner[0].kind == "from":
                    host.insert(index + 1, item)
                    return
                place.labeled = True
                inner.insert(0, Item("from", "from", targets=[place], layer=at))
        host.insert(index + 1, item)


def _walk(body: Body) -> Iterator[Item]:
    for item in body:
        yield item
        for path in item.paths:
            yield from _walk(path)


def _share(body: Body) -> None:
    """Of layers that share their weights, the one that is written first has them; the others are
    `share first`."""
    first: dict[str, Item] = {}
    for item in _walk(body):
        held = item.layer.held if item.kind == "layer" and item.layer is not None else ""
        if not held:
            continue
        if held not in first:
            first[held] = item
            continue
        first[held].labeled = True
        item.kind, item.word, item.op, item.targets = "merge", "share", None, [first[held]]


def _find(body: Body, wanted: Item) -> tuple[Body, int]:
    """The body that a statement stands in, and its position there."""
    for index, item in enumerate(body):
        if item is wanted:
            return body, index
    for item in body:
        for path in item.paths:
            found = _find(path, wanted)
            if found[1] >= 0:
                return found
    return body, -1


def _chained(graph: Graph) -> Graph:
    """Concatenations that begin as another one does read that one: a layer of a dense block reads
    what the layer before it read, and that layer.
    """
    if not any(each.op.word == "concat" and len(each.inputs) > 2 for each in graph.layers):
        return graph
    known: dict[tuple[int, ...], Layer] = {}
    anew: list[Layer] = []
    for layer in graph.layers:
        inputs = tuple([anew[source.index] for source in layer.inputs])
        if layer.op.word == "concat":
            whole = tuple([source.index for source in layer.inputs])
            for length in range(len(whole) - 1, 1, -1):
                if whole[:length] in known:
                    inputs = (anew[known[whole[:length]].index], *inputs[length:])
                    break
            known.setdefault(whole, layer)
        copy = Layer(layer.index, layer.op, inputs, layer.name, layer.span, layer.shape)
        copy.held = layer.held
        anew.append(copy)
    outputs = [output._replace(layer=anew[output.layer.index]) for output in graph.outputs]
    return graph._replace(layers=anew, outputs=outputs)


COMMON, SHARE = 3, 0.75
"""So many layers of a kind, and such a share of them, make their settings the default."""


def _common(graph: Graph) -> dict[str, dict[str, Any]]:
    """By the word of a normalization, settings that nearly all of its layers have and that are not
    usual: `eps=0.001` of batch norms from Keras. They are said once."""
    by_word: dict[str, list[Op]] = {}
    for layer in graph.layers:
        if layer.op.kind == "norm":
            by_word.setdefault(layer.op.word, []).append(layer.op)
    found: dict[str, dict[str, Any]] = {}
    for word, ops in by_word.items():
        plain = writing(word).plain
        for name, declared in ops[0].fields.items():
            value, times = Counter([getattr(op, name) for op in ops]).most_common(1)[0]
            often = times >= max(COMMON, SHARE * len(ops))
            if often and name not in plain and not declared.is_usual(value):
                found.setdefault(word, {})[name] = value
    return found


def structure(graph: Graph) -> Body:
    """The statements of a network, the input first."""
    return _Structure(_chained(graph)).build()
