"""Translates layers of other tools, with their arguments, into lines of a spec.

`Conv2D(32, (3, 3), activation="relu")` and `Conv2d(3, 64, kernel_size=3, padding=1)` arrive as a
name and values; the result is text: `conv 32 3x3, relu`. Callers try it before they offer it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import dropwhile
from typing import Any

from . import foreign
from .signature import ArgumentError, Field
from .values import Word


@dataclass(frozen=True)
class Value:
    """A value from another tool: as text of a spec, and evaluated."""

    text: str
    known: Any = None
    """A number, on or off, a tuple of numbers or a Word; None if only the text is known."""

    @property
    def word(self) -> str:
        """The folded word if the value is one; else ""."""
        return foreign.folded(self.known) if isinstance(self.known, Word) else ""


_ACTIVATION_LAYERS = frozenset({"activation", "activationlayer", "getactivation", "actlayer"})

NOTHING = Value("none", Word("none"))


def value_of(known: Any) -> Value:
    """A Python value as a spec writes it."""
    if known is None:
        return NOTHING
    if isinstance(known, bool):
        return Value("on" if known else "off", known)
    if isinstance(known, float):
        text = f"{known:g}"
        plain = text if float(text) == known else repr(known)
        return Value(plain if known >= 0 else f"({plain})", known)
    if isinstance(known, int):
        return Value(str(known) if known >= 0 else f"({known})", known)
    if isinstance(known, str):
        return Value(known, Word(known))
    if isinstance(known, (tuple, list)):
        items = tuple(known)
        if items and all(isinstance(item, (tuple, list)) for item in items):
            sides = {tuple(item) for item in items}  # Keras: ((1, 1), (1, 1))
            if len(sides) == 1 and len(set(next(iter(sides)))) == 1:
                return value_of(items[0][0])
        if len(items) in (2, 3) and all(type(item) is int and item >= 0 for item in items):
            return Value("x".join(map(str, items)), items)
        if len(items) == 1:
            return value_of(items[0])
        if all(isinstance(item, (int, float)) for item in items):
            return Value(f"({', '.join(value_of(item).text for item in items)})", items)
    return Value(str(known))


@dataclass
class Statement:
    """The translation of a layer of another tool."""

    text: str
    """The line to write: `conv 32 3x3, relu`."""
    left_out: list[str] = field(default_factory=list)
    """Arguments without an equivalent, as they were written."""


def layer(
    name: str, positional: Sequence[Value], named: Mapping[str, Value], *, as_spec: bool = False
) -> Statement | None:
    """Translates a layer of another tool; None if there is no equivalent. With `as_spec` it is
    written without parentheses: `UpSample 2` is a factor, where torch's `Upsample(2)` is a size.
    """
    if foreign.folded(name) in _ACTIVATION_LAYERS and len(positional) == 1 and not named:
        after = activation(positional[0])
        return Statement(after) if after else None
    whole = [value.text for value in positional] + [f"{k}={v.text}" for k, v in named.items()]
    call = f"{name}({','.join(whole)})"
    meaning = foreign.layer(name, call)
    if meaning is None or not meaning.instead:
        return None
    if meaning != foreign.layer(name):  # an entry for exactly this call: `ReLU(6)`
        return Statement(meaning.instead)
    return _statement(meaning, _by_name(meaning, positional, named, as_spec=as_spec))


def _by_name(
    meaning: foreign.Meaning,
    positional: Sequence[Value],
    named: Mapping[str, Value],
    *,
    as_spec: bool = False,
) -> list[tuple[str, Value]]:
    """All arguments by their name in the other tool, or by the name here if the signature states
    it.
    """
    renamed = {theirs: ours or theirs for theirs, ours in meaning.parameters}
    order = [ours or theirs for theirs, ours in meaning.parameters]
    own = [f.name for f in meaning.kind.signature().positional]
    if not order or (as_spec and order[0] == "to" and "factor" in own):
        order = own
    fields = meaning.kind.fields
    ours = [foreign.argument(name, fields) for name in order]
    given = {*ours[: len(positional)], *(foreign.argument(name, fields) for name in named)}
    if any(name and fields[name].required and name not in given for name in ours):
        # `Linear 10`: a single number is the number of outputs; a spec does not state inputs.
        order = list(dropwhile(foreign.why_left_out, order))
    arguments = list(zip(order, positional, strict=False))
    arguments += [("", value) for value in positional[len(order) :]]
    return arguments + [(renamed.get(name, name), value) for name, value in named.items()]


def _statement(meaning: foreign.Meaning, given: Sequence[tuple[str, Value]]) -> Statement:
    fields = meaning.kind.fields
    values: dict[str, Value] = {}
    flags: list[str] = []
    next_layer = label = ""
    then = meaning.then
    result = Statement("")
    # The meaning of `same` depends on the other arguments.
    for name, value in sorted(given, key=lambda one: one[0] in foreign.PADDING):
        if name in foreign.ACTIVATION and name not in fields:
            after = activation(value)
            if after is None:
                result.left_out.append(f"{name}={value.text}")
            next_layer = after or next_layer
            continue
        if name == "name" and value.word and value.text.isidentifier():
            label = f"{value.text}: "
            continue
        if name == "keepdims" and name not in fields:
            then = "" if value.known is True else then
            continue
        part = argument(name, value, fields, values)
        if part is None:
            if not foreign.why_left_out(name):
                result.left_out.append(f"{name}={value.text}" if name else value.text)
        elif isinstance(part, str):
            flags += [part] if part else []
        else:
            values[part[0]] = part[1]
    lines = [label + _line(meaning, values, flags), then, next_layer]
    result.text = ", ".join(line for line in lines if line)
    return result


def _line(meaning: foreign.Meaning, values: Mapping[str, Value], flags: Sequence[str]) -> str:
    """`conv 32 3x3 stride=2 same`: arguments that can be positional are."""
    fields = meaning.kind.fields
    further = meaning.further.split()
    bare: list[str] = []
    rest: list[str] = []
    leading = True
    for name, spec in fields.items():
        value = values.get(name)
        if value is None or _is_default(spec, value):
            leading = leading and value is not None and spec.required
            continue
        if name == "adaptive" and value.known in (1, (1, 1)):
            further = ["global"]
        elif name == "adaptive":
            further = []
            rest.append(f"adaptive={value.text}")
        elif name == "kernel" and leading:
            side = value.known
            square = type(side) is int and meaning.axes == 2
            bare.append(f"{side}x{side}" if square else value.text)
        elif leading and (spec.required or (not bare and name not in ("eps", "pad"))):
            bare.append(value.text)
        elif spec.is_flag:
            rest += [name] if value.known is True else []
        else:
            rest.append(f"{name}={value.text}")
        further = [word for word in further if not word.startswith(f"{name}=")]
    return " ".join([meaning.word, *bare, *further, *rest, *dict.fromkeys(flags)])


def _is_default(spec: Field, value: Value) -> bool:
    if spec.required or value.known is None:
        return False
    try:
        return bool(spec.read(value.known) == spec.default)
    except (ArgumentError, TypeError, ValueError):
        return False


Part = tuple[str, Value] | str | None


def argument(
    name: str, value: Value, fields: Mapping[str, Field], others: Mapping[str, Value] | None = None
) -> Part:
    """Translates one argument: its name here with its value, a flag, or "" if it is not needed;
    None if there is no equivalent.
    """
    if name in foreign.PADDING and value.word:
        return _padding(value, fields, others or {})
    if name in foreign.PARTS:
        ours, axis = foreign.PARTS[name]
        if ours not in fields or not isinstance(value.known, int):
            return None
        before = (others or {}).get(ours)
        sides = list(before.known) if before and isinstance(before.known, tuple) else [1, 1]
        if before is None:
            sides = [value.known, value.known]
        sides[axis] = value.known
        return ours, value_of(tuple(sides))
    if name == "channels_last" and isinstance(value.known, tuple) and "to" in fields:
        return "to", value_of((value.known[-1], *value.known[:-1]))
    complement = name.removeprefix("1-")
    if complement != name:
        if complement not in fields or not isinstance(value.known, float):
            return None
        return complement, value_of(round(1 - value.known, 9))
    ours = foreign.argument(name, fields)
    if not ours:
        return None
    if value.word == "none" and "none" not in fields[ours].words:
        return ""
    if value.word and foreign.is_number_of_classes(value.text):
        return ours, Value("classes")
    return ours, value


def _padding(value: Value, fields: Mapping[str, Field], others: Mapping[str, Value]) -> Part:
    """Translates padding: `same` as torch pads if that gives the same result, else as Keras does;
    `valid` becomes "".
    """
    if value.word in foreign.NOTHING_TO_PAD:
        return ""
    if value.word not in foreign.SAME_WORDS or "same" not in fields:
        return None
    stride = others.get("stride")
    kernel = others.get("kernel")
    sides = kernel.known if kernel and isinstance(kernel.known, tuple) else ()
    if kernel and isinstance(kernel.known, int):
        sides = (kernel.known,)
    even = any(side % 2 == 0 for side in sides)
    strided = stride is not None and stride.known not in (None, 1, (1, 1))
    if (strided or even) and "same_upper" in fields:
        return "same_upper"
    return "ceil" if even and "ceil" in fields else "same"


def activation(value: Value) -> str | None:
    """The statement for an activation given as an argument: "" for none, None if it is unknown."""
    if value.word in foreign.LINEAR:
        return ""
    name = value.text.strip("\"'")
    meaning = foreign.layer(name.rsplit(".", 1)[-1])
    if meaning is None or not meaning.instead or meaning.kind.kind != "activation":
        return None
    return meaning.instead
