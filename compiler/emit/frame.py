"""How modules are made: a `Frame` is a call with places for values, `Leaf` is such a place.

`nn.Conv2d(64, 128, 3, padding=1)` is a frame with places for nine values, those of its options that
are not written too. Loops are frames too: a Sequential of runs of the same frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from ..language.values import python
from ..ops.base import Constructor
from .layout import Doc, Group, call
from .symbolic import Code, Constant, Operation, operation
from .symbolic import Named as Name


class Named:
    """In place of what an option usually is: it has to be given, and is given by name."""


NAMED = Named()


class Leaf(NamedTuple):
    """A place for a value."""

    usual: Any = ...
    """Of an option: left out where it is this. `...` for what is no option."""
    name: str = ""
    """`stride`, where that is known."""


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
    start: int = 0
    """The number of the first round."""

    @property
    def listed(self) -> bool:
        return "listed" in self.ways


Way = Literal["same", "grows", "listed"]
Item = Leaf | Frame | Run

INDEX, VALUE = "i", "value"
"""What goes round in comprehensions, where there is no better name."""


def take_apart(constructor: Constructor) -> tuple[Frame, tuple[Any, ...]]:
    """The frame of a constructor, and its leaves."""
    leaves: list[Any] = []

    def item(value: Any, leaf: Leaf) -> Item:
        if isinstance(value, Constructor):
            return frame(value)
        leaves.append(value)
        return leaf

    def frame(made: Constructor) -> Frame:
        items = [item(value, Leaf()) for value in made.arguments]
        items += [item(value, Leaf(usual, name)) for name, value, usual in made.options]
        return Frame(made.name, tuple(items))

    return frame(constructor), tuple(leaves)


def places(item: Item) -> Iterator[Leaf]:
    """The places for its values, in order."""
    if isinstance(item, Leaf):
        yield item
    elif isinstance(item, Frame):
        for inner in item.items:
            yield from places(inner)
    else:
        if not item.listed:
            yield Leaf(name="count")
        for leaf, way in zip(places(item.frame), item.ways, strict=True):
            yield Leaf(name=f"{leaf.name or VALUE}s" if way == "listed" else leaf.name)
            if way == "grows":
                yield Leaf(name=f"{leaf.name}_growth")


def expand(item: Leaf | Frame, codes: Iterator[Code], names: Mapping[str, Any]) -> Any:
    """What a frame comes to: the modules that it makes, each with the values that make it."""
    if isinstance(item, Leaf):
        return next(codes).value(names)
    found: list[Any] = [item.name]
    for inner in item.items:
        if isinstance(inner, Run):
            found += _rounds(inner, codes, names)
        else:
            found.append(expand(inner, codes, names))
    return tuple(found)


def _rounds(run: Run, codes: Iterator[Code], names: Mapping[str, Any]) -> list[Any]:
    count = None if run.listed else next(codes).value(names)
    own: list[tuple[Way, Code, Any]] = []
    for way in run.ways:
        code = next(codes)
        if way == "listed":
            count = len(code.value(names))
        own.append((way, code, next(codes).value(names) if way == "grows" else None))
    found = []
    for number in range(count or 0):
        inside = {**names, INDEX: run.start + number}
        values: list[Code] = []
        for way, code, growth in own:
            value = code.value(inside)
            if way == "listed":
                value = value[number]
            elif way == "grows":
                value += number * growth
            values.append(Constant(value))
        found.append(expand(run.frame, iter(values), inside))
    return found


# ---- as text ------------------------------------------------------------------------------------

Usual = Callable[[Any, Code], bool]
"""Whether an expression is what an option is anyway."""


def write(item: Item, codes: Iterator[Code], usual: Usual) -> Doc:
    """A frame with expressions in its places; options that are `usual` left out."""
    if isinstance(item, Leaf):
        return _listed(next(codes))
    if isinstance(item, Run):
        return _write_run(item, codes, usual)
    docs: list[Doc] = []
    for inner in item.items:
        if isinstance(inner, Leaf):
            code = next(codes)
            if inner.usual is not ... and usual(inner.usual, code):
                continue
            doc = _listed(code)
            docs.append(doc if inner.usual is ... else _with_name(inner.name, doc))
        else:
            docs.append(write(inner, codes, usual))
    if item.name == GIVEN:
        return call(str(docs[0]), docs[1:])
    if item.name:
        return call(item.name, docs)
    if len(docs) == 1 and isinstance(docs[0], Group) and docs[0].before == "*[":
        return docs[0]._replace(before="[")
    return Group("[", tuple(docs), "]")


def _with_name(name: str, doc: Doc) -> Doc:
    if isinstance(doc, Group):
        return doc._replace(before=f"{name}={doc.before}")
    return f"{name}={doc}"


def _listed(code: Code) -> Doc:
    """A literal list may need several lines."""
    content = code.content if isinstance(code, Constant) else None
    if isinstance(content, list) and not any(isinstance(each, list | tuple) for each in content):
        return Group("[", tuple(map(python, content)), "]")
    return str(code)


def _write_run(run: Run, codes: Iterator[Code], usual: Usual) -> Doc:
    count = None if run.listed else next(codes)
    source: Doc = ""
    values: list[Code] = []
    name = ""
    for leaf, way in zip(places(run.frame), run.ways, strict=True):
        code = next(codes)
        if way == "listed":
            source, name = _listed(code), leaf.name or VALUE
            values.append(Constant(None))
        elif way == "grows":
            values.append(_grown(code, next(codes)))
        else:
            values.append(code)
    if run.listed:
        if any(name in code.names() for code in values):
            name = VALUE
        place = next(n for n, way in enumerate(run.ways) if way == "listed")
        values[place] = Name(name)
    element = write(run.frame, iter(values), usual)
    if count is not None:
        if isinstance(count, Constant) and count.content == 1 and not run.start:
            return element
        name = INDEX if any(INDEX in code.names() for code in values) else "_"
        source = f"range({count})"
        if run.start and name == INDEX:
            source = f"range({run.start}, {_after(count, run.start)})"
    each: Doc = f"for {name} in {source}"
    if isinstance(source, Group):
        each = source._replace(before=f"for {name} in {source.before}")
    return Group("*[", (element, each), "]", commas=False)


def _after(count: Code, start: int) -> Code:
    return operation("+", count, Constant(start))


def _grown(start: Code, growth: Code) -> Code:
    if isinstance(growth, Constant) and growth.content < 0:
        by = operation("*", Constant(-growth.content), Name(INDEX))
        return Operation("-", start, by)
    by = operation("*", growth, Name(INDEX))
    return by if start == Constant(0) else Operation("+", start, by)
