"""Lines of a section with a sign behind the word of a directive, as settings files have them:
`optimizer = adamw lr=1e-3`, `optimizer: adamw lr=1e-3`, `crop = 32 pad=4`.
"""

from __future__ import annotations

import re

from ...language.foreign import folded
from ...language.translate import Value
from ...language.values import Word
from .python_lines import Directive
from .translation import Translation

SYNTAX = "this is not the syntax of a section: a directive is a word and its arguments"

_LINE = re.compile(r"(?P<name>\w+)[ \t]*(?::=|[=:])[ \t]*(?P<rest>[^\s=:{}][^\n{}]*)\Z")
_PART = re.compile(r"(?:(\w+)=)?([^\s=]+)\Z")


def directive_line(
    code: str, start: int, section: str, directive: Directive, heads: set[str]
) -> Translation | None:
    """Translates such a line; None if it is something else. `heads` are the words that begin a
    directive of the section."""
    line = _LINE.match(code)
    if line is None:
        return None
    name, rest = line["name"], line["rest"].strip()
    own = {folded(head): head for head in heads}
    written = f"{own[folded(name)]} {rest}" if folded(name) in own else ""
    parts = [_PART.match(part) for part in rest.split()]
    if not written and all(parts):
        values = [part.groups() for part in parts if part is not None]
        positional = [Value(text, Word(text)) for key, text in values if not key]
        named = {key: Value(text, Word(text)) for key, text in values if key}
        kind, _, _ = rest.partition(" ")
        tries = [(kind, positional[1:]), (name, positional)]
        found = [directive(word, given, named)[0] for word, given in tries]
        texts = [one.text for one in found if one and not one.left_out]
        whole = (text for text in texts if all(value.text in text for value in named.values()))
        written = next(whole, "")
    if written:
        return Translation(start, start + len(code), SYNTAX, written)
    message = f"`{name}` is not a directive of `{section}`"
    advice = directive(name, [], {})[1] or f"there are {', '.join(f'`{h}`' for h in sorted(heads))}"
    return Translation(start, start + len(code), message, None, advice)
