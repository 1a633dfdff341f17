"""The differences between two plans: by directive, to say whether a run can be resumed with another
plan; and by argument, `train.optimizer.lr` 0.1 and 0.05, to show what differs between two runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from ..language.signature import Field
from .directive import Directive
from .plan import TrainPlan, slots
from .plan_values import argument_name

NOTHING = "nothing"


class Change(NamedTuple):
    """A value that differs."""

    name: str
    """As `--set` names it: `train.optimizer.lr`, or `width` for a parameter of the network."""
    before: str
    """Empty if it is not there."""
    now: str


class Difference(NamedTuple):
    """A directive that differs between two plans, or several of the same word."""

    section: str
    word: str
    old: tuple[Directive, ...]
    new: tuple[Directive, ...]
    before: str
    """The directives as text; `nothing` if there are none."""
    now: str

    @property
    def directive(self) -> Directive | None:
        """The first of those in the new plan."""
        return self.new[0] if self.new else None

    def changes(self) -> Iterator[Change]:
        """The arguments that differ."""
        name = f"{self.section}.{self.word}" if self.word != self.section else self.section
        if self.section == NETWORK:
            yield Change(self.word, self.before, self.now)
        elif len(self.old) == len(self.new) == 1 and self.word != self.section:
            yield from _arguments(name, self.old[0], self.new[0])
        else:
            yield from _several(name, self.old, self.new)


NETWORK = "network"
"""The section of what the plan has from the network: its input and outputs."""


def differences(before: TrainPlan, now: TrainPlan) -> Iterator[Difference]:
    """The differences between two plans, directive by directive."""
    if before.input != now.input:
        yield Difference(NETWORK, "input", (), (), str(before.input), str(now.input))
    for section in ("train", "evaluate", "transfer"):
        old, new = _directives(getattr(before, section)), _directives(getattr(now, section))
        for word in dict.fromkeys((*old, *new)):
            yield from _difference(section, word, old.get(word, ()), new.get(word, ()))
    yield from _difference("augment", "augment", before.augment, now.augment)


def changes(before: TrainPlan, now: TrainPlan) -> list[Change]:
    """The differences between two plans, argument by argument."""
    return [change for each in differences(before, now) for change in each.changes()]


def _difference(
    section: str, word: str, old: Sequence[Directive], new: Sequence[Directive]
) -> Iterator[Difference]:
    if tuple(old) == tuple(new):
        return
    before, now = (", ".join(map(str, directives)) or NOTHING for directives in (old, new))
    if before != now:
        yield Difference(section, word, tuple(old), tuple(new), before, now)


def _directives(section: object) -> dict[str, tuple[Directive, ...]]:
    """The directives of a section of a plan, by word."""
    by_word: dict[str, tuple[Directive, ...]] = {}
    for slot in slots(type(section)) if section is not None else ():
        value = getattr(section, slot.name)
        by_word[slot.word] = value if isinstance(value, tuple) else (value,) if value else ()
    return by_word


# ---- arguments -------------------------------------------------------------------------------


def _arguments(name: str, old: Directive, new: Directive) -> Iterator[Change]:
    """What differs between two directives that stand for each other."""
    if old.word != new.word:
        yield Change(name, old.kind or old.word, new.kind or new.word)
    for field in new.fields.values():
        other = old.fields.get(field.name)
        if other is None:
            continue
        before, now = _text(other, getattr(old, field.name)), _text(field, getattr(new, field.name))
        if before != now:
            yield Change(argument_name(name, new, field), before, now)


def _text(field: Field, value: object) -> str:
    if value is None:
        return ""
    return field.show(value)


def _several(name: str, old: Sequence[Directive], new: Sequence[Directive]) -> Iterator[Change]:
    """What differs between lists of directives: those that were taken out or put in; and, of a
    directive that is in both, its arguments."""
    only_old, only_new = Counter(map(str, old)), Counter(map(str, new))
    if only_old == only_new:
        yield Change(name, _listed(old), _listed(new))
        return
    left = [each for each in old if str(each) not in only_new]
    right = [each for each in new if str(each) not in only_old]
    if not left and not right:  # one is there a second time
        yield Change(name, _listed(old), _listed(new))
        return
    was, are = ([each.head() for each in directives] for directives in (left, right))
    for kind, i, i2, j, j2 in SequenceMatcher(None, was, are, autojunk=False).get_opcodes():
        if kind == "equal":
            for one, other in zip(left[i:i2], right[j:j2], strict=True):
                inner = name if name.endswith(f".{one.head()}") else f"{name}.{one.head()}"
                yield from _arguments(inner, one, other)
        else:
            yield from (_alone(name, each, there=False) for each in left[i:i2])
            yield from (_alone(name, each, there=True) for each in right[j:j2])


def _alone(name: str, directive: Directive, *, there: bool) -> Change:
    """A directive that only one of the plans has."""
    head = directive.head()
    text = _brief(directive)[len(head) :].strip() or "on"
    named = name if name.endswith(f".{head}") else f"{name}.{head}"
    return Change(named, "", text) if there else Change(named, text, "")


def _brief(directive: Directive) -> str:
    """The directive without arguments that have their default."""
    usual = {
        field.name: None
        for field in directive.fields.values()
        if not field.required and getattr(directive, field.name) == field.default
    }
    return str(directive.replace(**usual))


def _listed(directives: Sequence[Directive]) -> str:
    return ", ".join(map(str, directives))
