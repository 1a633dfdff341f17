"""Lines that follow one another in several places become one: what a person would call a block.

In each round, the sequence that would save most is taken; what is left of it in other places, and
what is in it, are looked at again.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from operator import is_
from typing import NamedTuple

from .template import (
    ANEW,
    LINE,
    NOWHERE,
    Line,
    Lines,
    Shapes,
    Template,
    all_columns,
    is_closed,
    joined,
    without_label,
    words,
)

LONGEST = 40
"""The most lines of a sequence."""
ROUNDS = 12
BUDGET = 400_000
"""So many lines are looked at, in all rounds together."""
LEAST = 6
"""Words that a sequence must save."""


class _Place(NamedTuple):
    body: int
    at: int


def grouped(raw: Lines, shapes: Shapes) -> Lines:
    """A network with its repeated sequences as groups."""
    spent = 0
    for _ in range(ROUNDS):
        search = _Search(raw, shapes)
        spent += search.total
        if not search.chosen or spent > BUDGET:
            break
        raw = search.replaced(raw)
    return raw


def group(lines: Lines) -> Template:
    """Lines as one; what refers to the last of them refers to all of them."""
    extent, item = joined(lines), lines[-1][-1].item
    lines, outside = relabeled(lines)
    return Template(
        "group", "", paths=[lines], extent=extent, channels=lines[0][0].channels,
        labeled=outside, item=item if outside else None,
    )  # fmt: skip


def relabeled(lines: Lines) -> tuple[Lines, bool]:
    """Lines without the label of the last of them, if what is outside refers to it: it is then the
    label of what has these lines in it."""
    last = lines[-1][-1]
    if not last.labeled or last.extent.own <= last.extent.last:
        return lines, False
    return [*lines[:-1], without_label(lines[-1])], True


def opened(made: Template) -> Lines:
    """The lines of a group."""
    lines = made.paths[0]
    if made.labeled:
        last = replace(lines[-1][-1], labeled=True, item=made.item, **ANEW)
        lines = [*lines[:-1], [*lines[-1][:-1], last]]
    return lines


class _Search:
    """Looks for sequences in all bodies of a network."""

    def __init__(self, raw: Lines, shapes: Shapes) -> None:
        self.shapes = shapes
        self.bodies: list[Lines] = []
        self.collect(raw)
        self.number = {id(body): index for index, body in enumerate(self.bodies)}
        self.total = sum(map(len, self.bodies))
        self.keys = [[shapes.of_line(line) for line in body] for body in self.bodies]
        self.bare = [[shapes.without_label(line) for line in body] for body in self.bodies]
        self.plain = [
            all(
                each.extent.own < 0 and each.extent.high < 0 and each.extent.low == NOWHERE.low
                for line in body
                for each in line
            )
            for body in self.bodies
        ]
        """Whether nothing in a body is referred to."""
        self.chosen: dict[_Place, int] = {}
        """The lengths of the sequences that are taken, by where they begin."""
        self.choose()

    def collect(self, body: Lines) -> None:
        self.bodies.append(body)
        for line in body:
            for each in line:
                for path in each.paths:
                    self.collect(path)

    def choose(self) -> None:
        found = self.candidates()
        taken: dict[int, set[int]] = {}
        best = 0
        for saved, length, places in sorted(found, key=lambda each: (-each[0], each[1], each[2])):
            used = [taken.get(place.body, set()) for place in places]
            inside = [range(place.at, place.at + length) for place in places]
            if any(not one.isdisjoint(two) for one, two in zip(used, inside, strict=True)):
                continue
            if saved < best / 2:
                break  # what is left may be part of a larger sequence in the next round
            best = max(best, saved)
            for place, own in zip(places, inside, strict=True):
                taken.setdefault(place.body, set()).update(own)
                self.chosen[place] = length

    def candidates(self) -> list[tuple[int, int, list[_Place]]]:
        """Sequences in several places: the words that they save, their length, their places."""
        found: list[tuple[int, int, list[_Place]]] = []
        groups: dict[Hashable, list[_Place]] = {}
        for body, keys in enumerate(self.keys):
            for at in range(len(keys) - 1):
                if at and self.bare[body][at - 1] == self.bare[body][at]:
                    continue  # lines of equal shape will be a loop
                groups.setdefault(keys[at], []).append(_Place(body, at))
        starts = {key: places for key, places in groups.items() if len(places) > 1}
        for length in range(2, LONGEST + 1):
            groups = {}
            complete: dict[Hashable, list[_Place]] = {}
            for key, places in starts.items():
                for place in places:
                    end = place.at + length - 1
                    if end < len(self.keys[place.body]):
                        groups.setdefault((key, self.keys[place.body][end]), []).append(place)
                        complete.setdefault((key, self.bare[place.body][end]), []).append(place)
            numbered = {key: self.shapes.number(key) for key in groups}
            starts = {numbered[key]: places for key, places in groups.items() if len(places) > 1}
            for places in complete.values():
                if len(places) > 1:
                    saved, apart = self.saved(places, length)
                    if saved >= LEAST:
                        found.append((saved, length, apart))
            if not starts:
                break
        return found

    def saved(self, places: list[_Place], length: int) -> tuple[int, list[_Place]]:
        """The words that a block for a sequence would save, and its places that do not overlap."""
        apart: list[_Place] = []
        runs = 0
        for place in places:
            if apart and apart[-1].body == place.body and place.at < apart[-1].at + length:
                continue
            lines = self.bodies[place.body][place.at : place.at + length]
            if self.cuts(place, length) or not (self.plain[place.body] or is_closed(lines)):
                continue
            before = apart[-1] if apart else None
            runs += before is None or before != (place.body, place.at - length)
            apart.append(place)
        if runs < 2:
            return 0, []
        parts = [self.bodies[place.body][place.at : place.at + length] for place in apart]
        own = sum([words(line) + LINE for line in parts[0]])
        if (runs - 1) * own < LEAST:
            return 0, []
        columns = [all_columns(part) for part in parts]
        vectors = {
            (column[0].family, tuple([each.values for each in column]))
            for column in zip(*columns, strict=True)
            if any(each.values != column[0].values for each in column)
        }
        many = len(vectors)
        cost = 2 * LINE + runs * (1 + LINE + many) + 3 * many + 6 * max(many - 4, 0)
        return (runs - 1) * own - cost, apart

    def cuts(self, place: _Place, length: int) -> bool:
        """Whether lines of equal shape go on before it or behind it: they will be a loop."""
        bare = self.bare[place.body]
        end = place.at + length
        return end < len(bare) and bare[end] == bare[end - 1]

    def replaced(self, body: Lines) -> Lines:
        """A body with groups in the place of sequences; itself if there are none in it."""
        own = self.number[id(body)]
        result: Lines = []
        at = 0
        while at < len(body):
            length = self.chosen.get(_Place(own, at), 1)
            lines = [self.inside(line) for line in body[at : at + length]]
            result += [[group(lines)]] if length > 1 else lines
            at += length
        return body if len(result) == len(body) and all(map(is_, result, body)) else result

    def inside(self, line: Line) -> Line:
        made: Line = []
        for each in line:
            paths = [self.replaced(path) for path in each.paths]
            same = all(map(is_, paths, each.paths))
            made.append(each if same else replace(each, paths=paths, **ANEW))
        return line if all(map(is_, made, line)) else made
