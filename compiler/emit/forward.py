"""The body of `forward`: calls put into one another as a person would, a statement for each step.

What is computed, and in which order, is what the spec says: an expression is only put into another
where nothing comes between the two.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

from ..network import Node, Scope
from ..ops.base import Op
from .body import in_place, is_head
from .branches import Choice, Item, Place, places
from .branches import Ref as Operand
from .layout import STEP, WIDTH, Group, statement
from .source import Names

_PART = re.compile(r"(.+)\[(\d+)\]")
_LONGEST = 60
"""A path may stand inside what brings paths together if it is no longer than this."""


_DEEPEST = 3
"""How deep calls stand in one another that are on several lines of the spec."""


class _Pending(NamedTuple):
    """An expression that has not been given a name yet."""

    value: Operand
    text: str
    reads: tuple[Operand, ...]
    """The variables in it, once for each time."""
    calls: int
    """How deep calls stand in one another."""
    atom: bool
    """Whether it can stand beside an operator as it is."""
    line: object
    typed: bool
    """Whether a type checker knows that it is a tensor."""


SHORT = tuple("xyzabcde")
"""What values are called that have no label."""


class Forward:
    """Writes the statements of one class."""

    def __init__(
        self,
        items: Sequence[Item],
        outputs: Sequence[Operand],
        inputs: Sequence[str],
        names: Names,
        shapes: Callable[[Operand], str] | None = None,
        heads: Mapping[Operand, str] | None = None,
        together: str = "",
        line_each: bool = False,
    ) -> None:
        self.items = _alive(items, {*outputs})
        self.places = list(places(self.items))
        self.outputs = tuple(outputs)
        self.names = names
        self.shapes = shapes
        self.heads = heads or {}
        """Outputs that there are in training alone, with the names that they go by."""
        self.together = together
        """The named tuple that they are returned in."""
        self.line_each = line_each
        """Whether each step is a statement of its own."""
        self.lines: list[str] = []
        self.indent = 2
        self.pending: list[_Pending] = []
        self.uses: Counter[Operand] = Counter(self.outputs)
        self.uses.update(_operands(self.items))
        self.handed_on = self.only_handed_on()
        labels = {place.step.item.label for place in self.places}
        # A label that is as short goes before.
        own = {n for n in SHORT if n in labels and n not in inputs and n not in self.heads.values()}
        self.spare = [name for name in SHORT if name not in own]
        self.names.taken -= own
        self.variables: dict[Operand, str] = {}
        self.holds: dict[str, Operand] = {}
        self.annotated: set[str] = set()
        self.first: dict[str, int] = {}
        """The line at which a variable first gets a value."""
        for number, name in enumerate(inputs):
            self.bind((-1 - number, 0), name)
            self.annotated.add(name)
        self.unpacked: set[Operand] = set()

    def only_handed_on(self) -> set[Operand]:
        """What the next step takes and no other, but for auxiliary heads."""
        if not self.heads:
            return set()
        main = [place for place in self.places if not place.step.item.aux]
        takers = Counter([operand for place in main for operand in {*place.operands}])
        takers.update(self.outputs)
        return {
            (one.step.key, 0)
            for one, two in pairwise(main)
            if takers[one.step.key, 0] == 1 and (one.step.key, 0) in two.operands
        }

    # ---- variables ----

    def bind(self, value: Operand, name: str) -> None:
        self.variables[value] = name
        self.holds[name] = value

    def variable(self, value: Operand, reads: Sequence[Operand], label: str | None = None) -> str:
        """A name for a value: its label, if it is needed more than once; else one whose own value
        is not needed any more once this has been computed."""
        if label is not None and self.uses[value] > 1 and value not in self.handed_on:
            return self.names.free(label)
        held = {read for each in self.pending for read in each.reads}
        for name in self.spare:
            current = self.holds.get(name)
            if current is None:
                return name
            if self.uses[current] <= reads.count(current) and current not in held:
                return name
        return self.names.free("v")

    def assign(
        self, value: Operand, text: str | Group, reads: Sequence[Operand], name: str
    ) -> None:
        self.uses.subtract(reads)
        if name not in self.first:
            self.first[name] = len(self.lines)
        lines = statement(text, self.indent, before=f"{name} = ")
        self.lines += lines
        if len(lines) == 1:
            self.remark(value)
        self.bind(value, name)

    def remark(self, value: Operand) -> None:
        """Adds the shape of a value to the line that makes it."""
        comment = f"  # {self.shapes(value)}" if self.shapes else ""
        if len(self.lines[-1]) + len(comment) <= WIDTH:
            self.lines[-1] += comment

    def flush(self, keep: int = 0) -> None:
        """Gives names to what waits, in order, but to the last few."""
        while len(self.pending) > keep:
            first = self.pending.pop(0)
            name = self.variable(first.value, first.reads)
            self.assign(first.value, first.text, first.reads, name)

    # ---- steps ----

    def write(self) -> list[str]:
        self.all(self.items)
        self.finish()
        return self.lines

    def all(self, items: Sequence[Item]) -> None:
        position = 0
        while position < len(items):
            item = items[position]
            if isinstance(item, Place) and self.is_head(item):
                position = self.head(items, position)
            else:
                self.one(item)
                position += 1

    def one(self, item: Item) -> None:
        if isinstance(item, Choice):
            self.choice(item)
        else:
            self.step(item)

    def is_head(self, place: Place) -> bool:
        """Whether an auxiliary output begins here."""
        item = place.step.item
        return bool(self.heads) and item.aux and (isinstance(item, Node) or is_head(item))

    def head(self, items: Sequence[Item], start: int) -> int:
        """An auxiliary output: a call, or one layer after the other."""
        self.flush()
        margin = STEP * self.indent
        first = items[start]
        assert isinstance(first, Place)
        if isinstance(first.step.item, Scope):
            values = [(first.step.key, number) for number in range(first.step.outputs)]
            names = [self.heads[value] for value in values]  # more than one: a head in a head
            operands = [self.variables[operand] for operand in first.operands]
            text = first.step.template.format(*operands, m=f"self.{first.step.name}")
            self.uses.subtract(first.operands)
            missing = "None" if len(names) == 1 else f"({', '.join(['None'] * len(names))})"
            made = f"{text} if self.training else {missing}"
            self.lines.append(f"{margin}{', '.join(names)} = {made}")
            for value, name in zip(values, names, strict=True):
                self.bind(value, name)
            return start + 1
        end = start + 1
        while items[end - 1].value not in self.heads:
            end += 1
        last = items[end - 1].value
        self.lines += [f"{margin}{self.heads[last]} = None", f"{margin}if self.training:"]
        self.indent += 1
        for item in items[start:end]:
            self.one(item)
        self.settle(last, self.heads[last])
        self.indent -= 1
        return end

    def choice(self, choice: Choice) -> None:
        """Steps that are not always there, in an `if`; what comes out has one name."""
        self.flush()
        inside = [list(_operands(arm.items)) for arm in choice.arms]
        whole = [*chain.from_iterable(inside), *([] if choice.entry is None else [choice.entry])]
        name = self.variable(choice.value, whole)
        if choice.entry is not None and self.uses[choice.entry] <= whole.count(choice.entry):
            name = self.variables[choice.entry]
        if choice.entry is not None:
            self.uses.subtract((choice.entry,))
            known = self.variables[choice.entry]
            if known != name:
                self.first.setdefault(name, len(self.lines))
                self.lines.append(f"{STEP * self.indent}{name} = {known}")
        before = dict(self.variables), dict(self.holds)
        word, before_body = "if", -1
        for number, arm in enumerate(choice.arms):
            later = Counter(chain.from_iterable(inside[number + 1 :]))
            self.uses.subtract(later)  # of one value, only one arm takes it
            self.variables, self.holds = dict(before[0]), dict(before[1])
            question = arm.question
            asked = f"{word} {question}:" if question else "else:"
            self.lines.append(f"{STEP * self.indent}{asked}")
            word, body = "elif", len(self.lines)
            self.indent += 1
            self.uses[arm.exit] += 1
            self.all(arm.items)
            self.settle(arm.exit, name)
            self.indent -= 1
            self.uses.update(later)
            if number and question and self.lines[before_body : body - 1] == self.lines[body:]:
                # Other modules of the same names: what is done with them is said once.
                del self.lines[body - 1 :]
                head = self.lines[before_body - 1].rstrip(":")
                self.lines[before_body - 1] = f"{head} or {question}:"
            else:
                before_body = body
        self.variables, self.holds = before
        self.bind(choice.value, name)

    def settle(self, value: Operand, name: str) -> None:
        """Sees that a value has this name."""
        if self.pending:
            self.flush(keep=1)
            last = self.pending.pop()
            self.assign(value, last.text, last.reads, name)
        elif self.variables[value] != name:
            margin, known = STEP * self.indent, self.variables[value]
            if self.lines[-1].startswith(f"{margin}{known} = "):
                self.lines[-1] = self.lines[-1].replace(known, name, 1)
                if self.first.get(known) == len(self.lines) - 1:
                    del self.first[known]
            else:
                self.lines.append(f"{margin}{name} = {known}")
            self.bind(value, name)

    def step(self, place: Place) -> None:
        value = (place.step.key, 0)
        if value in self.unpacked:
            return
        part = _PART.fullmatch(place.step.template)
        if part and not place.step.name and self.unpack(place, part[1]):
            return
        if in_place(place.step.template):
            self.add_to(place)
            return
        self.inline(place)
        reads: list[Operand] = []
        texts: list[str] = []
        calls = 0
        waiting = {each.value: each for each in self.pending}
        for operand in place.operands:
            found = waiting.get(operand)
            if found is None:
                reads.append(operand)
                texts.append(self.variables[operand])
            else:
                self.pending.remove(found)
                reads += found.reads
                texts.append(found.text)
                calls = max(calls, found.calls)
        module = f"self.{place.step.name}"
        template = place.step.template
        text = template.format(*texts, m=module)
        is_call = _is_call(template)
        pending = _Pending(
            value,
            text,
            tuple(reads),
            calls + 1,
            is_call,
            _line(place),
            template.startswith("torch."),
        )
        if place.step.outputs > 1:
            self.flush()
            self.several([(place.step.key, n) for n in range(place.step.outputs)], text, reads)
        elif self.uses[value] != 1 or self.line_each:
            self.flush()
            name = self.variable(value, reads, place.step.item.label)
            self.assign(value, self.short(pending, place, texts), reads, name)
        else:
            self.pending.append(pending._replace(text=self.short(pending, place, texts)))

    def add_to(self, place: Place) -> None:
        """`y += shortcut(x)`: a sum that takes the place of its first part."""
        into, *others = place.operands
        kept = [each.value for each in self.pending[-len(others) :]] == others
        self.flush(len(others) if kept else 0)
        name = self.variables[into]
        for operand in others:
            if self.pending:
                waiting = self.pending.pop(0)
                text, reads = waiting.text, waiting.reads
            else:
                text, reads = self.variables[operand], (operand,)
            self.uses.subtract(reads)
            self.lines.append(f"{STEP * self.indent}{name} += {text}")
        self.uses.subtract((into,))
        self.remark((place.step.key, 0))
        self.bind((place.step.key, 0), name)

    def short(self, pending: _Pending, place: Place, texts: Sequence[str]) -> str:
        """The expression; of one too long for a line, the paths are listed before it."""
        if self.fits(pending.text) or not _joins(place):
            return pending.text
        self.flush()
        before, _, after = place.step.template.partition("[")
        after = after.rpartition("]")[2]
        self.lines += statement(Group("[", tuple(texts), "]"), self.indent, before="paths = ")
        return f"{before}paths{after}"

    def several(self, values: Sequence[Operand], text: str, reads: Sequence[Operand]) -> None:
        """`a, b = text`: what gives several values, each with a name."""
        self.uses.subtract(reads)
        names = []
        for value in values:
            name = self.variable(value, ())
            self.bind(value, name)
            self.first.setdefault(name, len(self.lines))
            self.annotated.add(name)
            names.append(name)
        self.lines.append(f"{STEP * self.indent}{', '.join(names)} = {text}")

    def unpack(self, place: Place, source: str) -> bool:
        """`a, b = x.chunk(2, 1)`: all parts of something at once, if all are taken."""
        parts = [
            each
            for each in self.places
            if each.operands == place.operands and each.step.template.startswith(f"{source}[")
        ]
        numbers = [each.step.template[len(source) + 1 : -1] for each in parts]
        if len(parts) < 2 or numbers != [str(n) for n in range(len(parts))]:
            return False
        self.flush()
        text = source.format(self.variables[place.operands[0]])
        values: list[Operand] = [(each.step.key, 0) for each in parts]
        self.several(values, text, place.operands * len(parts))
        self.unpacked.update(values)
        return True

    def inline(self, place: Place) -> None:
        """Gives names to all that waits and cannot stand inside this step."""
        wanted = [o for o in place.operands if any(p.value == o for p in self.pending)]
        count = len(wanted)
        if not wanted:
            if self.pending and not self.parallel(place):
                self.flush()
            return
        if [each.value for each in self.pending[-count:]] != wanted:
            self.flush()
            return
        keep = 0
        template = place.step.template
        for each in reversed(self.pending[-count:]):
            if not self.may_stand(each, place, template):
                break
            keep += 1
        # All that stands before what is kept is computed first, as it should be.
        if keep < count:
            self.flush(keep)
            return
        texts = [self.text_of(operand) for operand in place.operands]
        if not self.fits(template.format(*texts, m=f"self.{place.step.name}")) and not _joins(
            place
        ):
            self.flush()

    def may_stand(self, each: _Pending, place: Place, template: str) -> bool:
        if len(place.operands) > 1:
            if _is_call(template):
                return len(each.text) <= _LONGEST
            return each.calls == 1 and each.atom
        if not each.atom and not template.endswith("({0})"):
            return False
        if template.count("{0}") > 1:
            return False
        if each.line == _line(place) or not _has_weights(place):
            return True
        # `classifier` may stand around what it classifies; what has a label stands by itself.
        item = place.step.item
        return isinstance(item, Scope) and item.label is None and each.calls < _DEEPEST

    def parallel(self, place: Place) -> bool:
        """Whether a step begins a path beside what waits."""
        return all(operand in self.variables for operand in place.operands)

    def text_of(self, operand: Operand) -> str:
        for each in self.pending:
            if each.value == operand:
                return each.text
        return self.variables[operand]

    def fits(self, text: str) -> bool:
        return len(STEP * self.indent + "x = " + text) <= WIDTH

    # ---- the end ----

    def finish(self) -> None:
        if self.together:
            self.flush()
            margin = STEP * self.indent
            names = [self.variables[value] for value in self.outputs]
            result = f" if self.training else {names[0]}"
            together = Group(f"{self.together}(", tuple(names), ")")
            line = f"{margin}return {together}{result}"
            if len(line) <= WIDTH:
                self.lines.append(line)
                return
            self.lines += [f"{margin}if not self.training:", f"{margin}{STEP}return {names[0]}"]
            self.lines += statement(together, self.indent, before="return ")
            return
        if len(self.outputs) > 1:
            self.flush()
            several = ", ".join(self.variables[value] for value in self.outputs)
            self.lines.append(f"{STEP * self.indent}return {several}")
            return
        (value,) = self.outputs
        if self.pending:
            self.flush(keep=1)
            last = self.pending.pop()
            if last.typed and self.shapes is None:
                self.lines += statement(last.text, self.indent, before="return ")
                return
            name = self.variable(value, last.reads)
            self.assign(value, last.text, last.reads, name)
        name = self.variables[value]
        if name not in self.annotated:
            # What a module returns is of any type; a checker wants to know what `forward` does.
            first = self.first[name]
            self.lines[first] = self.lines[first].replace(f"{name} = ", f"{name}: Tensor = ", 1)
        self.lines.append(f"{STEP * self.indent}return {name}")


def _alive(items: Sequence[Item], wanted: set[Operand]) -> list[Item]:
    """Without the steps that nothing comes of."""
    found: list[Item] = []
    for item in reversed(items):
        if isinstance(item, Place):
            values = [(item.step.key, n) for n in range(max(1, item.step.outputs))]
            if wanted.isdisjoint(values):
                continue
            wanted.update(item.operands)
            found.append(item)
        elif item.value in wanted:
            if item.entry is not None:
                wanted.add(item.entry)
            for arm in item.arms:
                wanted.add(arm.exit)
                arm.items = _alive(arm.items, wanted)
            found.append(item)
    return found[::-1]


def _operands(items: Sequence[Item]) -> Iterator[Operand]:
    """All that steps take, once for each time."""
    for item in items:
        if isinstance(item, Place):
            yield from item.operands
        else:
            if item.entry is not None:
                yield item.entry
            for arm in item.arms:
                yield from _operands(arm.items)


def _joins(place: Place) -> bool:
    return "([" in place.step.template


def _is_call(template: str) -> bool:
    """Whether what it makes is one call, and takes its operands as arguments."""
    return (
        template.endswith(")")
        and not template.startswith(("-", "{0}"))
        and " * {m}" not in template
    )


def _line(place: Place) -> object:
    span = place.step.item.span
    return span.source.name, span.line


def _has_weights(place: Place) -> bool:
    item = place.step.item
    op: Op | None = getattr(item, "op", None)
    return op is None or bool(getattr(item, "weights", ()))
