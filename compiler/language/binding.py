"""Argument binding: matches arguments to a signature and checks every value."""

from __future__ import annotations

from collections.abc import Container, Sequence
from types import ModuleType
from typing import Any

from ...dsl.source import Span
from ...dsl.syntax import Argument, Binary, Call, Expression, Number, Size
from .evaluate import Env, Evaluated
from .problems import missing_separator
from .signature import ArgumentError, Field, Signature
from .values import Word


def bind(
    call: Call,
    signature: Signature,
    arguments: Sequence[Evaluated],
    env: Env,
    words: Container[str],
) -> dict[str, Any]:
    """Binds the arguments of a call to the fields of a signature. `words` are all words that can
    begin a statement: one of them among the arguments usually means a missing comma.
    """
    values: dict[str, Any] = {}
    places: dict[str, Span] = {}
    waiting = signature.positional
    many: list[Any] = []
    field: Field | None = None
    for node, value in arguments:
        if node.name is not None:
            field = _named(call, node, signature)
        elif isinstance(value, Word) and signature.is_flag(value):
            field, value = signature.fields[value], True
        elif isinstance(value, Word) and not (waiting and waiting[0].takes_words):
            raise _mistakes().stray_word(
                call, node, value, signature, waiting, env, words, preceding=field
            )
        elif not waiting:
            raise _mistakes().too_many(node, value, signature, call)
        else:
            field = waiting[0]
            if field.many:
                stray = isinstance(value, Word) and value in words and value not in field.words
                if field.words and stray:
                    raise missing_separator(call, node, value)
                many.extend(_read(field, value, node, signature, call))
                places[field.name] = node.span
                continue
        if field.name in values:
            raise _mistakes().repeated(field, node, places[field.name], signature)
        if _is_product_for_size(node.value, field):
            raise _mistakes().product_for_size(node, value, field, signature)
        if field in waiting:
            if node.name is None and _are_swapped(field, value, node, arguments, waiting):
                raise _mistakes().swapped(call, node, field, signature)
            waiting = [f for f in waiting if f is not field]
        values[field.name] = _read(field, value, node, signature, call)
        places[field.name] = node.span
    if many:
        values[waiting[0].name] = tuple(many)
    missing = [f for f in signature.fields.values() if f.required and f.name not in values]
    if missing:
        raise _mistakes().missing(call, missing, signature, arguments)
    return values


def bind_one(argument: Evaluated, signature: Signature) -> tuple[str, Any]:
    """Binds a single named argument: returns the field's name and its value."""
    field = _named(None, argument.node, signature)
    return field.name, _read(field, argument.value, argument.node, signature)


def _named(call: Call | None, node: Argument, signature: Signature) -> Field:
    assert node.name is not None
    field = signature.fields.get(node.name)
    if field is None:
        raise _mistakes().unknown_argument(call, node, signature)
    return field


def _is_product_for_size(node: Expression, field: Field) -> bool:
    """Whether `5*5` was written in place of a size."""
    return (
        isinstance(node, Binary)
        and node.operator == "*"
        and isinstance(node.left, Number)
        and isinstance(node.right, Number)
        and "a size like" in field.expects
    )


def _are_swapped(
    field: Field,
    value: object,
    node: Argument,
    arguments: Sequence[Evaluated],
    waiting: Sequence[Field],
) -> bool:
    """Whether a size stands where a number is expected, and the number follows: `conv 3x3 64`."""
    if not isinstance(node.value, Size) or field.takes(value) or len(waiting) < 2:
        return False
    index = next(i for i, one in enumerate(arguments) if one.node is node)
    following = arguments[index + 1] if index + 1 < len(arguments) else None
    return (
        following is not None
        and following.node.name is None
        and field.takes(following.value)
        and waiting[1].takes(value)
    )


def _read(
    field: Field, value: Any, node: Argument, signature: Signature, call: Call | None = None
) -> Any:
    try:
        return field.read(value)
    except ArgumentError as error:
        raise _mistakes().wrong_value(field, value, node, signature, error, call) from None


def _mistakes() -> ModuleType:
    """What is said of mistakes, loaded when there is one."""
    from . import binding_mistakes

    return binding_mistakes
