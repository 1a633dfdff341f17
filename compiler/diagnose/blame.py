"""From an operation's error to a diagnostic: place, chain of calls, and a fix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ...dsl.diagnostics import Edit, Label
from ...dsl.source import Span
from ...dsl.syntax import Block, Call, Name
from ..language.problems import Problem
from ..language.values import show
from ..network import Node, Scope
from ..ops.base import Op
from ..shapes import Shape, ShapeError, text

_MAX_NOTES = 6


def place(span: Span) -> str:
    return f"{span.source.name}:{span.line}:{span.column}"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, …, 11th, …"""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }".replace(" ", "")


def call_chain(scope: Scope | None) -> tuple[str, ...]:
    """The chain of calls around a statement, innermost first."""
    notes: list[str] = []
    for inner in scope.chain() if scope else ():
        if inner.kind == "block" and inner.parent is not None:
            notes.append(f"in {inner.word}, called at {place(inner.span)}{_round(inner.parent)}")
        elif inner.kind == "iteration" and not _only_calls(inner):
            notes.append(
                f"in the {ordinal(inner.index + 1)} of {inner.count} rounds of "
                f"{inner.word} at {place(inner.span)}"
            )
    if len(notes) > _MAX_NOTES:
        notes[_MAX_NOTES - 1 :] = [f"… and {len(notes) - _MAX_NOTES + 1} more calls around it"]
    return tuple(notes)


def _only_calls(iteration: Scope) -> bool:
    """Whether a call inside the iteration mentions it already."""
    return any(isinstance(c, Scope) and c.kind == "block" for c in iteration.children)


def _round(scope: Scope) -> str:
    if scope.kind != "iteration":
        return ""
    return f" ({ordinal(scope.index + 1)} of {scope.count} in {scope.word})"


def block_usage(block: Block) -> str:
    """The usage of a block: `bottleneck width stride=1`."""
    parts = [block.name.value]
    for parameter in block.parameters:
        default = f"={parameter.default.span.text}" if parameter.default else ""
        parts.append(parameter.name.value + default)
    return " ".join(parts)


def statement_span(call: Call) -> Span:
    """The span of a call without its label and its body."""
    last = call.arguments[-1].span if call.arguments else call.head.span
    return Span(call.span.source, call.head.span.start, last.end)


def arrives(node: Node) -> Label:
    """A label that shows where a shape comes from."""
    if not node.inputs:
        return Label(first_line(node.span), f"the input is {text(node.shape)}")
    return Label(first_line(node.span), f"{text(node.shape)} comes from here")


def first_line(span: Span) -> Span:
    """The first line of a span, so that a label does not cover a whole body."""
    line_end = span.source.text.find("\n", span.start, span.end)
    end = span.end if line_end < 0 else line_end
    return Span(span.source, span.start, end)


def shape_problem(error: ShapeError, op: Op, inputs: Sequence[Node], call: Call) -> Problem:
    """The diagnostic for an operation whose input shape does not fit."""
    from ..language import torch_order

    place = statement_span(call)
    for shape, there, made in _made_before(op, inputs, place):
        meant = torch_order.convolution(there.text, shape[0])
        if meant:
            does: Any = made
            notes = (error.message,) if there is not place else ()
            return Problem(
                "argument-order",
                f"`{there.text}` is {torch_order.meaning(does.out, does.kernel, does.stride)}"
                + ("" if notes else f": {error.message}"),
                there,
                labels=(Label(place, "does not fit"),) if notes else (*map(arrives, inputs),),
                notes=(*notes, torch_order.KNOWN),
                help=f"write `{meant}`",
                edits=(Edit(there, meant),),
            )
    help = error.help
    if 1 in op.spatial_axes and not inputs[0].inputs and len(inputs[0].shape) == 1:
        (numbers,) = inputs[0].shape
        help = (
            "make the input channels x height x width; of a series, it is channels x length:"
            f" `input 1x{numbers}`"
        )
    return Problem(
        "shape",
        error.message,
        place,
        labels=tuple(arrives(node) for node in inputs),
        help=help,
        proposals=_proposals(error, op, call),
    )


def refuse_torch_order(op: Op, call: Call) -> None:
    """Raises a problem for `conv 16 32 3`, which fits, but is not meant as it stands."""
    does: Any = op
    numbers = call.arguments[:3]
    if op.kind != "conv" or len(numbers) < 3 or any(each.name for each in numbers):
        return
    if max(does.kernel) <= max(does.stride):
        return
    from ..language import torch_order

    place = statement_span(call)
    if torch_order.is_certain(place.text):
        meant = torch_order.convolution(place.text, 0)
        raise Problem(
            "argument-order",
            f"`{place.text}` is {torch_order.meaning(does.out, does.kernel, does.stride)}",
            place,
            notes=(torch_order.KNOWN,),
            help=f"write `{meant}`, or `{torch_order.named(place.text)}` if that is meant",
            edits=(Edit(place, meant),),
        )


_FAR = 100
"""Layers before one that does not fit that are looked at."""


def _made_before(op: Op, inputs: Sequence[Node], place: Span) -> Iterator[tuple[Shape, Span, Op]]:
    """What arrives, the statement and the operation, from one that does not fit backwards."""
    for _ in range(_FAR):
        if not inputs:
            return
        yield inputs[0].shape, place, op
        op, place, inputs = inputs[0].op, inputs[0].span, inputs[0].inputs


def _proposals(error: ShapeError, op: Op, call: Call) -> Iterator[tuple[Edit, ...]]:
    yield tuple(_change(error, op, call))


def _change(error: ShapeError, op: Op, call: Call) -> Iterator[Edit]:
    """The operation's own suggestion, as edits of the text."""
    source = call.span.source
    if error.before:
        at = call.label.span.start if call.label else call.head.span.start
        yield Edit(Span(source, at, at), f"{error.before}, ")
    end = statement_span(call).end
    for name, value in error.change.items():
        if name not in op.fields:  # the size of `filter blur` is fixed by its name
            continue
        place = _argument(name, op, call)
        if not op.fields[name].is_flag:
            text = show(value)
            yield Edit(place, text) if place else Edit(Span(source, end, end), f" {name}={text}")
        elif value and place is None:
            yield Edit(Span(source, end, end), f" {name}")
        elif not value and place is not None:
            yield Edit(Span(source, place.start - 1, place.end), "")


def _argument(name: str, op: Op, call: Call) -> Span | None:
    """The place of an argument's value, given by name or by position."""
    waiting = [field.name for field in type(op).signature().positional]
    # The second word of `pool max` is not an argument of the operation.
    kinds = op.word.split(" ")[1:]
    for argument in call.arguments:
        word = argument.value.value if isinstance(argument.value, Name) else ""
        if argument.name is not None:
            taken = argument.name
        elif word in kinds:
            continue
        elif word in op.fields and op.fields[word].is_flag:
            taken = word
        else:
            taken = waiting[0] if waiting else ""
        if taken in waiting:
            waiting.remove(taken)
        if taken == name:
            return argument.value.span
    return None
