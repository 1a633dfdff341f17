"""What other tools call directives, and the line for them: `RandomCrop(32, padding=4)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..language.foreign import folded
from ..language.signature import Field
from ..language.translate import Value
from ..language.vocabulary import SECTIONS
from .directive import REGISTRY, Directive


def heads(section: str) -> set[str]:
    """The words that can begin a statement of a section."""
    return {word.split(" ", 1)[0] for word in REGISTRY[section]}


def sections_with(word: str) -> list[str]:
    """The sections that have a directive of that name."""
    return [section for section in SECTIONS if word in heads(section)]


def known_elsewhere(section: str) -> dict[str, tuple[str, str]]:
    """Names that other tools have, folded: what to write, or what to do."""
    found: dict[str, tuple[str, str]] = {}
    for kind in dict.fromkeys(REGISTRY[section].values()):
        for instead, names in kind.elsewhere.items():
            found.update({folded(name): (instead, "") for name in names.split()})
    for kind in dict.fromkeys(REGISTRY[section].values()):
        for what, names in kind.advice.items():
            for name in map(folded, names.split()):
                found[name] = found.get(name, ("", ""))[0], what
    for word in REGISTRY[section]:  # `Adam`, without `optimizer` before it
        if " " in word:
            found.setdefault(folded(word.split(" ")[1]), (word, ""))
    return found


def directive(
    section: str, name: str, positional: Sequence[Value], named: Mapping[str, Value]
) -> str | None:
    """The line for it; "" where it says that something is not to be, None where it is not known."""
    if section not in REGISTRY:
        return None
    own = {folded(head): head for head in heads(section)}
    instead = known_elsewhere(section).get(folded(name), ("", ""))[0] or own.get(folded(name), "")
    if not instead:
        return None
    kind = _kind(section, instead)
    if len(positional) == 1 and positional[0].known is False and not named:
        return ""  # `horizontal_flip=False`
    if kind is None:
        return " ".join([instead, *(value.text for value in positional)])
    further = instead.split(" ")[len(kind.word.split(" ")) :]
    if len(positional) == 1 and positional[0].known is True:
        positional = ()
    if len(further) == 1 and "=" in further[0] and len(positional) == 1 and not named:
        key = further[0].partition("=")[0]  # `brightness_range=(0.8, 1.2)`
        named, positional, further = {key: positional[0]}, (), []
    fields = list(kind.fields.values())
    parts = []
    for field, value in zip(fields, positional, strict=False):
        if value.word == "none":
            continue
        text = _text(field, value)
        parts.append(f"{field.name}={text}" if field.keyword_only else text)
    for theirs, value in named.items():
        found = _field(kind, theirs)
        if found is not None and value.word != "none":
            further = [word for word in further if not word.startswith(f"{found.name}=")]
            parts.append(_argument(found, value))
    if further and further[0] in kind.fields and kind.fields[further[0]].is_flag:
        return " ".join([kind.word, *parts, *further])
    bare = [word for word in further if "=" not in word]
    return " ".join([kind.word, *bare, *parts, *(word for word in further if "=" in word)])


def advice(section: str, name: str) -> str:
    """What to do about a word of other tools for which a section has no line."""
    return known_elsewhere(section).get(folded(name), ("", ""))[1] if section in REGISTRY else ""


def _kind(section: str, instead: str) -> type[Directive] | None:
    words = instead.split(" ")
    known = REGISTRY[section]
    return known.get(" ".join(words[:2])) or known.get(words[0])


def _field(kind: type[Directive], theirs: str) -> Field | None:
    plain = folded(theirs)
    for field in kind.fields.values():
        if plain == folded(field.name) or plain in map(folded, field.elsewhere.split()):
            return field
    return None


def _argument(field: Field, value: Value) -> str:
    if field.is_flag:
        return field.name if value.known is True else ""
    return f"{field.name}={_text(field, value)}"


def _text(field: Field, value: Value) -> str:
    """A value as a section writes it: two numbers are a range where one is wanted."""
    known = value.known
    if "range" in field.expects and isinstance(known, tuple) and len(known) == 2:
        low, high = known
        return f"{low:g}..{high:g}"
    return value.text
