"""Folded statements -> the text of a spec, printed as `cnn fmt` prints it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ...dsl.builder import RESERVED
from ...dsl.parser import parse
from ...dsl.printer import WIDTH, print_spec
from ...dsl.source import Source
from ..build.scoping import not_for_modules
from ..language.vocabulary import layer_words
from .fold import Block, Folded
from .graph import Layer
from .names import identifier, name_blocks, name_labels
from .normal import shown
from .parameters import Expression, literal
from .progressions import DROP
from .shortcuts import BY_NUMBER, BY_SHAPE
from .structure import COMMON, Item
from .template import Column, Lines, Template, all_columns, walk

INDENT = "  "


def write(folded: Folded, name: str, layers: Sequence[Layer]) -> str:
    """The text of a spec; `layers` are those of the graph."""
    taken = {*RESERVED, *layer_words()}
    name_blocks(folded, taken)
    name_labels(folded, taken | {block.name for block in folded.blocks}, layers)
    defaults = _defaults(folded)
    parts = [_block(block) for block in folded.blocks]
    body = "\n".join(_lines(folded.lines, _literals(folded.lines)))
    called = identifier(name, capital=True)
    called = f"{called}Net" if not_for_modules(called) else called
    parts.append(f"network {called} {{\n{body}\n}}")
    text = "\n\n".join(["\n".join(defaults)] * bool(defaults) + parts) + "\n"
    return print_spec(parse(Source("<imported>", text)))


def _defaults(folded: Folded) -> list[str]:
    """`default bn eps=0.001`, where that is written more than twice otherwise, or is what a
    residual's own shortcut has; elsewhere the layers get it back."""
    found: dict[str, list[Template]] = {}
    for body in (folded.lines, *[block.body for block in folded.blocks]):
        for line in walk(body):
            for each in line:
                if each.kind == "layer" and each.item is not None and each.item.common:
                    found.setdefault(each.word, []).append(each)
    lines: list[str] = []
    for word, layers in found.items():
        first: Any = layers[0].item
        given = {
            name: f"{name}={shown(first.op.fields[name], value, False)}"
            for name, value in first.common.items()
        }
        if len(layers) >= COMMON or first.implied:
            lines.append(f"default {word} {' '.join(given.values())}")
            continue
        for each in layers:
            item: Any = each.item
            own = [
                text
                for name, text in given.items()
                if getattr(item.op, name) == item.common[name] and text not in each.flags
            ]
            each.flags += tuple(own)
    return lines


def _block(block: Block) -> str:
    parameters = ", ".join(
        each.name if each.default is None else f"{each.name}={each.show(each.default)}"
        for each in block.solved.parameters
    )
    head = f"block {block.name}({parameters})" if parameters else f"block {block.name}"
    body = "\n".join([*block.solved.lets, *_lines(block.body, iter(block.solved.expressions))])
    return f"{head} {{\n{body}\n}}"


def _literals(body: Lines) -> Iterator[Expression]:
    return iter([literal(column) for column in all_columns(body)])


Expressions = Iterator[Expression]


def _lines(body: Lines, expressions: Expressions) -> list[str]:
    """The lines; equal calls share one."""
    written: list[str] = []
    before = ""
    begun = False
    for line in body:
        text = ", ".join(filter(None, [_statement(each, expressions) for each in line]))
        fits = bool(written) and len(written[-1]) + len(text) < WIDTH - 8 and "\n" not in text
        again = text == before and line[0].kind == "call" and len(written[-1]) < WIDTH // 2
        if again or (begun and fits and not any(each.labeled for each in line[:-1])):
            written[-1] += f", {text}"
        else:
            written.append(text)
        before = text
        begun = len(line) == 1 and line[0].kind == "from" and not line[0].labeled
    return written


def _statement(each: Template, expressions: Expressions) -> str:
    own = [(column, next(expressions)) for column in each.columns]
    if each.kind == "repeat":
        count = own[0][1]
        text = count.text
        if each.first:
            text = str(count.value - 1) if count.literal else f"{text} - 1"
        index = f"as {each.index} " if each.index else ""
        return f"{_label(each)}repeat {text} {index}{_body(each.paths[0], expressions)}"
    if each.kind == "let":
        return each.word
    if each.kind == "for":
        return _label(each) + _for(each)
    label = _label(each)
    if each.kind in ("from", "merge"):
        assert each.item is not None
        item = each.item
        return label + " ".join([each.word, *(_reference(item, to) for to in item.targets)])
    if each.kind == "call":
        return label + " ".join([each.block.name, *_call_arguments(own)])
    if each.kind == "side":
        assert each.item is not None
        body = _body(each.paths[0], expressions)
        if each.word == "output":
            return f"output {each.item.label} {body}"
        head = f"{each.item.label}: " if each.item.label else ""
        return f"{head}aux {' '.join(each.options)} {body}"
    if each.guarded == BY_NUMBER and own[0][1].literal and not own[0][1].value:
        return ""
    own += [(column, literal(column)) for column in each.fixed]
    words = [each.word, *_layer_arguments(each, own), *each.options]
    if each.guarded == BY_SHAPE:
        return f"if channels == arriving {{ {' '.join(words)} }}"
    if each.guarded == BY_NUMBER and not own[0][1].literal:
        return f"if {own[0][1].text} > 0 {{ {' '.join(words)} }}"
    if each.kind == "layer":
        return label + " ".join(words)
    if each.bars:
        paths = [_path(path, expressions) for path in each.paths]
        flat = " ".join(paths)
        if "\n" not in flat and len(flat) < WIDTH // 2:
            return label + " ".join([*words, f"{{ {flat} }}"])
        return label + " ".join([*words, "{\n" + "\n".join(paths) + "\n}"])
    return label + " ".join([*words, _body(each.paths[0], expressions)])


def _reference(item: Item, to: Item) -> str:
    """The label of a statement, with those around it that are not around the one that refers."""
    shared = 0
    while shared < len(to.scope) and to.scope[: shared + 1] == item.scope[: shared + 1]:
        shared += 1
    return ".".join([*to.scope[shared:], to.label])


def _label(each: Template) -> str:
    item = each.item
    if item is None or not each.labeled:
        return ""
    return f"output {item.label}: " if item.output else f"{item.label}: "


def _body(body: Lines, expressions: Expressions) -> str:
    written = _lines(body, expressions)
    flat = _flat(body, written)
    calls = all(line[0].kind == "call" for line in body)
    if len(flat) < WIDTH // 2 and (calls or len(written) == 1):
        return f"{{ {flat} }}"
    return "{\n" + "\n".join(written) + "\n}"


def _flat(body: Lines, written: Sequence[str]) -> str:
    """Lines as one, if they can be: a label begins a line of its own, but for the last."""
    named = any(each.labeled for line in body[:-1] for each in line)
    flat = ", ".join(written)
    return "x" * WIDTH if named or "\n" in flat else flat


def _path(path: Lines, expressions: Expressions) -> str:
    written = _lines(path, expressions)
    flat = _flat(path, written)
    if len(flat) < WIDTH - 8:
        return f"| {flat}".rstrip()
    return "| " + "\n".join(written)


def _for(each: Template) -> str:
    merged, solved = each.paths[0], each.solved
    names = [parameter.name for parameter in solved.parameters]
    rounds = [
        [parameter.show(parameter.values[n]) for parameter in solved.parameters]
        for n in range(len(each.rounds))
    ]
    items = [f"({', '.join(one)})" if len(one) > 1 else one[0] for one in rounds]
    body = _body(merged, iter(solved.expressions))
    return f"for {', '.join(names)} in [{', '.join(items)}] {body}"


def _layer_arguments(each: Template, own: Sequence[tuple[Column, Expression]]) -> list[str]:
    fields = each.item.op.fields if each.item is not None and each.item.op is not None else {}
    by_name = {column.name: (column, given) for column, given in own}
    by_name = {name: by_name[name] for name in fields if name in by_name}
    plain: list[str] = []
    for name in each.plain:
        if name not in by_name:
            break
        plain.append(_in_place(by_name.pop(name)[1].text))
    named = {
        name: f"{name}={given.text}"
        for name, (column, given) in by_name.items()
        if not (given.literal and given.value == column.usual)
    }
    flags = [flag for flag in each.flags if not (flag == "same" and _is_point(own))]
    words = [flag for flag in flags if "=" not in flag]
    stride = named.pop("stride", None)
    rest = [flag for flag in flags if "=" in flag]
    return [*plain, *filter(None, [stride]), *words, *named.values(), *rest]


def _in_place(text: str) -> str:
    """An argument without a name, in parentheses if it would fall apart."""
    return f"({text})" if " + " in text and not text.endswith(")") else text


def _is_point(own: Sequence[tuple[Column, Expression]]) -> bool:
    """Whether the window is a single place, which needs no padding."""
    return any(
        column.name == "kernel" and given.literal and {*given.value} == {1} for column, given in own
    )


def _call_arguments(own: Sequence[tuple[Column, Expression]]) -> list[str]:
    given: list[str] = []
    in_order = True
    for column, expression in own:
        if column.usual is None and column.family != DROP:
            given.append(_in_place(expression.text))
        elif expression.literal and expression.value == column.usual:
            in_order = False
        elif in_order and column.family == "kernel":
            given.append(_in_place(expression.text))
        else:
            in_order = False
            given.append(f"{column.name}={expression.text}")
    return given
