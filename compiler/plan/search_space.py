"""The search space of a sweep: what is searched, between which ends or among which choices; and how
its values are written as `--set` takes them. Needs neither Optuna nor torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ...dsl.source import Span
from ..language.values import exact, quoted

Value = float | int | str
"""A number of a range, or the text of a choice, as `--set` takes it."""


class Search(NamedTuple):
    """A line of the section `sweep`: a range of numbers, or choices."""

    name: str
    """As the spec writes it: `lr`."""
    place: str
    """What `--set` names: `width`, a parameter of the network, or `train.optimizer.lr`."""
    low: float = 0
    high: float = 0
    log: bool = False
    step: float | None = None
    whole: bool = False
    """Whether its values are whole numbers."""
    choices: tuple[str, ...] = ()
    """The choices; none of a range."""
    unit: str = ""
    """`%`, where the spec writes the range in percent: values are shares all the same."""
    span: Span | None = None

    @property
    def is_parameter(self) -> bool:
        """Whether it is a parameter of the network."""
        return "." not in self.place

    @property
    def is_directive(self) -> bool:
        """Whether whole directives are chosen, not one of their arguments."""
        return self.place.count(".") == 1

    @property
    def size(self) -> int | None:
        """How many values it has; None if there is no end of them."""
        if self.choices:
            return len(self.choices)
        if self.step is not None or self.whole:
            return 1 + math.floor((self.high - self.low) / (self.step or 1) + 1e-9)
        return None

    def all(self) -> list[Value]:
        """All its values; only of what has a size."""
        if self.choices:
            return list(self.choices)
        return [self.nth(number) for number in range(self.size or 0)]

    def nth(self, number: int) -> float:
        value = self.low + number * (self.step or 1)
        return round(value) if self.whole else float(f"{value:.12g}")

    def holds(self, value: object) -> bool:
        """Whether a value is one of its own."""
        if self.choices:
            return value in self.choices
        if isinstance(value, (bool, str)) or not isinstance(value, (int, float)):
            return False
        if not self.low <= value <= self.high or (self.whole and value != round(value)):
            return False
        if self.step is None:
            return True
        steps = (value - self.low) / self.step
        return abs(steps - round(steps)) < 1e-9

    def override(self, value: Value) -> str:
        """A value as `--set` takes it: `train.optimizer.lr=0.01`."""
        return f"{self.place}={self.text(value)}"

    def text(self, value: Value) -> str:
        if isinstance(value, str):
            return value
        if self.whole:
            return str(round(value))
        text = exact(value)
        # A parameter whose default is 0.5 stays a fraction: `2.0`.
        return f"{text}.0" if self.is_parameter and text.lstrip("-").isdigit() else text

    def __str__(self) -> str:
        """The line as a spec has it."""
        if self.choices:
            texts = [
                each if self.is_parameter or each.replace(".", "").isalnum() else quoted(each)
                for each in self.choices
            ]
            return f"{self.name} in [{', '.join(texts)}]"
        ends = f"{self.text(self.low)}..{self.text(self.high)}"
        step = "" if self.step is None else f" step={exact(self.step)}"
        return f"{self.name} {'log ' if self.log else ''}{ends}{step}"

    def to_json(self) -> dict[str, Any]:
        data = self._asdict()
        del data["span"]
        return data

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Search:
        """Reads `to_json`; raises KeyError, TypeError or ValueError if the form is wrong."""
        numbers = {name: float(data[name]) for name in ("low", "high")}
        step = None if data["step"] is None else float(data["step"])
        whole = bool(data["whole"])
        if not all(map(math.isfinite, (*numbers.values(), step or 0))) or (step or 1) <= 0:
            raise ValueError("a range has no end")
        if whole:
            numbers = {name: round(value) for name, value in numbers.items()}
        return Search(
            str(data["name"]), str(data["place"]), numbers["low"], numbers["high"],
            bool(data["log"]), step, whole,
            tuple(map(str, data["choices"])), str(data["unit"]),
        )  # fmt: skip


def overrides(searches: Sequence[Search], values: Mapping[str, Value]) -> list[str]:
    """Values as `--set` takes them: whole directives first, whose arguments others change."""
    ordered = sorted(searches, key=lambda search: not search.is_directive)
    return [search.override(values[search.name]) for search in ordered if search.name in values]


def combinations(searches: Sequence[Search]) -> int | None:
    """How many combinations of values there are; None if there is no end of them."""
    sizes = [search.size for search in searches]
    return None if None in sizes else math.prod(size or 1 for size in sizes)


def combination(searches: Sequence[Search], number: int) -> dict[str, Value]:
    """One of all combinations, counted from 0; the last line changes fastest."""
    values: dict[str, Value] = {}
    for search in reversed(searches):
        number, at = divmod(number, search.size or 1)
        values[search.name] = search.choices[at] if search.choices else search.nth(at)
    return {search.name: values[search.name] for search in searches}
