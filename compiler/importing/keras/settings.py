"""What a layer of Keras is configured with, under the names of all versions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Mistake = Callable[[str], None]


class Settings:
    """The `config` of a layer. What has another type than it should is a mistake of the file, and
    the usual value stands in its place."""

    def __init__(self, config: Mapping[str, Any], mistake: Mistake) -> None:
        self.config = config
        self.mistake = mistake

    def get(self, *names: str) -> Any:
        """The first of these that is given; None if none is."""
        for name in names:
            value = self.config.get(name)
            if value is not None:
                return value
        return None

    def whole(self, *names: str, usual: int | None = None, least: int = 0) -> int:
        value = self.get(*names)
        if value is None and usual is not None:
            return usual
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is int and least <= value < 10**9:
            return value
        kind = f"a whole number of at least {least}"
        self.mistake(f"`{names[0]}` is not {kind}" if value is not None else _missing(names))
        return least if usual is None else usual

    def number(self, *names: str, usual: float) -> float:
        value = self.get(*names)
        if value is None:
            return usual
        if isinstance(value, (list, dict)) and len(value) == 1:
            value = next(iter(value.values() if isinstance(value, dict) else value))
        if type(value) in (int, float) and math.isfinite(value):
            return float(value)
        self.mistake(f"`{names[0]}` is not a number")
        return usual

    def optional_number(self, *names: str) -> float | None:
        return None if self.get(*names) is None else self.number(*names, usual=0.0)

    def numbers(self, *names: str) -> tuple[float, ...]:
        """A number or several, however they are nested."""
        found: list[float] = []
        stack = [self.get(*names)]
        while stack:
            value = stack.pop()
            if isinstance(value, dict):  # an array of Keras 3
                value = value.get("config", {}).get("value", ())
            if isinstance(value, list):
                stack.extend(reversed(value))
            elif type(value) in (int, float) and math.isfinite(value):
                found.append(float(value))
            elif value is not None:
                self.mistake(f"`{names[0]}` is not made of numbers")
                return ()
        return tuple(found)

    def flag(self, *names: str, usual: bool) -> bool:
        value = self.get(*names)
        return usual if value is None else bool(value)

    def text(self, *names: str, usual: str = "") -> str:
        value = self.get(*names)
        return value if isinstance(value, str) else usual

    def sides(
        self, axes: int, *names: str, usual: int | tuple[int, ...] | None = None, least: int = 1
    ) -> tuple[int, ...]:
        """A number for each spatial axis, or one for all."""
        value = self.get(*names)
        if value is None and usual is not None:
            return (usual,) * axes if isinstance(usual, int) else usual
        several = list(value) if isinstance(value, list) else [value] * axes
        if len(several) == 1:
            several *= axes
        fits = all(type(side) is int and least <= side < 10**9 for side in several)
        if len(several) == axes and fits:
            return tuple(several)
        many = f"{axes} whole numbers" if axes > 1 else "a whole number"
        self.mistake(
            f"`{names[0]}` is not {many} of at least {least}" if value is not None
            else _missing(names)
        )  # fmt: skip
        return (max(least, 1),) * axes


def _missing(names: tuple[str, ...]) -> str:
    return f"it has no `{names[0]}`"
