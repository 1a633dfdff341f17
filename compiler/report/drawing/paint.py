"""From a network to a picture of it. Equal consecutive parts are drawn once, with a count. A
normalization, an activation or a dropout is drawn in the box of the layer before it. `unfold` turns
off both.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterator, Sequence

from ...analysis import Analysis
from ...network import Node, Scope
from ...ops.base import Op
from ...shapes import Shape, text
from ..figures import exact, pair, plural, short
from ..rows import name_of_several
from ..structure import Part, Run, Structure, depth, merged_block, parts, runs
from ..wording import Wording
from .box_figures import add_figures
from .picture import Arrow, Box, Frame, Picture, frames_in

MAX_BOXES = 3_000


class TooLarge(Exception):
    """The drawing would have too many boxes to be readable."""


def picture(
    analysis: Analysis,
    *,
    unfold: bool = False,
    max_depth: int | None = None,
    opened: Container[str] = (),
    figures: Sequence[str] = (),
) -> Picture:
    """The picture of a network, with the figures named in its boxes; raises TooLarge. Repeated
    parts whose first iteration is in `opened` are not folded.
    """
    network, totals = analysis.network, analysis.totals
    painter = _Painter(analysis, unfold, max_depth, opened)
    painter.scope(network.root, painter.root)
    _simplify(painter.root)
    painter.finish()
    if figures:
        add_figures(analysis, painter.boxes, figures)
    subtitle = f"{exact(totals.params)} parameters, {short(totals.macs)} multiply-adds"
    frames = frames_in(painter.root)
    for number, frame in enumerate(frames):
        frame.number = number
    return Picture(network.name, subtitle, painter.root, painter.boxes, frames, painter.arrows())


_JOINS_ANY = ("activation", "dropout")
_CARRIES = ("conv", "linear", "filter")
"""The kinds of layers whose box includes a following norm, activation or dropout."""


def _follows(part: Part) -> bool:
    """Whether it is drawn with the layer before it, where there is one."""
    return isinstance(part, Node) and part.op.kind in ("norm", *_JOINS_ANY)


def _alike(op: Op) -> object:
    """Arguments that may differ between iterations drawn as one: the probability of `droppath`."""
    return type(op) if op.kind == "dropout" else (type(op), *op.arguments.values())


class _Painter:
    def __init__(
        self, analysis: Analysis, unfold: bool, max_depth: int | None, opened: Container[str]
    ) -> None:
        self.analysis = analysis
        self.network = analysis.network
        self.unfold = unfold
        self.max_depth = max_depth
        self.opened = opened
        self.structure = Structure(self.network, alike=_alike)
        self.wording = Wording(self.network)
        self.root = Frame("", None)
        self.boxes: list[Box] = []
        self.box_of: dict[int, Box] = {}
        """The boxes, by index of the node."""
        self.returned = {output.node.index for output in self.network.outputs}
        self.drawn_as = list(range(len(self.network.nodes)))
        """From the index of a node to that of the node drawn for it; usually itself."""

    # ---- walking ----

    def scope(self, scope: Scope, frame: Frame) -> None:
        items = list(parts(scope))
        if self.unfold:
            for item in items:
                self.part(item, frame, 1)
            return
        for run in runs(self.structure, items, follows=_follows):
            once = run.once
            if run.count > 1 and once[0].name in self.opened:
                for item in run.parts:
                    self.part(item, frame, 1)
                continue
            self.fold(run)
            if len(once) == 1:
                self.part(once[0], frame, run.count, run.parts)
                continue
            inner = self.frame("", frame, run.count)
            inner.repeats.append(once[0].name)
            for item in once:
                self.part(item, inner, 1)

    def fold(self, run: Run) -> None:
        """Records that nodes of the first iteration represent those of later ones."""
        nodes = [node for part in run.parts for node in self.structure.nodes(part)]
        length = len(nodes) // run.count
        for position, node in enumerate(nodes[length:]):
            self.drawn_as[node.index] = nodes[position % length].index

    def stand_in(self, index: int) -> int:
        while self.drawn_as[index] != index:
            index = self.drawn_as[index]
        return index

    def part(self, part: Part, frame: Frame, count: int, same: Sequence[Part] = ()) -> None:
        """Draws a part, which may represent several equal ones."""
        names = [each.name for each in same] or [part.name]
        repeats = names[:1] if count > 1 else []
        if isinstance(part, Node):
            self.node(part, frame, count, repeats)
        elif self.is_closed(part) or self.is_shared(part):
            self.closed(part, names, frame, count, repeats, same)
        elif part.kind == "loop" and part.label is None and count == 1:
            self.scope(part, frame)
        else:
            inner = self.frame(self.title(part, names, frame.name, same), frame, count)
            inner.repeats += repeats
            inner.name, inner.label = part.name, part.label or ""
            inner.only_name = _only_name(part)
            inner.aux = part.aux and not frame.inside_aux
            inner.shared = part.shares is not None and self.structure.size(part) > 1
            inner.inside_aux = part.aux
            self.scope(part, inner)

    def title(self, scope: Scope, names: Sequence[str], around: str, same: Sequence[Part]) -> str:
        """`layer1.0: bottleneck 64`, without what the enclosing frame shows already."""
        own = name_of_several(names).removeprefix(f"{around}." if around else "")
        if scope.aux and scope.parent is not None and not scope.parent.aux:
            return f"{own}, only in training"
        if _only_name(scope):
            return own
        what = self.wording_of(scope, same)
        if scope.shares is not None:
            what = f"{what}, the same weights"
        word, _, arguments = what.partition(" ")
        return f"{own} {arguments}" if own.startswith(word) else f"{own}: {what}"

    def wording_of(self, scope: Scope, same: Sequence[Part]) -> str:
        """A part as written; with the arguments from its first to its last iteration."""
        last = same[-1] if same else scope
        assert isinstance(last, Scope)
        return _first_to_last(self.wording.scope(scope), self.wording.scope(last))

    def is_closed(self, scope: Scope) -> bool:
        deep = self.max_depth is not None and depth(scope) >= self.max_depth
        return deep and self.structure.size(scope) > 1

    def is_shared(self, scope: Scope) -> bool:
        """Whether it is drawn as one box because its layers are drawn elsewhere, with the same
        weights."""
        unfolded = self.unfold or scope.name in self.opened
        return scope.shares is not None and not unfolded and self.structure.size(scope) > 1

    def frame(self, title: str, parent: Frame, count: int) -> Frame:
        frame = Frame(title, parent, count, name=parent.name)
        parent.frames.append(frame)
        return frame

    def box(self, box: Box) -> Box:
        if len(self.boxes) >= MAX_BOXES:
            raise TooLarge(f"this drawing would have more than {MAX_BOXES:,} boxes")
        box.number = len(self.boxes)
        self.boxes.append(box)
        box.frame.boxes.append(box)
        return box

    def closed(
        self,
        scope: Scope,
        names: Sequence[str],
        frame: Frame,
        count: int,
        repeats: list[str],
        same: Sequence[Part],
    ) -> None:
        """A part drawn as one box."""
        nodes, name = self.structure.nodes(scope), name_of_several(names)
        box = Box("part", frame, name, part=scope, aux=scope.aux, count=count, repeats=repeats)
        what, layers = self.wording_of(scope, same), plural(len(nodes), "layer")
        if scope.shares is not None:
            box.main, box.label, box.shared = what, scope.label or "", True
            box.after.append(f"{layers}, the same weights")
        else:
            box.after.append(f"{what}, {layers}")
        self.box(box)
        for node in nodes:
            box.nodes.append(node)
            self.box_of[node.index] = box

    def node(self, node: Node, frame: Frame, count: int, repeats: list[str]) -> None:
        text = self.wording.layer(node)
        host = None if self.unfold or count > 1 else self.host(node, frame)
        if host is None:
            label = node.label or ""
            host = self.box(Box(node.op.kind, frame, text, label, count=count, aux=node.aux))
            host.repeats += repeats
            host.shared = node.shared is not None
            if node.shared is not None and not any(scope.shared for scope in _around(frame)):
                host.after.append(f"weights of {node.shared.name}")
        elif host.kind in ("norm", "activation") and node.op.kind in _CARRIES:
            # Norm and activation come before the main layer (pre-activation).
            host.before.append(host.main)
            host.before += host.after
            host.after = []
            host.main, host.kind = text, node.op.kind
        else:
            host.after.append(text)
        host.nodes.append(node)
        self.box_of[node.index] = host

    def host(self, node: Node, frame: Frame) -> Box | None:
        """The box that a layer can join: that of its only input, if it is the only reader."""
        if len(node.inputs) != 1 or node.label is not None:
            return None
        source = node.inputs[0]
        box = self.box_of.get(source.index)
        readers = self.network.consumers[source.index]
        if box is None or box.frame is not frame or box.count > 1 or len(readers) != 1:
            return None
        if box.nodes[-1] is not source or source.index in self.returned:
            return None
        kind, closed = node.op.kind, bool(box.before) and box.kind in _CARRIES
        if kind == "norm":
            joins = box.kind in (*_CARRIES, "norm") and not closed
        elif kind in _JOINS_ANY:
            joins = box.kind != "input" and not closed
        elif kind == "shape":
            joins = box.kind in ("pool", "shape")
        else:
            joins = kind in _CARRIES and box.kind in ("norm", "activation")
        return box if joins else None

    # ---- after all boxes are created ----

    def finish(self) -> None:
        """Adds output shapes, tooltips, and the end of the network."""
        shapes: dict[int, list[Shape]] = {}
        for node in self.network.nodes:
            stand_in = self.stand_in(node.index)
            shapes.setdefault(stand_in, []).append(node.shape)
            self.box_of[stand_in].layers.append(node.name)
            if node.op.kind == "dropout" and stand_in != node.index and stand_in in self.box_of:
                self.spread(self.network.nodes[stand_in], node)
        costs = self.analysis.costs
        for box in self.boxes:
            last = self.last(box)
            box.output = _span_of(shapes[last.index])
            params = sum(costs[node.index].params for node in box.nodes)
            macs = sum(costs[node.index].macs for node in box.nodes)
            tooltip_lines = [" ".join(node.name for node in box.nodes[:4])]
            if len(box.nodes) > 4:
                tooltip_lines[0] += f" and {len(box.nodes) - 4} more"
            if params:
                tooltip_lines.append(f"{exact(params)} parameters")
            if macs:
                tooltip_lines.append(f"{exact(macs)} multiply-adds")
            field = self.analysis.fields[last.index]
            seen = "all" if field.whole else pair(field.size)
            tooltip_lines += [f"output {box.output}", f"receptive field {seen}"]
            box.tooltip = "\n".join(tooltip_lines)
        self.ends = []
        """The boxes of the outputs, with the node that each shows."""
        for output in self.network.outputs:
            name = f"output {output.name}" if len(self.network.outputs) > 1 else "output"
            shape = text(output.node.shape)
            box = self.box(Box("input", self.root, name, tooltip=f"output {shape}"))
            box.layers.append(output.node.name)
            self.ends.append((output.node, box))

    def spread(self, first: Node, last: Node) -> None:
        """Writes `droppath 0..0.1` for a value that differs between iterations."""
        texts = self.box_of[first.index].after
        was, now = self.wording.layer(first), self.wording.layer(last)
        for position, shown in enumerate(texts):
            if shown.partition("..")[0] == was != now:
                texts[position] = _first_to_last(was, now)

    def last(self, box: Box) -> Node:
        """The output node of a box."""
        return box.nodes[-1] if box.part is None else self.structure.last(box.part)

    def arrows(self) -> list[Arrow]:
        pairs: dict[tuple[Box, Box], None] = {}
        for box in self.boxes:
            for node in box.nodes:
                for source in node.inputs:
                    other = self.box_of[self.stand_in(source.index)]
                    if other is not box:
                        pairs[other, box] = None
        for node, box in self.ends:
            pairs[self.box_of[self.stand_in(node.index)], box] = None
        nearest: dict[Box, Box] = {}
        for begin, end in pairs:
            if begin not in nearest or end.number < nearest[begin].number:
                nearest[begin] = end
        straight = _straight(list(pairs))
        return [
            Arrow(
                begin,
                end,
                # The box of the input shows its shape itself.
                labeled=nearest[begin] is end and bool(begin.nodes[0].inputs),
                straight=(begin, end) in straight,
            )
            for begin, end in pairs
        ]


def _first_to_last(first: str, last: str) -> str:
    """`droppath 0..0.1`: a text whose values differ between iterations."""
    words, others = first.split(" "), last.split(" ")
    if len(words) != len(others):
        return words[0]
    both = zip(words, others, strict=True)
    return " ".join(
        a if a == b else f"{_rounded(a)}..{_rounded(b.rpartition('=')[2])}" for a, b in both
    )


def _rounded(value: str) -> str:
    """`0.0118` for 0.0117647: an end of a range that a spec computes."""
    return re.sub(r"\b0\.\d{4,}\b", lambda found: f"{float(found[0]):.3g}", value)


def _only_name(scope: Scope) -> bool:
    """Whether a part has no title except its name."""
    return scope.kind == "loop" or (scope.kind == "iteration" and not merged_block(scope))


def _straight(pairs: Sequence[tuple[Box, Box]]) -> set[tuple[Box, Box]]:
    """Marks arrows to be drawn straight: the only one into or out of a box, not counting shortcuts
    to a merge.
    """
    out_degree: Counter[Box] = Counter(a for a, b in pairs if b.kind != "merge")
    both = {a for a, b in pairs if b.kind == "merge"}
    in_degree: Counter[Box] = Counter()
    shortcuts = {(a, b) for a, b in pairs if b.kind == "merge" and out_degree[a]}
    in_degree.update(b for a, b in pairs if (a, b) not in shortcuts)
    return {
        (a, b)
        for a, b in pairs
        if (a, b) not in shortcuts
        and in_degree[b] == 1
        and out_degree[a] + (a in both and not out_degree[a]) == 1
    }


def _around(frame: Frame) -> Iterator[Frame]:
    """A frame and those around it."""
    around: Frame | None = frame
    while around is not None:
        yield around
        around = around.parent


def _span_of(shapes: list[Shape]) -> str:
    """`64x56x56`, or `64..224x56x56` if it grows between iterations; of several sides that change,
    both shapes in full, `64x7x7 .. 64x4x4`."""
    first, last = shapes[0], shapes[-1]
    if first == last or len(first) != len(last):
        return text(last)
    pairs = list(zip(first, last, strict=True))
    if sum(a != b for a, b in pairs) > 1:
        return f"{text(first)} .. {text(last)}"
    return "x".join(str(a) if a == b else f"{a}..{b}" for a, b in pairs)


def _simplify(root: Frame) -> None:
    """Removes frames around a single box or frame, which takes over their title."""
    order = [root, *frames_in(root)]
    for frame in reversed(order[1:]):
        parent = frame.parent
        assert parent is not None
        if not frame.boxes and len(frame.frames) == 1:
            only = frame.frames[0]
            only.count *= frame.count
            only.repeats = [*frame.repeats, *only.repeats]
            joint = "." if frame.only_name else ": "
            # What is applied once more has its own title where it is written.
            titles = [frame.title, "" if frame.shared else only.title]
            only.title = joint.join(filter(None, titles))
            only.shared = only.shared or frame.shared
            only.label = only.label or frame.label
            only.aux = only.aux or frame.aux
            only.parent = parent
            parent.frames[parent.frames.index(frame)] = only
        elif len(frame.boxes) == 1 and not frame.frames and not frame.aux:
            box = frame.boxes[0]
            box.count *= frame.count
            box.repeats = [*frame.repeats, *box.repeats]
            box.frame = parent
            if box.part is None:
                box.label = frame.label or box.label
            parent.boxes.append(box)
            parent.boxes.sort(key=lambda each: each.number)
            parent.frames.remove(frame)
