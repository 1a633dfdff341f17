"""Finds what a line of a sweep searches: a parameter of the network, or an argument of a directive,
by its whole place, `train.optimizer.lr`, or by a part of it that is unambiguous, `lr`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ...dsl.closest import closest
from ...dsl.diagnostics import Edit
from ...dsl.syntax import Name
from ..language.problems import Problem
from ..language.signature import Field
from ..language.vocabulary import SECTIONS
from .augment.augmentation import Augmentation
from .directive import Context, Directive, directives, vocabulary
from .foreign_directives import heads
from .plan import Evaluate, Train, Transfer, slots

SEARCHED = tuple(section for section in SECTIONS if section != "sweep")
_MOST_LISTED = 12


class Place(NamedTuple):
    """What is searched."""

    path: tuple[str, ...]
    """`("width",)`, `("train", "optimizer")`, `("train", "optimizer", "lr")`."""
    directive: Directive | None = None
    """The directive in effect: of the spec, or the default."""
    field: Field | None = None

    def __str__(self) -> str:
        return ".".join(self.path)


class Places:
    """The places of a spec that can be searched."""

    def __init__(self, parameters: Mapping[str, object], context: Context) -> None:
        self.parameters = parameters
        self.context = context
        self.in_effect = list(_in_effect(context))

    def find(self, name: Name) -> Place:
        """The place of a name; raises Problem if there is none, or several."""
        written = name.value
        if written in self.parameters:
            return Place((written,))
        first, *rest = written.split(".")
        if first in SEARCHED and rest:
            return self._in_section(name, first, *rest)
        if first == "sweep":
            raise self._unknown(name)
        candidates = list(dict.fromkeys(self._candidates(first, rest)))
        if len(candidates) == 1:
            return self._in_section(name, *candidates[0])
        if not candidates:
            raise self._unknown(name)
        listed = [f"`{'.'.join(each)}`" for each in candidates]
        raise Problem(
            "ambiguous-name",
            f"`{written}` may be {', '.join(listed[:-1])} or {listed[-1]}",
            name.span,
            help=f"write the full name: {listed[0]}",
        )

    def _candidates(self, first: str, rest: list[str]) -> Iterator[tuple[str, ...]]:
        """The places that a name without its section may mean."""
        given = set(self.context.given)
        for section in SEARCHED:
            if section == "transfer" and section not in given:
                continue
            if first in heads(self._vocabulary(section)):
                yield (section, first, *rest)
        if not rest:
            for section, directive in self.in_effect:
                if first in directive.fields and not directive.fields[first].is_label:
                    yield section, directive.head(), first

    def _in_section(self, name: Name, section: str, word: str, *argument: str) -> Place:
        known = directives(self._vocabulary(section))
        heads_of = heads(self._vocabulary(section))
        if word not in heads_of:
            close = closest(word, heads_of)
            whole = ".".join((section, close, *argument))
            of = [one.head() for at, one in self.in_effect if at == section and word in one.fields]
            if of and not argument:  # `train.lr`
                close, whole = of[0], ".".join((section, of[0], word))
            raise Problem(
                "unknown-name",
                f"`{section}` has no directive `{word}`",
                name.span,
                help=f"did you mean `{whole}`?"
                if close
                else f"there are {', '.join(f'`{each}`' for each in sorted(heads_of))}",
                edits=(Edit(name.span, whole),) if close else (),
            )
        kinds = [kind for kind in known.values() if kind.head() == word or word in kind.synonyms]
        there = [one for where, one in self.in_effect if where == section and one.head() == word]
        directive = there[0] if there else None
        if not argument:
            return Place((section, word), directive or _usual(kinds, self.context))
        path = (section, word, *argument)
        wanted = ".".join(argument)
        by_kind = [kind for kind in kinds if wanted in kind.fields]
        fields = directive.fields if directive is not None else {}
        if wanted in fields:
            return Place(path, directive, fields[wanted])
        if not by_kind:
            names = list(dict.fromkeys(each for kind in kinds for each in kind.fields))
            close = closest(wanted, names)
            listed = ", ".join(f"`{each}`" for each in names) or "none"
            whole = ".".join((section, word, close))
            raise Problem(
                "unknown-name",
                f"`{word}` has no argument `{wanted}`",
                name.span,
                help=f"did you mean `{whole}`?" if close else f"its arguments are {listed}",
                edits=(Edit(name.span, whole),) if close else (),
            )
        return Place(path, directive, by_kind[0].fields[wanted])

    def argument_of(self, place: Place) -> Place | None:
        """The first argument of a directive, which `rotate 0..30` means; None if it has none that
        takes numbers."""
        known = directives(self._vocabulary(place.path[0]))
        kinds = [kind for kind in known.values() if kind.head() == place.path[1]]
        fields = place.directive.fields if place.directive is not None else {}
        if not fields and len(kinds) == 1:
            fields = dict(kinds[0].fields)
        for field in fields.values():
            if field.is_flag or field.keyword_only or field.many:
                return None
            return Place((*place.path, field.name), place.directive, field)
        return None

    def arguments(self, place: Place) -> list[str]:
        """The arguments of a directive that can be searched, as places."""
        known = directives(self._vocabulary(place.path[0]))
        kinds = [kind for kind in known.values() if kind.head() == place.path[1]]
        names = dict.fromkeys(each for kind in kinds for each in kind.fields)
        return [".".join((*place.path, each)) for each in names]

    def _unknown(self, name: Name) -> Problem:
        known = [*self.parameters]
        short = [f"{one.head()}.{each}" for _, one in self.in_effect for each in one.fields]
        words = [each for _, one in self.in_effect for each in one.fields]
        everywhere = [each for section in SEARCHED for each in heads(section)]
        close = closest(name.value, [*known, *short, *words, *everywhere, *SECTIONS])
        listed = ", ".join(f"`{each}`" for each in known[:_MOST_LISTED])
        there = f"the parameters are {listed}" if known else "the network has no parameters"
        return Problem(
            "unknown-name",
            f"`{name.value}` is neither a parameter of the network nor an argument of a directive",
            name.span,
            notes=(there,),
            help=f"did you mean `{close}`?"
            if close
            else "name a parameter of the network, or a place like `train.optimizer.lr`",
            edits=(Edit(name.span, close),) if close else (),
        )

    def _vocabulary(self, section: str) -> str:
        return vocabulary(section, self.context.series)


def _usual(kinds: list[type[Directive]], context: Context) -> Directive | None:
    """The default of a directive that is not in effect, if its kind is known."""
    return kinds[0].usual(context) if len(kinds) == 1 and not kinds[0].several else None


def _in_effect(context: Context) -> Iterator[tuple[str, Directive]]:
    """The directives that are written, and the defaults of the others, with their sections."""
    for section, kind in (("train", Train), ("evaluate", Evaluate), ("transfer", Transfer)):
        if section == "transfer" and not context.given.get(section):
            continue
        for slot in slots(kind):
            if slot.several:
                found: list[Directive] = [
                    one for one in context.given.get(section, ()) if isinstance(one, slot.kind)
                ]
            else:
                one = context.find(slot.kind)
                found = [one] if one is not None else []
            yield from ((section, each) for each in found if not each.off)
    for each in context.all(Augmentation):
        yield "augment", each
