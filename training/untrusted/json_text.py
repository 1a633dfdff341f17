"""Reads JSON that somebody else wrote: bounded in depth, and checked against an expected form.

A form is one of these:
- a type (`int`), or None
- a tuple of forms: the value has one of them
- a list with one form: each item has it
- a dict: the values of these keys have these forms (`Optional(form)`: the key may be missing);
  other keys are ignored
- a dict with the single key `str` or `int`: all keys have this type, and all values the form
- a function that returns whether the value is valid
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from .bad_file import BadFile, damaged

MAX_DEPTH = 64


@dataclass(frozen=True)
class Optional:
    """The form of a value whose key may be missing."""

    form: Any


def natural(value: object) -> bool:
    """A form: an integer that is not negative and fits into 64 bits."""
    return type(value) is int and 0 <= value < 2**63


def number(value: object) -> bool:
    """A form: any number, infinity and NaN included."""
    return type(value) is float or (type(value) is int and abs(value) < 2**1000)


def finite(value: object) -> bool:
    """A form: any number but infinity and NaN."""
    return number(value) and math.isfinite(value)  # type: ignore[arg-type]


def load_json(text: str) -> Any:
    """Parses JSON; raises BadFile for text that is not JSON, or is nested too deeply."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise damaged(f"line {error.lineno} is not JSON: {error.msg}") from None
    except ValueError:  # Python does not parse integers of more than 4,300 digits
        raise damaged("a number in it has too many digits") from None
    except RecursionError:
        raise _too_deep() from None
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return value
    raise _too_deep()


def _inside(value: Any) -> Collection[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep() -> BadFile:
    return damaged(f"it is nested more than {MAX_DEPTH} deep")


def misfit(value: Any, form: Any, place: str = "") -> str:
    """The first place where a value does not have its form: `position.epoch`; empty if all fits."""
    match form:
        case Optional():
            return misfit(value, form.form, place)
        case tuple():
            places = [misfit(value, one, place) for one in form]
            return "" if "" in places else max(places, key=len)
        case [item]:
            if type(value) not in (list, tuple):
                return place or "it"
            parts = ((one, item, f"{place}[{at}]") for at, one in enumerate(value))
        case dict() if form and form.keys() <= {str, int}:
            if not isinstance(value, Mapping):
                return place or "it"
            ((kind, item),) = form.items()
            if not all(type(key) is kind for key in value):
                return place or "it"
            parts = ((one, item, _under(place, key)) for key, one in value.items())
        case dict():
            if not isinstance(value, Mapping):
                return place or "it"
            for key, item in form.items():
                if key not in value and not isinstance(item, Optional):
                    return _under(place, key)
            parts = ((value[k], item, _under(place, k)) for k, item in form.items() if k in value)
        case None:
            return "" if value is None else place or "it"
        case type():
            return "" if _is(value, form) else place or "it"
        case _:
            fits: Callable[[object], bool] = form
            return "" if fits(value) else place or "it"
    return next((wrong for one, item, at in parts if (wrong := misfit(one, item, at))), "")


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _under(place: str, key: object) -> str:
    text = str(key)[:40]
    return f"{place}.{text}" if place else text
