"""The constructor of a class: creates its modules and stores the conditions of `forward`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..build.scoping import not_for_modules
from ..language.values import python
from ..network import Node
from .branches import Arm, Choice, Item, Place, Ref, places
from .class_contents import Contents
from .code import Call, Code, Constant, Either, Named, all_of, negated, replaced
from .layout import STEP, WIDTH, Group, statement
from .made_modules import Parameter
from .source import Names
from .steps import SELF

_SEQUENTIAL_METHODS = frozenset({"append", "extend", "insert", "pop"})
_FRACTIONS = frozenset({"factor", "offset"})
"""Numbers in calls that are computed once, in the constructor."""
_OPTIONS = frozenset({"stride", "kernel", "width", "groups", "dilation", "padding", "in_channels"})
"""Names that stand for sizes and would mislead as names of conditions."""


def attributes(contents: Contents) -> Mapping[Code, str]:
    """The attributes that store the conditions of `forward` and what its numbers depend on. Enters
    the text of each condition in its arm, and those of numbers in their places."""
    kept: dict[Code, str] = {}
    names = {place.step.name for place in places(contents.items)}

    def free(wanted: str) -> str:
        """A name that neither a module nor torch's modules have."""
        name = Names(names).free(f"{wanted}_" if not_for_modules(wanted) else wanted)
        names.add(name)
        return name

    def look(items: Sequence[Item]) -> None:
        for item in items:
            if isinstance(item, Choice):
                several = sum(arm.condition is not None for arm in item.arms) > 1
                for arm in item.arms:
                    if arm.condition is not None:
                        arm.question = question(arm.condition, arm, several)
                    look(arm.items)

    def question(condition: Code, arm: Arm, several: bool) -> str:
        asked: dict[Code, str] = {Named(name): name for name in sorted(condition.names())}
        if several and all(
            kept.get(code) == name or not (name in names or not_for_modules(name))
            for code, name in asked.items()
        ):
            # Several conditions: the values that they compare are stored, not the results.
            kept.update(asked)
            names.update(asked.values())
            return str(replaced(condition, {code: Named(f"self.{code}") for code in asked}))
        if condition not in kept:
            kept[condition] = free(_flag(condition, arm))
        return f"self.{kept[condition]}"

    look(contents.items)
    for place in places(contents.items):
        for name, code in place.numbers.items():
            if not isinstance(code, Constant | Named) and name in _FRACTIONS:
                if code not in kept:
                    kept[code] = free(name)
                place.texts[name] = f"self.{kept[code]}"
                continue
            for read in sorted(code.names()):
                if Named(read) not in kept:
                    kept[Named(read)] = free(read)
            own: dict[Code, Code] = {
                Named(read): Named(f"self.{kept[Named(read)]}") for read in code.names()
            }
            place.texts[name] = literal(replaced(code, own))
    return kept


def literal(code: Code) -> str:
    """The text of a number in `forward`, with all digits."""
    exact = isinstance(code, Constant) and isinstance(code.content, float)
    return repr(code.content) if exact else str(code)


def _flag(condition: Code, arm: Arm) -> str:
    """The name of the attribute for a condition."""
    text = str(condition)
    if text.isidentifier():
        return text
    compared = re.fullmatch(r"(\w+) (?:!=|>) [01]", text)
    if compared and compared[1] not in _OPTIONS:
        return compared[1]
    step = next(places(arm.items)).step
    if step.name:
        return f"has_{step.name}"
    return step.item.scope.word if isinstance(step.item, Node) else step.item.word


def assignments(contents: Contents, kept: Mapping[Code, str]) -> list[str]:
    """The lines of a constructor that assign attributes."""
    lines = [f"{STEP * 2}super().__init__()"]
    lines += [f"{STEP * 2}{name} = {code}" for name, code in contents.local]
    lines += [f"{STEP * 2}self.{name} = {code}" for code, name in kept.items()]
    return lines + _assigned(contents, contents.items, 2)


def _assigned(contents: Contents, items: Sequence[Item], indent: int) -> list[str]:
    lines: list[str] = []
    for item in items:
        if isinstance(item, Place):
            if item.step.key in contents.made:
                lines += _made_lines(contents.made[item.step.key], item, indent)
            continue
        word = "if"
        without: list[Code] = []
        for arm in item.arms:
            inner = _assigned(contents, arm.items, indent + 1)
            asked = [] if arm.condition is None else [arm.condition]
            if not inner:
                without += map(negated, asked)
                continue
            if asked or (without and word == "if"):
                lines.append(f"{STEP * indent}{word} {all_of([*without, *asked])}:")
            else:
                lines.append(f"{STEP * indent}else:")
            without = without if word == "if" else []
            word = "elif"
            lines += inner
    return lines


def _made_lines(code: Code, place: Place, indent: int) -> list[str]:
    margin, name = STEP * indent, place.step.name
    if name == SELF and isinstance(code, Call):
        return statement(Group("self.extend(", (code.parts[0].doc(),), ")"), indent)
    doc = code.doc()
    if name.isdigit():  # an item of a list
        return statement(Group("self.append(", (doc,), ")"), indent)
    if isinstance(code, Either) and len(f"{margin}self.{name} = {doc}") > WIDTH:
        return [
            f"{margin}self.{name}: nn.Module = nn.Identity()",
            f"{margin}if {code.parts[1]}:",
            *statement(code.parts[0].doc(), indent + 1, before=f"self.{name} = "),
        ]
    lines = statement(doc, indent, before=f"self.{name} = ")
    if place.step.zero:
        lines.append(f"{margin}nn.init.zeros_(self.{name}.{place.step.zero})")
    return lines


def signature(parameters: Sequence[Parameter]) -> list[str]:
    texts = [
        f"{p.name}: {p.annotation}" + ("" if p.default is ... else f" = {python(p.default)}")
        for p in parameters
    ]
    return statement(Group("def __init__(", ("self", *texts), ") -> None:"), 1)


def is_chain(contents: Contents, inputs: int) -> bool:
    """Whether each step reads only the output of the one before: an `nn.Sequential`."""
    expected: Ref = (-1, 0)
    for item in contents.items:
        if isinstance(item, Choice) or item.operands != (expected,) or item.step.zero:
            return False
        if item.step.template != "{m}({0})" or item.step.name in _SEQUENTIAL_METHODS:
            return False
        expected = item.value
    return contents.outputs == (expected,) and inputs == 1
