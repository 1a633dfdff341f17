"""From an operation's placeless error to a diagnostic: where, how it came there, a mend."""

from __future__ import annotations

from collections.abc import Sequence

from ..dsl.diagnostics import Edit, Label
from ..dsl.source import Span
from ..dsl.syntax import Call, Name
from .graph import Node, Scope
from .ops.base import Op
from .problems import Problem
from .scoping import BlockRef
from .shapes import ShapeError, text
from .values import show

_MAX_NOTES = 6


def place(span: Span) -> str:
    return f"{span.source.name}:{span.line}:{span.column}"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, …, 11th, …"""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }".replace(" ", "")


def call_chain(scope: Scope | None) -> tuple[str, ...]:
    """How a statement came to be carried out: the calls around it, innermost first."""
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
    """Whether the iteration is mentioned already, by a call inside it."""
    return any(isinstance(c, Scope) and c.kind == "block" for c in iteration.children)


def _round(scope: Scope) -> str:
    if scope.kind != "iteration":
        return ""
    return f" ({ordinal(scope.index + 1)} of {scope.count} in {scope.word})"


def block_usage(ref: BlockRef) -> str:
    """How a block is called: `bottleneck width stride=1`."""
    parts = [ref.block.name.value]
    for parameter in ref.block.parameters:
        default = f"={parameter.default.span.text}" if parameter.default else ""
        parts.append(parameter.name.value + default)
    return " ".join(parts)


def statement_span(call: Call) -> Span:
    """A call without its label and its body."""
    last = call.arguments[-1].span if call.arguments else call.head.span
    return Span(call.span.source, call.head.span.start, last.end)


def arrives(node: Node) -> Label:
    """Where a shape comes from."""
    what = "the input is" if not node.inputs else "here it is"
    return Label(first_line(node.span), f"{what} {text(node.shape)}")


def first_line(span: Span) -> Span:
    """A span cut off at the end of its first line, so that a label does not cover a whole body."""
    line_end = span.source.text.find("\n", span.start, span.end)
    end = span.end if line_end < 0 else line_end
    return Span(span.source, span.start, end)


def shape_problem(error: ShapeError, op: Op, inputs: Sequence[Node], call: Call) -> Problem:
    """An operation that cannot take what arrives."""
    span = statement_span(call)
    edits = mend(error, op, call)
    help = error.help
    if edits:
        written = apply_edits(span, edits)
        help = f"{help}: `{written}`" if help else f"write `{written}`"
    labels = tuple(arrives(node) for node in inputs)
    return Problem("shape", error.message, span, labels=labels, help=help, edits=edits)


def mend(error: ShapeError, op: Op, call: Call) -> tuple[Edit, ...]:
    """The changes to the text that an operation proposes."""
    source = call.span.source
    edits: list[Edit] = []
    if error.before:
        at = call.label.span.start if call.label else call.head.span.start
        edits.append(Edit(Span(source, at, at), f"{error.before}, "))
    for name, value in error.change.items():
        edits.append(_change(name, value, op, call))
    return tuple(edits)


def _change(name: str, value: object, op: Op, call: Call) -> Edit:
    source = call.span.source
    field = op.fields[name]
    end = statement_span(call).end
    waiting = [f.name for f in type(op).signature().positional]
    # The second word of `pool max` is no argument of the operation.
    arguments = call.arguments[1:] if " " in op.word else call.arguments
    for argument in arguments:
        taken = argument.name
        is_flag = isinstance(argument.value, Name) and argument.value.value == name
        if taken is None and not (isinstance(argument.value, Name) and _flag(op, argument.value)):
            taken = waiting[0] if waiting else None
        if taken in waiting:
            waiting.remove(taken)
        if field.is_flag and is_flag:
            start = argument.span.start - 1
            return Edit(Span(source, start, argument.span.end), "" if not value else f" {name}")
        if taken == name:
            return Edit(argument.value.span, show(value))
    return Edit(Span(source, end, end), f" {name}" if field.is_flag else f" {name}={show(value)}")


def _flag(op: Op, name: Name) -> bool:
    field = op.fields.get(name.value)
    return field is not None and field.is_flag


def apply_edits(span: Span, edits: Sequence[Edit]) -> str:
    """The text of a span as it would be after some changes."""
    start, end = span.start, span.end
    pieces, at = [], min([start, *(edit.span.start for edit in edits)])
    for edit in sorted(edits, key=lambda e: (e.span.start, e.span.end)):
        pieces += [span.source.text[at : edit.span.start], edit.text]
        at = edit.span.end
    pieces.append(span.source.text[at:end])
    return "".join(pieces)
