"""The arguments of a word: of a layer, a form, a directive or a block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lsprotocol import types as lsp

from ...compiler.build.forms import SIGNATURES
from ...compiler.language.signature import Field, Signature
from ...compiler.ops import REGISTRY
from ...compiler.plan.directive import directives, vocabulary
from ...dsl.syntax import Block
from .context import Context, context
from .document import Document
from .names import Names
from .positions import offset, text_of


class Described(NamedTuple):
    """An argument as an editor shows it."""

    name: str
    doc: str
    label: str
    """As in the signature: `stride=1`, `[same]`."""
    required: bool = False
    is_flag: bool = False
    default_text: str = ""
    words: tuple[str, ...] = ()


def described(field: Field) -> Described:
    if field.is_flag:
        return Described(field.name, field.doc, f"[{field.name}]", is_flag=True, words=())
    if field.required:
        return Described(field.name, field.doc, field.name, required=True, words=field.words)
    default = Signature.default(field)
    label = f"{field.name}={default}"
    return Described(field.name, field.doc, label, default_text=default, words=field.words)


def signature_at(names: Names, where: Context, series: bool) -> tuple[str, list[Described]] | None:
    """The word of the statement, one or two, with its arguments; None if it is not known."""
    if not where.statement:
        return None
    head = where.statement[0]
    if where.section:
        word = where.directive(series)
        kind = directives(vocabulary(where.section, series)).get(word)
        if kind is None:
            return None
        return word, [described(field) for field in kind.signature().fields.values()]
    two = " ".join(where.statement[:2])
    word = two if two in REGISTRY else head
    symbol = names.scopes[0].find(head)
    if symbol is not None and isinstance(symbol.node, Block):
        return head, _of_block(symbol.node)
    signature = SIGNATURES.get(word)
    if signature is None and word in REGISTRY:
        signature = REGISTRY[word].signature()
    if signature is None:
        return None
    return word, [described(field) for field in signature.fields.values()]


def signature_of(block: Block) -> str:
    """`block bottleneck(width, stride=1)`."""
    parameters = ", ".join(
        each.name.value
        if each.default is None
        else f"{each.name.value}={text_of(each.default.span)}"
        for each in block.parameters
    )
    return f"block {block.name.value}({parameters})" if parameters else f"block {block.name.value}"


def _of_block(block: Block) -> list[Described]:
    found: list[Described] = []
    for each in block.parameters:
        name = each.name.value
        if each.default is None:
            found.append(Described(name, f"of `{block.name.value}`", name, required=True))
        else:
            default = text_of(each.default.span)
            label = f"{name}={default}"
            found.append(Described(name, f"of `{block.name.value}`", label, default_text=default))
    return found


def fields_of(names: Names, word: str, arguments: Sequence[str]) -> dict[str, Described]:
    """The arguments of a word in a network, by their names."""
    where = Context(("network",), (word, *arguments), 0, "", "", 0)
    found = signature_at(names, where, series=False)
    return {each.name: each for each in found[1]} if found is not None else {}


def signature_help(document: Document, at: lsp.Position) -> lsp.SignatureHelp | None:
    where = context(document.source, offset(document.source, at))
    found = signature_at(document.readable.names, where, document.takes_series)
    if found is None:
        return None
    word, fields = found
    label = " ".join([word, *(each.label for each in fields)])
    parameters: list[lsp.ParameterInformation] = []
    start = len(word)
    for each in fields:
        start += 1
        parameters.append(lsp.ParameterInformation((start, start + len(each.label)), each.doc))
        start += len(each.label)
    return lsp.SignatureHelp(
        [lsp.SignatureInformation(label, parameters=parameters)],
        active_signature=0,
        active_parameter=_active(word, fields, where),
    )


def _active(word: str, fields: Sequence[Described], where: Context) -> int | None:
    """The argument that is being typed: the one named, or the next without its name."""
    names = [each.name for each in fields]
    if where.key:
        return names.index(where.key) if where.key in names else None
    given = where.statement[len(word.split()) :]
    flags = {each.name for each in fields if each.is_flag}
    plain = 0
    after_key = False
    for token in given:
        if token.endswith("="):
            after_key = True
        elif after_key:
            after_key = False
        elif token not in flags:
            plain += 1
    positional = [n for n, each in enumerate(fields) if not each.is_flag]
    return positional[plain] if plain < len(positional) else None
