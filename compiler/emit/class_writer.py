"""Classes: one for each block of the spec, written from its text, after those it is made of."""

from __future__ import annotations

from collections.abc import Sequence

from ..language.evaluate import divisible
from ..network import Node, Scope
from ..ops.base import helper
from .body import Bodies, Body, origin, structure, with_sums
from .branches import Unlike, arrange
from .code import frame
from .comments import Comments
from .constructor import assignments, is_chain, questions, signature
from .contents import Contents, Expressions
from .definitions import definitions
from .forward import SHORT, Forward
from .layout import STEP, Group, statement
from .modules import Class, Modules
from .scopes import as_it_is
from .source import Names, camel, docstring

DIVISIBLE = helper(
    """\
def divisible(value: float, by: int = 8) -> int:
    nearest = max(by, int(value + by / 2) // by * by)
    return nearest + by if nearest < 0.9 * value else nearest
"""
)
assert divisible(30) == 32  # as the language has it


class Classes(Modules):
    """Writes the classes of a network's parts."""

    def __init__(self, bodies: Bodies, comments: Comments, names: Names) -> None:
        super().__init__(bodies)
        self.comments = comments
        self.names = names

    def write(self, root: Scope) -> Contents:
        """Writes the classes of all that a network is made of; returns the network's own steps."""
        for scopes in definitions(root, self.bodies):
            for alike in self.kinds(scopes):
                self.define(alike)
        return self.as_it_is(self.bodies.body(root))

    def as_it_is(self, body: Body) -> Contents:
        """The contents of a class that there is one of, and that takes no arguments."""
        items, outputs = arrange([body], {})
        made = {step.key: self.made(step, as_it_is) for step in body.steps if step.is_made}
        return Contents(items, outputs, made)

    # ---- which calls are one class ----

    def kinds(self, scopes: Sequence[Scope]) -> list[list[Scope]]:
        """The calls that one class can stand for: mostly all that come from one place."""
        bodies = with_sums([self.bodies.body(scope) for scope in scopes])
        for scope, body in zip(scopes, bodies, strict=True):
            self.steps[id(scope)] = {step.key: step for step in body.steps}
        groups: dict[object, list[Scope]] = {}
        samples: dict[object, Body] = {}
        for scope, body in zip(scopes, bodies, strict=True):
            kind = structure(body)
            groups.setdefault(kind, []).append(scope)
            samples.setdefault(kind, body)
        paths = self.paths(scopes[0])
        found: list[tuple[list[Body], list[Scope]]] = []
        for kind in sorted(groups, key=lambda each: -len(samples[each].steps)):
            for known, own in found[:8]:
                try:
                    arrange([*known, samples[kind]], paths)
                except Unlike:
                    continue
                known.append(samples[kind])
                own += groups[kind]
                break
            else:
                found.append(([samples[kind]], list(groups[kind])))
        position = {id(scope): number for number, scope in enumerate(scopes)}
        ordered = [sorted(own, key=lambda s: position[id(s)]) for _, own in found]
        return sorted(ordered, key=lambda own: position[id(own[0])])

    def define(self, scopes: Sequence[Scope]) -> None:
        """The class of calls, or the classes, if one cannot say what all of them are."""
        try:
            self.class_of(scopes)
            return
        except Unlike:
            pass
        kinds: dict[object, list[Scope]] = {}
        for scope in scopes:
            made = tuple(
                [
                    frame(self.made(step, as_it_is))
                    for step in self.steps[id(scope)].values()
                    if step.is_made
                ]
            )
            kinds.setdefault((made, structure(self.bodies.body(scope))), []).append(scope)
        for alike in kinds.values():
            self.class_of(alike)

    # ---- a class ----

    def class_of(self, scopes: Sequence[Scope]) -> None:
        bodies = with_sums([self.bodies.body(scope) for scope in scopes])
        writer = Expressions(self, scopes, bodies)
        contents = writer.contents()
        name = self.names.free(self.class_name(scopes[0]), "Part")
        lines = self.text(name, scopes[0], contents, writer)
        written = Class(name, tuple(writer.parameters), lines)
        self.classes |= dict.fromkeys(map(id, scopes), written)
        self.written.append(written)

    def text(self, name: str, scope: Scope, contents: Contents, writer: Expressions) -> list[str]:
        if any(
            "divisible(" in str(c)
            for c in [*contents.made.values(), *dict(contents.local).values()]
        ):
            self.helpers.setdefault(DIVISIBLE)
        body = writer.calls[0].body
        chain = is_chain(contents, len(body.inputs))
        base = "nn.Sequential" if chain else "nn.Module"
        if self.bodies.is_list(scope):
            base = "nn.ModuleList"
        lines = [f"class {name}({base}):"]
        described = self.described(scope)
        made = assignments(contents, questions(contents))
        if len(made) == 1 and not writer.parameters and base != "nn.Module":
            made = [f"{STEP * 2}super().__init__()"]
        lines += [*described, *([""] if described else []), *signature(writer.parameters), *made]
        if not chain:
            lines += ["", *self.forward(body, contents)]
        return lines

    def forward(self, body: Body, contents: Contents) -> list[str]:
        inputs = ["x", "y", "z", *(f"x{n}" for n in range(4, 100))][: len(body.inputs)]
        tensors = ["Tensor | None" if head else "Tensor" for head in body.heads]
        result = tensors[0] if len(tensors) == 1 else f"tuple[{', '.join(tensors)}]"
        arguments = ("self", *(f"{name}: Tensor" for name in inputs))
        names = Names([*inputs, *SHORT, "paths"])
        items, outputs = contents.items, contents.outputs
        heads = {
            v: names.free("aux") for v, is_aux in zip(outputs, body.heads, strict=True) if is_aux
        }
        if all(body.heads):
            heads = {}
        writer = Forward(items, outputs, inputs, names, heads=heads)
        signature = statement(Group("def forward(", arguments, f") -> {result}:"), 1)
        return [*signature, *writer.write()]

    def described(self, scope: Scope) -> list[str]:
        what = origin(scope)
        if what.definition is None:
            return []
        span = what.definition.span
        return docstring(self.comments.above(span.source, span.line), 1)

    def class_name(self, scope: Scope) -> str:
        what = origin(scope)
        if what.kind == "block" or what.word == "if":
            return camel(what.label or what.word) if what.definition is None else camel(what.word)
        label = what.label
        if what.kind == "iteration" and what.parent is not None:
            words = [
                part.op.short_word for part in self.bodies.parts(scope) if isinstance(part, Node)
            ]
            if len(words) <= 3 and len(words) == len(list(self.bodies.parts(scope))):
                return "".join(map(_spelled, words))
            label = what.parent.label or "blocks"
            return camel(label.rstrip("s") if label.endswith("s") else f"{label}_block")
        return camel(label or what.word)


def _spelled(word: str) -> str:
    """A word of the language in the name of a class."""
    return word.upper() if len(word) <= 2 else camel(word)
