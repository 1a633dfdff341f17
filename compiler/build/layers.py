"""Layers: from a statement to an operation with its arguments."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ...dsl.closest import closest
from ...dsl.diagnostics import Edit
from ...dsl.source import Span
from ...dsl.syntax import Call, Function, List, Name, Number, Size, Tuple
from ..diagnose.blame import statement_span
from ..language import foreign, torch_order, translate
from ..language.binding import Evaluated, bind, evaluate_arguments, value_in
from ..language.evaluate import Env
from ..language.problems import Problem, did_you_mean
from ..language.signature import ArgumentError
from ..language.values import Word
from ..language.vocabulary import SECTIONS, layer_words
from ..ops import REGISTRY
from ..ops.base import Op
from ..shapes import Shape, text


class Layers:
    """Creates operations; equal statements with equal values share one operation."""

    def __init__(self) -> None:
        self.known: dict[object, Op] = {}

    def operation(self, word: str, call: Call, env: Env, blocks: Collection[str]) -> Op:
        arguments = evaluate_arguments(call.arguments, env)
        # The key includes types: `on` and 1 are equal in Python.
        key = (id(call), word, tuple([(type(a.value), a.value) for a in arguments]))
        try:
            known = self.known.get(key)
        except TypeError:  # lists are not hashable
            return _make(word, call, arguments, env, blocks)
        if known is None:
            known = self.known[key] = _make(word, call, arguments, env, blocks)
        return known


def _make(
    word: str, call: Call, arguments: Sequence[Evaluated], env: Env, blocks: Collection[str]
) -> Op:
    kind = REGISTRY.get(word)
    if kind is None:
        kind, arguments = _by_second_word(word, call, arguments, blocks)
    refuse_body(call, f"`{word}`")
    try:
        values = bind(call, kind.signature(), arguments, env, layer_words() | set(blocks))
    except Problem as problem:
        raise _in_torch_order(call, problem) or problem from None
    op = kind(**values)
    try:
        op.check()
    except ArgumentError as error:
        raise Problem(
            "argument",
            error.message,
            statement_span(call),
            help=error.help,
            edits=without(error.drop, call),
        ) from None
    return op


def _in_torch_order(call: Call, problem: Problem) -> Problem | None:
    """For `fc 512 10` and `conv 3 32 kernel=3`, which have one number too many."""
    place = statement_span(call)
    meant = ""
    if problem.diagnostic.code == "too-many-arguments":
        meant = torch_order.connected(place.text)
    elif problem.diagnostic.code == "repeated-argument" and isinstance(
        first := call.arguments[0].value, Number
    ):
        meant = torch_order.convolution(place.text, int(first.value))
    if not meant:
        return None
    return Problem(
        "argument-order",
        f"`{place.text}` has a number too many",
        place,
        notes=(torch_order.KNOWN,),
        help=f"write `{meant}`",
        edits=(Edit(place, meant),),
    )


def without(name: str, call: Call) -> tuple[Edit, ...]:
    """The edit that removes an argument from a call."""
    for argument in call.arguments:
        flag = isinstance(argument.value, Name) and argument.value.value == name
        if name and (argument.name == name or (argument.name is None and flag)):
            span = argument.span
            return (Edit(Span(span.source, span.start - 1, span.end), ""),)
    return ()


def _by_second_word(
    word: str, call: Call, arguments: Sequence[Evaluated], blocks: Collection[str]
) -> tuple[type[Op], Sequence[Evaluated]]:
    """A layer whose kind is its first argument: `pool max`."""
    kinds = sorted(name.split(" ", 1)[1] for name in REGISTRY if name.startswith(word + " "))
    if not kinds:
        raise unknown_layer(word, call, blocks)
    listed = ", ".join(f"`{word} {kind}`" for kind in kinds)
    # The kind may be anywhere among the arguments: `pool 2 max` is as clear as `pool max 2`.
    for index, (node, value) in enumerate(arguments):
        if node.name is None and isinstance(value, Word) and str(value) in kinds:
            rest = [a for i, a in enumerate(arguments) if i != index]
            return REGISTRY[f"{word} {value}"], rest
    first = arguments[0] if arguments and arguments[0].node.name is None else None
    if first is None or not isinstance(first.value, Word):
        usual = _usual_kind(word, call, kinds)
        raise Problem(
            "missing-argument",
            f"`{word}` needs a kind",
            call.head.span,
            notes=(f"there are {listed}",),
            help=f"write `{usual}`" if usual else "",
            edits=(Edit(statement_span(call), usual),) if usual else (),
        )
    help, edits = did_you_mean(str(first.value), kinds, first.node.span)
    usual = _usual_kind_with(word, str(first.value), call, kinds)
    if usual:
        help, edits = f"write `{usual}`", (Edit(statement_span(call), usual),)
    raise Problem(
        "unknown-kind",
        f"there is no `{word} {first.value}`",
        first.node.span,
        help=help or f"there are {listed}",
        edits=edits,
    )


def _usual_kind_with(word: str, argument: str, call: Call, kinds: Collection[str]) -> str:
    """`pool avg global` for `pool global`, and `pool avg adaptive=2x2` for `pool adaptive 2x2`."""
    kind = next((k for k in kinds if argument in REGISTRY[f"{word} {k}"].fields), "")
    if not kind:
        return ""
    rest = [a.span.text for a in call.arguments[1:]]
    if REGISTRY[f"{word} {kind}"].fields[argument].is_flag:
        return " ".join([word, kind, argument, *rest])
    return " ".join([word, kind, f"{argument}={rest[0]}", *rest[1:]]) if rest else ""


def _usual_kind(word: str, call: Call, kinds: Collection[str]) -> str:
    """`pool 2` is meant as `pool max 2x2`, and so is `pool max(2)`; nothing where that is open."""
    values: list[str] = []
    named: list[str] = []
    kind = "max"
    for argument in call.arguments:
        value = argument.value
        if isinstance(value, Function) and value.name.value in kinds and argument.name is None:
            kind = value.name.value
            values += [inner.span.text for inner in value.arguments]
        else:
            (named if argument.name else values).append(argument.span.text)
    if kind not in kinds:
        return ""
    if not call.arguments or (values and values[0].isdigit()):
        size = values[0] if values else "2"
        values[:1] = [f"{size}x{size}"]
    return " ".join([word, kind, *values, *named])


def unknown_layer(word: str, call: Call, blocks: Collection[str]) -> Problem:
    candidates = {*layer_words(), *blocks, "repeat", "for", "if", "let"}
    help, edits = did_you_mean(word, candidates, call.head.span)
    proposals: list[tuple[Edit, ...]] = []
    meaning = foreign.layer(word) if word not in candidates else None
    foreign_word = word
    if not help and not meaning:  # a foreign word may be misspelled too
        foreign_word = closest(word, foreign.known_layers()) or word
        meaning = foreign.layer(foreign_word)
    if meaning and meaning.instead:
        help, edits = (
            f"in a spec it is written `{meaning.instead}`",
            (Edit(call.head.span, meaning.instead),),
        )
    elif meaning:
        help, edits = meaning.advice, ()
        if "take it out" in help and not call.arguments:
            proposals = [(Edit(statement_span(call), ""),)]
    whole = translated(call, foreign_word) if call.arguments and call.body is None else ""
    if whole:
        proposals = [(Edit(statement_span(call), whole),)]
    if not meaning and word not in blocks:
        belongs = _elsewhere_than_here(word)
        if belongs:
            help, edits, proposals = belongs, (), []
    if word in SECTIONS:
        help, edits = f"`{word}` goes outside the network, at the top of the file", ()
    return Problem(
        "unknown-layer",
        f"there is no layer or block `{word}`",
        call.head.span,
        help=help or _no_such_word(word),
        edits=edits,
        proposals=proposals,
        otherwise=f"in a spec it is written `{meaning.instead}`"
        if meaning and meaning.instead
        else _no_such_word(word),
    )


def _elsewhere_than_here(word: str) -> str:
    """Where a word belongs that is not of a network: a directive, an argument, one of Python."""
    from ..diagnose.foreign_words import meanings
    from ..plan.foreign_directives import heads

    if word in _PYTHON:
        return _PYTHON[word]
    for section in SECTIONS:
        if word in heads(section):
            return f"it is a directive of `{section} {{ … }}`, a section after the network"
    for meaning in meanings(word):
        if meaning.where in SECTIONS and meaning.instead:
            section = f"`{meaning.where} {{ {meaning.instead} }}`"
            return f"it belongs in a section after the network: {section}"
        if meaning.where in SECTIONS:
            return f"it does not belong in a network; in `{meaning.where}`: {meaning.advice}"
        if meaning.instead:
            return _argument_of_a_layer(word, meaning.instead)
    return ""


_PYTHON = {
    "while": "a body is repeated a fixed number of times: `repeat 3 { … }`",
    "class": "write `network Net { … }`, or `block part(width) { … }`",
    "lambda": "a reusable part is a block: `block part(width) { … }`",
    "pass": "take it out: a path of `add` or `concat` may be empty",
    "print": "take it out: `cnn report` prints the network",
}
"""Statements of Python."""


def _argument_of_a_layer(word: str, ours: str) -> str:
    return f"an argument goes after its layer, with `=`: `{ours}=…`"


def _no_such_word(word: str) -> str:
    """Help for an unknown word without a similar one."""
    ours = foreign.argument(word, foreign.ARGUMENTS)
    if ours:
        return _argument_of_a_layer(word, ours)
    return f"define one: `block {word}(…) {{ … }}`"


def translated(call: Call, word: str) -> str:
    """Translates a layer written with the word and the arguments of another tool."""
    positional = [value_in(a.value) for a in call.arguments if a.name is None]
    named = {a.name: value_in(a.value) for a in call.arguments if a.name is not None}
    # Bare words are flags, or values.
    translation = translate.layer(word, positional, named, as_spec=True)
    return translation.text if translation is not None and not translation.left_out else ""


def missing_body(call: Call, usage: str) -> Problem:
    """The error for a form without its body; in Keras, `Dense 10` is a layer."""
    elsewhere = translated(call, call.head.value.capitalize()) if call.arguments else ""
    return Problem(
        "missing-body",
        f"`{call.head.value}` needs a body",
        statement_span(call),
        help=f"write `{usage}`" + (f"; a fully connected layer is `{elsewhere}`" * bool(elsewhere)),
        proposals=[(Edit(statement_span(call), elsewhere),)] if elsewhere else (),
    )


def refuse_body(call: Call, what: str) -> None:
    if call.body is not None:
        start = call.body.span.start
        raise Problem(
            "unexpected-body",
            f"{what} takes no body",
            Span(call.span.source, start, start + 1),
            help="write the next layer after it, separated by a comma or a new line",
        )


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


def input_shape(call: Call, env: Env) -> Shape:
    """The shape of `input 3x224x224`."""
    plain = _plain_sides(call)
    if len(plain) == 3 and plain[2] in (1, 3) and not {1, 3} & {*plain[:2]}:
        raise _channels_last(call, (plain[0], plain[1], plain[2]))
    span = statement_span(call)
    if len(call.arguments) > 1 and len(plain) == 3:
        size = text(tuple(plain))
        place = Span(span.source, call.arguments[0].span.start, span.end)
        raise Problem(
            "input",
            "an input is one size: channels x height x width",
            place,
            help=f"write `input {size}`",
            edits=(Edit(place, size),),
        )
    arguments = evaluate_arguments(call.arguments, env)
    value: Any = arguments[0].value if len(arguments) == 1 and not call.arguments[0].name else ()
    dims: Any = (value,) if type(value) is int else value
    whole = isinstance(dims, tuple) and all(type(d) is int and d > 0 for d in dims)
    if whole and len(dims) in (1, 3):
        return tuple(dims)
    edits: tuple[Edit, ...] = (Edit(span, "input 3x224x224"),)
    help = "write `input 3x224x224`, or `input 784` for plain numbers"
    if call.arguments:
        edits = ()
        span = Span(span.source, call.arguments[0].span.start, span.end)
        if whole and len(dims) == 2 and {1, 3} & {dims[0]}:
            size = text((*dims, dims[1]))
            edits = (Edit(span, size),)
            help = f"the width is missing: write `{size}` if it is {dims[1]}, too"
        elif whole and len(dims) == 2:
            size = text(dims)
            edits = (Edit(span, f"3x{size}"),)
            help = f"write `3x{size}` for color images, `1x{size}` for gray"
    message = "an input is channels x height x width"
    raise Problem("input", message, span, help=help, edits=edits)
