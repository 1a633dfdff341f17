"""Mistakes in arguments: what is wrong with a call, how its word is written, and what was meant.
Loaded when there is one: most specs have none.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from itertools import pairwise

from ...dsl.closest import closest
from ...dsl.diagnostics import Edit, Label
from ...dsl.source import Span
from ...dsl.syntax import (
    Argument,
    Binary,
    Call,
    Expression,
    List,
    Name,
    Number,
    Size,
    String,
    Switch,
    Tuple,
)
from . import foreign, translate
from .evaluate import Env, Evaluated, describe, unknown_name
from .problems import Problem, missing_separator
from .signature import ArgumentError, Field, Signature
from .translate import Value, value_of
from .units import counted, number_and_unit, unit_of
from .values import Duration, Factor, MapRef, Word, show


def repeated(field: Field, node: Argument, first: Span, signature: Signature) -> Problem:
    return Problem(
        "repeated-argument",
        f"`{field.name}` is given twice",
        node.span,
        labels=(Label(first, "already given here"),),
        notes=_usage(signature),
        help="keep one of them",
        edits=(Edit(_with_blank_before(node.span), ""),),
    )


def unknown_argument(call: Call | None, node: Argument, signature: Signature) -> Problem:
    assert node.name is not None
    help, edits = _for_foreign_argument(call, node, signature)
    if not help:
        close = closest(node.name, signature.fields)
        help = f"did you mean `{close}`?" if close else ""
        edits = (Edit(node.name_span, close),) if close else ()
        if not close:
            help = _owners(node.name, signature)
    return Problem(
        "unknown-argument",
        f"`{signature.word}` has no argument `{node.name}`",
        node.name_span,
        notes=_usage(signature),
        help=help,
        edits=edits,
    )


def _owners(name: str, signature: Signature) -> str:
    """Which other layers have an argument of this name."""
    from ..ops import REGISTRY

    if signature.word not in REGISTRY:
        return ""  # a directive
    words = [f"`{word}`" for word, op in REGISTRY.items() if name in op.fields]
    if not words:
        return ""
    listed = ", ".join(words[:4]) + (", …" if len(words) > 4 else "")
    return f"take it out: it is an argument of {listed}"


def _for_foreign_argument(
    call: Call | None, node: Argument, signature: Signature
) -> tuple[str, tuple[Edit, ...]]:
    """Help and edit for an argument of another tool: the name here, a flag, or a statement."""
    assert node.name is not None
    folded = foreign.folded(node.name)
    for field in signature.fields.values():
        if folded in map(foreign.folded, field.elsewhere.split()):
            return f"in a spec it is called `{field.name}`", (Edit(node.name_span, field.name),)
    value = value_in(node.value)
    if node.name in foreign.ACTIVATION and call is not None:
        statement = translate.activation(value)
        if statement is None:
            return "an activation is a statement of its own, after the layer: `conv 64, relu`", ()
        taken_out = Edit(_with_blank_before(node.span), "")
        end = call.arguments[-1].span.end
        if not statement:
            return "take it out: a layer has no activation unless one follows", (taken_out,)
        put_behind = Edit(Span(node.span.source, end, end), f", {statement}")
        if node is call.arguments[-1]:
            whole = Span(node.span.source, taken_out.span.start, end)
            return _FOLLOWS.format(statement), (Edit(whole, f", {statement}"),)
        return _FOLLOWS.format(statement), (taken_out, put_behind)
    taken_out = Edit(_with_blank_before(node.span), "")
    if node.name in foreign.PADDING and {"same", "mode"} <= {*signature.fields}:
        if value.word in foreign.PADDING_MODES:
            meant = f"{_SAME} mode={foreign.PADDING_MODES[value.word]}"
            return f"write `{meant}`", (Edit(node.span, meant),)
        if value.word in foreign.NOT_AVAILABLE:
            return foreign.NOT_AVAILABLE[value.word], ()
    is_label = node.name == "name" and value.word and value.text.isidentifier()
    if is_label and call is not None and call.label is None:
        start = call.head.span.start
        label = Edit(Span(node.span.source, start, start), f"{value.text}: ")
        help = f"a layer is named by a label: `{value.text}: {call.head.value} …`"
        return help, (label, taken_out)
    if foreign.is_number_of_classes(node.name) and "out" in signature.fields:
        return "in a spec it is called `out`", (Edit(node.name_span, "out"),)
    if node.name == "scale" and "bias" in getattr(signature.fields.get("affine"), "words", ()):
        return "`affine=bias` leaves out the scale, `affine=off` the bias, too", ()
    if node.name in ("scale", "center") and "affine" in signature.fields:
        return "scale and bias are one here: `affine=off` leaves out both", ()
    part = translate.argument(node.name, value, signature.fields, _given(call))
    if isinstance(part, tuple):
        name, value = part
        return f"write `{name}={value.text}`", (Edit(node.span, f"{name}={value.text}"),)
    if part:
        return f"write `{part}`", (Edit(node.span, part),)
    if part == "":
        return "take it out; this is the default", (taken_out,)
    why = foreign.why_left_out(node.name)
    return (f"take it out; {why}", (taken_out,)) if why else ("", ())


_FOLLOWS = "an activation is a statement of its own, after the layer: `, {}`"


def _given(call: Call | None) -> dict[str, Value]:
    """The named arguments of a call: the meaning of some depends on others."""
    arguments = call.arguments if call is not None else ()
    return {a.name: value_in(a.value) for a in arguments if a.name is not None}


def value_in(node: Expression) -> Value:
    """The value of an expression for translation, with its text."""
    text = node.span.text
    match node:
        case Number(value=number) | Switch(value=number):
            return Value(text, number)
        case Size(dims=dims):
            return Value(text, dims)
        case Name(value=name):
            if name in ("True", "False"):
                return value_of(name == "True")
            return Value(text, Word(name))
        case String(value=inside):
            return Value(inside, Word(inside))
        case Tuple(items=items) | List(items=items) if all(isinstance(i, Number) for i in items):
            return Value(text, tuple(i.value for i in items if isinstance(i, Number)))
    return Value(text)


def product_for_size(node: Argument, value: object, field: Field, signature: Signature) -> Problem:
    assert isinstance(node.value, Binary)
    size = f"{node.value.left.span.text}x{node.value.right.span.text}"
    return Problem(
        "argument",
        f"`{node.value.span.text}` is the number {value}: `{field.name}` would be {value}x{value}",
        node.value.span,
        notes=_usage(signature),
        help=f"write `{size}`, or `{value}` if that is meant",
        edits=(Edit(node.value.span, size),),
    )


def missing(
    call: Call, missing: Sequence[Field], signature: Signature, arguments: Sequence[Evaluated]
) -> Problem:
    """The error for arguments that are not given; the example keeps those that are in their place:
    `deconv 64` becomes `deconv 64 3x3`."""
    last = _head(call, signature)
    for node, value in arguments:
        flag = isinstance(value, Word) and signature.is_flag(value)
        if node.name is None and not flag and node.span.start > last.start:
            last = node.span
    source, behind = call.span.source, " ".join(map(_example, missing))
    end = call.arguments[-1].span.end if call.arguments else call.head.span.end
    before = Span(source, call.head.span.start, last.end).text
    after = Span(source, last.end, max(end, last.end)).text
    whole = f"{before} {behind}{after}"
    first = missing[0]
    return Problem(
        "missing-argument",
        f"`{signature.word}` needs `{first.name}`: {first.doc}",
        call.head.span,
        notes=_usage(signature),
        help=f"write `{whole}`" if "\n" not in whole else f"write `{signature.word} {behind}`",
        edits=(Edit(_after(last), f" {behind}"),),
    )


def _head(call: Call, signature: Signature) -> Span:
    """The last word of a name of two words: `max` of `pool max 2x2`."""
    kind = signature.word.split(" ")[1:]
    for argument in call.arguments:
        if kind and isinstance(argument.value, Name) and argument.value.value in kind:
            return argument.span
    return call.head.span


def swapped(call: Call, node: Argument, field: Field, signature: Signature) -> Problem:
    index = next(i for i, argument in enumerate(call.arguments) if argument is node)
    size, number = node.span, call.arguments[index + 1].span
    return Problem(
        "argument-order",
        f"`{field.name}` of `{signature.word}` comes first, and is {field.expects}",
        node.span,
        notes=_usage(signature),
        help=f"write `{number.text} {size.text}`",
        edits=(Edit(Span(size.source, size.start, number.end), f"{number.text} {size.text}"),),
    )


_COUNTER = re.compile(r"`(\w+)` counts ")
"""How a flag is described that changes what a number counts: `steps` of `checkpoint`."""
_BLANK_BEFORE_INDEX = re.compile(r"[ \t]+(?P<index>\[[^\[\],\n]+\])")


def wrong_value(
    field: Field,
    value: object,
    node: Argument,
    signature: Signature,
    error: ArgumentError,
    call: Call | None = None,
) -> Problem:
    together = _as_one(call, signature) if call is not None else None
    if together is not None:
        return together
    instead = error.instead
    if isinstance(value, Word) and node.name is not None:
        part = translate.argument(node.name, value_in(node.value), signature.fields)
        if value in ("none", "None") and field.takes(False):
            instead = "off"
        elif isinstance(part, str):
            return _word_for_number(field, node, signature, part, error)

    def refused(why: str, help: str, edits: tuple[Edit, ...] = ()) -> Problem:
        return Problem(
            "argument",
            f"`{field.name}` of `{signature.word}` is {field.expects}; {why}",
            node.span,
            notes=_usage(signature),
            help=help,
            edits=edits,
        )

    item = value[0] if isinstance(value, list) and len(value) == 1 else None
    if isinstance(item, Word) and node.name is None and signature.is_flag(item):
        return refused(
            "brackets in a usage line mean that a word may be left out",
            f"write `{item}`",
            (Edit(node.span, str(item)),),
        )
    compared = node.value
    if isinstance(compared, Binary) and compared.operator == "==":
        left, right = compared.left.span.text, compared.right.span.text
        if left in signature.fields:
            return Problem(
                "missing-equals",
                f"`{left}` gets its value with one `=`; two compare",
                node.span,
                notes=_usage(signature),
                help=f"write `{left}={right}`",
                edits=(Edit(node.span, f"{left}={right}"),),
            )
    if isinstance(node.value, String) and not instead:
        instead = _without_quotes(node.value.value, field)
    if isinstance(value, MapRef):
        return refused(
            f"`{node.value.span.text}` is {describe(value)}",
            f"call the block with a value in place of `{value}`, or read the layer by `from"
            f" {node.value.span.text}`",
        )
    apart = _BLANK_BEFORE_INDEX.match(node.span.source.text, node.span.end)
    if apart and isinstance(value, list | tuple):
        blank = Span(node.span.source, node.span.end, apart.start("index"))
        return refused(
            _reason(error, field),
            f"an item of it is written without a blank: `{node.span.text}{apart['index']}`",
            (Edit(blank, ""),),
        )
    if isinstance(value, str) and all(number_and_unit(value)):
        instead = " ".join(number_and_unit(value))
    counts = counted(field.name, field.doc)
    if isinstance(value, Duration) and counts and not instead and not error.drop:
        return refused(_reason(error, field), f"it counts {counts}, not time")
    counter = _COUNTER.match(field.doc) if field.is_flag else None
    if counter and isinstance(value, int):
        written = f"{counter[1]}={value} {field.name}"
        return refused(f"{value} is not", f"write `{written}`", (Edit(node.span, written),))
    fraction = isinstance(value, float) and not value.is_integer()
    if fraction and "whole number" in field.expects and not isinstance(value, Duration):
        instead = f"floor({node.value.span.text})"
    if isinstance(value, Factor) and not instead:
        instead = _without_x(field, value)
    edits = (Edit(node.value.span, instead),) if instead else ()
    if error.drop:
        edits = (Edit(_with_blank_before(node.span), ""),)
    help = error.help or (f"write `{instead}`" if instead else "")
    return refused(_reason(error, field), help, edits)


def _without_quotes(text: str, field: Field) -> str:
    """The number or word of a text, if that is a value of the argument."""
    values: list[object] = [Word(text)] if field.takes_words else []
    if re.fullmatch(r"[0-9]{1,9}", text):
        values = [int(text)]
    elif re.fullmatch(r"[0-9]{1,9}\.[0-9]{1,9}", text):
        values = [float(text)]
    elif re.fullmatch(r"[0-9]{1,6}(?:x[0-9]{1,6})+", text):
        values = [tuple(map(int, text.split("x")))]
    return text if any(map(field.takes, values)) else ""


def _without_x(field: Field, factor: Factor) -> str:
    """The number of `2x`, if that is a value of the argument."""
    number = float(factor)
    plain = int(number) if number.is_integer() else number
    try:
        field.read(plain)
    except ArgumentError:
        return ""
    return show(plain)


def _reason(error: ArgumentError, field: Field) -> str:
    """The reason why a value is refused, without repeating what the argument must be."""
    value, is_not, kind = error.message.rpartition(" is not ")
    repeated = is_not and f"{field.expects},".startswith(f"{kind},")
    return f"{value} is not" if repeated else error.message


def stray_word(
    call: Call,
    node: Argument,
    word: Word,
    signature: Signature,
    waiting: Sequence[Field],
    env: Env,
    words: Container[str],
    preceding: Field | None = None,
) -> Problem:
    """The error for a word that is not an argument; `preceding` is the argument before it."""
    fields = signature.fields
    if preceding is not None and unit_of(word) and node is call.arguments[-1]:
        about_unit = _unit(call, word, preceding, signature)
        if about_unit is not None:
            return about_unit
    if word in fields:
        edits, value = _join_with_next(call, node)
        if not edits and fields[word].takes(True) and fields[word].takes(False):
            value, at = "on", node.span.end
            edits = (Edit(Span(node.span.source, at, at), "=on"),)
        return Problem(
            "missing-equals",
            f"`{word}` takes a value",
            node.span,
            notes=_usage(signature),
            help=f"write `{word}={value}`, without spaces",
            edits=edits,
        )
    if word in words:
        return missing_separator(call, node, word)
    shorthand = _shorthand(call, node, word, signature)
    if shorthand is not None:
        return shorthand
    pads = _SAME in fields and foreign.folded(word) in foreign.NOTHING_TO_PAD
    if isinstance(node.value, Name) and pads and word[:1] != "N":
        return Problem(
            "unknown-flag",
            f"`{signature.word}` does not take the word `{word}`",
            node.span,
            notes=_usage(signature),
            help=f"take it out: without `{_SAME}`, nothing is padded",
            edits=(Edit(_with_blank_before(node.span), ""),),
        )
    known = foreign.folded(word)
    instead = foreign.FLAGS.get(known, "")
    advice = foreign.NOT_AVAILABLE.get(known, "") if _SAME in fields else ""
    if advice or (instead and instead.partition("=")[0] in fields):
        return Problem(
            "unknown-flag",
            f"`{signature.word}` does not take the word `{word}`",
            node.span,
            notes=_usage(signature),
            help=advice or f"write `{instead}`",
            edits=() if advice else (Edit(node.span, instead),),
        )
    sides = word.split("x")
    if 2 <= len(sides) <= 3 and all(each.isdigit() or env.has(each) for each in sides):
        meant = f"({', '.join(sides)})"
        return Problem(
            "unknown-flag",
            f"`{signature.word}` does not take the word `{word}`, and there is no value of that"
            " name",
            node.span,
            help=f"write `{meant}`: a size with a name in it is written with parentheses",
            edits=(Edit(node.span, meant),),
        )
    label = next((name for name, field in fields.items() if field.is_label), "")
    if label:
        before = Span(node.span.source, node.span.start, node.span.start)
        return Problem(
            "unknown-flag",
            f"`{signature.word}` does not take the word `{word}`, and there is no value of that"
            " name",
            node.span,
            notes=_usage(signature),
            help=f"for the size of a map that is labeled so, write `{label}={word}`",
            edits=(Edit(before, f"{label}="),),
        )
    close = closest(word, [name for name, field in fields.items() if field.is_flag])
    needs_value = any(field.required for field in waiting)
    if not close and isinstance(node.value, Name) and needs_value:
        return unknown_name(node.value, env)
    return Problem(
        "unknown-flag",
        f"`{signature.word}` does not take the word `{word}`, and there is no value of that name",
        node.span,
        notes=_usage(signature),
        help=f"did you mean `{close}`?" if close else "",
        edits=(Edit(node.span, close),) if close else (),
    )


_SAME = "same"


_LETTER_AND_NUMBER = re.compile(r"([a-z])([0-9]+)")


def _shorthand(call: Call, node: Argument, word: Word, signature: Signature) -> Problem | None:
    """The error for `k3` and `s2`, and for `padding 1`: an argument of another tool without `=`."""
    glued = _LETTER_AND_NUMBER.fullmatch(word)
    name, value, place = str(word), "", node.span
    if glued is not None:
        name, value = glued[1], glued[2]
    else:
        following = next((b for a, b in pairwise(call.arguments) if a is node), None)
        if following is not None and following.name is None:
            value = following.span.text
            place = Span(place.source, place.start, following.span.end)
    ours = foreign.argument(name, signature.fields)
    if not ours or not value or signature.fields[ours].is_flag:
        return None
    return Problem(
        "missing-equals",
        f"`{place.text}` is not an argument of `{signature.word}`",
        place,
        notes=_usage(signature),
        help=f"write `{ours}={value}`",
        edits=(Edit(place, f"{ours}={value}"),),
    )


def _unit(call: Call, word: Word, before: Field, signature: Signature) -> Problem | None:
    """The error for a unit behind the last number: `every=10 epochs`, `patience=5 steps`."""
    unit, counts = unit_of(word), counted(before.name, before.doc)
    if not counts or len(call.arguments) < 2:
        return None
    number, node = call.arguments[-2:]
    what = f"`{before.name}` of `{signature.word}` counts {counts}"
    help = f"write the number of {counts}, without a unit"
    edits: tuple[Edit, ...] = ()
    if unit == counts:
        what += ", and takes no unit"
        help, edits = f"write `{number.span.text}`", (Edit(_with_blank_before(node.span), ""),)
    elif signature.is_flag(unit):
        what += f", or {unit} with the word `{unit}`"
        help, edits = f"write `{number.span.text} {unit}`", (Edit(node.span, unit),)
    return Problem(
        "too-many-arguments", what, node.span, notes=_usage(signature), help=help, edits=edits
    )


def _word_for_number(
    field: Field, node: Argument, signature: Signature, part: str, error: ArgumentError
) -> Problem:
    """The error for `pad=same`, a word in place of a number; suggests the flag."""
    place = node.span if part else _with_blank_before(node.span)
    out = f"take it out: without `{_SAME}`, nothing is padded" if field.name == "pad" else ""
    return Problem(
        "argument",
        f"`{field.name}` of `{signature.word}` is {field.expects}; {_reason(error, field)}",
        node.span,
        notes=_usage(signature),
        help=f"write `{part}`" if part else out or "take it out",
        edits=(Edit(place, part),),
    )


def _join_with_next(call: Call, node: Argument) -> tuple[tuple[Edit, ...], str]:
    """Suggests `stride=2` for `stride 2`, if the next argument is a bare value."""
    index = next(i for i, argument in enumerate(call.arguments) if argument is node)
    following = call.arguments[index + 1 : index + 2]
    if not following or following[0].name is not None:
        return (), "…"
    gap = Span(node.span.source, node.span.end, following[0].span.start)
    return (Edit(gap, "="),), following[0].span.text


def too_many(node: Argument, value: object, signature: Signature, call: Call) -> Problem:
    together = _as_one(call, signature)
    if together is not None:
        return together
    names = [
        f"`{field.name}={node.span.text}`"
        for field in signature.fields.values()
        if field.keyword_only and isinstance(value, tuple) and field.takes(value)
    ]
    listed = " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
    return Problem(
        "too-many-arguments",
        f"`{signature.word}` takes no further argument: `{node.span.text}`",
        node.span,
        notes=_usage(signature),
        help=f"take it out, or name it: {listed}"
        if listed
        else "take it out" + ", or give it with its name: `name=value`" * bool(signature.fields),
        edits=(Edit(_with_blank_before(node.span), ""),),
    )


def _as_one(call: Call, signature: Signature) -> Problem | None:
    """The error for `reshape 8 32 32` and `permute 2 0 1`: numbers that are one value."""
    field = next(iter(signature.positional), None)
    numbers = [a.value.value for a in call.arguments if isinstance(a.value, Number)]
    if field is None or field.many or len(numbers) < 2 or len(numbers) < len(call.arguments):
        return None
    if not field.takes(tuple(numbers)):
        return None
    as_size = "x".join(map(str, numbers))
    written = as_size if "a size" in field.expects else f"({', '.join(map(str, numbers))})"
    place = Span(call.span.source, call.arguments[0].span.start, call.arguments[-1].span.end)
    return Problem(
        "too-many-arguments",
        f"`{field.name}` of `{signature.word}` is one value: {field.expects}",
        place,
        notes=_usage(signature),
        help=f"write `{written}`",
        edits=(Edit(place, written),),
    )


def _blank_before(span: Span) -> Span:
    text = span.source.text
    start = span.start
    while start > 0 and text[start - 1] in " \t":
        start -= 1
    return Span(span.source, start, span.start)


def _with_blank_before(span: Span) -> Span:
    return Span(span.source, _blank_before(span).start, span.end)


def _after(span: Span) -> Span:
    return Span(span.source, span.end, span.end)


def _usage(signature: Signature) -> tuple[str, ...]:
    return (f"it is written `{signature}`",)


def _example(field: Field) -> str:
    """An example value for a missing argument."""
    return field.example or next(iter(field.words), f"<{field.name}>")
