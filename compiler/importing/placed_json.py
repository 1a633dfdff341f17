"""JSON in which every object knows its place in the text: that of its `class_name`, which is what
Keras calls the kind of a layer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.source import Source, Span

MAX_CHARACTERS = 50_000_000
MAX_DEPTH = 64
MARK = "class_name"
_MARKS = re.compile(rf'"{MARK}"[ \t\r\n]*:')


class Placed(dict[str, Any]):
    """An object with a `class_name`."""

    span: Span


def read_json(source: Source) -> Any:
    """The value of a text; raises SpecError at the place where it is none."""
    if len(source.text) > MAX_CHARACTERS:
        raise _wrong(source, "limit", f"this file has more than {MAX_CHARACTERS:,} characters")
    try:
        value = json.loads(source.text, object_hook=_placed)
    except json.JSONDecodeError as error:
        raise _wrong(source, "json", f"this is not JSON: {error.msg}", error.pos) from None
    except ValueError:
        raise _wrong(source, "json", "a number has too many digits") from None
    except RecursionError:
        raise _too_deep(source) from None
    _find_places(source, value)
    return value


def _placed(found: dict[str, Any]) -> dict[str, Any]:
    return Placed(found) if MARK in found else found


def _find_places(source: Source, value: Any) -> None:
    """Keys come in the order of the text, and so do the places of this one."""
    places = _MARKS.finditer(source.text)
    start = Span(source, 0, 0)
    stack: list[Iterator[tuple[Any, Any]]] = [iter([(None, value)])]
    inside: list[Any] = [None]
    while stack:
        for key, each in stack[-1]:
            if key == MARK:
                match = next(places, None)
                at = match.end() if match is not None else 0
                end = source.text.find("\n", at, at + 200)
                found = Span(source, at, end if end >= 0 else at + 1)
                inside[-1].span = _value(found) if match is not None else start
            if isinstance(each, (dict, list)):
                if isinstance(each, Placed):
                    each.span = start
                stack.append(iter(each.items() if isinstance(each, dict) else enumerate(each)))
                inside.append(each)
                break
        else:
            stack.pop()
            inside.pop()
        if len(stack) > MAX_DEPTH:
            raise _too_deep(source)


def _value(rest: Span) -> Span:
    """The text in quotation marks at the beginning of the rest of a line."""
    text = rest.source.text
    first = text.find('"', rest.start, rest.start + 200)
    last = text.find('"', first + 1, first + 200)
    return Span(rest.source, first, last + 1) if 0 <= first < last else rest


def _too_deep(source: Source) -> SpecError:
    return _wrong(source, "limit", f"it is nested more than {MAX_DEPTH} deep")


def _wrong(source: Source, code: str, message: str, at: int = 0) -> SpecError:
    end = min(at + 1, len(source.text))
    return SpecError([Diagnostic(code, message, Span(source, min(at, end), end))])
