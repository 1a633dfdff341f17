"""Layers of Caffe: `layer { type: "Convolution" convolution_param { num_output: 64 } }`."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

from ...language import foreign, translate
from ...language.translate import Value, value_of
from .translation import Translation

MAX_CHARACTERS = 4_000
"""The most characters of a Caffe layer that are read."""

_OPENS = re.compile(r"(?m)^[ \t]*layers?[ \t]*\{")
_PARTS = re.compile(r'"[^"\n]*"|\'[^\'\n]*\'|#[^\n]*|[{}]|[A-Za-z_]\w*|[-+]?[0-9.][-+\w.]*|:')
_LEAVES_OUT = ("scale", "bias", "accuracy", "softmaxwithloss", "softmaxloss", "split", "silence")
"""Caffe layers that a spec does not need."""


def caffe_layers(text: str, places: Sequence[int]) -> Iterator[Translation]:
    """The Caffe layers at the given places of a text, in order."""
    for opening in _OPENS.finditer(text):
        start = opening.end() - 1
        first = bisect_left(places, opening.start())
        if first == len(places) or places[first] > start + MAX_CHARACTERS:
            continue
        end = _closing(text, start)
        if end < 0:
            continue
        fields = _fields(text[start + 1 : end - 1])
        name = str(fields.get("type", "")).strip("\"'")
        if name:
            begin = opening.start() + len(opening.group()) - len(opening.group().lstrip())
            yield _translated(name, fields, begin, end)


def _closing(text: str, start: int) -> int:
    depth = 0
    for part in _PARTS.finditer(text, start, start + MAX_CHARACTERS):
        depth += (part.group() == "{") - (part.group() == "}")
        if depth == 0:
            return part.end()
    return -1


def _fields(inside: str) -> dict[str, Any]:
    """The fields of a layer, with those of its `…_param`."""
    by_name: dict[str, Any] = {}
    blocks: list[str] = []
    name = ""
    for part in _PARTS.findall(inside):
        if part == "{":
            blocks.append(name)
        elif part == "}":
            del blocks[-1:]
        elif part == ":" or part.startswith("#"):
            continue
        elif name and (not blocks or (len(blocks) == 1 and blocks[0].endswith("_param"))):
            by_name.setdefault(name, part)
            name = ""
            continue
        name = "" if part in "{}" else part
    return by_name


def _translated(kind: str, fields: dict[str, Any], start: int, end: int) -> Translation:
    message = f"this is a layer of Caffe, `{kind}`"
    folded = foreign.folded(kind)
    values = {name: _value(text) for name, text in fields.items()}
    word = kind
    if folded == "pooling":
        average = str(fields.get("pool", "MAX")).upper() in ("AVE", "1")
        whole = str(fields.get("global_pooling", "false")) == "true"
        word = ("Global" if whole else "") + ("AveragePool" if average else "MaxPool")
    elif folded == "relu" and "negative_slope" in values:
        word = "LeakyReLU"
    used = {
        name: value
        for name, value in values.items()
        if name not in ("type", "name", "bottom", "top", "pool", "global_pooling", "phase")
    }
    translated = translate.layer(word, [], used)
    if translated is not None:
        label = str(fields.get("name", "")).strip("\"'")
        named = (
            f"{label}: {translated.text}"
            if label.isidentifier() and translated.text != "relu"
            else ""
        )
        return Translation(start, end, message, named or translated.text)
    meaning = foreign.layer(kind)
    advice = meaning.advice if meaning else ""
    return Translation(start, end, message, "" if folded in _LEAVES_OUT else None, advice)


def _value(text: str) -> Value:
    plain = text.strip("\"'")
    if plain in ("true", "false"):
        return value_of(plain == "true")
    for read in (int, float):
        try:
            return value_of(read(plain))
        except ValueError:
            continue
    return value_of(plain)


# ---- fields without their layer -----------------------------------------------------------------

_FIELD = re.compile(
    r"(?<![\w.])(?P<name>[a-z_]\w*)[ \t]*:[ \t]*(?P<value>\"[^\"\n]*\"|-?[0-9.][\w.+-]*|true|false)"
)
_INPUTS = frozenset({"input", "input_dim", "dim"})
_WIRES = frozenset({"bottom", "top", "phase"})


def caffe_field(start: int, line: str, place: int) -> Translation | None:
    """A field of Caffe at a place of a network, such as `num_output: 32`, without its layer.
    `start` is where the line begins.
    """
    at = place - start
    field = next((one for one in _FIELD.finditer(line) if one.start() <= at < one.end()), None)
    if field is None:
        return None
    name, value = field["name"], field["value"].strip('"')
    advice = _advice_on_field(name, value)
    written = "" if advice.startswith("take it out") else None
    message = "this is a field of a layer of Caffe"
    return (
        Translation(start + field.start(), start + field.end(), message, written, advice)
        if advice
        else None
    )


def _advice_on_field(name: str, value: str) -> str:
    if name == "name":
        return (
            f"a network's name follows `network`: `network {_plain(value)} {{ … }}`; a layer's is a"
            f" label in front of it: `{_plain(value)}: conv 64 3x3`"
        )
    if name == "type":
        meaning = foreign.layer(value)
        if meaning is None:
            return "write the layer itself: `conv 64 3x3`"
        written = f"write the layer itself: `{foreign.example(meaning)}`" if meaning.instead else ""
        return written or meaning.advice
    if name in _INPUTS:
        return "write `input 3x224x224` (channels x height x width) as the network's first line"
    if name in _WIRES:
        return "take it out: layers follow one another, and one that is used elsewhere has a label"
    ours = foreign.argument(name, foreign.ARGUMENTS)
    if ours:
        return f"`{name}` is an argument: it goes after its layer, as in `conv 64 3x3 stride=2`"
    return foreign.why_left_out(name)


def _plain(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_") or "Net"
