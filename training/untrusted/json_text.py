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
    wrong = _wrong(value, form)
    if wrong is None:
        return ""
    return (place + wrong).removeprefix("." if not place else "") or "it"


def _wrong(value: Any, form: Any) -> str | None:
    """The place below a value: `.position.epoch`, empty for the value itself; None if all fits. It
    is made up only where something is wrong, since there may be millions of values."""
    match form:
        case Optional():
            return _wrong(value, form.form)
        case tuple():
            places = [_wrong(value, one) for one in form]
            return None if None in places else max(filter(None, places), key=len, default="")
        case [item]:
            if type(value) not in (list, tuple):
                return ""
            for at, one in enumerate(value):
                if (wrong := _wrong(one, item)) is not None:
                    return f"[{at}]{wrong}"
        case dict() if form and form.keys() <= {str, int}:
            ((kind, item),) = form.items()
            if not isinstance(value, Mapping) or not all(type(key) is kind for key in value):
                return ""
            for key, one in value.items():
                if (wrong := _wrong(one, item)) is not None:
                    return _below(key) + wrong
        case dict():
            if not isinstance(value, Mapping):
                return ""
            for key, item in form.items():
                if key not in value and not isinstance(item, Optional):
                    return _below(key)
            for key, item in form.items():
                if key in value and (wrong := _wrong(value[key], item)) is not None:
                    return _below(key) + wrong
        case None:
            return None if value is None else ""
        case type():
            return None if _is(value, form) else ""
        case _:
            fits: Callable[[object], bool] = form
            return None if fits(value) else ""
    return None


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _below(key: object) -> str:
    return f".{str(key)[:40]}"
