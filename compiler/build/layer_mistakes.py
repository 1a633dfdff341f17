"""Errors of a statement that is not a layer: unknown words, words and argument orders of other
tools, a kind or a body that is missing, a size with another number of axes; each with what to write
instead.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from ...dsl.closest import closest
from ...dsl.diagnostics import Edit
from ...dsl.gallery import in_gallery
from ...dsl.source import Span
from ...dsl.syntax import Argument, Call, Function, Name, Number
from ..diagnose.blame import arrives, statement_span
from ..language import foreign, torch_order, translate
from ..language.binding_mistakes import value_in
from ..language.evaluate import Evaluated
from ..language.problems import Problem, did_you_mean, without_comma
from ..language.translate import Value
from ..language.vocabulary import SECTIONS, layer_words
from ..network import Node
from ..ops import REGISTRY
from ..ops.base import Op
from ..shapes import AXES, AllAxes, PerAxis, axes_of, by, named, text


def in_torch_order(call: Call, problem: Problem) -> Problem | None:
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


def units_of_an_activation(call: Call, kind: type[Op], problem: Problem) -> Problem | None:
    """For `softmax 10` and `sigmoid 10`, meant as a fully connected layer of 10 units, as in
    Keras: `Dense(10, activation="softmax")`.
    """
    too_many = problem.diagnostic.code == "too-many-arguments"
    units = call.arguments[0].value if too_many and len(call.arguments) == 1 else None
    if kind.kind != "activation" or not isinstance(units, Number) or not units.span.text.isdigit():
        return None
    place, word, text = statement_span(call), call.head.value, call.span.source.text
    after_fc = re.search(rf"\bfc\s+{units.span.text}[\s,]*\Z", text[: place.start][-80:])
    axis_of_torch = int(units.value) <= 3
    if after_fc or axis_of_torch or f"{word}{units.span.text}" in REGISTRY:  # `relu 6`
        return None
    meant = f"fc {units.span.text}, {word}"
    return Problem(
        "too-many-arguments",
        f"`{word}` is an activation: it has as many outputs as inputs, and takes no number of them",
        place,
        help=f"a fully connected layer comes before it: `{meant}`",
        proposals=[(Edit(place, meant),), (Edit(place, f"flatten, {meant}"),)],
    )


def usual_kind_with(word: str, argument: str, call: Call, kinds: Collection[str]) -> str:
    """`pool avg global` for `pool global`, and `pool avg adaptive=2x2` for `pool adaptive 2x2`."""
    kind = next((k for k in kinds if argument in REGISTRY[f"{word} {k}"].fields), "")
    if not kind:
        return ""
    rest = [a.span.text for a in call.arguments[1:]]
    if REGISTRY[f"{word} {kind}"].fields[argument].is_flag:
        return " ".join([word, kind, argument, *rest])
    return " ".join([word, kind, f"{argument}={rest[0]}", *rest[1:]]) if rest else ""


def usual_kind(word: str, call: Call, kinds: Collection[str]) -> str:
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


def other_axes(
    call: Call, arguments: Sequence[Evaluated], sizes: Mapping[str, PerAxis], source: Node
) -> Problem:
    """The error for a size with another number of axes than the input has: `3x3` for a series."""
    axes = axes_of(source.shape)
    name, size = next(
        (name, size)
        for name, size in sizes.items()
        if not isinstance(size, AllAxes) and len(size) != axes
    )
    node = next((a.node for a in arguments if a.node.name == name or a.value == size), None)
    numbers = [1] * (axes - len(size)) + list(size)[-axes:]
    meant = by(tuple(numbers))
    first = source
    while first.inputs:
        first = first.inputs[0]
    help = f"write `{meant}`"
    edits = () if node is None else (Edit(node.value.span, meant),)
    if node is None:
        help = f"write `{name}={meant}` here, or a `default` of one number, for all axes"
    elif len(size) == 2 and axes == 1 and first.shape[-1] <= _IMAGE_SIDE:
        images = text((*first.shape, first.shape[1]))
        written = first.span.text.find(text(first.shape))
        if first.shape[0] in (1, 3) and written >= 0:
            start = first.span.start + written
            place = Span(first.span.source, start, start + len(text(first.shape)))
            edits = (Edit(place, images),)
            help = f"for images, write `input {images}`; for a series of {first.shape[1]} steps"
            help += f" `{meant}`"
        else:
            help += f"; for images, begin with channels, height and width: `input {images}`"
    elif len(set(size)) == 1:
        help = f"write `{size[0]}` for all of them, or `{meant}`" if axes > 1 else help
    return Problem(
        "axes",
        f"`{by(size)}` is {named([f'a {name}' for name in AXES[len(size)]])}, and the"
        f" input of `{call.head.value}` has {_COUNTS[axes]}, {named(AXES[axes])}",
        statement_span(call) if node is None else node.span,
        labels=(arrives(source),),
        help=help,
        edits=edits,
    )


_COUNTS = {1: "one axis", 2: "two axes", 3: "three axes"}
_IMAGE_SIDE = 1024
"""An input of more steps is hardly an image whose width was left out."""


_NAMED_IDENTITY = (
    "give the name to the layer before it; what arrives in a block is called `input`: `add input`,"
    " `from input`"
)


def of_a_plugin(call: Call, word: str, owner: str) -> Problem:
    return Problem(
        "unknown-layer",
        f"`{word}` is a layer of the plug-in `{owner}`, which this file does not use",
        call.head.span,
        help=f'write `use "{owner}"` at the top of {call.span.source.name}',
    )


def unknown_layer(word: str, call: Call, blocks: Collection[str]) -> Problem:
    if word == "use":
        return Problem(
            "misplaced-use",
            "`use` goes at the top of a file: it names a plug-in, whose words the file has",
            call.head.span,
            help="move it before the network",
            edits=(Edit(call.span, ""),),
        )
    if word == "default":
        return Problem(
            "misplaced-default",
            "`default` goes at the top of a file, and is for all layers of that file",
            call.head.span,
            help="move it before the network",
            edits=(Edit(call.span, ""),),
        )
    in_one_word = two_words(call)
    if in_one_word is not None:
        return in_one_word
    candidates = {*layer_words(), *blocks, "repeat", "for", "if", "let"}
    help, edits = did_you_mean(word, candidates, call.head.span)
    proposals: list[tuple[Edit, ...]] = []
    meaning = foreign.layer(word) if word not in candidates else None
    foreign_word = word
    belongs = "" if meaning or word in blocks else _elsewhere_than_here(word)
    if not help and not meaning and not belongs:  # a foreign word may be misspelled too
        foreign_word = closest(word, foreign.known_layers()) or word
        meaning = foreign.layer(foreign_word)
    if meaning and meaning.instead and not call.arguments and meaning.kind.kind == "pool":
        written = foreign.example(meaning)
        help, edits = f"write `{written}`", (Edit(call.head.span, written),)
    elif meaning and meaning.instead:
        help, edits = (
            f"in a spec it is written `{meaning.instead}`",
            (Edit(call.head.span, meaning.instead),),
        )
    elif meaning:
        help, edits = meaning.advice, ()
        if "take it out" in help and (not call.arguments or word == "return"):
            proposals = [(Edit(statement_span(call), ""),)]
        if call.label is not None and meaning == foreign.layer("Identity"):
            help, proposals = _NAMED_IDENTITY, []
    whole = translated(call, foreign_word) if call.arguments and call.body is None else ""
    if whole:
        proposals = [(Edit(statement_span(call), whole),)]
    if belongs:
        help, edits, proposals = belongs, (), []
    if word in ("loop", "times"):
        proposals = [(Edit(call.head.span, "repeat"),)]
    if word in PYTHON and "take it out" in PYTHON[word] and not call.arguments and not call.body:
        proposals = [(Edit(statement_span(call), ""),)]
    if not proposals and not edits and (without := without_comma(call.head.span)):
        proposals = [without]
    if word in SECTIONS:
        help, edits = f"`{word}` goes outside the network, at the top of the file", ()
    return Problem(
        "unknown-layer",
        f"there is no layer or block `{word}`",
        call.head.span,
        help=help or _no_such_word(word),
        edits=edits,
        proposals=proposals,
        otherwise=f"in a spec it is written `{foreign.example(meaning)}`"
        if meaning and meaning.instead
        else _no_such_word(word),
    )


def two_words(call: Call) -> Problem | None:
    """The error for a layer whose name is written as several words: `max pool 2x2`."""
    parts = [call.head.value]
    for argument in call.arguments[:2]:
        if argument.name is not None or not isinstance(argument.value, Name):
            break
        parts.append(argument.value.value)
    for count in range(len(parts), 1, -1):
        name = "_".join(parts[:count])
        meaning = foreign.layer(name)
        own = next(
            (word for word in layer_words() if foreign.folded(word) == foreign.folded(name)), ""
        )
        if meaning is None and not own:
            continue
        rest = call.arguments[count - 1 :]
        if rest and rest[0].span.text == "conv":  # `depthwise separable conv`
            count, rest = count + 1, rest[1:]
        written = " ".join([own, *(a.span.text for a in rest)])
        if not own and meaning is not None:
            written = _with_arguments(name, meaning, rest)
        last = call.arguments[count - 2].span
        place = Span(last.source, call.head.span.start, last.end)
        help = f"write `{written}`" if written else meaning.advice if meaning else ""
        return Problem(
            "unknown-layer",
            f"there is no layer `{place.text}`",
            place,
            help=help,
            edits=(Edit(statement_span(call), written),) if written and not call.body else (),
            otherwise=help,
        )
    return None


def _with_arguments(name: str, meaning: foreign.Meaning, arguments: Sequence[Argument]) -> str:
    """A layer of another tool in the words of a spec; "" if that is not known."""
    if not meaning.instead:
        return ""
    positional, named = _values(arguments)
    translation = translate.layer(name, positional, named, as_spec=True) if arguments else None
    if translation is not None and not translation.left_out:
        return translation.text
    return "" if arguments else foreign.example(meaning)


def _elsewhere_than_here(word: str) -> str:
    """Where a word belongs that is not of a network: a directive, an argument, one of Python."""
    from ..diagnose.foreign_words import meanings
    from ..plan.foreign_directives import sections_with

    if word in PYTHON:
        return PYTHON[word]
    for section in sections_with(word):
        return f"it is a directive of `{section} {{ … }}`, a section after the network"
    for meaning in meanings(word):
        if meaning.where in SECTIONS and meaning.instead:
            section = f"`{meaning.where} {{ {meaning.instead} }}`"
            return f"it belongs in a section after the network: {section}"
        if meaning.where in SECTIONS:
            return f"it does not belong in a network; in `{meaning.where}`: {meaning.advice}"
        if meaning.where == "argument":
            return (
                _argument_of_a_layer(word, meaning.instead) if meaning.instead else meaning.advice
            )
    return ""


PYTHON = {
    **dict.fromkeys(("loop", "times"), "a body is repeated by `repeat 3 { … }`"),
    **dict.fromkeys(
        ("def", "function", "func", "fn", "macro", "module", "template"),
        "a reusable part is a block, at the top of the file: `block part(width) { … }`",
    ),
    "unless": "write `if not … { … }`",
    **dict.fromkeys(("switch", "case", "when"), "write `if … { … } else if … { … } else { … }`"),
    **dict.fromkeys(
        ("end", "endif", "endfor", "done", "fi", "begin"),
        "take it out: a body is written between `{` and `}`",
    ),
    **dict.fromkeys(
        ("include", "require", "using"), 'blocks of a file: `import "blocks.cnn"` at the top'
    ),
    **dict.fromkeys(("break", "continue"), "take it out: a loop goes through its whole list"),
    "while": "a body is repeated a fixed number of times: `repeat 3 { … }`",
    "class": "write `network Net { … }`, or `block part(width) { … }`",
    "lambda": "a reusable part is a block: `block part(width) { … }`",
    "pass": "take it out: a path of `add` or `concat` may be empty",
    "with": "take it out: `cnn train` runs the training loop",
    **dict.fromkeys(
        ("true", "false"), "a switch is `on` or `off`, after its layer: `conv 64 3x3 bias=off`"
    ),
    "elif": "write `else if … { … }`",
    **dict.fromkeys(
        ("assert", "raise", "del", "global", "nonlocal", "yield", "await", "try", "except"),
        "take it out: a spec is a list of layers, not a program",
    ),
    "print": "take it out: `cnn report` prints the network",
}
"""Statements of Python and of other languages."""


def _argument_of_a_layer(word: str, ours: str) -> str:
    return f"an argument goes after its layer, with `=`: `{ours}=…`"


def _no_such_word(word: str) -> str:
    """Help for an unknown word without a similar one."""
    ours = foreign.argument(word, foreign.ARGUMENTS)
    if ours:
        return _argument_of_a_layer(word, ours)
    network = in_gallery(word)
    if network:
        return f"it is a network of its own: `cnn new net --like {network}` writes a copy to change"
    return f"define one: `block {word}(…) {{ … }}`"


def translated(call: Call, word: str) -> str:
    """Translates a layer written with the word and the arguments of another tool."""
    positional, named = _values(call.arguments)
    # Bare words are flags, or values.
    translation = translate.layer(word, positional, named, as_spec=True)
    return translation.text if translation is not None and not translation.left_out else ""


def _values(arguments: Sequence[Argument]) -> tuple[list[Value], dict[str, Value]]:
    positional = [value_in(a.value) for a in arguments if a.name is None]
    return positional, {a.name: value_in(a.value) for a in arguments if a.name is not None}


def missing_body(call: Call, usage: str) -> Problem:
    """The error for a form or layer without its body; in Keras, `Dense 10` is a layer."""
    word = call.head.value
    elsewhere = translated(call, "Dense") if word == "dense" and call.arguments else ""
    layer = REGISTRY.get(word)
    if layer is not None and call.arguments:
        usage = f"{statement_span(call).text} {{ … }}`, like `{layer.example}"
    return Problem(
        "missing-body",
        f"`{word}` needs a body",
        statement_span(call),
        help=f"write `{usage}`" + (f"; a fully connected layer is `{elsewhere}`" * bool(elsewhere)),
        proposals=[(Edit(statement_span(call), elsewhere),)] if elsewhere else (),
    )
