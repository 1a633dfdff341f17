"""Recognizes code of Keras, torch, Caffe and Darknet in a spec, and rows of filters as MATLAB has
them, and translates it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ...language.vocabulary import SECTIONS
from .caffe import caffe_field, caffe_layers
from .control_lines import control_line
from .darknet import darknet_layers
from .directive_lines import directive_line
from .matrix import matrix_at
from .python_lines import Directive, translate_python
from .translation import Translation

__all__ = ["Translation", "sets_directive", "translations"]

_MAX_LINES = 20
"""The most lines of one Python statement."""

_TOP = re.compile(rf"(?m)^[ \t]*({'|'.join((*SECTIONS, 'network', 'block'))})\b")


def translations(text: str, places: Sequence[int]) -> Iterator[Translation]:
    """Translations of foreign code at the places of syntax errors, each piece once."""
    whole = [*caffe_layers(text, sorted(places)), *darknet_layers(text)]
    has_input = bool(_INPUT.search(text))
    behind = -1
    for place in sorted(places):
        if place < behind:
            continue
        found = next((one for one in whole if one.start <= place < one.end), None)
        found = found or matrix_at(text, place) or _opening_at(text, place)
        found = found or (
            None if section_at(text, place) else caffe_field(*_line_at(text, place), place)
        )
        found = found or control_line(*_line_at(text, place), place)
        found = found or _python_at(text, place, has_input)
        if found is not None and found.start >= behind:
            behind = found.end
            yield found


def section_at(text: str, place: int) -> str:
    """The section that contains a place; "" for a network or a block."""
    before = text[max(0, place - 20_000) : place]
    word = [found[1] for found in _TOP.finditer(before)][-1:]
    return word[0] if word and word[0] in SECTIONS else ""


def sets_directive(text: str, place: int) -> bool:
    """Whether a place is in a setting of a section that is named as one of its directives:
    `epochs=5`, and not `lr=0.1`, which is an argument."""
    section = section_at(text, place)
    start = max(text.rfind(sign, 0, place) for sign in "\n{,|") + 1
    name = _SET.match(text, start)
    return bool(section) and name is not None and name[1] in _heads(section, True)


_SET = re.compile(r"[ \t]*(\w+)[ \t]*:?[=:]")


def _opening_at(text: str, place: int) -> Translation | None:
    """A line that only opens the list of a network's layers, and does not close it."""
    start, line = _line_at(text, place)
    code = line.partition("#")[0].strip()
    called = code.partition("(")[0]
    name = re.split(r"[.= \t]", called.rstrip())[-1]
    if name not in _LISTS or code[len(called) :].replace(" ", "") not in ("(", "(["):
        return None
    begin = start + line.index(code)
    end = begin + len(code)
    if _closes(text, end):
        return None
    message = "a spec does not need this: a network is the list of its layers"
    return Translation(begin, end, message, "", "take it out, with the bracket that ends it")


_LISTS = frozenset({"Sequential", "ModuleList", "Model"})
_LONGEST_LINE = 500
"""The most characters of a line that are read."""


def _line_at(text: str, place: int) -> tuple[int, str]:
    """Where the line of a place begins, and its text."""
    start = text.rfind("\n", 0, place) + 1
    end = text.find("\n", start, start + _LONGEST_LINE)
    return start, text[start : end if end >= 0 else start + _LONGEST_LINE]


def _closes(text: str, start: int) -> bool:
    """Whether the brackets of a list close before anything that only a spec has."""
    depth = 1
    for sign in re.finditer(r"[()\[\]{}]", text[start : start + _MAX_LIST]):
        if sign[0] in "{}":
            return False
        depth += 1 if sign[0] in "([" else -1
        if depth <= 0:
            return True
    return False


_MAX_LIST = 2_000
"""The most characters of a list of layers that are read."""


_OF_SERIES = re.compile(r"\binput\s+\d+x\d+(?![x\d])|(?m:^[^#\n\"]*\b(?:mel|spectrogram)\b)")
"""Written where samples are series."""


def _python_at(text: str, place: int, has_input: bool) -> Translation | None:
    """The Python statement around a place, which may begin some lines above."""
    section = section_at(text, place)
    series = bool(_OF_SERIES.search(text))
    directive = _directive(section, series)
    line = text.rfind("\n", 0, place) + 1
    for _ in range(_MAX_LINES):
        for start, end in _segments(text, line, place):
            if text.startswith(_WITH_COMMAS, start):  # `from x import a, b`, `for a, b in x:`
                rest = _line_at(text, start)[1][start - line :]
                end = max(end, start + len(re.split(r"[#;{}]", rest)[0].rstrip()))
            code = text[start:end]
            if start <= place <= end and _is_code(code):
                own_line = not text[line:start].strip(" \t{}")
                translation = translate_python(
                    _as_python(code, section), start, section, directive,
                    train=_directive("train"), has_input=has_input, own_line=own_line,
                )  # fmt: skip
                if translation is None and section and start + len(code) > place:
                    heads = _heads(section, series)
                    translation = directive_line(code, start, section, directive, heads)
                if translation is not None:
                    return translation._replace(end=end)
        if line == 0 or not _goes_on(text, line):
            return None
        line = text.rfind("\n", 0, line - 1) + 1
    return None


_WITH_COMMAS = ("import ", "from ", "for ")
_INPUT = re.compile(r"(?m)(?:^|[{,])[ \t]*input[ \t]+[0-9(]")
_OPENING = re.compile(r"[(\[,][ \t]*(?:#[^\n]*)?$")


def _goes_on(text: str, line: int) -> bool:
    """Whether the statement of a line may have begun on the line before."""
    before = text[text.rfind("\n", 0, line - 1) + 1 : line - 1]
    return bool(_OPENING.search(before)) or before.rstrip().endswith(")")


_CODE = re.compile(r"[(.=:]|^\s*(?:import|from|return|class|def|async)\b")


def _is_code(code: str) -> bool:
    return bool(_CODE.search(code))


def _segments(text: str, start: int, until: int) -> Iterator[tuple[int, int]]:
    """The statements from a place up to the next place, without comments."""
    begin, depth, offset = start, 0, start
    quote = ""
    while offset <= len(text) and offset - start < 2_000:
        sign = text[offset] if offset < len(text) else "\n"
        if quote:
            quote = "" if sign == quote or sign == "\n" else quote
        elif sign in "\"'":
            quote = sign
        elif sign in "([" or (sign == "{" and text[begin:offset].endswith(("=", "= "))):
            depth += 1
        elif sign in ")]" or (sign == "}" and depth > 0):
            depth -= 1
        elif depth <= 0 and sign in "\n{}|,#":
            code = text[begin:offset]
            first = begin + len(code) - len(code.lstrip())
            last = offset - (len(code) - len(code.rstrip()))
            if last > first:
                yield first, last
            if offset >= until:
                return
            if sign == "#":
                offset = text.find("\n", offset)
                if offset < 0:
                    return
            begin, depth = offset + 1, 0
        offset += 1


def _directive(section: str, series: bool = False) -> Directive:
    """The directive for a line of another tool."""
    from ...plan.directive import vocabulary
    from ...plan.foreign_directives import advice, directive, in_another_section

    section = vocabulary(section, series)
    return lambda name, positional, named: (
        directive(section, name, positional, named),
        advice(section, name) or in_another_section(section, name, positional, named),
    )


def _heads(section: str, series: bool) -> set[str]:
    from ...plan.directive import vocabulary
    from ...plan.foreign_directives import heads

    return heads(vocabulary(section, series))


_SETTING = re.compile(r"(\w+)[ \t]*:[ \t]*([^\s{}:][^\n{}:]*)\Z")
"""A setting of Caffe: `base_lr: 0.01`."""

_OBJECT = re.compile(r"(\w+)[ \t]+((?:\w+\.)*\w+\(.*\))\Z", re.DOTALL)
"""A directive whose kind is written in Python: `loss nn.CrossEntropyLoss()`."""


_FROM = re.compile(r"\Afrom[ \t]*=")


def _as_python(code: str, section: str) -> str:
    """A line of a section whose syntax is neither a spec's nor Python's, as Python."""
    setting, call = _SETTING.match(code), _OBJECT.match(code)
    if section and setting is not None:
        value = setting[2].strip()
        return f"{setting[1]}={value.title() if value in ('true', 'false') else value}"
    if section and call is not None:
        return f"{call[1]}={call[2]}"
    return _FROM.sub("from_=", code)  # a word of Python, and a setting of Darknet's
