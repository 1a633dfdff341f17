"""The constructor of a class: the lines that make its modules and keep what `forward` asks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ..language.values import python
from ..network import Node
from .body import Body
from .branches import Arm, Choice, Item, Place, Ref, places
from .code import Code, Named, all_of, negated, replaced
from .contents import Contents
from .layout import STEP, WIDTH, Group, statement
from .modules import Parameter
from .source import Names

_SEQUENTIAL_METHODS = frozenset({"append", "extend", "insert", "pop"})


class Flags:
    """How `forward` asks what the constructor was told: by attributes."""

    def __init__(self, contents: Contents) -> None:
        self.kept: dict[Code, str] = {}
        """By condition: the attribute that keeps it."""
        self.alone: set[Choice] = set()
        """The choices that are nn.Identity where they are not made."""
        self.known: set[str] = set()
        """Arguments that are kept as they are."""
        names = {place.step.name for place in places(contents.items)}
        self.look(contents.items, names)

    def look(self, items: Sequence[Item], names: set[str]) -> None:
        for item in items:
            if isinstance(item, Place):
                continue
            if _stands_alone(item):
                self.alone.add(item)
                continue
            asked = [arm.condition for arm in item.arms]
            several = sum(condition is not None for condition in asked) > 1
            for arm, condition in zip(item.arms, asked, strict=True):
                if condition is not None:
                    arm.question = self.question(condition, arm, several, names)
                self.look(arm.items, names)

    def question(self, condition: Code, arm: Arm, several: bool, names: set[str]) -> str:
        if several and names.isdisjoint(condition.names() - self.known):
            # Several questions: what they ask about is kept, not the answers.
            for name in sorted(condition.names()):
                self.kept[Named(name)] = name
                names.add(name)
                self.known.add(name)
            by: dict[Code, Code] = {Named(n): Named(f"self.{n}") for n in condition.names()}
            return str(replaced(condition, by))
        if condition not in self.kept:
            self.kept[condition] = Names(names).free(_flag(condition, arm))
            names.add(self.kept[condition])
        return f"self.{self.kept[condition]}"

    def lines(self) -> list[str]:
        return [f"{STEP * 2}self.{name} = {condition}" for condition, name in self.kept.items()]

    def without_alone(self, contents: Contents) -> tuple[list[Item], tuple[Ref, ...]]:
        """The steps of `forward`, to which these are there always."""
        stands: dict[Ref, Ref] = {}

        def ref(found: Ref) -> Ref:
            while found in stands:
                found = stands[found]
            return found

        def changed(items: Sequence[Item]) -> list[Item]:
            made: list[Item] = []
            for item in items:
                if isinstance(item, Place):
                    operands = tuple(map(ref, item.operands))
                    made.append(Place(item.step, operands, item.calls))
                elif item in self.alone:
                    (place,) = item.arms[0].items
                    assert isinstance(place, Place)
                    made += changed([place])
                    stands[item.value] = place.value
                else:
                    arms = [
                        replace(arm, items=changed(arm.items), exit=ref(arm.exit))
                        for arm in item.arms
                    ]
                    entry = None if item.entry is None else ref(item.entry)
                    made.append(Choice(arms, item.value, entry, item.missing))
            return made

        items = changed(contents.items)
        return items, tuple(map(ref, contents.outputs))


def _flag(condition: Code, arm: Arm) -> str:
    """What the answer to a question is called."""
    text = str(condition)
    if text.isidentifier():
        return text
    plain_ = re.fullmatch(r"(\w+) (?:!=|>) [01]", text)
    if plain_ and plain_[1] not in _OPTIONS:
        return plain_[1]
    place = next(places(arm.items))
    if place.step.name:
        return f"has_{place.step.name}"
    item = place.step.item
    return item.scope.word if isinstance(item, Node) else item.word


_OPTIONS = frozenset({"stride", "kernel", "width", "groups", "dilation", "padding", "in_channels"})
"""Names that everybody knows as sizes, not as answers."""


def _stands_alone(choice: Choice) -> bool:
    """Whether a step that is not always there can be nn.Identity where it is missing."""
    if len(choice.arms) != 1 or len(choice.arms[0].items) != 1:
        return False
    (place,) = choice.arms[0].items
    if not isinstance(place, Place) or place.step.template != "{m}({0})" or place.step.zero:
        return False
    return choice.entry == place.operands[0] and choice.arms[0].exit == place.value


def assignments(contents: Contents, flags: Flags) -> list[str]:
    """The lines of a constructor that make what a class holds."""
    lines = [f"{STEP * 2}super().__init__()"]
    lines += [f"{STEP * 2}{name} = {code}" for name, code in contents.local]
    lines += flags.lines()
    _assign(contents, contents.items, flags, 2, lines)
    return lines


def _assign(
    contents: Contents, items: Sequence[Item], flags: Flags, indent: int, lines: list[str]
) -> None:
    for item in items:
        if isinstance(item, Place):
            _make(contents, item, indent, lines)
        elif item in flags.alone:
            (place,) = item.arms[0].items
            assert isinstance(place, Place)
            condition = item.arms[0].condition
            lines += _or_identity(contents, place, condition, indent)
        else:
            word = "if"
            left_out: list[Code] = []
            for arm in item.arms:
                condition = arm.condition
                inner: list[str] = []
                _assign(contents, arm.items, flags, indent + 1, inner)
                if not inner:
                    if condition is not None:
                        left_out.append(negated(condition))
                    continue
                asked = [*left_out, *([] if condition is None else [condition])]
                left_out = left_out if word == "if" else []
                if not asked or (condition is None and word == "elif"):
                    lines.append(f"{STEP * indent}else:")
                else:
                    lines.append(f"{STEP * indent}{word} {all_of(asked)}:")
                word = "elif"
                lines += inner


def _make(contents: Contents, place: Place, indent: int, lines: list[str]) -> None:
    if place.step.key not in contents.made:
        return
    doc = contents.made[place.step.key].doc()
    if place.step.name.isdigit():  # the place in a list
        lines += statement(Group("self.append(", (doc,), ")"), indent)
    else:
        lines += statement(doc, indent, before=f"self.{place.step.name} = ")
    if place.step.zero:
        lines.append(f"{STEP * indent}nn.init.zeros_(self.{place.step.name}.weight)")


def _or_identity(
    contents: Contents, place: Place, condition: Code | None, indent: int
) -> list[str]:
    doc, name = contents.made[place.step.key].doc(), place.step.name
    line = f"{STEP * indent}self.{name} = {doc} if {condition} else nn.Identity()"
    if len(line) <= WIDTH:
        return [line]
    return [
        f"{STEP * indent}self.{name}: nn.Module = nn.Identity()",
        f"{STEP * indent}if {condition}:",
        *statement(doc, indent + 1, before=f"self.{name} = "),
    ]


def signature(parameters: Sequence[Parameter]) -> list[str]:
    texts = [
        f"{p.name}: {p.annotation}" + ("" if p.default is ... else f" = {python(p.default)}")
        for p in parameters
    ]
    return statement(Group("def __init__(", ("self", *texts), ") -> None:"), 1)


def is_chain(contents: Contents, body: Body) -> bool:
    """Whether each step takes what leaves the one before, so that nobody has to write `forward`."""
    expected: Ref = (-1, 0)
    for item in contents.items:
        place: Item = item
        if isinstance(item, Choice):
            if not _stands_alone(item):
                return False
            (place,) = item.arms[0].items
        assert isinstance(place, Place)
        simple = place.step.template == "{m}({0})" and place.step.name not in _SEQUENTIAL_METHODS
        if not simple or place.operands != (expected,) or place.step.zero:
            return False
        expected = item.value
    return contents.outputs == (expected,) and len(body.inputs) == 1
