"""How the module of each step is made: a layer, a call of a class, a loop of them."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..network import Node, Scope
from ..ops.base import ClassName
from .arguments import Definition
from .body import Bodies, Key, Step, origin
from .branches import paths_in
from .frame import GIVEN, Frame, Leaf, take_apart
from .loops import Round, loop
from .symbolic import traced
from .view import View, text_of


class Class(NamedTuple):
    """The text of a class."""

    name: str
    lines: tuple[str, ...]


class Modules:
    """The classes that are written so far, and how the modules of a network are made with them."""

    def __init__(self, bodies: Bodies) -> None:
        self.bodies = bodies
        self.written: list[Class] = []
        self.helpers: dict[str, None] = {}
        """Sources of the classes that layers come with, in the order in which they are needed."""
        self.definitions: dict[int, Definition] = {}
        """By the id of a scope: what it is a call of."""
        self.steps: dict[int, dict[Key, Step]] = {}
        """By the id of a scope that is a class."""
        self.handed: dict[int, bool] = {}
        """The layers that blocks are handed as classes, by index, and whether these are told to
        work in place."""

    def paths(self, scope: Scope) -> dict[tuple[str, int], Any]:
        region = text_of(origin(scope))
        return {} if region is None else paths_in(region)

    @staticmethod
    def is_made(step: Step) -> bool:
        """Whether a line of the constructor makes a module for it."""
        return bool(step.name) and not (step.template.startswith("{m}[") and step.loop is None)

    def made(self, step: Step, view: View) -> Round:
        """How the module of a step is made."""
        if step.loop is not None:
            return self.loop(step.loop, view)
        item = step.item
        if not isinstance(item, Node):
            return self.definitions[id(item)].call(view, item)
        shape, arriving = view.shapes(item)
        text = view.op(item).torch(shape, *arriving)
        if text.helper:
            self.helpers.setdefault(text.helper)
        assert text.module is not None
        inplace = self.handed.get(item.index)
        if inplace is None:
            return take_apart(text.module)
        kind = traced(ClassName(text.module.name), view.word(item))
        items = (Leaf(name=item.given or ""), *([Leaf(False, "inplace")] if inplace else []))
        return Frame(GIVEN, items), (kind, True)[: len(items)]

    def loop(self, scope: Scope, view: View) -> Round:
        count = view.rounds(origin(scope))
        return loop(self.rounds(scope, view), count, self.bodies.is_chain(scope))

    def rounds(self, scope: Scope, view: View) -> list[Round]:
        found: list[Round] = []
        for part in self.bodies.rounds(scope):
            if self.bodies.is_empty(part):
                found.append((Frame("nn.Identity", ()), ()))
            elif origin(part).kind == "loop" and self.bodies.is_chain(part):
                found.append(self.loop(part, view))
            else:
                found.append(self.definitions[id(part)].call(view, part))
        return found
