"""Goes through a program and adds a layer for each call, or notes a view, as the functions say that
`says` has registered; what they share is here: layers with their weights, maps of views.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ...shapes import by
from ..graph import Graph, GraphBuilder, GraphOutput, Layer
from . import views
from .arrange import Arranger
from .known import fold, reshaped
from .program import Call, Constant, Operand, Program
from .scores import Scores, Unit
from .views import REPEATED, View, plain, whole

Value = View | Constant | Scores | Unit | float | None
"""What an operand is: a view of a layer, something known, or a step of an attention."""


class Unsayable(Exception):
    """Why the language cannot say a call."""


class _Missing:
    """The value of what cannot be said."""


MISSING = _Missing()
Handler = Callable[..., Any]
HANDLERS: dict[str, Handler] = {}
OF_SCORES: set[str] = set()
"""Functions that know the scores of an attention; for others they become a map."""
AS_MAP = "scores as a map"


def says(*functions: str, scores: bool = False) -> Callable[[Handler], Handler]:
    """Registers what says some functions."""

    def note(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(functions, handler))
        OF_SCORES.update(functions if scores else ())
        return handler

    return note


class Composer:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.batch = program.batch
        self.builder = GraphBuilder()
        self.builder.remarks += program.remarks
        self.arranger = Arranger(self.builder, program.batch)
        self.values: dict[int, Any] = {}
        """By the identity of a call."""
        self.beginnings: dict[tuple[int, int], int] = {}
        """Numbers for the beginnings of concatenations: of one with one layer more."""
        self.concats: dict[int, Layer] = {}
        """By their numbers."""
        self.call = program.calls[0] if program.calls else None
        """The one that is being said."""

    def graph(self) -> Graph:
        self.logs = _last_logs(self.program)
        self.held = Counter(self.program.holders.values())
        for call in _used(self.program):
            self.values[id(call)] = self._value(call)
        outputs: list[GraphOutput] = []
        for result in self.program.results:
            self.call = result.call
            value = self.values[id(result.call)]
            try:
                value = self.no_scores(value)
                if isinstance(value, View):
                    log = result.call in self.logs
                    outputs.append(GraphOutput(self.map(value), result.name, result.aux, log))
                elif value is not MISSING:
                    raise Unsayable("it does not depend on the input")
            except Unsayable as error:
                self.builder.cannot_say("output", str(error), result.call.span)
        if not outputs:
            last = self.builder.ends.values()
            outputs = [GraphOutput(layer, "") for layer in last]
        return self.builder.finished(self.program.name, outputs)

    def _value(self, call: Call) -> Any:
        self.call = call
        operands = [self._operand(each) for each in call.operands]
        handler = HANDLERS.get(call.function)
        if "why" in call.settings:
            self.builder.cannot_say(call.function, str(call.settings["why"]), call.span)
            self._end(operands)
            return MISSING
        if any(each is MISSING for each in operands):
            self._end(operands)
            return MISSING
        if call in self.logs:
            self.builder.remarks.append("the logarithm of its softmax, which belongs to the loss")
            return operands[0]
        if operands and not any(isinstance(each, (View, Scores, Unit)) for each in operands):
            known = fold(_with(call, operands))
            if known is not None:
                return known
        try:
            if handler is None:
                raise Unsayable(f"the language has no layer for `{call.function}`")
            if call.function not in OF_SCORES:
                operands = [self.no_scores(each) for each in operands]
            return handler(self, call, *operands)
        except Unsayable as error:
            self.builder.cannot_say(call.function, str(error), call.span)
            self._end(operands)
            return MISSING

    def no_scores(self, value: Any) -> Any:
        """A value that is a map, if it was scores of an attention."""
        return HANDLERS[AS_MAP](self, value) if isinstance(value, Scores) else value

    def _operand(self, operand: Operand) -> Any:
        return self.values[id(operand)] if isinstance(operand, Call) else operand

    def _end(self, operands: Sequence[Any]) -> None:
        layers = [each.layer for each in operands if isinstance(each, View)]
        self.builder.ends.update({layer.index: layer for layer in layers})

    # ---- layers ----

    def add(self, word: str, *inputs: Layer, **given: object) -> Layer:
        """A layer for the call that is being said."""
        call = self.call
        assert call is not None
        before = len(self.builder.mistakes)
        layer = self.builder.add(word, inputs, call.name, call.span, **given)
        if layer is None:
            self._refuse(before)
        assert layer is not None
        return layer

    def _refuse(self, before: int) -> None:
        mistakes = self.builder.mistakes[before:]
        del self.builder.mistakes[before:]
        raise Unsayable(mistakes[0].message if mistakes else "it cannot be said")

    def concat(self, layers: Sequence[Layer]) -> Layer:
        """A concatenation that begins as an earlier one does continues it: that is the form in
        which dense blocks are written."""
        node, before, count = 0, None, 0
        for n, layer in enumerate(layers):
            node = self.beginnings.setdefault((node, layer.index), len(self.beginnings) + 1)
            if node in self.concats:
                before, count = self.concats[node], n + 1
        if before is None or count < len(layers):
            given = layers if before is None else [before, *layers[count:]]
            before = self.concats[node] = self.add("concat", *given)
        return before

    def weigh(self, layer: Layer, **weights: Constant | None) -> None:
        given = {key: each for key, each in weights.items() if each is not None}
        wanted = layer.wanted
        if self.call is not None and self.held.get(self.program.holders.get(self.call, ""), 0) > 1:
            layer.held = self.program.holders[self.call]
        self.builder.weigh(
            layer,
            {
                key: reshaped(each, wanted[key]).value if key in wanted else each.value
                for key, each in given.items()
            },
        )

    def map(self, value: Any) -> Layer:
        """The value as a map whose axes are those of the tensor."""
        assert self.call is not None
        if not isinstance(value, View):
            raise Unsayable("it does not depend on the input")
        before = len(self.builder.mistakes)
        layer = self.arranger.map_of(value, self.call.span)
        if layer is None:
            if len(self.builder.mistakes) > before:
                self._refuse(before)
            shape = by(value.shape[1:])
            raise Unsayable(f"its input, {shape}, has an order of axes that no layer makes")
        return layer

    def settled(self, value: Any) -> View:
        """The value as a view of all of its map."""
        assert self.call is not None
        if not isinstance(value, View):
            raise Unsayable("it does not depend on the input")
        before = len(self.builder.mistakes)
        view = self.arranger.settled(value, self.call.span)
        if view is None:
            if len(self.builder.mistakes) > before:
                self._refuse(before)
            raise Unsayable("it reads a part of the map that no layer cuts out")
        return view

    def plain(self, layer: Layer) -> View:
        return plain(layer, self.batch)

    def by_element(self, value: Any, word: str, **given: object) -> View:
        """A layer that computes each number from that in its place."""
        view = self.settled(value)
        return view.of(self.add(word, view.layer, **given))

    def by_channel(self, value: Any, axis: int) -> View:
        """A view in which an axis of the tensor is all channels of the map."""
        view = self.settled(value)
        if view.axes[axis] == whole(view.layer.shape, 0) and once(view):
            return view
        turned = self.arranger.channels_last(view, axis)
        layer = self.map(turned)
        order = [0, axis, *(n for n in range(1, len(view.axes)) if n != axis)]
        return views.permuted(self.plain(layer), [order.index(n) for n in range(len(order))])


def constant(value: Any) -> Constant | None:
    """A bias or another weight that may be missing."""
    if value is None or isinstance(value, Constant):
        return value
    raise Unsayable("its weights are computed from the input")


def _with(call: Call, operands: Sequence[Any]) -> Call:
    return Call(
        call.index, call.function, tuple(operands), call.settings, call.shape, call.name, call.span
    )


def once(view: View) -> bool:
    """Whether nothing is repeated in it."""
    return not any(part.axis == REPEATED for axis in view.axes for part in axis)


def _used(program: Program) -> list[Call]:
    """The calls that a result depends on, and the input."""
    used: set[int] = set()
    stack = [result.call for result in program.results]
    while stack:
        call = stack.pop()
        if id(call) not in used:
            used.add(id(call))
            stack += [each for each in call.operands if isinstance(each, Call)]
    return [call for call in program.calls if id(call) in used or call.function == "input"]


def _last_logs(program: Program) -> set[Call]:
    """Results that are logarithms of a softmax, as losses take them."""
    read = {id(each) for call in program.calls for each in call.operands}
    ends = {result.call for result in program.results if id(result.call) not in read}
    return {
        call
        for call in ends
        if call.function == "log"
        and isinstance(call.operands[0], Call)
        and call.operands[0].function == "softmax"
    }
