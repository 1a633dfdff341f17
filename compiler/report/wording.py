"""Writes layers and parts as in a spec, with values filled in."""

from __future__ import annotations

import re

from ...dsl.printable import show as printable
from ...dsl.syntax import Block
from ..language.evaluate import Env, evaluate
from ..language.problems import Problem, Quiet
from ..language.signature import Field
from ..language.values import Text, show
from ..network import Network, Node, Scope
from ..ops.base import Op
from .structure import merged_block

_GIVEN = re.compile(r"\b(\w+)\s*=")
"""An argument that is given by name."""


class Wording:
    """The texts of one network's layers; repeated ones are computed once."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._known: dict[object, tuple[Op, str]] = {}
        self._blocks = {
            (statement.name.value, tuple(p.name.value for p in statement.parameters)): statement
            for spec in network.program.files
            for statement in spec.statements
            if isinstance(statement, Block)
        }

    def layer(self, node: Node) -> str:
        """The text of a layer with its values: `conv 64 7x7 stride=2 same`."""
        followers = [consumer.op for consumer in self.network.value_consumers[node.index]]
        key = (id(node.op), node.span.start, _like(node), *map(id, followers))
        known = self._known.get(key)
        if known is None:
            # The entry keeps the operation, and so its id, alive.
            known = self._known[key] = node.op, _layer(node, followers)
        return known[1]

    def scope(self, item: Scope) -> str:
        """The text of a part: `bottleneck 64 stride=2`, `basic x3`, `round 2 of 3`."""
        if item.kind == "loop":
            return f"{self._rounds(item)} x{item.count}"
        if item.kind == "path":
            return f"path {item.index + 1} of {item.count}"
        if item.kind == "iteration":
            block = merged_block(item)
            return self.scope(block) if block else f"round {item.index + 1} of {item.count}"
        parts = [item.word]
        for position, (name, value) in enumerate(item.arguments):
            shown = _block_argument(value)
            if position == 0 or shown == name:  # a label that is called like its parameter
                parts.append(shown)
            elif not self._is_default(item, name, value):
                parts.append(f"{name}={shown}")
        return printable(" ".join(parts))

    def _rounds(self, loop: Scope) -> str:
        """The block that a loop repeats, if it is always the same; else the word of the loop."""
        blocks = [merged_block(each) for each in loop.children if isinstance(each, Scope)]
        words = {block.word if block else "" for block in blocks}
        if len(words) != 1 or "" in words:
            return loop.word
        texts = {self.scope(block) for block in blocks if block}
        return texts.pop() if len(texts) == 1 else words.pop()

    def _is_default(self, item: Scope, name: str, value: object) -> bool:
        """Whether the value equals the default of the block's parameter."""
        block = self._blocks.get((item.word, tuple(name for name, _ in item.arguments)))
        parameters = block.parameters if block else ()
        default = next((p.default for p in parameters if p.name.value == name), None)
        if default is None:
            return False
        try:
            return bool(evaluate(default, Env(values=dict(item.arguments))) == value)
        except (Problem, Quiet):
            return False


def what_it_does(op: Op) -> str:
    """A sentence about an operation, with its own numbers for the words of its signature."""

    def number(word: re.Match[str]) -> str:
        value = op.arguments.get(word[1])
        return f"{value:,}" if type(value) is int else word[0]

    return re.sub(r"`(\w+)`", number, (op.__doc__ or "").strip().split("\n")[0])


def argument_changes(before: Op, after: Op) -> list[str]:
    """`kernel 7x7 -> 3x3`, for each changed argument of two operations with the same word."""
    if type(before) is not type(after):
        return []
    sizes = _first_size(after)
    lines = []
    for name, field in after.fields.items():
        old, new = getattr(before, name), getattr(after, name)
        if old == new or (field.is_usual(old) and field.is_usual(new)):
            continue
        if field.is_flag:
            lines.append(f"{name} {show(new)}")
        elif name == sizes:
            lines.append(f"{name} {_bare(old)} -> {_bare(new)}")
        else:
            texts = _shown(field, old), _shown(field, new)
            lines += [" -> ".join((f"{name} {texts[0]}", texts[1]))] * (texts[0] != texts[1])
    return lines


def _first_size(op: Op) -> str:
    """The argument that is written as a size, `3x3`, while others are written `2`: the filter size,
    which is the first argument or follows the number of filters.
    """
    by_place = [name for name, field in op.fields.items() if not field.keyword_only]
    values = ((name, getattr(op, name)) for name in by_place[:2])
    sizes = (name for name, v in values if isinstance(v, tuple) and _is_size(op.fields[name], v))
    return next(sizes, "")


def _is_size(field: Field, value: tuple[object, ...]) -> bool:
    return field.per_axis or len(value) == 2


def _layer(node: Node, followers: list[Op]) -> str:
    op = node.op
    parts = [op.word or op.short_word]
    written = _statement(node)
    given = set(_GIVEN.findall(written))
    # Arguments of internal operations are always named.
    bare = bool(op.word)
    size = _first_size(op)
    for name, field in op.fields.items():
        value = getattr(op, name)
        if field.is_flag:
            if value:  # `same`, or `adaptive=5`, a flag that may have a value
                parts.append(name if value is True else f"{name}={_shown(field, value)}")
            continue
        usual = field.is_usual(value) and name != size
        named = field.keyword_only or (name in given if written else not field.required)
        bare = bare and not usual and (name == size or not named)
        if bare:
            parts += map(show, value) if field.many else [_bare(value)]
        elif not usual and not _follows(op, name, field, followers):
            shown = _like(node) if name == "like" else ""
            parts.append(f"{name}={shown or _shown(field, value)}")
    return printable(" ".join(parts))


def _like(node: Node) -> str:
    """The label of the map whose size a layer takes, as it is outside of the block that was given
    it; "" if there is none."""
    if getattr(node.op, "like", None) is None or len(node.inputs) < 2:
        return ""
    source, around = node.inputs[-1], set(node.scope.chain())
    labels = [source.label or ""]
    for scope in source.scope.chain():
        if scope in around or scope.output is not source:
            break
        labels.append(scope.label or "")
    return next(filter(None, reversed(labels)), "")


def _statement(node: Node) -> str:
    """The statement of a layer; "" for a layer that a form added."""
    text = node.span.text
    word = re.match(r"(?:\w+\s*:\s*)?(\w+)", text)
    return text if word and word[1] == node.op.short_word else ""


def _follows(op: Op, name: str, field: Field, followers: list[Op]) -> bool:
    """Whether this is the value of `auto` here."""
    if not isinstance(field.default, str) or isinstance(getattr(op, name), str):
        return False
    return op.replace(**{name: field.default}).settle(followers) == op


def _bare(value: object) -> str:
    if isinstance(value, tuple) and len(value) == 1:
        return show(value[0])
    return show(Text(value)) if type(value) is str and not value.isidentifier() else show(value)


def _shown(field: Field, value: object) -> str:
    """`2` for a stride of 2x2."""
    if value is None:
        return "default"
    if isinstance(value, tuple) and _is_size(field, value) and not field.many:
        return _block_argument(value[0] if len(value) == 1 else value)
    return _bare(value)


def _block_argument(value: object) -> str:
    """`2` for a stride of 2x2."""
    if isinstance(value, tuple) and 2 <= len(value) <= 3 and len({*map(repr, value)}) == 1:
        return show(value[0])
    return show(value)
