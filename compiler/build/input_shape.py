"""The shape of a network's input, and the errors of one that is written as in other tools."""

from __future__ import annotations

from typing import Any

from ...dsl.diagnostics import Diagnostic, Edit, Label
from ...dsl.source import Span
from ...dsl.syntax import Call, List, Name, Number, Size, Tuple
from ..diagnose.blame import statement_span
from ..language.evaluate import Env, evaluate_arguments
from ..language.problems import Problem
from ..network import Node
from ..shapes import AXES, LAYOUTS, POINTS, Shape, text


def _channels_last(call: Call, dims: tuple[int, int, int]) -> Problem:
    """Refuses `input 28x28x1`, the channel order of Keras: 28 channels of 28 x 1 are not meant."""
    height, width, channels = dims
    value = call.arguments[0].value.span
    value = Span(value.source, value.start, call.arguments[-1].span.end)
    kind = "gray images" if channels == 1 else "color images"
    meant = f"{channels}x{height}x{width}"
    return Problem(
        "input",
        f"`{value.text}` is {height} channels of {width}x{channels} pixels: are the channels meant"
        " to come last?",
        value,
        notes=("an input is channels x height x width",),
        help=f"write `input {meant}` for {kind} of {height}x{width} pixels; for {height} channels,"
        f" name them: `let bands = {height}`, `input (bands, {width}, {channels})`",
        edits=(Edit(value, meant),),
    )


def _plain_sides(call: Call) -> list[int]:
    """The sides of an input written as numbers, in one of the ways of other tools: `28x28x1`,
    `(28, 28, 1)`, `28 28 1`; the size of the batch before them is left out. Empty for others."""
    sides: list[int] = []
    for argument in call.arguments:
        value = argument.value
        items = value.items if isinstance(value, Tuple | List) else [value]
        for item in items:
            match item:
                case Number(value=int() as side) if argument.name is None and side > 0:
                    sides.append(side)
                case Size(dims=dims) if argument.name is None:
                    sides.extend(dims)
                case Name(value="None") if not sides:
                    continue
                case _:
                    return []
    return sides


def named_input(call: Call) -> tuple[Name | None, Call]:
    """The name of `input image 3x224x224`, which is its label, and the call without it."""
    first = call.arguments[0].value if len(call.arguments) > 1 else None
    if not isinstance(first, Name) or call.arguments[0].name is not None or len(call.arguments) > 2:
        return call.label, call
    if call.label is not None:
        raise Problem(
            "input",
            f"this input has two names, `{call.label.value}` and `{first.value}`",
            call.label.span,
            help=f"write `input {first.value} {call.arguments[1].span.text}`",
            edits=(Edit(Span(call.span.source, call.span.start, call.head.span.start), ""),),
        )
    return first, Call(call.span, call.label, call.head, call.arguments[1:], call.body)


def refuse_second_input(call: Call, name: Name | None, first: Node) -> None:
    """Raises Problem for a further input unless both have names."""
    if name is None or first.label is None:
        raise Problem(
            "second-input",
            "a network with several inputs names each of them",
            call.head.span,
            labels=(Label(first.span, "the first"),),
            help="write `input image 3x224x224`, `input depth 1x224x224`, or take one of them out",
            edits=() if name or first.label else (Edit(call.span, ""),),
        )


def one_shape_for_several(call: Call, first: Node, given_shape: Shape) -> Diagnostic:
    """An input shape from the command line, for a network of several inputs."""
    return Diagnostic(
        "second-input",
        f"the input shape {text(given_shape)} is given for a network with one input, and this one"
        " has several",
        call.head.span,
        labels=(Label(first.span, "the first"),),
        help="make the sizes parameters of the network: `network Name(side=224) { input image (3,"
        " side, side) … }`",
    )


def _last_channel(call: Call, dims: Shape) -> Problem:
    """Refuses `input 16000x1`, a series in the order of Keras."""
    *steps, channels = dims
    value = call.arguments[0].value.span
    value = Span(value.source, value.start, call.arguments[-1].span.end)
    meant = text((channels, *steps))
    return Problem(
        "input",
        f"`{value.text}` is {steps[0]} channels of {text(dims[1:])} {POINTS[len(steps)]}: are the"
        " channels meant to come last?",
        value,
        notes=(f"an input is {LAYOUTS[len(steps)]}",),
        help=f"write `input {meant}`; for {steps[0]} channels, name them: `let bands = {steps[0]}`,"
        f" `input (bands, {', '.join(map(str, dims[1:]))})`",
        edits=(Edit(value, meant),),
    )


def _looks_channels_last(plain: list[int]) -> bool:
    """Whether a series or a volume written as numbers has its channels last: `16000x1`,
    `16x112x112x3`."""
    if len(plain) == 2:
        return plain[1] == 1 < plain[0]
    return len(plain) == 4 and plain[3] in (1, 3) and not {1, 3} & {*plain[:3]}


def input_shape(call: Call, env: Env) -> Shape:
    """The shape of `input 3x224x224`; of a series, `1x16000`; of a volume, `3x16x112x112`; of plain
    numbers, `784`.
    """
    plain = _plain_sides(call)
    if len(plain) == 3 and plain[2] in (1, 3) and not {1, 3} & {*plain[:2]}:
        raise _channels_last(call, (plain[0], plain[1], plain[2]))
    if _looks_channels_last(plain):
        raise _last_channel(call, tuple(plain))
    span = statement_span(call)
    square = len(plain) == 2 and plain[0] == plain[1]
    if len(call.arguments) > 1 and 2 <= len(plain) <= len(AXES) and not square:
        size = text(tuple(plain))
        place = Span(span.source, call.arguments[0].span.start, span.end)
        raise Problem(
            "input",
            f"an input is one size: {LAYOUTS[len(plain) - 1]}",
            place,
            help=f"write `input {size}`",
            edits=(Edit(place, size),),
        )
    arguments = evaluate_arguments(call.arguments, env)
    value: Any = arguments[0].value if len(arguments) == 1 and not call.arguments[0].name else ()
    dims: Any = (value,) if type(value) is int else value
    whole = isinstance(dims, tuple) and all(type(d) is int and d > 0 for d in dims)
    if whole and 1 <= len(dims) <= len(AXES) and not square:
        return tuple(dims)
    edits: tuple[Edit, ...] = (Edit(span, "input 3x224x224"),)
    help = "write `input 3x224x224`, or `input 784` for plain numbers"
    notes: tuple[str, ...] = ()
    if call.arguments:
        edits = ()
        span = Span(span.source, call.arguments[0].span.start, span.end)
        if whole and square and {1, 3} & {dims[0]}:
            size = text((*dims, dims[1]))
            edits = (Edit(span, size),)
            help = f"the width is missing: write `{size}` if it is {dims[1]}, too"
        elif whole and square:
            size = text(dims)
            edits = (Edit(span, f"3x{size}"),)
            help = f"write `3x{size}` for color images, `1x{size}` for gray"
            notes = (
                f"a series of {dims[0]} channels and {dims[1]} steps is written with a name:"
                f" `let bands = {dims[0]}`, `input (bands, {dims[1]})`",
            )
    message = "an input is channels x height x width"
    raise Problem("input", message, span, notes=notes, help=help, edits=edits)
