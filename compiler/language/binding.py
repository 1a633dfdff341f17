"""Arguments to a signature: every value typed, every mistake with its place and the signature."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from ...dsl.closest import closest
from ...dsl.diagnostics import Edit, Label
from ...dsl.source import Span
from ...dsl.syntax import Argument, Call, Name
from .evaluate import Env, elements, evaluate, unknown_name
from .problems import Problem, missing_separator
from .signature import ArgumentError, Field, Signature
from .values import Word


class Evaluated(NamedTuple):
    """An argument of a call with its value."""

    node: Argument
    value: Any


def evaluate_arguments(arguments: Sequence[Argument], env: Env) -> list[Evaluated]:
    found = [Evaluated(argument, evaluate(argument.value, env)) for argument in arguments]
    if arguments:
        # Whoever reads values goes through all elements of a list.
        size = len(found) + sum([elements(value) for _, value in found])
        env.fuel.spend(size, arguments[0].span)
    return found


def bind(
    call: Call,
    signature: Signature,
    arguments: Sequence[Evaluated],
    env: Env,
    words: Collection[str],
) -> dict[str, Any]:
    """The values that a call gives to the fields of a signature.

    `words` are all words that can begin a statement: one of them among the arguments is most
    often a forgotten comma.
    """
    found: dict[str, Any] = {}
    places: dict[str, Span] = {}
    waiting = signature.positional
    many: list[Any] = []
    for node, value in arguments:
        if node.name is not None:
            field = _named(node, signature)
        elif isinstance(value, Word) and _is_flag(value, signature):
            field, value = signature.fields[value], True
        elif isinstance(value, Word) and not (waiting and waiting[0].takes_words):
            raise _stray_word(call, node, value, signature, waiting, env, words)
        elif not waiting:
            raise _too_many(node, signature)
        else:
            field = waiting[0]
            if field.many:
                if field.words and isinstance(value, Word) and value in {*words} - {*field.words}:
                    raise missing_separator(call, node, value)
                many.extend(_read(field, value, node, signature))
                places[field.name] = node.span
                continue
        if field.name in found:
            raise Problem(
                "repeated-argument",
                f"`{field.name}` is given twice",
                node.span,
                labels=(Label(places[field.name], "given here already"),),
                notes=_usage(signature),
                help="keep one of them",
                edits=(Edit(_with_blank_before(node.span), ""),),
            )
        if field in waiting:
            waiting = [f for f in waiting if f is not field]
        found[field.name] = _read(field, value, node, signature)
        places[field.name] = node.span
    if many:
        found[waiting[0].name] = tuple(many)
    for field in signature.fields.values():
        if field.required and field.name not in found:
            raise Problem(
                "missing-argument",
                f"`{signature.word}` needs `{field.name}`: {field.doc}",
                call.head.span,
                notes=_usage(signature),
                help=f"write `{signature.word} {_example(field)}`",
                edits=(Edit(_behind(_head(call, signature)), f" {_example(field)}"),),
            )
    return found


def bind_one(argument: Evaluated, signature: Signature) -> tuple[str, Any]:
    """The same for a single named argument: the field's name and its value."""
    field = _named(argument.node, signature)
    return field.name, _read(field, argument.value, argument.node, signature)


def _head(call: Call, signature: Signature) -> Span:
    """The last of the words that say what it is: `max` of `pool max 2x2`."""
    kind = signature.word.split(" ")[1:]
    for argument in call.arguments:
        if kind and isinstance(argument.value, Name) and argument.value.value in kind:
            return argument.span
    return call.head.span


def _named(node: Argument, signature: Signature) -> Field:
    assert node.name is not None
    field = signature.fields.get(node.name)
    if field is None:
        folded = node.name.lower()
        known = [f.name for f in signature.fields.values() if folded in f.elsewhere.split()]
        close = known[0] if known else closest(node.name, signature.fields)
        raise Problem(
            "unknown-argument",
            f"`{signature.word}` has no argument `{node.name}`",
            node.name_span,
            notes=_usage(signature),
            help=f"did you mean `{close}`?" if close else "",
            edits=(Edit(node.name_span, close),) if close else (),
        )
    return field


def _is_flag(word: Word, signature: Signature) -> bool:
    field = signature.fields.get(word)
    return field is not None and field.is_flag


def _read(field: Field, value: Any, node: Argument, signature: Signature) -> Any:
    try:
        return field.read(value)
    except ArgumentError as error:
        instead = error.instead
        if isinstance(value, float) and not value.is_integer() and "whole number" in field.expects:
            instead = f"floor({node.value.span.text})"
        raise Problem(
            "argument",
            f"`{field.name}` of `{signature.word}` is {field.expects}; {error.message}",
            node.span,
            notes=_usage(signature),
            help=error.help or (f"write `{instead}`" if instead else ""),
            edits=(Edit(node.value.span, instead),) if instead else (),
        ) from None


def _stray_word(
    call: Call,
    node: Argument,
    word: Word,
    signature: Signature,
    waiting: Sequence[Field],
    env: Env,
    words: Collection[str],
) -> Problem:
    fields = signature.fields
    if word in fields:
        edits, value = _join_with_next(call, node)
        return Problem(
            "missing-equals",
            f"`{word}` takes a value",
            node.span,
            notes=_usage(signature),
            help=f"write `{word}={value}`, without blanks",
            edits=edits,
        )
    if word in words:
        return missing_separator(call, node, word)
    close = closest(word, [name for name, field in fields.items() if field.is_flag])
    needs_value = any(field.required for field in waiting)
    if not close and isinstance(node.value, Name) and needs_value:
        return unknown_name(node.value, env)
    return Problem(
        "unknown-flag",
        f"`{signature.word}` does not know the word `{word}`, and nothing here is called so",
        node.span,
        notes=_usage(signature),
        help=f"did you mean `{close}`?" if close else "",
        edits=(Edit(node.span, close),) if close else (),
    )


def _join_with_next(call: Call, node: Argument) -> tuple[tuple[Edit, ...], str]:
    """`stride 2` to `stride=2`, where the next argument is a bare value."""
    index = next(i for i, argument in enumerate(call.arguments) if argument is node)
    following = call.arguments[index + 1 : index + 2]
    if not following or following[0].name is not None:
        return (), "…"
    gap = Span(node.span.source, node.span.end, following[0].span.start)
    return (Edit(gap, "="),), following[0].span.text


def _too_many(node: Argument, signature: Signature) -> Problem:
    return Problem(
        "too-many-arguments",
        f"`{signature.word}` has no place for `{node.span.text}`",
        node.span,
        notes=_usage(signature),
        help="take it out, or give it by the name of what it sets",
        edits=(Edit(_with_blank_before(node.span), ""),),
    )


def _blank_before(span: Span) -> Span:
    text = span.source.text
    start = span.start
    while start > 0 and text[start - 1] in " \t":
        start -= 1
    return Span(span.source, start, span.start)


def _with_blank_before(span: Span) -> Span:
    return Span(span.source, _blank_before(span).start, span.end)


def _behind(span: Span) -> Span:
    return Span(span.source, span.end, span.end)


def _usage(signature: Signature) -> tuple[str, ...]:
    return (f"it is written `{signature}`",)


def _example(field: Field) -> str:
    """Something that could stand for an argument that is missing."""
    if field.example or field.words:
        return field.example or field.words[0]
    return "64" if "whole number" in field.expects else f"<{field.name}>"
