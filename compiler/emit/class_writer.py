"""Writes the classes: one for each block of the spec, after the classes that it uses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import chain, count

from ..language.evaluate import divisible
from ..network import Node, Scope, nodes_of
from ..ops.base import helper
from .body import Bodies, Body, structure
from .branches import Ref, Unlike, arrange, places
from .class_contents import Contents, Expressions
from .code import Callee, frame
from .constructor import assignments, attributes, is_chain, literal, signature
from .forward import Forward
from .forward_names import SHORT
from .layout import Group, statement
from .lists import MapList
from .made_modules import Class, Modules, Parameter
from .scope_kinds import is_shortcut, origin
from .scopes import unchanged
from .source import Comments, Names, camel, docstring, singular

DIVISIBLE = helper(
    """\
def divisible(value: float, by: int = 8) -> int:
    nearest = max(by, int(value + by / 2) // by * by)
    return nearest + by if nearest < 0.9 * value else nearest
"""
)
assert divisible(30) == 32  # as the language has it

_MAX_TRIED = 8
"""At most this number of classes is tried for calls of another kind."""


class Classes(Modules):
    """Writes the classes of a network's parts."""

    def __init__(self, bodies: Bodies, comments: Comments, names: Names) -> None:
        super().__init__(bodies)
        self.comments = comments
        self.names = names

    def write(self, root: Scope) -> Contents:
        """Writes the classes of all parts; returns the contents of the class of the network."""
        for scopes in definitions(root, self.bodies):
            for same_class in self.kinds(scopes):
                self.classes_of(same_class, (self.by_structure, self.by_frame))
        return self.unchanged(self.bodies.body(root))

    def unchanged(self, body: Body) -> Contents:
        """The contents of a class that is used once and has no arguments."""
        items, outputs = arrange([body], {})
        made = {step.key: self.made(step, unchanged) for step in body.steps if step.name}
        for place in places(items):
            step = place.step
            place.numbers |= {n: self.number(step, n, unchanged) for n in step.numbers}
            place.texts |= {n: literal(code) for n, code in place.numbers.items()}
        return Contents(items, outputs, made)

    # ---- which calls share a class ----

    def kinds(self, scopes: Sequence[Scope]) -> list[list[Scope]]:
        """Groups the calls of one place in the spec by the class they share; mostly one group."""
        same_class: dict[object, tuple[Body, list[int]]] = {}
        for number, body in enumerate(map(self.bodies.body, scopes)):
            self.steps[id(scopes[number])] = {step.key: step for step in body.steps}
            same_class.setdefault(structure(body), (body, []))[1].append(number)
        paths = self.paths(scopes[0])
        result: list[tuple[list[Body], list[int]]] = []
        for body, numbers in sorted(same_class.values(), key=lambda each: -len(each[0].steps)):
            for bodies, own in result[:_MAX_TRIED]:
                try:
                    arrange([*bodies, body], paths)
                except Unlike:
                    continue
                bodies.append(body)
                own += numbers
                break
            else:
                result.append(([body], [*numbers]))
        return [[scopes[n] for n in own] for own in sorted(sorted(own) for _, own in result)]

    def classes_of(
        self, scopes: Sequence[Scope], keys: Sequence[Callable[[Scope], object]]
    ) -> None:
        """Writes one class, or where one cannot express all calls, one for each group of them."""
        try:
            self.class_of(scopes)
        except Unlike:
            groups: dict[object, list[Scope]] = {}
            for scope in scopes:
                groups.setdefault(keys[0](scope), []).append(scope)
            for group in groups.values():
                if len(keys) > 1:
                    self.classes_of(group, keys[1:])
                else:
                    self.class_of(group)

    def by_structure(self, scope: Scope) -> object:
        """The same for calls that differ only in numbers."""
        return structure(self.bodies.body(scope))

    def by_frame(self, scope: Scope) -> object:
        """The same for calls whose modules differ only in values."""
        steps = [step for step in self.steps[id(scope)].values() if step.name]
        return tuple([frame(self.made(step, unchanged)) for step in steps])

    # ---- one class ----

    def class_of(self, scopes: Sequence[Scope]) -> None:
        bodies = [*map(self.bodies.body, scopes)]
        if not any(body.steps for body in bodies):
            return  # nn.Identity
        writer = Expressions(self, scopes, bodies)
        contents = writer.contents()
        name = self.names.free(self.class_name(scopes[0]), "Part")
        codes = [*contents.made.values(), *dict(contents.local).values()]
        if any("divisible(" in str(code) for code in codes):
            self.helpers.setdefault(DIVISIBLE)
        lines = self.text(name, scopes[0], contents, writer.parameters, _clearest(bodies))
        leaves, reads = [p.leaf for p in writer.parameters], [p.read for p in writer.parameters]
        self.of_lists.update(p.name for p in writer.parameters if p.of_list)
        written = Class(Callee(name, tuple(leaves)), tuple(reads), lines)
        self.classes |= dict.fromkeys(map(id, scopes), written)
        self.written.append(written)

    def text(
        self,
        name: str,
        scope: Scope,
        contents: Contents,
        parameters: Sequence[Parameter],
        body: Body,
    ) -> list[str]:
        chain = is_chain(contents, len(body.inputs))
        base = "nn.Sequential" if chain else "nn.Module"
        if self.bodies.is_list(scope) or self.bodies.is_own_loop(scope):
            base = "nn.ModuleList"
        block = origin(scope).definition
        described = self.comments.above(block.span) if block is not None else []
        kept = attributes(contents)
        forward = [] if chain else _forward(contents, body)
        read = "\n".join(forward)
        kept = {code: name for code, name in kept.items() if f"self.{name}" in read}
        made = assignments(contents, kept)
        return class_text(f"{name}({base})", described, parameters, made, forward)

    def class_name(self, scope: Scope) -> str:
        what = origin(scope)
        if what.definition is not None:
            return camel(what.word)
        label = what.label
        if what.kind == "iteration" and what.parent is not None:
            parts = [*self.bodies.parts(scope)]
            words = [part.op.short_word for part in parts if isinstance(part, Node)]
            if len(words) == len(parts) <= 3:
                return "".join([word.upper() if len(word) <= 2 else camel(word) for word in words])
            return camel(_one_of(what.parent.label))
        if label is None and what.kind == "loop":
            around = scope.parent if scope is not what else None
            return camel("blocks" if around is None else _one_of(around.label))
        return camel(label or what.word)


def _one_of(label: str | None) -> str:
    """What a round of a loop with this label is called: `stage` for `stages`."""
    return singular(label or "blocks") or f"{label}_block"


def class_text(
    head: str,
    described: list[str],
    parameters: Sequence[Parameter],
    made: Sequence[str],
    *methods: Sequence[str],
) -> list[str]:
    """The lines of a class."""
    described = docstring(described, 1)
    lines = [f"class {head}:", *described, *([""] if described else [])]
    lines += [*signature(parameters), *made]
    for method in methods:
        lines += ["", *method] if method else []
    return lines


def _forward(contents: Contents, body: Body) -> list[str]:
    inputs = _inputs(body)
    kinds = [
        "list[Tensor]" if is_list else "Tensor | None" if head else "Tensor"
        for head, is_list in zip(body.heads, body.lists, strict=True)
    ]
    result = kinds[0] if len(kinds) == 1 else f"tuple[{', '.join(kinds)}]"
    lists = [n for n, node in enumerate(body.inputs) if isinstance(node, MapList)]
    types = ["list[Tensor]" if n in lists else "Tensor" for n in range(len(inputs))]
    arguments = (
        "self",
        *(f"{name}: {kind}" for name, kind in zip(inputs, types, strict=True)),
        *(f"{name}: nn.Module" for name in body.modules),
    )
    names = Names([*inputs, *SHORT, "paths", *body.modules])
    heads: Mapping[Ref, str] = {}
    if not all(body.heads):
        ends = zip(contents.outputs, body.heads, strict=True)
        heads = {value: names.free("aux") for value, is_aux in ends if is_aux}
    writer = Forward(contents.items, contents.outputs, inputs, names, heads=heads, lists=lists)
    return [*statement(Group("def forward(", arguments, f") -> {result}:"), 1), *writer.write()]


def _clearest(bodies: Sequence[Body]) -> Body:
    """A call to which no layer is given twice, if there is one: it shows what inputs are called."""
    clear = (body for body in bodies if len({n.index for n in body.inputs}) == len(body.inputs))
    return next(clear, bodies[0])


def _inputs(body: Body) -> list[str]:
    """The names of the arguments of `forward`: those by which the spec passes them in."""
    what = origin(body.scope)
    by_index = {node.index: name for name, node in what.given() if name}
    for node in nodes_of(what.input):
        by_index.pop(node.index, None)
    names = Names(["paths"])
    lists = [node for node in body.inputs if isinstance(node, MapList)]
    by_index |= {node.index: node.title or "maps" for node in lists}
    by_index = {index: re.sub(r"[\[\]]", "", name) for index, name in by_index.items()}
    given = [by_index.get(node.index) for node in body.inputs]
    own = {number: names.free(name) for number, name in enumerate(given) if name is not None}
    others = chain("xyz", (f"x{n}" for n in count(4)))
    spare = (name for name in others if name not in names.taken)
    return [own[n] if n in own else next(spare) for n in range(len(body.inputs))]


# ---- which scopes become classes ----------------------------------------------------------------

Origin = object
"""The place in the spec that a scope comes from: a block, a loop, a statement."""


def definitions(root: Scope, bodies: Bodies) -> list[list[Scope]]:
    """The scopes that need a class, grouped by their place in the spec; each place comes after the
    places of the scopes inside it."""
    order: list[Scope] = []
    stack = [root]
    while stack:
        order.append(stack.pop())
        stack += _scopes_in(order[-1], bodies)[::-1]
    try:
        return _sorted(order, bodies, _origin)
    except CycleError:  # blocks that are passed to one another: each call is a class
        return _sorted(order, bodies, id)


def _sorted(
    order: list[Scope], bodies: Bodies, origin_of: Callable[[Scope], Origin]
) -> list[list[Scope]]:
    result: dict[Origin, list[Scope]] = {}
    inside: dict[Origin, dict[Origin, None]] = {}  # no sets: their order differs from run to run
    for scope in order:
        if _is_class(scope, bodies):
            place = origin_of(scope)
            result.setdefault(place, []).append(scope)
            needed = inside.setdefault(place, {})
            stack = _scopes_in(scope, bodies)
            while stack:
                inner = stack.pop()
                if _is_class(inner, bodies):
                    needed[origin_of(inner)] = None
                else:
                    stack += _scopes_in(inner, bodies)
    return [result[place] for place in TopologicalSorter(inside).static_order()]


def _is_class(scope: Scope, bodies: Bodies) -> bool:
    """Whether a scope becomes a class; a loop is written where it is used."""
    is_loop = origin(scope).kind == "loop"
    is_class = not is_loop or bodies.is_list(scope) or bodies.is_own_loop(scope)
    return scope.parent is not None and is_class


def _scopes_in(scope: Scope, bodies: Bodies) -> list[Scope]:
    parts = bodies.parts(scope)
    return [part for part in parts if isinstance(part, Scope) and part.shares is None]


def _origin(scope: Scope) -> Origin:
    what = origin(scope)
    if what.definition is not None:
        return id(what.definition)
    if is_shortcut(what):
        return "shortcut"
    return what.span.source.name, what.span.start, what.kind
