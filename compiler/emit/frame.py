"""Constructors taken apart: what they are (`Frame`), and the values in them (leaves).

`nn.Conv2d(64, 128, 3, padding=1)` is a frame with places for nine values, those of its options that
are not written too. Two layers with the same frame differ in leaves alone, and leaves that differ
become arguments of a class. Loops are frames too: a Sequential of runs of the same constructor.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

from ..ops.base import Constructor
from .layout import Doc, Group, call

Value = object
"""An int, float, bool, str, None, or a tuple or list of such."""


class Unknown:
    """The value of a place in something that is not there: any will do."""


UNKNOWN = Unknown()


class Named:
    """In place of what an option usually is: it has to be given, and is given by name."""


NAMED = Named()


class Leaf(NamedTuple):
    """A place for a value."""

    usual: Value = ...
    """Of an option: left out where it is this. `...` for what is no option."""
    name: str = ""
    """`stride`, where that is known."""


class Code(NamedTuple):
    """Text that is the same wherever the frame is: the name of a class."""

    text: str


class Kind(str):
    """A class as a value: `nn.ReLU`."""

    __slots__ = ()


class Frame(NamedTuple):
    """A call: `name(item, item, option=item)`."""

    name: str
    """Empty for a list; GIVEN where the first item says it."""
    items: tuple[Item, ...]


GIVEN = "{}"


class Run(NamedTuple):
    """`*[frame for i in range(count)]`, or `*[frame for value in values]`.

    Its leaves: those of the frame, of one that grows its start and its growth, of a listed one all
    of its values; and first the count, where none is listed.
    """

    frame: Frame
    ways: tuple[Way, ...]
    """Of each leaf, how it is from round to round."""

    @property
    def listed(self) -> bool:
        return "listed" in self.ways


Way = Literal["same", "grows", "listed"]
Item = Leaf | Code | Frame | Run


def take_apart(constructor: Constructor) -> tuple[Frame, tuple[Value, ...]]:
    """The frame of a constructor, and its leaves."""
    leaves: list[Value] = []

    def item(text: str, leaf: Leaf) -> Item:
        if isinstance(text, Constructor):
            return frame(text)
        value = _value(text)
        if value is Ellipsis:
            return Code(text)
        leaves.append(value)
        return leaf

    def frame(made: Constructor) -> Frame:
        items = [item(text, Leaf()) for text in made.arguments]
        for name, text, usual in made.options:
            items.append(item(text, Leaf(_value(usual), name)))
        return Frame(made.name, tuple(items))

    return frame(constructor), tuple(leaves)


@lru_cache(maxsize=4096)
def _value(text: str) -> Value:
    """What a literal means; `...` for what is none."""
    if text.isdigit():
        return int(text)
    try:
        value: Value = ast.literal_eval(text)
    except ValueError:
        return ...
    return value


def leaf_count(item: Item) -> int:
    """How many values it has places for."""
    if isinstance(item, Leaf):
        return 1
    if isinstance(item, Frame):
        return sum(map(leaf_count, item.items))
    if isinstance(item, Run):
        return (not item.listed) + len(item.ways) + item.ways.count("grows")
    return 0


def places(item: Item) -> Iterator[Leaf]:
    """The places for its values, in order."""
    if isinstance(item, Leaf):
        yield item
    elif isinstance(item, Frame):
        for inner in item.items:
            yield from places(inner)
    elif isinstance(item, Run):
        if not item.listed:
            yield Leaf(name="count")
        for leaf, way in zip(places(item.frame), item.ways, strict=True):
            yield Leaf(name=f"{leaf.name}s" if way == "listed" else leaf.name)
            if way == "grows":
                yield Leaf(name=f"{leaf.name}_growth")


def same(a: Value, b: Value) -> bool:
    """Equal, and of one type: `1` is not `True`, nor `1.0`."""
    return type(a) is type(b) and a == b


# ---- as text ------------------------------------------------------------------------------------

Usual = Callable[[Value, str], bool]
"""Whether a text says what an option is anyway."""


def write(item: Item, text: Callable[[], str], usual: Usual) -> Doc:
    """A frame with texts in its places, asked for in order; options that are `usual` left out."""
    if isinstance(item, Code):
        return item.text
    if isinstance(item, Leaf):
        return _listed(text())
    if isinstance(item, Run):
        return _write_run(item, text, usual)
    docs: list[Doc] = []
    for inner in item.items:
        doc = write(inner, text, usual)
        if isinstance(inner, Leaf) and inner.usual is not ...:
            if usual(inner.usual, str(doc)):
                continue
            doc = f"{inner.name}={doc}"
        docs.append(doc)
    if item.name == GIVEN:
        return call(str(docs[0]), docs[1:])
    if item.name:
        return call(item.name, docs)
    if len(docs) == 1 and isinstance(docs[0], Group) and docs[0].before == "*[":
        return docs[0]._replace(before="[")
    return Group("[", tuple(docs), "]")


def _listed(text: str) -> Doc:
    """A literal list may need several lines."""
    if not text.startswith("[") or "(" in text or "[" in text[1:]:
        return text
    return Group("[", tuple(text[1:-1].split(", ")), "]")


def _write_run(run: Run, text: Callable[[], str], usual: Usual) -> Doc:
    count = "" if run.listed else text()
    source: Doc = f"range({count})"
    name = INDEX if "grows" in run.ways else "_"
    texts: list[str] = []
    for leaf, way in zip(places(run.frame), run.ways, strict=True):
        if way == "listed":
            source, name = _listed(text()), leaf.name
            texts.append("")
        else:
            texts.append(text() if way == "same" else _sum(text(), text()))
    if run.listed:
        others = {word for each in texts for word in re.findall(r"\w+", each)}
        name = VALUE if not name or name in others else name
        texts[texts.index("")] = name
    waiting = iter(texts)
    element = write(run.frame, lambda: next(waiting), usual)
    if count == "1":
        return element
    each: Doc = f"for {name} in {source}"
    if isinstance(source, Group):
        each = source._replace(before=f"for {name} in {source.before}")
    return Group("*[", (element, each), "]", commas=False)


INDEX, VALUE = "i", "value"
"""What goes round in comprehensions, where there is no better name."""


def _sum(start: str, growth: str) -> str:
    factor = growth if _plain(growth) else f"({growth})"
    if growth.startswith("-") and growth[1:].isdigit():
        return f"{start} - {growth[1:]} * {INDEX}"
    product = INDEX if growth == "1" else f"{factor} * {INDEX}"
    return product if start == "0" else f"{start} + {product}"


def _plain(text: str) -> bool:
    return text.isidentifier() or text.isdigit()
