"""The code that creates the module of each step: a layer, a call of a class, a loop of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...dsl.syntax import Name, Number, Switch
from ..language.values import Maps, Word
from ..network import Node, Scope, nodes_of
from ..ops.base import REGISTRY, CallText, ClassName, helpers_of
from ..shapes import axes_of
from .body import Bodies
from .branches import paths_in
from .code import BY_NAME, GIVEN, Call, Callee, Code, Constant, Leaf
from .lists import maps_in
from .loops import loop
from .scope_kinds import is_shortcut, origin
from .scopes import Of, channels, one_of_pair, text_of, unchanged, value_of
from .shared_modules import first_of_shared
from .steps import SELF, Key, Step
from .traced_values import Traced, code_of, plain, traced

Read = Callable[[Of, Scope], Any]
"""Reads the value of an argument in a call."""


@dataclass
class Parameter:
    """An argument of a class."""

    name: str
    read: Read
    values: list[Any] = field(default_factory=list)
    """Its value in each call."""
    default: Any = ...
    """`...` if there is none."""
    of_list: bool = False
    """Whether it has a number for each map of a list."""
    is_exact: bool = False
    """Whether a number is no size for all axes to what reads it: `kernel[0]`."""

    @property
    def leaf(self) -> Leaf:
        """Its place in a call; rates are required, by name."""
        is_rate = self.default is ... and any(type(value) is float for value in self.values)
        return Leaf(self.name, BY_NAME if is_rate else self.default)

    @property
    def annotation(self) -> str:
        if self.of_list:
            return "tuple[int, ...]"
        types = dict.fromkeys(map(type_text, self.values))
        if "float" in types:
            types.pop("int", None)  # which `float` includes
        sides = [value for value in self.values if isinstance(value, tuple)]
        if sides and not self.is_exact and all(type(n) is int for each in sides for n in each):
            types = {"int": None, **types}  # as torch takes a size for all axes
        if "None" in types:
            types["None"] = types.pop("None")  # at the end
        return " | ".join(types)


def type_text(value: Any) -> str:
    if isinstance(value, ClassName):
        return "type[nn.Module]"
    if isinstance(value, tuple):
        return f"tuple[{', '.join(map(type_text, value))}]"
    if isinstance(value, list):
        return f"list[{type_text(value[0])}]" if value else "list[int]"
    return "None" if value is None else type(value).__name__


class Class(NamedTuple):
    """A written class, as its callers see it."""

    callee: Callee
    reads: tuple[Read, ...]
    """Readers of its arguments."""
    lines: list[str]

    def call(self, of: Of, scope: Scope) -> Code:
        return Call(self.callee, *[code_of(read(of, scope)) for read in self.reads])


class Modules:
    """The classes written so far, and the code of modules that use them."""

    def __init__(self, bodies: Bodies) -> None:
        self.bodies = bodies
        self.written: list[Class] = []
        self.helpers: dict[str, None] = {}
        """Sources of helper classes of layers, in the order in which they are needed."""
        self.classes: dict[int, Class] = {}
        """The class of each scope, by its id."""
        self.steps: dict[int, dict[Key, Step]] = {}
        """The steps of each scope that becomes a class, by its id."""
        self.of_lists: set[str] = set()
        """The names of arguments that have a number for each map of a list."""
        self.passed: dict[int, bool] = {}
        """The layers passed to blocks as classes, by index, and whether they work in place."""

    def paths(self, scope: Scope) -> dict[tuple[str, int], Any]:
        region = text_of(origin(scope))
        return {} if region is None else paths_in(region)

    def made(self, step: Step, of: Of) -> Code:
        """The code that creates the module of a step."""
        if isinstance(step.item, Node):
            return self.layer(step.item, of)
        return self.loop(step.item, of) if step.name == SELF else self.part(step.item, of)

    def number(self, step: Step, name: str, of: Of) -> Code:
        """The code of a number in the call of a step."""
        item = step.item if isinstance(step.item, Node) else first_of_shared(step.item)
        call = of(item).torch.call
        return code_of(call.numbers[name]) if isinstance(call, CallText) else Constant(None)

    def layer(self, real: Node, of: Of) -> Code:
        node = of(real)
        text = node.torch
        for source in helpers_of(text):
            self.helpers.setdefault(source)
        inplace = self.passed.get(real.index)
        if inplace is None:
            return code_of(text.module)
        made: Code = Constant(ClassName(text.module.name))
        if isinstance(node.given, Traced):
            made = node.given.code
        own = Leaf(real.given or "")
        if inplace:
            return Call(Callee(GIVEN, (own, Leaf("inplace", False))), made, Constant(True))
        return Call(Callee(GIVEN, (own,)), made)

    def loop(self, scope: Scope, of: Of) -> Code:
        count = code_of(of(origin(scope)).count)
        rounds = [self.part(part, of) for part in self.bodies.rounds(scope)]
        return loop(rounds, count, listed=self.is_module_list(scope))

    def is_module_list(self, loop: Scope) -> bool:
        """Whether `forward` calls the rounds of a loop, and not their `nn.Sequential`."""
        bodies = self.bodies
        is_list = bodies.is_parallel(loop) or bodies.zipped(loop) is not None
        return is_list or bodies.carry(loop) is not None

    def part(self, part: Scope, of: Of) -> Code:
        if self.bodies.is_empty(part) or self.passes_on(part):
            return Call(Callee("nn.Identity", ()))
        is_class = self.bodies.is_list(part) or self.bodies.is_own_loop(part)
        if origin(part).kind == "loop" and not is_class:
            return self.loop(part, of)
        return self.classes[id(part)].call(of, part)

    def list_channels(self, number: int) -> Read:
        """Reads the channels of a list that a class reads from outside: of this input of it."""

        def read(of: Of, scope: Scope) -> Any:
            value = self.bodies.body(scope).inputs[number]
            return tuple([channels(of(node)) for node in maps_in(value)])

        return read

    def passes_on(self, part: Scope) -> bool:
        """Whether a round leaves the map as it is, beside rounds that do not."""
        return (
            id(part) not in self.classes
            and part.kind == "iteration"
            and part.just is None
            and (not self.bodies.body(part).steps)
        )


# ---- arguments ----------------------------------------------------------------------------------


def argument_of(word: str) -> Read:
    def read(of: Of, scope: Scope) -> Any:
        value = value_of(of, origin(scope), word)
        if isinstance(value, Word):
            return traced(class_of_layer(value, axes_in(scope)), code_of(value))
        return one_of_pair(value)

    return read


def input_channels(of: Of, scope: Scope) -> Any:
    what = origin(scope)
    traced = of(what)
    if traced is not what and traced.input is not None:
        return channels_of(unchanged, traced.input)
    return channels_of(of, what.input)


def channels_of(of: Of, value: Node | Maps | None) -> Any:
    """The channels of a map; of a list of maps, those of each."""
    if isinstance(value, Maps):
        return tuple([channels(of(node)) for node in value])
    return 0 if value is None else channels(of(value))


def axes_in(scope: Scope) -> int:
    """The number of spatial axes that the layers of a scope work on."""
    return max([axes_of(node.shape) for node in nodes_of(origin(scope).input)], default=0) or 2


def map_channels(name: str) -> Read:
    """Reads the channels of what a block or round is given by name."""

    def read(of: Of, scope: Scope) -> Any:
        what = origin(scope)
        traced = of(what)
        if traced is not what:  # in the rounds of a loop, other expressions for one layer
            return channels_of(unchanged, traced.maps.get(name))
        return channels_of(of, what.maps.get(name))

    return read


def class_of_layer(word: str, axes: int) -> ClassName:
    """`nn.ReLU` for `relu`."""
    shape = (8,) * (1 + axes)
    module = REGISTRY[str(word)]().torch(shape, shape).module
    return ClassName(module.name if module is not None else "")


def defaults_of(what: Scope) -> Mapping[str, Any]:
    """The defaults of a block's parameters that a class can express."""
    if is_shortcut(what):
        return {"stride": 1}
    parameters = () if what.definition is None else what.definition.parameters
    return {
        p.name.value: p.default.value
        for p in parameters
        if isinstance(p.default, Number | Switch | Name)
    }


def default_for(values: Sequence[Any], default: Any, axes: int) -> Any:
    if isinstance(values[0], ClassName):
        try:
            return class_of_layer(default, axes)
        except (KeyError, TypeError):
            return ...
    if any(type(value) is not type(default) for value in values):
        default = ...
    if default is ... and all(type(value) is bool for value in values):
        return False  # `Part(16, False)` is hard to read
    return default


def plain_pair(value: Any) -> Any:
    return one_of_pair(plain(value))


def is_literal(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(type(each) in (int, float) for each in value)
    return type(value) in (int, float, bool)
