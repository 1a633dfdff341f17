"""Classes: one for each block of the spec, each after those that it is made of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from ..network import Node, Scope
from .asked import Conditions, Question
from .body import Bodies, Body, Step, origin
from .comments import Comments
from .definitions import definitions
from .forward import SHORT, Forward, exits
from .frame import Frame, Leaf, take_apart, write
from .kinds import with_kinds
from .known import arithmetic, known_names
from .layout import STEP, WIDTH, Doc, Group, statement
from .loops import Round, apart, loop, repeated
from .solve import DIVISIBLE, Name, Parameter, Solution, literal, solve
from .source import Names, camel, docstring
from .sums import with_sums
from .unite import Place, Union, unite
from .widths import name_widths

T = TypeVar("T")

_SEQUENTIAL_METHODS = frozenset({"append", "extend", "insert", "pop"})


class Class(NamedTuple):
    """The text of a class."""

    name: str
    lines: tuple[str, ...]


class Classes:
    """Writes the classes of a network's parts."""

    def __init__(self, bodies: Bodies, comments: Comments, names: Names) -> None:
        self.bodies = bodies
        self.conditions = Conditions(bodies.network.program)
        self.comments = comments
        self.names = names
        self.written: list[Class] = []
        self.helpers: dict[str, None] = {}
        """Sources of the classes that layers come with, in the order in which they are needed."""
        self.made: dict[int, Round] = {}
        """By the id of a scope: how it is made."""

    def write(self, root: Scope) -> Union:
        """Writes the classes of all that a network is made of; returns the network's own steps."""
        for scopes in definitions(root, self.bodies):
            self.define(scopes)
        (union,) = self.united([self.bodies.body(root)])
        return union

    def write_flat(self) -> Union:
        """All layers as the network's own steps."""
        (union,) = self.united([self.bodies.flat()])
        return union

    # ---- what a class is for ----

    def define(self, scopes: Sequence[Scope]) -> None:
        """The class, or classes, of scopes that come from one place of the spec."""
        for union in self.united([self.bodies.body(scope) for scope in scopes]):
            name = self.names.free(self.class_name(union.bodies[0].scope), "Part")
            self.class_of(name, union)

    def united(self, bodies: Sequence[Body]) -> list[Union]:
        found = []
        for union in unite(self.filled(bodies)):
            if _writable(union):
                found.append(union)
                continue
            # Optional in a way that no `if` can say: each structure is a class of its own.
            kinds: dict[object, list[Body]] = {}
            for body in union.bodies:
                kinds.setdefault(tuple(step.key for step in body.steps), []).append(body)
            for kind in kinds.values():
                found += unite(kind)
        return found

    def filled(self, bodies: Sequence[Body]) -> list[Body]:
        """With a frame for each step that holds a module."""
        loops: dict[object, list[list[Round]]] = {}
        for body in bodies:
            for step in body.steps:
                if step.loop is not None:
                    loops.setdefault(step.key, []).append(self.rounds(step.loop))
        forms = {key: _common(rounds) for key, rounds in loops.items()}
        counts = dict.fromkeys(forms, 0)
        found = []
        for body in bodies:
            steps = []
            for step in body.steps:
                if step.loop is not None:
                    form = forms[step.key][counts[step.key]]
                    counts[step.key] += 1
                    chain = self.bodies.is_chain(step.loop)
                    frame, leaves = form or loop(self.rounds(step.loop), chain)
                    if not chain:
                        frame, leaves = loop(self.rounds(step.loop), chain=False)
                    steps.append(step._replace(frame=frame, leaves=leaves))
                else:
                    steps.append(self.filled_step(step))
            found.append(body._replace(steps=tuple(steps)))
        return with_sums(with_kinds(found))

    def filled_step(self, step: Step) -> Step:
        if isinstance(step.item, Node):
            text = step.item.op.torch(step.item.shape, *step.item.input_shapes)
            if text.helper:
                self.helpers.setdefault(text.helper)
            if step.constructor is None:
                return step
            frame, leaves = take_apart(step.constructor)
            return step._replace(frame=frame, leaves=leaves)
        if step.template.startswith("{m}["):
            return step  # a list holds it
        frame, leaves = self.made[id(step.item)]
        return step._replace(frame=frame, leaves=leaves)

    def rounds(self, scope: Scope) -> list[Round]:
        found: list[Round] = []
        for part in self.bodies.rounds(scope):
            if self.bodies.is_empty(part):
                found.append((Frame("nn.Identity", ()), ()))
            elif origin(part).kind == "loop" and self.bodies.is_chain(part):
                found.append(loop(self.rounds(part), self.bodies.is_chain(part)))
            else:
                found.append(self.made[id(part)])
        return found

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

    # ---- as text ----

    def class_of(self, name: str, union: Union) -> None:
        known = known_names(union)
        taken = [name, *(made.name for made in self.written)]
        scopes = [body.scope for body in union.bodies]
        union, known, stands = _distinct(union, known)
        questions = self.questions(union)
        solution = solve(union.places, known, arithmetic(union), taken, questions)
        if any("divisible(" in text for texts in solution.texts for text in texts):
            self.helpers.setdefault(DIVISIBLE)
        solution = name_widths(solution, union, taken)
        parameters = solution.parameters
        items = tuple([Leaf(p.usual, p.name) for p in parameters])
        for scope, number in zip(scopes, stands, strict=True):
            leaves = tuple([p.values[number] for p in parameters])
            self.made[id(scope)] = Frame(name, items), leaves
        chain = _is_chain(union)
        base = "nn.Sequential" if chain else "nn.Module"
        if self.bodies.is_list(union.bodies[0].scope):
            base = "nn.ModuleList"
        lines = [f"class {name}({base}):"]
        described = self.described(union.bodies[0].scope)
        if described:
            lines += [*described, ""]
        flags = Flags(union, solution, parameters)
        lines += _signature(parameters)
        lines += assignments(union.places, solution, None if chain else flags)
        if not chain:
            lines += ["", *self.forward(union, flags)]
        self.written.append(Class(name, tuple(lines)))

    def questions(self, union: Union) -> list[Question | None]:
        """What the spec's own conditions ask before each place."""
        what = origin(union.bodies[0].scope)
        within = what.definition.span if what.definition is not None else what.span
        return [
            self.conditions.around(place.step.item.span, within) if place.optional else None
            for place in union.places
        ]

    def forward(self, union: Union, flags: Flags) -> list[str]:
        body = union.bodies[0]
        inputs = ["x", "y", "z", *(f"x{n}" for n in range(4, 100))][: len(body.inputs)]
        tensors = ["Tensor | None" if head else "Tensor" for head in body.heads]
        result = tensors[0] if len(tensors) == 1 else f"tuple[{', '.join(tensors)}]"
        arguments = ("self", *(f"{name}: Tensor" for name in inputs))
        names = Names([*inputs, *SHORT, "paths"])
        heads = {
            v: names.free("aux")
            for v, is_aux in zip(union.outputs, body.heads, strict=True)
            if is_aux
        }
        if all(body.heads):
            heads = {}
        writer = Forward(union.places, union.outputs, inputs, names, flags.questions, heads=heads)
        signature = statement(Group("def forward(", arguments, f") -> {result}:"), 1)
        return [*signature, *writer.write()]

    def described(self, scope: Scope) -> list[str]:
        what = origin(scope)
        if what.definition is None:
            return []
        span = what.definition.span
        return docstring(self.comments.above(span.source, span.line), 1)


class Flags:
    """How `forward` asks what the constructor was told: by attributes."""

    def __init__(self, union: Union, solution: Solution, parameters: Sequence[Parameter]) -> None:
        self.kept: dict[str, str] = {}
        """By condition: the attribute that keeps it."""
        self.questions: list[str] = []
        names = {place.step.name for place in union.places}
        for number, place in enumerate(union.places):
            condition = solution.conditions[number]
            if not condition or _stands_alone(union.places, solution, number):
                self.questions.append("")
                continue
            if condition not in self.kept:
                self.kept[condition] = Names(names).free(_flag(condition, place))
                names.add(self.kept[condition])
            self.questions.append(f"self.{self.kept[condition]}")

    def lines(self) -> list[str]:
        return [f"{STEP * 2}self.{name} = {condition}" for condition, name in self.kept.items()]


def _flag(condition: str, place: Place) -> str:
    """What the answer to a question is called."""
    if condition.isidentifier():
        return condition
    plain = re.fullmatch(r"(\w+) (?:!=|>) [01]", condition)
    if plain and plain[1] not in _OPTIONS:
        return plain[1]
    if place.step.name:
        return f"has_{place.step.name}"
    item = place.step.item
    return item.scope.word if isinstance(item, Node) else item.word


_OPTIONS = frozenset({"stride", "kernel", "width", "groups", "dilation", "padding", "in_channels"})
"""Names that everybody knows as sizes, not as answers."""


def assignments(places: Sequence[Place], solution: Solution, flags: Flags | None) -> list[str]:
    """The lines of a constructor that make what a class holds."""
    lines = [f"{STEP * 2}super().__init__()"]
    lines += [f"{STEP * 2}{name} = {text}" for name, text in solution.local]
    if flags is not None:
        lines += flags.lines()
    within = ""
    for number, place in enumerate(places):
        if place.step.frame is None:
            continue
        doc = doc_of(place, solution.texts[number])
        before = f"self.{place.step.name} = "
        if place.step.name.isdigit():  # the place in a list
            before, doc = "", Group("self.append(", (doc,), ")")
        condition = solution.conditions[number]
        alone = flags is not None and not flags.questions[number]
        if condition and alone:
            lines += _or_identity(place.step.name, doc, condition)
            within = ""
        else:
            if condition and condition != within:
                lines.append(f"{STEP * 2}if {condition}:")
            within = condition
            lines += statement(doc, 3 if condition else 2, before=before)
        if place.step.zero:
            indent = STEP * (3 if condition else 2)
            lines.append(f"{indent}nn.init.zeros_(self.{place.step.name}.weight)")
    return lines


def _or_identity(name: str, doc: Doc, condition: str) -> list[str]:
    line = f"{STEP * 2}self.{name} = {doc} if {condition} else nn.Identity()"
    if len(line) <= WIDTH:
        return [line]
    return [
        f"{STEP * 2}self.{name}: nn.Module = nn.Identity()",
        f"{STEP * 2}if {condition}:",
        *statement(doc, 3, before=f"self.{name} = "),
    ]


def doc_of(place: Place, texts: Sequence[str]) -> Doc:
    assert place.step.frame is not None
    waiting = iter(texts)
    return write(
        place.step.frame,
        lambda: next(waiting),
        lambda usual, text: literal(usual) == text,
    )


def _signature(parameters: Sequence[Parameter]) -> list[str]:
    texts = [
        f"{p.name}: {p.annotation}" + ("" if p.default is ... else f" = {literal(p.default)}")
        for p in parameters
    ]
    return statement(Group("def __init__(", ("self", *texts), ") -> None:"), 1)


# ---- questions about unions ---------------------------------------------------------------------


def _is_chain(union: Union) -> bool:
    """Whether each step takes what leaves the one before, so that nobody has to write `forward`."""
    expected: object = (-1, 0)
    for place in union.places:
        simple = place.step.template == "{m}({0})" and place.step.name not in _SEQUENTIAL_METHODS
        if not simple or place.operands != (expected,) or place.step.zero:
            return False
        expected = (place.step.key, 0)
    return union.outputs == (expected,) and len(union.bodies[0].inputs) == 1


def _writable(union: Union) -> bool:
    try:
        position = 0
        while position < len(union.places):
            present = union.places[position].present
            end = position + 1
            while end < len(union.places) and union.places[end].present == present:
                end += 1
            if not all(present):
                exits(union.places[position:end], union.places, union.outputs)
            position = end
    except ValueError:
        return False
    return True


def _stands_alone(places: Sequence[Place], solution: Solution, number: int) -> bool:
    """Whether a step that is not always there can be nn.Identity where it is missing."""
    condition = solution.conditions[number]
    around = [n for n in (number - 1, number + 1) if 0 <= n < len(places)]
    if any(solution.conditions[n] == condition for n in around):
        return False
    return places[number].step.template == "{m}({0})"


def _distinct(union: Union, known: Sequence[Name]) -> tuple[Union, list[Name], list[int]]:
    """Without bodies that have all values in common with others; which one stands for each."""
    first: dict[object, int] = {}
    kept: list[int] = []
    stands: list[int] = []
    for number in range(len(union.bodies)):
        values = [place.leaves[number] for place in union.places]
        present = [place.present[number] for place in union.places]
        key = repr((values, present, [name.values[number] for name in known]))
        if key not in first:
            first[key] = len(kept)
            kept.append(number)
        stands.append(first[key])

    def few(values: Sequence[T]) -> tuple[T, ...]:
        return tuple([values[number] for number in kept])

    places = tuple([p._replace(present=few(p.present), leaves=few(p.leaves)) for p in union.places])
    names = [name._replace(values=few(name.values)) for name in known]
    return union._replace(places=places, bodies=few(union.bodies)), names, stands


def _spelled(word: str) -> str:
    """A word of the language in the name of a class."""
    return word.upper() if len(word) <= 2 else camel(word)


def _common(rounds: list[list[Round]]) -> list[Round | None]:
    """A form for each of several loops of one statement, the same for all if there is one."""
    if len({loop(each, chain=True)[0] for each in rounds}) > 1:
        found = apart(rounds) or repeated(rounds)
        if found is not None:
            frame, leaves = found
            return [(frame, own) for own in leaves]
    return [None] * len(rounds)
