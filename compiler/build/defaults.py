"""`default bn eps=1e-3`: what an argument is, for the layers of one file that do not give it.

A default belongs to the text of its file: blocks of an imported file keep their own arguments, so
that reading a file says what its layers are.
"""

from __future__ import annotations

from collections.abc import Collection

from ...dsl.syntax import Call, Name
from ..diagnose.blame import statement_span
from ..language.binding import bind
from ..language.evaluate import Env, Evaluated, evaluate_arguments
from ..language.problems import Problem
from ..language.signature import Signature
from ..language.vocabulary import layer_words
from ..ops import REGISTRY
from .scoping import Default

USAGE = "write a layer and arguments of it: `default bn eps=1e-3`"


def read_default(
    call: Call, signatures: dict[str, Signature], env: Env, blocks: Collection[str]
) -> tuple[str, Default]:
    """The word that a `default` is about, and the arguments that it gives."""
    words = [a for a in call.arguments if a.name is None and isinstance(a.value, Name)]
    if not words or words[0] is not call.arguments[0] or call.body is not None or call.label:
        raise Problem(
            "argument", "`default` is not followed by a layer", call.head.span, help=USAGE
        )
    head = words[0].value
    assert isinstance(head, Name)
    word, rest = head.value, call.arguments[1:]
    if word in blocks:
        raise Problem(
            "argument",
            f"`{word}` is a block: its parameters have their own defaults",
            head.span,
            help=f"write them where it is defined: `block {word}(width=64) {{ … }}`",
        )
    if rest and isinstance(rest[0].value, Name) and f"{word} {rest[0].value.value}" in REGISTRY:
        word, rest = f"{word} {rest[0].value.value}", rest[1:]
    signature = REGISTRY[word].signature() if word in REGISTRY else signatures.get(word)
    if signature is None:
        kinds = sorted(each for each in REGISTRY if each.startswith(f"{word} "))
        if kinds:
            raise Problem(
                "missing-argument",
                f"`default {word}` needs a kind",
                head.span,
                help=f"write a line for each: `default {kinds[0]} …`",
            )
        if word in layer_words():
            raise Problem("argument", f"`{word}` has no arguments to give", head.span, help=USAGE)
        from .layer_mistakes import unknown_layer

        inner = Call(call.span, None, head, rest, None)
        raise unknown_layer(word, inner, blocks)
    if not rest:
        raise Problem(
            "missing-argument",
            f"`default {word}` gives no arguments",
            statement_span(call),
            notes=(f"usage: {signature}",),
            help="give at least one, or take the line out",
        )
    flags = {name for name, field in signature.fields.items() if field.is_flag}
    usual = next((field.name for field in signature.positional if not field.required), "name")
    for argument in rest:
        value = argument.value
        is_flag = isinstance(value, Name) and value.value in flags
        if argument.name is None and not is_flag:
            raise Problem(
                "argument",
                f"`default` needs the name of the argument that is `{argument.span.text}`",
                argument.span,
                notes=(f"usage: {signature}",),
                help=f"write `default {word} {usual}={argument.span.text}`",
            )
        field = signature.fields.get(argument.name or "")
        if field is not None and field.is_label:
            raise Problem(
                "argument",
                f"`{argument.name}` is a label, and no label is known at the top of a file",
                argument.span,
                help="write it at each layer that reads it",
            )
    optional = {name: field for name, field in signature.fields.items() if not field.required}
    inner = Call(call.span, None, head, tuple(rest), None)
    evaluated: list[Evaluated] = evaluate_arguments(rest, env)
    words_of = layer_words() | set(blocks)
    values = bind(
        inner, Signature(signature.word, optional, signature.doc), evaluated, env, words_of
    )
    return word, Default(call, values)
