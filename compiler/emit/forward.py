"""Writes the body of `forward`, nesting calls as a programmer would.

The order of computation is that of the spec: an expression is nested into another only if nothing
is computed between the two.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

from ..network import Node, Scope
from .branches import Choice, Item, Place, Ref, places
from .forward_names import SHORT
from .layout import STEP, WIDTH, Doc, Group, listed, statement
from .scope_kinds import is_head
from .source import Names, singular
from .steps import SELF, Carry, in_place

_METHODS = re.compile(r"\{0\}(\.\w+\([^()]*(\([^()]*\)[^()]*)?\))+")
"""`x.narrow(1, 0, 16)`."""
_PART = re.compile(r"(.+)\[(\d+)\]")
_LONGEST = 60
"""A path may be nested in the merge that reads it if its text is not longer than this."""
_DEEPEST = 3
"""The deepest nesting of calls from several lines of the spec."""


class _Pending(NamedTuple):
    """An expression that is not assigned to a variable yet."""

    place: Place
    text: str
    reads: tuple[Ref, ...]
    """The variables in it, once for each use."""
    calls: int
    """The depth of nested calls."""


class Forward:
    """Writes the statements of one class."""

    def __init__(
        self,
        items: Sequence[Item],
        outputs: Sequence[Ref],
        inputs: Sequence[str],
        names: Names,
        shapes: Callable[[Ref], str] | None = None,
        heads: Mapping[Ref, str] | None = None,
        results: Mapping[Ref, str] | None = None,
        together: str = "",
        line_each: bool = False,
        lists: Sequence[int] = (),
    ) -> None:
        self.items = _without_unused(items, {*outputs})
        self.places = list(places(self.items))
        self.beside: list[Place] = []
        """The steps that are computed under the same conditions as this one."""
        self.outputs = tuple(outputs)
        self.names = names
        self.shapes = shapes
        self.heads = heads or {}
        """Outputs that exist only in training, with the names of their variables."""
        self.results = results or {}
        """Those of several outputs that always exist, with the names of their variables."""
        self.together = together
        """The named tuple that is returned; empty if there is only one output."""
        self.line_each = line_each
        """Whether each step is a separate statement."""
        self.lines: list[str] = []
        self.indent = 2
        self.pending: list[_Pending] = []
        self.uses: Counter[Ref] = Counter([*outputs, *_operands(self.items)])
        self.passed_on = self.only_passed_on()
        labels = {place.step.item.label for place in self.places}
        # A label of one letter takes precedence.
        own = {n for n in SHORT if n in labels and n not in inputs and n not in self.heads.values()}
        self.spare = [name for name in SHORT if name not in own]
        self.names.taken -= own
        self.variables: dict[Ref, str] = {}
        self.holds: dict[str, Ref] = {}
        self.first: dict[str, int] = {}
        """The line that first assigns a variable without an annotation."""
        for number, name in enumerate(inputs):
            self.bind((-1 - number, 0), name)
        self.typed = {*inputs}
        self.split: set[str] = set()
        """The variables that are not inputs and got a value from several."""
        self.returned = {*self.outputs} if len(self.outputs) == 1 and not together else set()
        for place in reversed(self.places):  # sums in place have the variable of their first path
            if place.value in self.returned and in_place(place.step.template):
                self.returned.add(place.operands[0])
        self.unpacked: set[Ref] = set()
        self.lists = {
            place.value
            for place in self.places
            if place.step.template.startswith("[") and place.step.outputs == 1
        }
        self.lists |= {
            (place.step.key, number) for place in self.places for number in place.step.lists
        }
        self.lists |= {(-1 - number, 0) for number in lists}
        self.items_of_loops: set[str] = set()

    def only_passed_on(self) -> set[Ref]:
        """The values that only the next step reads, apart from auxiliary heads."""
        if not self.heads:
            return set()
        main = [place for place in self.places if not place.step.item.aux]
        takers = Counter([operand for place in main for operand in {*place.operands}])
        takers.update(self.outputs)
        return {
            one.value
            for one, two in pairwise(main)
            if takers[one.value] == 1 and one.value in two.operands
        }

    # ---- lines and variables ----

    def put(self, text: Doc, before: str = "") -> None:
        """Writes a statement."""
        if isinstance(text, str) and self.is_long(f"{before}{text}"):
            text = listed(text)
        self.lines += statement(text, self.indent, before=before)

    def bind(self, value: Ref, name: str) -> None:
        self.variables[value] = name
        self.holds[name] = value

    def variable(self, value: Ref, reads: Sequence[Ref], label: str | None = None) -> str:
        """A variable for a value: its label if it is read more than once; else one whose current
        value is not needed after this statement."""
        if value in self.results:
            return self.results[value]
        if value in self.lists:
            return self.list_variable(reads, label)
        if label is not None and self.uses[value] > 1 and value not in self.passed_on:
            return self.names.free(label)
        held = {read for each in self.pending for read in each.reads}
        # What is returned needs an annotation, which an unpacked variable cannot have.
        barred = self.split if value in self.returned else set()
        for name in (each for each in self.spare if each not in barred):
            current = self.holds.get(name)
            if current is None:
                return name
            if self.uses[current] <= reads.count(current) and current not in held:
                return name
        return self.names.free("v")

    def list_variable(self, reads: Sequence[Ref], label: str | None) -> str:
        """A variable for a list: its label, or `maps`."""
        held = {read for each in self.pending for read in each.reads}
        for read in reads if label is None else ():
            is_free = read not in held and self.uses[read] <= reads.count(read)
            if read in self.lists and is_free and self.variables[read].startswith("maps"):
                return self.variables[read]
        return self.names.free(label or "maps")

    def assign(self, value: Ref, text: str, reads: Sequence[Ref], name: str) -> None:
        self.uses.subtract(reads)
        self.first.setdefault(name, len(self.lines))
        self.put(text, f"{name} = ")
        self.remark(value)
        self.bind(value, name)

    def remark(self, value: Ref) -> None:
        """Adds the shape of a value as a comment to the line that computes it."""
        comment = f"  # {self.shapes(value)}" if self.shapes and value not in self.lists else ""
        if len(self.lines[-1]) + len(comment) <= WIDTH:
            self.lines[-1] += comment

    def flush(self, keep: int = 0) -> None:
        """Assigns pending expressions to variables, in order, except for the last `keep`."""
        while len(self.pending) > keep:
            place, text, reads, _ = self.pending.pop(0)
            self.assign(place.value, text, reads, self.variable(place.value, reads))

    # ---- steps ----

    def write(self) -> list[str]:
        self.all(self.items)
        self.finish()
        return self.lines

    def all(self, items: Sequence[Item]) -> None:
        around, self.beside = self.beside, [item for item in items if isinstance(item, Place)]
        self.each(items)
        self.beside = around

    def each(self, items: Sequence[Item]) -> None:
        at = 0
        while at < len(items):
            item = items[at]
            at += 1
            if isinstance(item, Choice):
                self.choice(item)
            elif not self.begins_head(item):
                self.step(item)
            elif isinstance(item.step.item, Scope):
                self.called_head(item)
            else:
                start = at - 1
                while items[at - 1].value not in self.heads:
                    at += 1
                self.head(items[start:at])

    def begins_head(self, place: Place) -> bool:
        item = place.step.item
        return bool(self.heads) and item.aux and (isinstance(item, Node) or is_head(item))

    def called_head(self, place: Place) -> None:
        """`aux = self.aux(x) if self.training else None`."""
        self.flush()
        values = [(place.step.key, number) for number in range(place.step.outputs)]
        names = [self.heads[value] for value in values]  # more than one: nested heads
        operands = [self.variables[operand] for operand in place.operands]
        text = _text(place, operands)
        self.uses.subtract(place.operands)
        missing = "None" if len(names) == 1 else f"({', '.join(['None'] * len(names))})"
        self.put(f"{', '.join(names)} = {text} if self.training else {missing}")
        for value, name in zip(values, names, strict=True):
            self.bind(value, name)

    def head(self, items: Sequence[Item]) -> None:
        """Writes the layers of an auxiliary head."""
        self.flush()
        value = items[-1].value
        self.put(f"{self.heads[value]} = None")
        self.put("if self.training:")
        self.indent += 1
        for item in items:
            self.step(item) if isinstance(item, Place) else self.choice(item)
        self.settle(value, self.heads[value])
        self.indent -= 1

    def choice(self, choice: Choice) -> None:
        """Writes a choice as an `if`; its value has one variable in all arms."""
        self.flush()
        entry = choice.entry
        inside = [list(_operands(arm.items)) for arm in choice.arms]
        taken = [*chain.from_iterable(inside), *([] if entry is None else [entry])]
        name = self.variable(choice.value, taken)
        if entry is not None:
            known = self.variables[entry]
            if self.uses[entry] <= taken.count(entry):
                name = known
            self.uses.subtract((entry,))
            if known != name:
                self.first.setdefault(name, len(self.lines))
                self.put(f"{name} = {known}")
        before = self.variables, self.holds
        start = -1
        for number, arm in enumerate(choice.arms):
            later = Counter(chain.from_iterable(inside[number + 1 :]))
            self.uses.subtract(later)  # only one arm reads the value
            self.variables, self.holds = dict(before[0]), dict(before[1])
            word = "elif" if number else "if"
            self.put(f"{word} {arm.question}:" if arm.question else "else:")
            body = len(self.lines)
            self.indent += 1
            self.uses[arm.exit] += 1
            self.all(arm.items)
            self.settle(arm.exit, name)
            self.indent -= 1
            self.uses.update(later)
            if number and arm.question and self.lines[start : body - 1] == self.lines[body:]:
                # The same statements with other modules of the same names: written once.
                del self.lines[body - 1 :]
                self.lines[start - 1] = f"{self.lines[start - 1][:-1]} or {arm.question}:"
            else:
                start = body
        self.variables, self.holds = before
        if len(choice.arms) > 1 and not choice.arms[-1].question:
            self.write_once(start, choice.arms[0].question)
        self.bind(choice.value, name)

    def write_once(self, last: int, question: str) -> None:
        """Replaces an `if` with only an `else`, whose statements begin at this line, by these
        statements, if those of both are the same."""
        first = 2 * last - len(self.lines) - 1
        whole = [f"{STEP * self.indent}if {question}:", *self.lines[last:]]
        if self.lines[first - 1 : last - 1] == whole:
            self.lines[first - 1 :] = [line.removeprefix(STEP) for line in whole[1:]]
            self.first = {name: at - (at >= first) for name, at in self.first.items()}

    def settle(self, value: Ref, name: str) -> None:
        """Makes sure that a value is in this variable."""
        if self.pending:
            self.flush(keep=1)
            last = self.pending.pop()
            self.assign(value, last.text, last.reads, name)
        elif self.variables[value] != name:
            known = self.variables[value]
            begin = f"{STEP * self.indent}{known} = "
            if self.lines[-1].startswith(begin):
                self.lines[-1] = self.lines[-1].replace(known, name, 1)
                if self.first.get(known) == len(self.lines) - 1:
                    del self.first[known]
            else:
                self.put(f"{name} = {known}")
            self.bind(value, name)

    def item(self, place: Place) -> str:
        """What a module of a list is called: `block` of `self.blocks`."""
        item = singular("" if place.step.name == SELF else place.step.name) or "block"
        if item not in self.items_of_loops:  # one loop after another may use the same name
            item = self.names.free(item)
            self.items_of_loops.add(item)
        return item

    def each_item(self, number: int) -> str:
        """What a map of a list is called in a comprehension."""
        name = "each" if number == 1 else f"each{number}"
        if name not in self.items_of_loops:
            name = self.names.free(name)
            self.items_of_loops.add(name)
        return name

    def rounds(self, place: Place, carry: Carry) -> None:
        """Writes a loop whose rounds pass several values on: `for cell in self.cells:` and below
        it `x, before = cell(x, before), x`."""
        self.flush()
        key = place.step.key
        names: list[str] = []
        lists: list[str] = []
        for number, operand in enumerate(place.operands):
            known = self.variables[operand]
            self.uses.subtract((operand,))
            if number in carry.zipped:
                lists.append(known)
                names.append(self.each_item(len(lists)))
                continue
            if carry.next[number] == (False, number):
                names.append(known)
                continue
            name = known
            again = place.operands[number + 1 :].count(operand)
            if self.uses[operand] > again or known in names:  # it is read after the loop, too
                label = carry.names[number]
                name = self.names.free(label) if label else self.variable((key, number), ())
                self.first.setdefault(name, len(self.lines))
                self.put(f"{name} = {known}")
            during = (key, -1 - number)
            self.uses[during] = 1
            self.holds[name] = during
            names.append(name)
        item = self.item(place)
        call = f"{item}({', '.join(names[number] for number in carry.reads)})"
        changed = [n for n, following in enumerate(carry.next) if following != (False, n)]
        order = sorted(changed, key=lambda number: (not carry.next[number][0], carry.next[number]))
        news = [carry.next[number][1] for number in order if carry.next[number][0]]
        name = place.step.name
        modules = "self" if name == SELF else f"self.{name}"
        if lists:
            own = [names[number] for number in carry.zipped]
            self.put(f"for {', '.join([item, *own])} in zip({', '.join([modules, *lists])}):")
        else:
            self.put(f"for {item} in {modules}:")
        self.indent += 1
        results = [call]
        if carry.outputs > 1 and news == list(range(carry.outputs)) and len(order) == len(news):
            self.put(f"{', '.join(names[number] for number in order)} = {call}")
        else:
            if carry.outputs > 1 or len(news) > 1:
                results = []
                for output in range(carry.outputs):
                    results.append(self.variable((key, output), ()))
                    self.holds[results[-1]] = (key, -1 - output)
                self.put(f"{', '.join(results)} = {call}")
            following = []
            for is_new, at in map(carry.next.__getitem__, order):
                following.append(results[at] if is_new else names[at])
            targets = ", ".join(names[number] for number in order)
            self.put(f"{targets} = {', '.join(following)}")
        self.indent -= 1
        for number in range(len(names)):
            self.uses[key, -1 - number] = 0
        for output, number in enumerate(carry.ends):
            self.bind((key, output), names[number])

    def step(self, place: Place) -> None:
        if place.step.carry is not None:
            self.rounds(place, place.step.carry)
            return
        value, template = place.value, place.step.template
        part = _PART.fullmatch(template)
        if value in self.unpacked:
            return
        if part and not place.step.name and self.unpack(place, part[1]):
            return
        if in_place(template):
            self.add_to(place)
            return
        if "{item}" in template:
            place.texts["item"] = self.item(place)
            for name in dict.fromkeys(re.findall(r"\{(each\d+)\}", template)):
                place.texts[name] = self.each_item(len(place.texts))
        self.name_blocking(place)
        waiting = {each.place.value: each for each in self.pending}
        inside = {operand: waiting[operand] for operand in place.operands if operand in waiting}
        self.pending = [each for each in self.pending if each.place.value not in inside]
        texts, reads = self.written(place.operands, inside)
        text = _text(place, texts)
        calls = 1 + max((each.calls for each in inside.values()), default=0)
        if place.step.outputs > 1:
            self.flush()
            self.several([(place.step.key, n) for n in range(place.step.outputs)], text, reads)
        elif self.uses[value] != 1 or self.line_each:
            self.flush()
            name = self.variable(value, reads, place.step.item.label)
            self.assign(value, self.short(text, place, texts), reads, name)
        else:
            text = self.short(text, place, texts)
            self.pending.append(_Pending(place, text, tuple(reads), calls))

    def written(
        self, operands: Sequence[Ref], inside: Mapping[Ref, _Pending]
    ) -> tuple[list[str], list[Ref]]:
        """The text of each operand, and the variables that it reads."""
        texts = [inside[o].text if o in inside else self.variables[o] for o in operands]
        reads = [read for o in operands for read in (inside[o].reads if o in inside else (o,))]
        return texts, reads

    def add_to(self, place: Place) -> None:
        """Writes a sum in place: `y += shortcut(x)`."""
        into, *others = place.operands
        waiting = {each.place.value for each in self.pending}
        last = [operand for operand in others if operand in waiting]
        kept = bool(last) and [each.place.value for each in self.pending[-len(last) :]] == last
        self.flush(len(last) if kept else 0)
        inside = {each.place.value: each for each in self.pending}
        self.pending = []
        name = self.variables[into]
        for operand in others:
            (text,), reads = self.written([operand], inside)
            self.uses.subtract(reads)
            if operand not in self.lists:
                self.put(f"{name} += {text}")
            elif operand in inside:  # [block(x) for block in self.blocks]
                each, _, loop = text[1:-1].partition(" for ")
                self.put(f"for {loop}:")
                self.put(f"{STEP}{name} += {each}")
            else:
                self.put(f"{name} += sum({text})")
        self.uses.subtract((into,))
        self.remark(place.value)
        self.bind(place.value, name)

    def short(self, text: str, place: Place, texts: Sequence[str]) -> str:
        """The expression; if it is too long for a line, the paths become a list before it."""
        if self.fits(text) or not _joins(place):
            return text
        self.flush()
        before, _, after = place.step.template.partition("[")
        inner = after.rpartition("]")[0].split(", ")
        self.put(Group("[", tuple([each.format(*texts) for each in inner]), "]"), "paths = ")
        return f"{before}paths{after.rpartition(']')[2]}"

    def several(self, values: Sequence[Ref], text: str, reads: Sequence[Ref]) -> None:
        """Writes `a, b = text` for a step with several outputs."""
        self.uses.subtract(reads)
        for value in values:
            self.bind(value, self.variable(value, ()))
        names = [self.variables[value] for value in values]
        self.split.update(name for name in names if name not in self.typed)
        self.put(f"{', '.join(names)} = {text}")

    def unpack(self, place: Place, source: str) -> bool:
        """Writes `a, b = x.chunk(2, 1)` if all parts are read; returns whether it did."""
        parts = [
            each
            for each in self.beside
            if each.operands == place.operands and each.step.template.startswith(f"{source}[")
        ]
        numbers = [each.step.template[len(source) + 1 : -1] for each in parts]
        if len(parts) < 2 or numbers != [str(n) for n in range(len(parts))]:
            return False
        self.flush()
        values = [each.value for each in parts]
        text = source.format(self.variables[place.operands[0]], **place.texts)
        self.several(values, text, place.operands * len(parts))
        self.unpacked.update(values)
        return True

    def name_blocking(self, place: Place) -> None:
        """Assigns the pending expressions that cannot be nested in this step to variables."""
        waiting = {each.place.value: each for each in self.pending}
        wanted = [operand for operand in place.operands if operand in waiting]
        if wanted and "{item}" in place.step.template:  # computed once, not for each module
            self.flush()
            return
        if not wanted:
            if not all(operand in self.variables for operand in place.operands):
                self.flush()
            return  # a step that reads no pending expression begins another path
        keep = 0
        if [each.place.value for each in self.pending[-len(wanted) :]] == wanted:
            for each in reversed(self.pending[-len(wanted) :]):
                if not self.can_nest(each, place):
                    break
                keep += 1
        # Expressions before those kept are computed first, in the order of the spec.
        if keep < len(wanted):
            self.flush(keep)
            return
        texts, _ = self.written(place.operands, waiting)
        text = _text(place, texts)
        if not self.fits(text) and not _joins(place):
            self.flush()

    def can_nest(self, each: _Pending, place: Place) -> bool:
        template = place.step.template
        atom = _is_call(each.place.step.template)
        if len(place.operands) > 1:
            if _is_call(template):
                return len(each.text) <= _LONGEST
            return each.calls == 1 and atom
        if template.count("{0}") > 1 or not (atom or template.endswith("({0})")):
            return False
        if not each.place.step.name and each.calls == 1:
            return True
        item = place.step.item
        if _line(each.place) == _line(place) or (isinstance(item, Node) and not item.weights):
            return True
        # A step with a label is a separate statement; a call without one may be nested.
        return isinstance(item, Scope) and item.label is None and each.calls < _DEEPEST

    def fits(self, text: str) -> bool:
        return not self.is_long(f"x = {text}")

    def is_long(self, text: str) -> bool:
        return len(f"{STEP * self.indent}{text}") > WIDTH

    # ---- the end ----

    def finish(self) -> None:
        last = self.pending[-1] if self.pending else None
        if len(self.outputs) == 1 and last is not None:
            self.flush(keep=1)
            if self.outputs[0] in self.lists and self.shapes is None:
                self.put(last.text, "return ")
                return
            if last.place.step.template.startswith("torch.") and self.shapes is None:
                # Torch functions are annotated as returning tensors.
                paths = re.fullmatch(r"torch\.cat\((\[.*\]), 1\)", last.text)
                long = len(f"{STEP * self.indent}return {last.text}") > WIDTH
                split = Group("torch.cat(", (paths[1], "1"), ")") if paths and long else last.text
                self.put(split, "return ")
                return
        self.flush()
        names = [self.variables[value] for value in self.outputs]
        if self.together:
            together = Group(f"{self.together}(", tuple(names), ")")
            if not self.results:  # all but the first exist in training only
                together = together._replace(after=f") if self.training else {names[0]}")
            self.put(together, "return ")
            return
        is_list = self.outputs[0] in self.lists
        if len(names) == 1 and names[0] not in self.typed | self.split:
            # Calls of modules have the type Any; the annotation tells type checkers more.
            at, name = self.first[names[0]], names[0]
            kind = "list[Tensor]" if is_list else "Tensor"
            line = self.lines[at].replace(f"{name} = ", f"{name}: {kind} = ", 1)
            head, cat, listed = line.partition(" = torch.cat(")
            if len(line) > WIDTH and listed.endswith(", 1)"):
                indent = line[: -len(line.lstrip())]
                self.lines[at : at + 1] = [
                    f"{head}{cat}",
                    f"{indent}{STEP}{listed[:-1]}",
                    f"{indent})",
                ]
            else:
                self.lines[at] = line
        self.put(f"return {', '.join(names)}")


def _without_unused(items: Sequence[Item], wanted: set[Ref]) -> list[Item]:
    """Removes steps whose values are not used."""
    result: list[Item] = []
    for item in reversed(items):
        if isinstance(item, Place):
            values = [(item.step.key, n) for n in range(max(1, item.step.outputs))]
            if wanted.isdisjoint(values):
                continue
            wanted.update(item.operands)
        elif item.value not in wanted:
            continue
        else:
            wanted |= {item.entry} - {None}  # type: ignore[arg-type]
            for arm in item.arms:
                wanted.add(arm.exit)
                arm.items = _without_unused(arm.items, wanted)
        result.append(item)
    return result[::-1]


def _operands(items: Sequence[Item]) -> Iterator[Ref]:
    """The operands of all steps, once for each use."""
    for item in items:
        if isinstance(item, Place):
            yield from item.operands
        else:
            if item.entry is not None:
                yield item.entry
            for arm in item.arms:
                yield from _operands(arm.items)


def _text(place: Place, operands: Sequence[str]) -> str:
    """The text of a call."""
    step = place.step
    return step.template.format(*operands, m=f"self.{step.name}", **place.texts)


def _joins(place: Place) -> bool:
    return "([" in place.step.template


def _is_call(template: str) -> bool:
    """Whether its text is one call with the operands as arguments."""
    if _METHODS.fullmatch(template) or template.startswith("["):
        return True
    begins = not template.startswith(("-", "{0}"))
    return template.endswith(")") and begins and " * {m}" not in template


def _line(place: Place) -> object:
    span = place.step.item.span
    return span.source.name, span.line
